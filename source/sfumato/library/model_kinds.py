"""What kind of model a file is, by the names in its header, so that it is put into the folder where it belongs. Rule: D31 of the window.

A first guess for filing alone; whether and how a file can be used is the engine's to say when it opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sfumato.library.embedding_files import words_of
from sfumato.library.models import (
    ANNOTATOR,
    CHECKPOINT,
    CONTROL,
    EMBEDDING,
    FACE,
    HYPERNETWORK,
    IMAGE_ENCODER,
    LORA,
    TEXT_ENCODER,
    UPSCALER,
    VAE,
)
from sfumato.library.safetensors_header import Header, read_header
from sfumato.protocol.errors import SfumatoError

_NETWORK_MARKS = ("lora_", "hada_", "lokr_", ".oft_", "dora_scale", ".lora_A.", ".lora_B.", "glora", ".on_input")
_Rule = Callable[[set[str]], bool]


def _has(*parts: str) -> _Rule:
    return lambda names: any(part in name for name in names for part in parts)


def _begins(*starts: str) -> _Rule:
    return lambda names: any(name.startswith(starts) for name in names)


# The first that holds counts: what is special comes before what it may contain.
_RULES: tuple[tuple[str, _Rule], ...] = (
    (LORA, _has(*_NETWORK_MARKS)),
    (CONTROL, _has("control_model.", "controlnet_", "input_hint_block", "ip_adapter.", "image_proj.", "adapter.body.", "lora_controlnet")),
    (
        CHECKPOINT,
        _has("model.diffusion_model.", "double_blocks.", "joint_blocks.", "transformer_blocks.0.attn1", "time_embedding.linear_1", "input_blocks.0.0"),
    ),
    (HYPERNETWORK, lambda names: any(name.split(".")[0] in ("320", "640", "768", "1024", "1280", "2048") for name in names)),
    (IMAGE_ENCODER, _has("vision_model.")),
    (TEXT_ENCODER, _has("text_model.", "encoder.block.0.layer", "transformer.resblocks", "model.layers.0.self_attn")),
    (FACE, _has("face_", "retinaface", "stylegan", "position_emb", "BboxHead", "ClassHead")),
    (VAE, _begins("encoder.", "decoder.", "first_stage_model.", "quant_conv", "post_quant_conv")),
    (UPSCALER, _has("RDB", "conv_first", "upsampler", "conv_up", "layers.0.residual_group", "body.0.weight", "model.0.weight", "upconv")),
    (ANNOTATOR, _has("pretrained.model.", "dncnn", "netNetwork", "control.DoubleConvBlock")),
)


def category_of(path: Path) -> str:
    """The category of `library.models` a file seems to belong to, "" if its header does not tell or cannot be read."""
    try:
        header = read_header(path)
    except SfumatoError:
        return ""
    return category_of_header(header, path.stem)


def category_of_header(header: Header, stem: str) -> str:
    """The same of a header that was read."""
    names = set(header.tensors)
    found = next((category for category, holds in _RULES if holds(names)), "")
    return found or (EMBEDDING if words_of(header, stem) else "")
