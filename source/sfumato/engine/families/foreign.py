"""Kinds of files known by sight that cannot be run as a checkpoint, so that a person reads what their file is. First match wins.

A row leaves this table when its family gets a module.
"""

from __future__ import annotations

from collections.abc import Callable

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.family import Foreign

_UNET = "model.diffusion_model."


def _has(*starts: str) -> Callable[[Checkpoint], bool]:
    """Whether keys with each of these beginnings are there, in the file's own spelling."""

    def match(checkpoint: Checkpoint) -> bool:
        keys = [stored.key.removeprefix(_UNET) for part in checkpoint.parts.values() for stored in part.values()]
        return all(any(key.startswith(start) for key in keys) for start in starts)

    return match


def _only_part(part: str) -> Callable[[Checkpoint], bool]:
    return lambda checkpoint: set(checkpoint.parts) == {part}


def _context(*widths: int) -> Callable[[Checkpoint], bool]:
    """Whether the cross-attention of the denoising network reads a context of one of these widths."""

    def match(checkpoint: Checkpoint) -> bool:
        shape = checkpoint.shape("unet", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight")
        if shape is None:
            shape = checkpoint.shape("unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight")
        return shape is not None and shape[-1] in widths

    return match


def _inputs(channels: int) -> Callable[[Checkpoint], bool]:
    """Whether the first convolution has this many input channels."""

    def match(checkpoint: Checkpoint) -> bool:
        shape = checkpoint.shape("unet", "conv_in.weight")
        return shape is not None and len(shape) == 4 and shape[1] == channels

    return match


def _pipeline(checkpoint: Checkpoint) -> bool:
    return "index" in checkpoint.configs


ROWS: tuple[Foreign, ...] = (
    Foreign("a ControlNet", _has("control_model.")),
    Foreign("a ControlNet", _has("controlnet_cond_embedding.")),
    Foreign("a LoRA", _has("lora_unet_")),
    Foreign("a LoRA", _has("lora_te")),
    Foreign("a LoRA", _has("unet.down_blocks.")),
    Foreign("an embedding", _has("emb_params")),
    Foreign("an embedding", _has("clip_g", "clip_l")),
    Foreign("an inpainting model", _inputs(9)),
    Foreign("an instruct-pix2pix model", _inputs(8)),
    Foreign("an upscaling model (x4)", _inputs(7)),
    Foreign("a depth-to-image model", _inputs(5)),
    Foreign("Stable Diffusion XL", _context(2048)),
    Foreign("the refiner of Stable Diffusion XL", _context(1280)),
    Foreign("Stable Diffusion 2", _context(1024)),
    Foreign("Stable Diffusion 3", _has("joint_blocks.")),
    Foreign("Chroma", _has("double_blocks.", "distilled_guidance_layer.")),
    Foreign("Flux.2", _has("double_blocks.", "single_stream_modulation.")),
    Foreign("Flux.1", _has("double_blocks.")),
    Foreign("Z-Image", _has("cap_embedder.", "layers.0.adaLN_modulation.0")),
    Foreign("Lumina 2", _has("cap_embedder.")),
    Foreign("Qwen-Image", _has("txt_in.", "txt_norm.")),
    Foreign("a Stable Diffusion 1 checkpoint whose network and text encoder do not belong together", _has("input_blocks.", "cond_stage_model.transformer.")),
    Foreign("a denoising network without its text encoder", _only_part("unet")),
    Foreign("a VAE on its own", _only_part("vae")),
    Foreign("a VAE on its own", _has("decoder.", "encoder.")),
    Foreign("a text encoder on its own", _only_part("clip_l")),
    Foreign("a text encoder on its own", _has("text_model.encoder.")),
    Foreign("an upscaler", _has("model.0.weight")),
    Foreign("an upscaler", _has("conv_first.")),
    Foreign("a diffusers pipeline that it does not know", _pipeline),
)
