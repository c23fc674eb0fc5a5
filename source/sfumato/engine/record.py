"""What a finished picture remembers: the infotext other programs read and our own document, written into its PNG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from sfumato.engine.decoding import Pixels
from sfumato.engine.family import Model
from sfumato.engine.plan import Plan
from sfumato.imaging.infotext import Value, write_infotext
from sfumato.imaging.picture import encode_png, from_rgb, own_document
from sfumato.library.hashes import SHORT_DIGITS, Hashes
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

# AUTOMATIC1111's words.
_EMPHASIS = {"no_norm": "No norm", "ignore": "Ignore", "none": "None"}


class Recorder:
    """Writes the pictures of one job."""

    def __init__(self, request: Generate, model: Model, plan: Plan, hashes: Hashes) -> None:
        # A picture never waits for a checksum.
        self._sha256 = hashes.known(model.checkpoint.path)
        self._request = request
        self._model = model
        self._plan = plan
        self._engine: dict[str, Any] = {
            "torch": torch.__version__,
            "diffusers": version("diffusers"),
            "device": model.device.name,
            "dtype": model.device.dtype_name,
            "attention": model.device.attention,
            "rng": "cpu",
            "deterministic": request.deterministic,
            "notes": [],
        }
        self._models = [
            {
                "role": "checkpoint",
                "name": model.checkpoint.name,
                "family": model.family.name,
                "sha256": self._sha256 or "pending",
                "bytes": sum(size for _, size, _ in model.checkpoint.identity),
            }
        ]

    def png(self, pixels: Pixels, index: int, seed: int, warnings: Sequence[JobWarning]) -> tuple[bytes, str]:
        """The PNG of picture `index` and its infotext, which is empty (and nothing is in the file) if the request wants no metadata."""
        height, width, _ = pixels.shape
        image = from_rgb(width, height, pixels.tobytes())
        if self._request.metadata == "none":
            return encode_png(image), ""
        infotext = write_infotext(self._request.prompt, self._request.negative, self._pairs(seed))
        own = own_document(
            "generate",
            self._request.model_dump(mode="json"),
            {"index": index, "seed": seed, "width": width, "height": height, "stage": "final", "incomplete": False},
            datetime.now(UTC).astimezone(),
            resolved={
                "prompt": self._request.prompt,
                "negative": self._request.negative,
                "networks": [],
                "sampler": self._plan.methods.sampler.name,
                "schedule": self._plan.methods.schedule.name,
            },
            models=self._models,
            engine=self._engine,
            warnings=[warning.model_dump(mode="json") for warning in warnings],
        )
        return encode_png(image, infotext, own), infotext

    def _pairs(self, seed: int) -> dict[str, Value]:
        request, plan, methods = self._request, self._plan, self._plan.methods
        acting, values = methods.sampler.parameters, plan.parameters
        churns = "s_churn" not in acting or values.s_churn > 0
        return {
            "Steps": request.steps,
            "Sampler": methods.sampler.name,
            "Schedule type": "Automatic" if methods.is_automatic else methods.schedule.title,
            "CFG scale": request.guidance,
            "Seed": seed,
            "Size": (plan.width, plan.height),
            "Model hash": self._sha256[:SHORT_DIGITS] if self._sha256 else None,
            "Model": self._model.checkpoint.path.stem if self._model.checkpoint.path.is_file() else self._model.checkpoint.name,
            "Clip skip": plan.clip_layer if plan.clip_layer != self._model.text.layer else None,
            "RNG": "CPU",
            "Eta": values.eta if "eta" in acting and values.eta != 1 else None,
            "Sigma churn": values.s_churn if "s_churn" in acting and values.s_churn else None,
            "Sigma noise": values.s_noise if "s_noise" in acting and churns and values.s_noise != 1 else None,
            "Emphasis": _EMPHASIS.get(request.emphasis),
        }
