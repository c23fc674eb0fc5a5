"""The configuration of networks, read off the names and shapes of their weights, so that pruned, widened or shallower models load without a table.

What shapes do not tell (heads, norm groups, activation) comes from a diffusers folder's config.json where there is one, else from the family's
rule. No torch here; `modules.py` builds what is described.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sfumato.engine.checkpoint import Checkpoint
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelUnsupported

TITLES = {"unet": "denoising network", "vae": "VAE", "clip_l": "text encoder", "clip_h": "text encoder", "clip_g": "text encoder"}
# Part -> the request field that brings it from another file, and what that field is called.
_CHOOSERS = {
    "vae": ("vae", "VAE"),
    "clip_l": ("clip", "Text encoder"),
    "clip_h": ("clip", "Text encoder"),
    "clip_g": ("clip_2", "Second text encoder"),
}
HEAD_WIDTH = 64
# Sines that each number of a size vector is made of.
TIME_WIDTH = 256

Middle = Literal["none", "residual", "attention"]


@dataclass(frozen=True)
class UNetConfiguration:
    """A UNet with cross-attention.

    Attributes:
        widths: channels per level.
        layers: residual blocks per level on the way down; one more on the way up.
        depths: transformer blocks per level and layer, 0 = no attention there.
        up_depths: the same on the way up, in the order the levels run.
        middle: what the middle block is: nothing, one residual block, or attention between two.
        middle_depth: its transformer blocks.
        heads: per level.
        vector_width: of the vector beside the text, 0 = none.
    """

    in_channels: int
    out_channels: int
    widths: tuple[int, ...]
    layers: tuple[int, ...]
    depths: tuple[tuple[int, ...], ...]
    up_depths: tuple[tuple[int, ...], ...]
    middle: Middle
    middle_depth: int
    context_width: int
    linear_projection: bool
    heads: tuple[int, ...]
    groups: int
    vector_width: int = 0

    @classmethod
    def regular(
        cls,
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        context_width: int,
        *,
        layers: int = 2,
        middle: Middle = "attention",
        heads: int | None = None,
        linear_projection: bool = True,
        vector_width: int = 0,
        in_channels: int = 4,
    ) -> UNetConfiguration:
        """The usual construction: the same layers and depths on the way up as down, a middle as deep as the last level. `heads` as in `unet_configuration`."""
        return cls(
            in_channels=in_channels,
            out_channels=4,
            widths=widths,
            layers=(layers,) * len(widths),
            depths=tuple((depth,) * layers for depth in depths),
            up_depths=tuple((depth,) * (layers + 1) for depth in reversed(depths)),
            middle=middle,
            middle_depth=(depths[-1] or max(depths)) if middle == "attention" else 0,
            context_width=context_width,
            linear_projection=linear_projection,
            heads=tuple(heads or max(1, width // HEAD_WIDTH) for width in widths),
            groups=norm_groups(widths[0]),
            vector_width=vector_width,
        )


@dataclass(frozen=True)
class VaeConfiguration:
    """`scale`: latents are multiplied by it after encoding."""

    latent_channels: int
    widths: tuple[int, ...]
    layers: int
    groups: int
    scale: float


@dataclass(frozen=True)
class ClipConfiguration:
    """`projection_width`: of the pooled vector, 0 if there is none."""

    vocabulary: int
    positions: int
    width: int
    inner_width: int
    layers: int
    heads: int
    activation: str
    projection_width: int = 0


def norm_groups(base_width: int) -> int:
    """32 groups, as every published model; a quarter of the base width where that is less (one channel per group cannot hold a flat colour)."""
    return min(32, max(1, base_width // 4))


def need(checkpoint: Checkpoint, part: str, name: str, rank: int) -> tuple[int, ...]:
    """The shape of a tensor that must be there; raises `ModelIncomplete`, or `CorruptFile` if it has not `rank` dimensions."""
    shape = checkpoint.shape(part, name)
    if shape is None:
        raise ModelIncomplete(checkpoint.named(part), TITLES.get(part, part), [name])
    if len(shape) != rank:
        raise CorruptFile(checkpoint.named(part), f"tensor '{name}' has {len(shape)} dimensions, where {rank} are needed")
    return shape


def _need_part(checkpoint: Checkpoint, part: str) -> None:
    """A part of which the file holds nothing can come from another one: the sentence says where to choose it."""
    if part not in checkpoint.parts:
        path, chooser = _CHOOSERS[part]
        raise ModelIncomplete(checkpoint.name, TITLES[part], path=path, chooser=chooser)


def configured(checkpoint: Checkpoint, part: str, name: str, default: int) -> int:
    """A positive integer of the part's config.json, or the default."""
    value = checkpoint.configs.get(part, {}).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def context_width(checkpoint: Checkpoint) -> int | None:
    """Width of the text the UNet's cross-attention reads, None if it has none."""
    shape = next((stored.shape for name, stored in checkpoint.parts.get("unet", {}).items() if name.endswith(".attn2.to_k.weight")), None)
    return shape[-1] if shape is not None and len(shape) == 2 else None


def input_channels(checkpoint: Checkpoint) -> int | None:
    """Channels the UNet's first convolution takes."""
    shape = checkpoint.shape("unet", "conv_in.weight")
    return shape[1] if shape is not None and len(shape) == 4 else None


def vector_width(checkpoint: Checkpoint) -> int:
    """Width of the vector the UNet takes beside the text, 0 if it takes none."""
    shape = checkpoint.shape("unet", "add_embedding.linear_1.weight")
    return shape[1] if shape is not None and len(shape) == 2 else 0


def has_linear_projection(checkpoint: Checkpoint) -> bool:
    """Whether the UNet's attention projects by matrices (SD2 and later) instead of 1x1 convolutions."""
    shape = next((stored.shape for name, stored in checkpoint.parts.get("unet", {}).items() if name.endswith(".proj_in.weight")), ())
    return len(shape) == 2


def numbered(names: Iterable[str], pattern: str) -> int:
    """1 + the highest number the pattern's group matches at the start of a name; 0 if none does."""
    expression = re.compile(pattern)
    return 1 + max((int(match[1]) for name in names if (match := expression.match(name))), default=-1)


def unet_configuration(checkpoint: Checkpoint, heads: int | None) -> UNetConfiguration:
    """`heads`: attention heads at every level by the family's rule; None: channels / 64. Raises `ModelIncomplete`, `CorruptFile`, `ModelUnsupported`."""
    names = checkpoint.parts["unet"].keys()
    file = checkpoint.named("unet")
    first = need(checkpoint, "unet", "conv_in.weight", 4)
    last = need(checkpoint, "unet", "conv_out.weight", 4)
    context = context_width(checkpoint)
    if context is None:
        raise ModelIncomplete(file, TITLES["unet"], ["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"])
    levels = numbered(names, r"down_blocks\.(\d+)\.")
    widths = tuple(need(checkpoint, "unet", f"down_blocks.{level}.resnets.0.conv1.weight", 4)[0] for level in range(levels))
    layers = tuple(numbered(names, rf"down_blocks\.{level}\.resnets\.(\d+)\.") for level in range(levels))
    depths = tuple(transformer_depths(names, f"down_blocks.{level}", layers[level]) for level in range(levels))
    up_depths = tuple(transformer_depths(names, f"up_blocks.{level}", layers[levels - 1 - level] + 1) for level in range(levels))
    for level in (*depths, *up_depths):
        if 0 in level and any(level):
            raise ModelUnsupported(file, "a denoising network with attention in some layers of a level and not in others")
    middle_depth = numbered(names, r"mid_block\.attentions\.0\.transformer_blocks\.(\d+)\.")
    heads_per_level = _heads(checkpoint, heads, widths)
    attentive = [any(depths[level]) or any(up_depths[levels - 1 - level]) or (level == levels - 1 and middle_depth > 0) for level in range(levels)]
    if any(uses and width % count for uses, width, count in zip(attentive, widths, heads_per_level, strict=True)):
        raise CorruptFile(file, f"its widths {widths} do not divide into {heads_per_level} attention heads")
    return UNetConfiguration(
        in_channels=first[1],
        out_channels=last[0],
        widths=widths,
        layers=layers,
        depths=depths,
        up_depths=up_depths,
        middle="attention" if middle_depth else "residual" if "mid_block.resnets.0.conv1.weight" in names else "none",
        middle_depth=middle_depth,
        context_width=context,
        linear_projection=has_linear_projection(checkpoint),
        heads=heads_per_level,
        groups=configured(checkpoint, "unet", "norm_num_groups", norm_groups(first[0])),
        vector_width=vector_width(checkpoint),
    )


def transformer_depths(names: Iterable[str], block: str, layers: int) -> tuple[int, ...]:
    """Transformer blocks behind each of a block's layers."""
    names = [name for name in names if name.startswith(f"{block}.attentions.")]
    return tuple(numbered(names, rf"{re.escape(block)}\.attentions\.{layer}\.transformer_blocks\.(\d+)\.") for layer in range(layers))


def _heads(checkpoint: Checkpoint, heads: int | None, widths: Sequence[int]) -> tuple[int, ...]:
    """diffusers writes the number of heads as `attention_head_dim`, one for all levels or one for each."""
    stored = checkpoint.configs.get("unet", {}).get("attention_head_dim")
    if isinstance(stored, int) and not isinstance(stored, bool) and stored > 0:
        return (stored,) * len(widths)
    if isinstance(stored, list) and len(stored) == len(widths) and all(isinstance(count, int) and count > 0 for count in stored):
        return tuple(stored)
    return tuple(heads or max(1, width // HEAD_WIDTH) for width in widths)


def vae_configuration(checkpoint: Checkpoint, scale: float) -> VaeConfiguration:
    """`scale`: the family's latent scale, unless a folder's configuration says otherwise."""
    _need_part(checkpoint, "vae")
    names = checkpoint.parts["vae"].keys()
    first = need(checkpoint, "vae", "encoder.conv_in.weight", 4)
    levels = numbered(names, r"encoder\.down_blocks\.(\d+)\.")
    stored_scale = checkpoint.configs.get("vae", {}).get("scaling_factor")
    return VaeConfiguration(
        latent_channels=need(checkpoint, "vae", "decoder.conv_in.weight", 4)[1],
        widths=tuple(need(checkpoint, "vae", f"encoder.down_blocks.{level}.resnets.0.conv1.weight", 4)[0] for level in range(levels)),
        layers=numbered(names, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."),
        groups=configured(checkpoint, "vae", "norm_num_groups", norm_groups(first[0])),
        scale=float(stored_scale) if isinstance(stored_scale, int | float) and stored_scale > 0 else scale,
    )


def clip_configuration(checkpoint: Checkpoint, part: str) -> ClipConfiguration:
    """Heads are 64 wide in every CLIP tower; OpenAI's (`clip_l`) uses quick_gelu, OpenCLIP's the exact one."""
    _need_part(checkpoint, part)
    vocabulary, width = need(checkpoint, part, "embeddings.token_embedding.weight", 2)
    activation = checkpoint.configs.get(part, {}).get("hidden_act")
    projection = checkpoint.shape(part, "text_projection.weight")
    return ClipConfiguration(
        vocabulary=vocabulary,
        positions=need(checkpoint, part, "embeddings.position_embedding.weight", 2)[0],
        width=width,
        inner_width=need(checkpoint, part, "encoder.layers.0.mlp.fc1.weight", 2)[0],
        layers=numbered(checkpoint.parts[part], r"encoder\.layers\.(\d+)\."),
        heads=configured(checkpoint, part, "num_attention_heads", max(1, width // HEAD_WIDTH)),
        activation=activation if isinstance(activation, str) and activation in ("quick_gelu", "gelu") else "quick_gelu" if part == "clip_l" else "gelu",
        projection_width=projection[0] if projection is not None and len(projection) == 2 and projection[1] == width else 0,
    )
