"""Stable Diffusion 1.x: a UNet that reads a CLIP-L text tower, four latent channels, noise prediction.

Recognised by its text tower and by the context width of its cross-attention being that tower's; all sizes are read off the weights, so that small
models of the same construction (the starter) are the same family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.engine.checkpoint import Checkpoint, Reader
from sfumato.engine.configuration import clip_configuration, configured, unet_configuration, vae_configuration
from sfumato.engine.family import Check, Family, LatentFormat, Model, PreviewFactors, TextEncoder, TextRule, resolution
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.prediction import is_zero_terminal, prediction_of
from sfumato.prompts.chunks import CLIP_L_PADDING, Chunk, framed
from sfumato.prompts.tokenizer import END
from sfumato.protocol.errors import ModelIncompatible, ModelUnsupported

if TYPE_CHECKING:
    from sfumato.engine.device import Device

_CONTEXT = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
_TOKENS = "embeddings.token_embedding.weight"
_FULL_CONTEXT_WIDTH = 768
_HEADS = 8
_LATENT = LatentFormat(channels=4, factor=8, scale=0.18215)
_SIZE_PX = 512


def _match(checkpoint: Checkpoint) -> bool:
    """Not wider than CLIP-L (wider contexts are SD2's and SDXL's), no extra input channels, no vector conditioning."""
    context, tokens, first = checkpoint.shape("unet", _CONTEXT), checkpoint.shape("clip_l", _TOKENS), checkpoint.shape("unet", "conv_in.weight")
    if context is None or first is None or len(context) != 2 or len(first) != 4 or first[1] != _LATENT.channels:
        return False
    if checkpoint.shape("unet", "add_embedding.linear_1.weight") or "clip_g" in checkpoint.parts:
        return False
    width = context[1]
    return width == _FULL_CONTEXT_WIDTH or (width < _FULL_CONTEXT_WIDTH and tokens is not None and tokens[1:] == (width,))


def _native_px(checkpoint: Checkpoint) -> int:
    latent_px = configured(checkpoint, "unet", "sample_size", _SIZE_PX // _LATENT.factor)
    return resolution(checkpoint.metadata, latent_px * _LATENT.factor)


def _load(checkpoint: Checkpoint, device: Device, check: Check) -> Model:
    from sfumato.engine.modules import load_clip, load_unet, load_vae  # late: imports diffusers, which recognising files does not need

    unet = unet_configuration(checkpoint, _HEADS)
    vae = vae_configuration(checkpoint, _LATENT.scale)
    clip = clip_configuration(checkpoint)
    if clip.vocabulary <= END or clip.positions < len(framed(Chunk((), ()))[0]):
        raise ModelUnsupported(checkpoint.name, "a model whose text encoder has another vocabulary")
    if clip.width != unet.context_width:
        raise ModelIncompatible(checkpoint.name, f"a text encoder of width {unet.context_width}", f"one with a text encoder of width {clip.width}")
    with Reader(checkpoint, check) as reader:
        return Model(
            family=FAMILY,
            checkpoint=checkpoint,
            device=device,
            unet=load_unet(unet, checkpoint, reader, device.dtype, device.torch),
            vae=load_vae(vae, checkpoint, reader, device.dtype, device.torch),
            encoders=(TextEncoder("clip_l", load_clip(clip, checkpoint, "clip_l", reader, device.dtype, device.torch), None, CLIP_L_PADDING),),
            text=FAMILY.text,
            vector=None,
            prediction=prediction_of(checkpoint, "eps"),
            table=NoiseTable(is_zero_terminal(checkpoint)),
            latent=LatentFormat(vae.latent_channels, 2 ** (len(vae.widths) - 1), vae.scale),
            native_px=_native_px(checkpoint),
        )


FAMILY = Family(
    name="sd1",
    title="Stable Diffusion 1",
    match=_match,
    load=_load,
    native_px=_native_px,
    latent=_LATENT,
    text=TextRule(layer=1, final_norm=True),
    # Least-squares fit of the SD1 VAE's decoder, as the community has used it since 2022.
    preview=PreviewFactors(
        weights=((0.298, 0.187, -0.158, -0.184), (0.207, 0.286, 0.189, -0.271), (0.208, 0.173, 0.264, -0.473)),
        bias=(0.0, 0.0, 0.0),
    ),
)
