"""Stable Diffusion 2.x: a UNet that reads OpenCLIP's ViT-H text tower, four latent channels, noise or velocity prediction.

Recognised by a context 1024 wide and no vector beside it; small models of the same construction by projections that are matrices. Whether it predicts
noise (512 px) or velocity (768 px) is told by metadata or configuration, else by one small evaluation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sfumato.engine.assembly import Assembly, Tower, assemble, native_px
from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import context_width, has_linear_projection, input_channels, vector_width
from sfumato.engine.family import Check, Family, Keep, LatentFormat, Model, NetworkMarks, PreviewFactors, TextRule, read_anew, variant_of
from sfumato.engine.prediction import prediction_of, probe
from sfumato.prompts.chunks import OPEN_CLIP_PADDING

if TYPE_CHECKING:
    from sfumato.engine.device import Device

_CONTEXT_WIDTH = 1024
_NARROWER_WIDTH = 768
_TOKENS = "embeddings.token_embedding.weight"
_LATENT = LatentFormat(channels=4, factor=8, scale=0.18215)
_VELOCITY_SIZE_PX = 768

_ASSEMBLY = Assembly((Tower("clip_h", "clip", OPEN_CLIP_PADDING, may_lack_last=True),), heads=None, size_px=512, unsure=probe)


def _match(checkpoint: Checkpoint) -> bool:
    """A context of 1024, or less than SD1's where that is the file's own text tower's and attention projects by matrices."""
    context, tokens = context_width(checkpoint), checkpoint.shape("clip_h", _TOKENS)
    if context is None or vector_width(checkpoint) or variant_of(input_channels(checkpoint), _LATENT.channels) is None:
        return False
    if context == _CONTEXT_WIDTH:
        return True
    return context < _NARROWER_WIDTH and has_linear_projection(checkpoint) and (tokens is None or tokens[-1] == context)


def _native_px(checkpoint: Checkpoint) -> int:
    """Where nothing tells, the size of the velocity models, which are the published 2.0 and 2.1."""
    size = _ASSEMBLY.size_px if prediction_of(checkpoint) == "eps" else _VELOCITY_SIZE_PX
    return native_px(checkpoint, _LATENT, size)


def _load(checkpoint: Checkpoint, device: Device, check: Check, keep: Keep = read_anew) -> Model:
    model = assemble(FAMILY, _ASSEMBLY, checkpoint, device, check, keep)
    size = _VELOCITY_SIZE_PX if model.prediction == "v" else _ASSEMBLY.size_px
    return replace(model, native_px=native_px(checkpoint, _LATENT, size))


FAMILY = Family(
    name="sd2",
    title="Stable Diffusion 2",
    match=_match,
    load=_load,
    native_px=_native_px,
    latent=_LATENT,
    text=TextRule(layer=2, final_norm=True),
    roles={"vae": "vae", "clip": "clip_h"},
    # The VAE is SD1's with a decoder trained on: the same fit.
    preview=PreviewFactors(
        weights=((0.298, 0.187, -0.158, -0.184), (0.207, 0.286, 0.189, -0.271), (0.208, 0.173, 0.264, -0.473)),
        bias=(0.0, 0.0, 0.0),
    ),
    networks=NetworkMarks(("sd_v2", "sd_2", "sd2", "stable-diffusion-v2"), context=_CONTEXT_WIDTH),
)
