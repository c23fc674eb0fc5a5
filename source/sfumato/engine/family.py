"""The seam between families of models and everything that works with any of them.

A `Family` is a row: how its files are recognised, configured and loaded, and what its networks mean. A `Model` is one loaded checkpoint. Nothing
outside `families/` compares a family's name; what differs is a field here. Rows are listed in `families/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.noise_table import NoiseTable
from sfumato.protocol.errors import ModelUnsupported

if TYPE_CHECKING:  # the modules' import takes seconds; recognising a file must not
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    from sfumato.engine.device import Device

Prediction = Literal["eps", "v"]
Check = Callable[[], None]


@dataclass(frozen=True)
class LatentFormat:
    """Latents are `channels` x height/factor x width/factor; the VAE's own times `scale`."""

    channels: int
    factor: int
    scale: float


@dataclass(frozen=True)
class Defaults:
    """What a request leaves open."""

    clip_layer: int


@dataclass(frozen=True)
class PreviewFactors:
    """RGB in -1..1 = weights (3, channels) . latent + bias (3)."""

    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, float, float]


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint: the networks and what they mean. Shared between jobs, so nobody changes it."""

    family: Family
    checkpoint: Checkpoint
    device: Device
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    clip: CLIPTextModel
    prediction: Prediction
    table: NoiseTable
    latent: LatentFormat
    native_px: int

    @property
    def clip_layers(self) -> int:
        """How many layers the text encoder has."""
        return self.clip.config.num_hidden_layers


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        match: whether a checkpoint's header is of this family.
        load: read the networks; calls the check before each tensor.
        native_px: the side length a checkpoint was made for.
        preview: standard latent colours; measured from the VAE instead where it is not a standard one.
    """

    name: str
    title: str
    match: Callable[[Checkpoint], bool]
    load: Callable[[Checkpoint, Device, Check], Model]
    native_px: Callable[[Checkpoint], int]
    latent: LatentFormat
    defaults: Defaults
    preview: PreviewFactors


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is known but cannot be run as a checkpoint; `title` completes "looks like ..."."""

    title: str
    match: Callable[[Checkpoint], bool]


def family_of(checkpoint: Checkpoint, families: tuple[Family, ...], foreign: tuple[Foreign, ...]) -> Family:
    """The one family whose row matches; raises `ModelUnsupported` saying what the file looks like instead."""
    for family in families:
        if family.match(checkpoint):
            return family
    looks_like = next((row.title for row in foreign if row.match(checkpoint)), "no kind of model it knows")
    raise ModelUnsupported(checkpoint.name, looks_like)


def resolution(metadata: Mapping[str, str], default: int) -> int:
    """The side length in the header's `modelspec.resolution` ("512x512"), a multiple of 8 within sane limits, else the default."""
    parts = metadata.get("modelspec.resolution", "").lower().split("x")
    if len(parts) == 2 and all(part.strip().isascii() and part.strip().isdigit() and len(part) <= 8 for part in parts):
        side = max(int(part) for part in parts)
        if 64 <= side <= 4096 and side % 8 == 0:
            return side
    return default
