"""Kinds of files known by sight that cannot be run as a checkpoint, so that a person reads what their file is. First match wins.

A row leaves this table when its family gets a module.
"""

from __future__ import annotations

from collections.abc import Callable

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import context_width, input_channels, vector_width
from sfumato.engine.family import Foreign, NetworkMarks

_UNET = "model.diffusion_model."


def _has(*starts: str) -> Callable[[Checkpoint], bool]:
    """Whether keys with each of these beginnings are there, in the file's own spelling."""

    def match(checkpoint: Checkpoint) -> bool:
        keys = [stored.key.removeprefix(_UNET) for part in checkpoint.parts.values() for stored in part.values()]
        return all(any(key.startswith(start) for key in keys) for start in starts)

    return match


def _only(*names: str) -> Callable[[Checkpoint], bool]:
    """Whether the file has these keys and no others."""
    return lambda checkpoint: {stored.key for part in checkpoint.parts.values() for stored in part.values()} == set(names)


def _is_alone(kind: str) -> Callable[[Checkpoint], bool]:
    """Whether all parts are of one kind: "vae", or "clip" for any text tower."""
    return lambda checkpoint: all(part.startswith(kind) for part in checkpoint.parts)


def _is_unclip(checkpoint: Checkpoint) -> bool:
    """SD2's context with a vector beside it: pictures as prompts."""
    return context_width(checkpoint) == 1024 and vector_width(checkpoint) > 0


def _inputs(channels: int) -> Callable[[Checkpoint], bool]:
    """Whether the first convolution has this many input channels."""
    return lambda checkpoint: input_channels(checkpoint) == channels


def _scheduler(start: str) -> Callable[[Checkpoint], bool]:
    """Whether a folder's scheduler is of a class beginning so."""
    return lambda checkpoint: str(checkpoint.configs.get("scheduler", {}).get("_class_name", "")).startswith(start)


def _pipeline(checkpoint: Checkpoint) -> bool:
    return "index" in checkpoint.configs


_OTHER_NOISE = "a model trained in another noise parametrisation (EDM)"

ROWS: tuple[Foreign, ...] = (
    Foreign("a ControlNet", _has("control_model.")),
    Foreign("a ControlNet", _has("controlnet_cond_embedding.")),
    Foreign("a ControlNet", _has("input_hint_block.")),
    Foreign("a LoRA", _has("lora_unet_")),
    Foreign("a LoRA", _has("lora_te")),
    Foreign("a LoRA", _has("unet.down_blocks.")),
    Foreign("an embedding", _has("emb_params")),
    Foreign("an embedding", _only("clip_g", "clip_l")),
    Foreign("a ControlLLLite", _has("lllite_unet")),
    Foreign("a T2I adapter", _has("adapter.body.")),
    Foreign("a T2I adapter", _has("body.0.block1.")),
    Foreign("a T2I adapter", _has("body.0.body.0.block1.")),
    Foreign("a style adapter", _has("style_embedding")),
    Foreign("an IP adapter", _has("ip_adapter.")),
    Foreign(_OTHER_NOISE, _has("edm_mean")),
    Foreign(_OTHER_NOISE, _has("edm_vpred.")),
    Foreign(_OTHER_NOISE, _scheduler("EDM")),
    Foreign("an unCLIP model of Stable Diffusion 2", _has("noise_augmentor.")),
    Foreign("an unCLIP model of Stable Diffusion 2", _is_unclip),
    Foreign("an upscaling model (x4)", _inputs(7)),
    Foreign("a depth-to-image model", _inputs(5)),
    Foreign("Stable Diffusion 3", _has("joint_blocks.")),
    Foreign("Stable Cascade", _has("clip_txt_mapper.")),
    Foreign("Chroma", _has("double_blocks.", "distilled_guidance_layer.")),
    Foreign("Flux.2", _has("double_blocks.", "single_stream_modulation.")),
    Foreign("Flux.1", _has("double_blocks.")),
    Foreign("Z-Image", _has("cap_embedder.", "layers.0.adaLN_modulation.0")),
    Foreign("Lumina 2", _has("cap_embedder.")),
    Foreign("Qwen-Image", _has("txt_in.", "txt_norm.")),
    Foreign("a Stable Diffusion checkpoint whose network and text encoder do not belong together", _has("input_blocks.", "cond_stage_model.")),
    Foreign("a tiny VAE", _has("decoder.layers.")),
    Foreign("a VAE on its own", _is_alone("vae")),
    Foreign("a VAE on its own", _has("decoder.", "encoder.")),
    Foreign("a text encoder on its own", _is_alone("clip")),
    Foreign("an upscaler", _has("model.0.weight")),
    Foreign("an upscaler", _has("conv_first.")),
    Foreign("a diffusers pipeline that it does not know", _pipeline),
)

# Networks for models that are known by sight only, as (title, marks).
NETWORKS: tuple[tuple[str, NetworkMarks], ...] = (
    ("Flux.2", NetworkMarks(("flux2", "flux.2", "flux-2"))),
    ("Flux.1", NetworkMarks(("flux",), keys=("lora_unet_double_blocks", "lora_transformer_single_", "diffusion_model.double_blocks", "transformer.single_"))),
    ("Stable Diffusion 3", NetworkMarks(("sd3", "stable-diffusion-3", "stable-diffusion-v3"), keys=("lora_unet_joint_blocks", "diffusion_model.joint_blocks"))),
    ("Stable Cascade", NetworkMarks(("stable-cascade", "wuerstchen"), keys=("lora_prior_",))),
    ("Qwen-Image", NetworkMarks(("qwen",))),
    ("Z-Image", NetworkMarks(("zimage", "z-image", "z_image"))),
    ("Lumina 2", NetworkMarks(("lumina",))),
    ("Wan", NetworkMarks(("wan",), keys=("lora_unet_blocks_", "diffusion_model.blocks."))),
    ("a transformer model", NetworkMarks((), keys=("transformer.", "lora_transformer_"))),
)
