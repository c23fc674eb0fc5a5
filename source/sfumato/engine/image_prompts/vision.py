"""CLIP's vision transformer, and pictures as it wants them. Rule: E83."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  first: what follows must never look things up on the network

# isort: split
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from sfumato.engine.image_prompts.shapes import EncoderShape, Reads
from sfumato.engine.inputs.resizing import resized
from sfumato.engine.modules import unfilled

# Of the channels red, green, blue in 0..1 over CLIP's training set.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def build_encoder(shape: EncoderShape) -> CLIPVisionModelWithProjection:
    """An empty encoder (meta device); its counter of positions is made, for no file has it."""
    config = CLIPVisionConfig(
        hidden_size=shape.width,
        intermediate_size=shape.inner_width,
        projection_dim=shape.projection_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        image_size=shape.side,
        patch_size=shape.patch,
        hidden_act=shape.activation,
        attn_implementation="sdpa",
    )
    with torch.device("meta"), unfilled():
        return CLIPVisionModelWithProjection(config)


def give_positions(encoder: CLIPVisionModelWithProjection, device: torch.device) -> None:
    """A counter, not a weight: it was made without memory."""
    inner = encoder.vision_model.embeddings
    inner.position_ids = torch.arange(inner.num_positions, device=device).unsqueeze(0)


def squared(picture: Image.Image, side: int, mode: str) -> Image.Image:
    """The part of a picture that is seen, `side` pixels square. "crop" is what CLIP does: its middle; "stretch" and "fill" show all of it."""
    if mode != "crop":
        return resized(picture, (side, side), mode)
    width, height = picture.size
    short = min(width, height)
    size = (side * width // short, side * height // short)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    if math.prod(size) > _WIDEST * side * side:
        # Of a strip only the middle is enlarged.
        half = short / 2
        box = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
        return picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return picture.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))


_WIDEST = 16


def pixels(picture: Image.Image) -> Tensor:
    """(1, 3, side, side) float32 in 0..1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def normalised(shown: Tensor) -> Tensor:
    """Pixels (B, 3, side, side) in 0..1, as the encoder was trained to see them."""
    mean, deviation = (torch.tensor(each, dtype=shown.dtype, device=shown.device)[:, None, None] for each in (_MEAN, _DEVIATION))
    return (shown - mean) / deviation


def encoded(encoder: CLIPVisionModelWithProjection, shown: Tensor, reads: Reads) -> tuple[Tensor, Tensor]:
    """What an adapter reads of a picture (B, 3, side, side) in 0..1, and what stands for no picture: zeros, or the tokens of a picture of zeros."""
    seen = normalised(shown)
    if reads == "embedding":
        embedding = encoder(seen).image_embeds
        return embedding, torch.zeros_like(embedding)
    tokens = encoder(torch.cat([seen, torch.zeros_like(seen)]), output_hidden_states=True).hidden_states[-2]
    one, none = tokens.chunk(2)
    return one, none
