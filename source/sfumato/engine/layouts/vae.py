"""Names of a KL autoencoder's weights: original layout (`decoder.up.3.block.0.nin_shortcut.weight`) <-> diffusers.

The original counts decoder levels from the outside in, diffusers in the order they run. The attention of the middle block is 1x1 convolutions
(C, C, 1, 1) in the original and linear (C, C) in diffusers: `is_attention_matrix` says which tensors change shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
_ATTENTION_BACK = {new: old for old, new in _ATTENTION.items()}
# diffusers before 0.15 wrote these.
_ATTENTION_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

_LEVEL = re.compile(r"(encoder\.down|decoder\.up)\.(\d+)\.(block|downsample|upsample)\.(?:(\d+)\.)?(.+)")
_MIDDLE = re.compile(r"(encoder|decoder)\.mid\.(block_[12]|attn_1)\.(.+)")
_NEW_LEVEL = re.compile(r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.+)")
_NEW_MIDDLE = re.compile(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def to_diffusers(keys: Iterable[str]) -> dict[str, str]:
    """Original keys -> diffusers names; keys that are already diffusers' (old spellings included) come out current."""
    keys = list(keys)
    levels = 1 + max((int(m[2]) for key in keys if (m := _LEVEL.fullmatch(key))), default=0)
    return {key: _renamed(key, levels) for key in keys}


def to_original(names: Iterable[str]) -> dict[str, str]:
    """diffusers names -> original keys, the inverse of `to_diffusers`."""
    names = list(names)
    levels = 1 + max((int(m[2]) for name in names if (m := _NEW_LEVEL.fullmatch(name))), default=0)
    return {name: _renamed_back(name, levels) for name in names}


def is_attention_matrix(name: str) -> bool:
    """Whether the weight of this diffusers name is stored as a 1x1 convolution in the original layout."""
    return bool(re.fullmatch(r"(encoder|decoder)\.mid_block\.attentions\.0\.(to_q|to_k|to_v|to_out\.0)\.weight", name))


def _renamed(key: str, levels: int) -> str:
    if key in ("encoder.norm_out.weight", "encoder.norm_out.bias", "decoder.norm_out.weight", "decoder.norm_out.bias"):
        return key.replace("norm_out", "conv_norm_out")
    if match := _MIDDLE.fullmatch(key):
        side, place, rest = match[1], match[2], match[3]
        if place == "attn_1":
            stem, _, leaf = rest.rpartition(".")
            return f"{side}.mid_block.attentions.0.{_ATTENTION.get(stem, stem)}.{leaf}"
        return f"{side}.mid_block.resnets.{int(place[-1]) - 1}.{rest.replace('nin_shortcut', 'conv_shortcut')}"
    if match := _LEVEL.fullmatch(key):
        side, level, kind, index, rest = match[1], int(match[2]), match[3], match[4], match[5]
        if side == "decoder.up":
            level = levels - 1 - level
        if kind == "block":
            return f"{side}_blocks.{level}.resnets.{index}.{rest.replace('nin_shortcut', 'conv_shortcut')}"
        return f"{side}_blocks.{level}.{kind}rs.0.{rest}"
    if match := _NEW_MIDDLE.fullmatch(key):
        stem, _, leaf = match[4].rpartition(".")
        return f"{match[1]}.mid_block.{match[2]}.{match[3]}.{_ATTENTION_OLD.get(stem, stem)}.{leaf}"
    return key


def _renamed_back(name: str, levels: int) -> str:
    if match := _NEW_MIDDLE.fullmatch(name):
        side, kind, index, rest = match[1], match[2], int(match[3]), match[4]
        if kind == "attentions":
            stem, _, leaf = rest.rpartition(".")
            return f"{side}.mid.attn_1.{_ATTENTION_BACK.get(stem, stem)}.{leaf}"
        return f"{side}.mid.block_{index + 1}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
    if match := _NEW_LEVEL.fullmatch(name):
        side, level, kind, index, rest = match[1], int(match[2]), match[3], match[4], match[5]
        if side == "decoder.up":
            level = levels - 1 - level
        if kind == "resnets":
            return f"{side}.{level}.block.{index}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        return f"{side}.{level}.{kind.removesuffix('rs')}.{rest}"
    return name.replace("conv_norm_out", "norm_out")
