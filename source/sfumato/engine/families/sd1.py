"""Stable Diffusion 1.x: a UNet that reads a CLIP-L text tower, four latent channels, noise prediction.

Recognised by what its cross-attention reads: a text 768 wide and no vector beside it. All sizes are read off the weights, so that pruned models and small
ones of the same construction (the starter) are the same family; narrower texts are told from SD2's by projections that are convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.engine.assembly import Assembly, Tower, assemble, native_px
from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import context_width, has_linear_projection, input_channels, vector_width
from sfumato.engine.family import Check, Family, Keep, LatentFormat, Model, NetworkMarks, PreviewFactors, TextRule, read_anew, variant_of
from sfumato.prompts.chunks import CLIP_L_PADDING

if TYPE_CHECKING:
    from sfumato.engine.device import Device

_CONTEXT_WIDTH = 768
_TOKENS = "embeddings.token_embedding.weight"
_LATENT = LatentFormat(channels=4, factor=8, scale=0.18215)

_ASSEMBLY = Assembly((Tower("clip_l", "clip", CLIP_L_PADDING),), heads=8, size_px=512)


def _match(checkpoint: Checkpoint) -> bool:
    """A context of 768, or less where that is the file's own text tower's and attention projects by convolutions."""
    context, tokens = context_width(checkpoint), checkpoint.shape("clip_l", _TOKENS)
    if context is None or vector_width(checkpoint) or variant_of(input_channels(checkpoint), _LATENT.channels) is None:
        return False
    if context == _CONTEXT_WIDTH:
        return True
    return context < _CONTEXT_WIDTH and not has_linear_projection(checkpoint) and (tokens is None or tokens[-1] == context)


def _native_px(checkpoint: Checkpoint) -> int:
    return native_px(checkpoint, _LATENT, _ASSEMBLY.size_px)


def _load(checkpoint: Checkpoint, device: Device, check: Check, keep: Keep = read_anew) -> Model:
    return assemble(FAMILY, _ASSEMBLY, checkpoint, device, check, keep)


FAMILY = Family(
    name="sd1",
    title="Stable Diffusion 1",
    match=_match,
    load=_load,
    native_px=_native_px,
    latent=_LATENT,
    text=TextRule(layer=1, final_norm=True),
    roles={"vae": "vae", "clip": "clip_l"},
    # Least-squares fit of the SD1 VAE's decoder, as the community has used it since 2022.
    preview=PreviewFactors(
        weights=((0.298, 0.187, -0.158, -0.184), (0.207, 0.286, 0.189, -0.271), (0.208, 0.173, 0.264, -0.473)),
        bias=(0.0, 0.0, 0.0),
    ),
    networks=NetworkMarks(("sd_v1", "sd_1", "sd1", "stable-diffusion-v1"), context=_CONTEXT_WIDTH),
)
