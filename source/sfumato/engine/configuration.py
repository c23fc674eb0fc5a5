"""The configuration of networks, read off the names and shapes of their weights, so that pruned, widened or shallower models load without a table.

What shapes do not tell (heads, norm groups, activation) comes from a diffusers folder's config.json where there is one, else from the family's
rule. No torch here; `modules.py` builds what is described.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sfumato.engine.checkpoint import Checkpoint
from sfumato.protocol.errors import CorruptFile, ModelIncomplete

TITLES = {"unet": "denoising network", "vae": "VAE", "clip_l": "text encoder"}


@dataclass(frozen=True)
class UNetConfiguration:
    """`depths`: transformer blocks per level, 0 = no attention there. `heads` per level."""

    in_channels: int
    out_channels: int
    widths: tuple[int, ...]
    layers: int
    depths: tuple[int, ...]
    middle_depth: int
    context_width: int
    linear_projection: bool
    heads: tuple[int, ...]
    groups: int


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
    vocabulary: int
    positions: int
    width: int
    inner_width: int
    layers: int
    heads: int
    activation: str


def norm_groups(base_width: int) -> int:
    """32 groups, as every published model; a quarter of the base width where that is less (one channel per group cannot hold a flat colour)."""
    return min(32, max(1, base_width // 4))


def need(checkpoint: Checkpoint, part: str, name: str) -> tuple[int, ...]:
    """The shape of a tensor that must be there; raises `ModelIncomplete`."""
    shape = checkpoint.shape(part, name)
    if shape is None:
        raise ModelIncomplete(checkpoint.name, TITLES.get(part, part), [name])
    return shape


def configured(checkpoint: Checkpoint, part: str, name: str, default: int) -> int:
    """A positive integer of the part's config.json, or the default."""
    value = checkpoint.configs.get(part, {}).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _count(names: Iterable[str], pattern: str) -> int:
    """1 + the highest number the pattern's group matches at the start of a name; 0 if none does."""
    expression = re.compile(pattern)
    return 1 + max((int(match[1]) for name in names if (match := expression.match(name))), default=-1)


def unet_configuration(checkpoint: Checkpoint, heads: int) -> UNetConfiguration:
    """`heads`: attention heads at every level, by the family's rule."""
    names = checkpoint.parts["unet"].keys()
    first = need(checkpoint, "unet", "conv_in.weight")
    last = need(checkpoint, "unet", "conv_out.weight")
    levels = _count(names, r"down_blocks\.(\d+)\.")
    widths = tuple(need(checkpoint, "unet", f"down_blocks.{level}.resnets.0.conv1.weight")[0] for level in range(levels))
    depths = tuple(_count(names, rf"down_blocks\.{level}\.attentions\.0\.transformer_blocks\.(\d+)\.") for level in range(levels))
    middle = "mid_block.attentions.0"
    heads = configured(checkpoint, "unet", "attention_head_dim", heads)  # diffusers' name for the number of heads
    if any(width % heads for width, depth in zip(widths, depths, strict=True) if depth):
        raise CorruptFile(checkpoint.name, f"its widths {widths} do not divide into {heads} attention heads")
    return UNetConfiguration(
        in_channels=first[1],
        out_channels=last[0],
        widths=widths,
        layers=_count(names, r"down_blocks\.0\.resnets\.(\d+)\."),
        depths=depths,
        middle_depth=_count(names, rf"{re.escape(middle)}\.transformer_blocks\.(\d+)\."),
        context_width=need(checkpoint, "unet", f"{middle}.transformer_blocks.0.attn2.to_k.weight")[1],
        linear_projection=len(need(checkpoint, "unet", f"{middle}.proj_in.weight")) == 2,
        heads=(heads,) * levels,
        groups=configured(checkpoint, "unet", "norm_num_groups", norm_groups(first[0])),
    )


def vae_configuration(checkpoint: Checkpoint, scale: float) -> VaeConfiguration:
    """`scale`: the family's latent scale, unless a folder's configuration says otherwise."""
    if "vae" not in checkpoint.parts:
        raise ModelIncomplete(checkpoint.name, TITLES["vae"])
    names = checkpoint.parts["vae"].keys()
    first = need(checkpoint, "vae", "encoder.conv_in.weight")
    levels = _count(names, r"encoder\.down_blocks\.(\d+)\.")
    stored_scale = checkpoint.configs.get("vae", {}).get("scaling_factor")
    return VaeConfiguration(
        latent_channels=need(checkpoint, "vae", "decoder.conv_in.weight")[1],
        widths=tuple(need(checkpoint, "vae", f"encoder.down_blocks.{level}.resnets.0.conv1.weight")[0] for level in range(levels)),
        layers=_count(names, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."),
        groups=configured(checkpoint, "vae", "norm_num_groups", norm_groups(first[0])),
        scale=float(stored_scale) if isinstance(stored_scale, int | float) and stored_scale > 0 else scale,
    )


def clip_configuration(checkpoint: Checkpoint, part: str = "clip_l") -> ClipConfiguration:
    """Heads are 64 wide in every CLIP tower; the small towers of OpenAI's kind use quick_gelu."""
    if part not in checkpoint.parts:
        raise ModelIncomplete(checkpoint.name, TITLES.get(part, part))
    vocabulary, width = need(checkpoint, part, "embeddings.token_embedding.weight")
    activation = checkpoint.configs.get(part, {}).get("hidden_act")
    return ClipConfiguration(
        vocabulary=vocabulary,
        positions=need(checkpoint, part, "embeddings.position_embedding.weight")[0],
        width=width,
        inner_width=need(checkpoint, part, "encoder.layers.0.mlp.fc1.weight")[0],
        layers=_count(checkpoint.parts[part], r"encoder\.layers\.(\d+)\."),
        heads=configured(checkpoint, part, "num_attention_heads", max(1, width // 64)),
        activation=activation if isinstance(activation, str) and activation in ("quick_gelu", "gelu") else "quick_gelu",
    )
