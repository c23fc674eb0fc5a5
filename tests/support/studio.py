"""Runs generate jobs on tiny models and gives their pictures as arrays; what is loaded is kept between all tests of a session."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.modules import build_unet
from sfumato.engine.tasks.generate import run
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.protocol.requests.generate import Generate, GenerateResult
from tests.support.painting import encoded
from tests.support.recording import Recording
from tests.support.tiny_models import BASE, Kind, TinyFiles, TinyModules, tiny_modules

Pixels = NDArray[np.uint8]


def to_array(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def gradient(width: int = 64, height: int = 64, phase: int = 0) -> Image.Image:
    """A picture in which every pixel differs from its neighbours."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([(x * 4 + phase) % 256, (y * 4 + phase) % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8))


def box_mask(box: tuple[int, int, int, int], width: int = 64, height: int = 64, grey: int = 255) -> Image.Image:
    mask = Image.new("L", (width, height))
    mask.paste(grey, box)
    return mask


class SmallFiles(TinyFiles):
    """Tiny checkpoints whose UNets have one block a level: a job of three steps takes half the time, and these tests run hundreds."""

    def modules(self, kind: Kind, channels: int = BASE) -> TinyModules:
        if (kind, channels) not in self._modules:
            made = tiny_modules(kind, channels=channels)
            context, vector = made.unet.config["cross_attention_dim"], made.unet.config["projection_class_embeddings_input_dim"] or 0
            torch.manual_seed(0)
            depths = (0, 1) if kind == "sdxl" else (1, 0)
            plain = kind == "sd1"
            shape = UNetConfiguration.regular(
                (32, 32), depths, context, layers=1, heads=8 if plain else None, linear_projection=not plain, vector_width=vector, in_channels=channels
            )
            unet = build_unet(shape).to_empty(device="cpu")
            for name, parameter in unet.named_parameters():
                scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.02
                parameter.data.normal_(0, scale)
                if parameter.dim() == 1 and "norm" in name and name.endswith("weight"):
                    parameter.data.add_(1)
            self._modules[kind, channels] = replace(made, unet=unet.requires_grad_(False).eval())
        return self._modules[kind, channels]


class Studio:
    """One process that paints."""

    def __init__(self, files: TinyFiles, data: Path) -> None:
        self.files = files
        self.places = Places(data, data / "outputs", (files.root,))
        self.kept = Kept()
        self.recording = Recording()
        self.result = GenerateResult()

    def model(self, kind: Kind = "sd1", channels: int = BASE) -> str:
        """The name of a tiny model, written when it is first asked for."""
        return self.files.single(kind, channels).stem

    def context(self, blobs: Mapping[str, bytes] | None = None) -> JobContext:
        self.recording = Recording()
        return JobContext("job", self.places, self.recording, self.kept, blobs or {})

    def paint(
        self,
        image: Image.Image | str | None = None,
        mask: Image.Image | str | None = None,
        blobs: Mapping[str, bytes] | None = None,
        cancel_at: tuple[str, int] | None = None,
        **fields: Any,
    ) -> list[Pixels]:
        """The pictures of a job: 3 steps of Euler, seed 1, 64 px, unless told otherwise.

        Args:
            image, mask: sent, or the name of a blob.
            blobs: sent beside the request; those named after a field fill it.
            cancel_at: stage and number of units done at which the job is cancelled.
        """
        sent = dict(blobs or {})
        for name, picture in (("image", image), ("mask", mask)):
            if isinstance(picture, str):
                fields[name] = picture
            elif picture is not None:
                sent[name] = encoded(picture)
        fields = {**{name: name for name in ("image", "mask") if name in sent}, **fields}
        defaults: dict[str, Any] = {"prompt": "a red circle", "steps": 3, "seed": 1, "sampler": "Euler", "preview": "off"}
        request = Generate(**{**defaults, "model": fields.pop("model", None) or self.model(), **fields})
        context = self.context(sent)
        if cancel_at is not None:
            self.recording.on_progress = lambda said: context.cancel() if (said.stage, said.done) == cancel_at else None
        self.result = run(request, context)
        return [to_array(data) for _, _, data, _ in self.recording.artifacts]

    def one(self, *pictures: Image.Image | None, **fields: Any) -> Pixels:
        """The only picture of a job."""
        made = self.paint(*pictures, **fields)
        assert len(made) == 1
        return made[0]
