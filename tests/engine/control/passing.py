"""Files of control models loaded for tiny models, and passes they steer, without a job around."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sfumato.engine.attachments import Attachment
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.control.loading import Loaded, Task
from sfumato.engine.control.steering import Steering
from sfumato.engine.denoiser import NetworkInputs, Told
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.script import ImageState, Voice
from sfumato.engine.workplace import PLAIN
from sfumato.protocol.requests.control import ControlUnit
from tests.engine.guided_sides import script

GUIDANCE, SIDE = 5.0, 64


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def picture(height: int = SIDE, width: int = SIDE, seed: int = 7) -> Tensor:
    """(1, 3, H, W) in 0..1."""
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(seed))


def loaded(path: Path, model: Model) -> Loaded:
    models = ControlModels()
    return models.load(models.file(path), model, lambda: None)


def steering(control: Loaded, seen: Tensor, unit: ControlUnit | None = None, mask: Tensor | None = None) -> Attachment:
    unit = unit or ControlUnit()
    with torch.inference_mode():
        features = control.features(seen)
    return control.steering(features, Steering.of(unit, mask), Task(unit, "control.0", PLAIN))


def said(width: int, seed: int, pooled: int = 0) -> Conditioning:
    return Conditioning(seeded(1, 77, width, seed=seed), pooled=seeded(1, pooled, seed=seed + 50) if pooled else None)


def sides(model: Model, images: int = 1) -> tuple[ImageState, ...]:
    """For each image a positive side of its own, and a negative one."""
    width = model.unet.config["cross_attention_dim"]
    pooled = 32 if model.vector else 0
    negative = said(width, 90, pooled)
    return tuple(ImageState((Voice(1.0, said(width, 10 + number, pooled), None),), (Voice(1.0, negative, None),), negative) for number in range(images))


NUMBERS = {name: float(SIDE) for name in ("original_height", "original_width", "target_height", "target_width")} | {"crop_top": 0.0, "crop_left": 0.0}
TOLD = Told(NUMBERS, NUMBERS)


def denoised(
    model: Model, attachments: Sequence[Attachment], x: Tensor, sigma: float, calls: int = 1, guidance: float = GUIDANCE, inputs: NetworkInputs | None = None
) -> Tensor:
    """The guided prediction at one noise level, of the last of so many calls planned."""
    settings = GuidanceSettings(guidance=guidance)
    with (
        torch.inference_mode(),
        guiding(model, script(*sides(model, len(x)), calls=calls), settings, inputs or NetworkInputs(TOLD), None, attachments) as denoise,
    ):
        return [denoise(x, sigma) for _ in range(calls)][-1]
