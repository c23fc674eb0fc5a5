"""The refiner of Stable Diffusion XL: a UNet that reads OpenCLIP's ViT-bigG alone, and a vector of pooled text, sizes and an aesthetic score.

Recognised by a vector of five numbers of 256 sines each beside a pooled text as wide as the context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.engine.assembly import Assembly, Tower, assemble, native_px
from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import TIME_WIDTH, context_width, input_channels, vector_width
from sfumato.engine.family import Check, Family, Keep, LatentFormat, Model, NetworkMarks, PreviewFactors, TextRule, VectorRule, read_anew
from sfumato.prompts.chunks import OPEN_CLIP_PADDING

if TYPE_CHECKING:
    from sfumato.engine.device import Device

_LATENT = LatentFormat(channels=4, factor=8, scale=0.13025)
_VECTOR = VectorRule(("original_height", "original_width", "crop_top", "crop_left", "aesthetic"))

_ASSEMBLY = Assembly((Tower("clip_g", "clip_2", OPEN_CLIP_PADDING),), heads=None, size_px=1024)


def _match(checkpoint: Checkpoint) -> bool:
    context, vector = context_width(checkpoint), vector_width(checkpoint)
    return context is not None and context == vector - TIME_WIDTH * len(_VECTOR.names) and input_channels(checkpoint) == _LATENT.channels


def _native_px(checkpoint: Checkpoint) -> int:
    return native_px(checkpoint, _LATENT, _ASSEMBLY.size_px)


def _load(checkpoint: Checkpoint, device: Device, check: Check, keep: Keep = read_anew) -> Model:
    return assemble(FAMILY, _ASSEMBLY, checkpoint, device, check, keep)


FAMILY = Family(
    name="sdxl_refiner",
    title="SDXL refiner",
    match=_match,
    load=_load,
    native_px=_native_px,
    latent=_LATENT,
    text=TextRule(layer=2, final_norm=False, pooled="clip_g", zero_empty_negative=True),
    roles={"vae": "vae", "clip_2": "clip_g"},
    vector=_VECTOR,
    # The latents are SDXL's.
    preview=PreviewFactors(
        weights=((0.3651, -0.2533, 0.1076, -0.3165), (0.4232, -0.0042, 0.1111, -0.2492), (0.4341, 0.1068, -0.0362, -0.2188)),
        bias=(0.1084, -0.0175, -0.0011),
    ),
    tiny="taesdxl",
    vae_overflows=True,
    networks=NetworkMarks(("sdxl_refiner", "stable-diffusion-xl-v1-refiner"), context=1280),
)
