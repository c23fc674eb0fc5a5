"""Stable Diffusion XL: a UNet that reads CLIP-L and OpenCLIP's ViT-bigG side by side, and a vector of pooled text and sizes.

Recognised by the widths of context and vector: six numbers of 256 sines each beside the pooled text, and a context wider than that text. Distilled models
(SSD-1B, Vega, KOALA) and small ones are the same family, their sizes being read off the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.engine.assembly import Assembly, Tower, assemble, native_px
from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import TIME_WIDTH, context_width, input_channels, vector_width
from sfumato.engine.family import Check, Family, Keep, LatentFormat, Model, NetworkMarks, PreviewFactors, TextRule, VectorRule, read_anew, variant_of
from sfumato.prompts.chunks import CLIP_L_PADDING, OPEN_CLIP_PADDING

if TYPE_CHECKING:
    from sfumato.engine.device import Device

_LATENT = LatentFormat(channels=4, factor=8, scale=0.13025)
_VECTOR = VectorRule(("original_height", "original_width", "crop_top", "crop_left", "target_height", "target_width"))
# Contexts of a single text tower; SD2's unCLIP has one of them, and a vector.
_SINGLE_WIDTHS = (768, 1024, 1280)
# Keys of models trained in another parametrisation of the noise (EDM), which look the same otherwise.
_EDM = ("edm_mean", "edm_std", "edm_vpred.sigma_max")

_ASSEMBLY = Assembly((Tower("clip_l", "clip", CLIP_L_PADDING), Tower("clip_g", "clip_2", OPEN_CLIP_PADDING)), heads=None, size_px=1024)


def _match(checkpoint: Checkpoint) -> bool:
    """The vector leaves room for a pooled text that is narrower than the context, and is not what the refiner's would be (five numbers)."""
    context, vector = context_width(checkpoint), vector_width(checkpoint)
    if context is None or not vector or variant_of(input_channels(checkpoint), _LATENT.channels) is None:
        return False
    pooled = vector - TIME_WIDTH * len(_VECTOR.names)
    return 0 < pooled < context != pooled + TIME_WIDTH and context not in _SINGLE_WIDTHS and not _is_edm(checkpoint)


def _is_edm(checkpoint: Checkpoint) -> bool:
    scheduler = str(checkpoint.configs.get("scheduler", {}).get("_class_name", ""))
    return scheduler.startswith("EDM") or any(key in checkpoint.parts.get("other", {}) for key in _EDM)


def _native_px(checkpoint: Checkpoint) -> int:
    return native_px(checkpoint, _LATENT, _ASSEMBLY.size_px)


def _load(checkpoint: Checkpoint, device: Device, check: Check, keep: Keep = read_anew) -> Model:
    return assemble(FAMILY, _ASSEMBLY, checkpoint, device, check, keep)


FAMILY = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    match=_match,
    load=_load,
    native_px=_native_px,
    latent=_LATENT,
    text=TextRule(layer=2, final_norm=False, pooled="clip_g", zero_empty_negative=True),
    roles={"vae": "vae", "clip": "clip_l", "clip_2": "clip_g"},
    vector=_VECTOR,
    # Levels for ten steps optimised on SDXL: Sabour et al. 2024.
    aligned=(14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    # Least-squares fit of the SDXL VAE's decoder, as the community has used it since 2023.
    preview=PreviewFactors(
        weights=((0.3651, -0.2533, 0.1076, -0.3165), (0.4232, -0.0042, 0.1111, -0.2492), (0.4341, 0.1068, -0.0362, -0.2188)),
        bias=(0.1084, -0.0175, -0.0011),
    ),
    tiny="taesdxl",
    vae_overflows=True,
    block_lists="sdxl",
    networks=NetworkMarks(("sdxl", "stable-diffusion-xl"), context=2048, keys=("lora_te2_", "text_encoder_2.")),
)
