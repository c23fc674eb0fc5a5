"""Names of a UNet's weights: original layout (`input_blocks.4.1.proj_in.weight`) <-> diffusers (`down_blocks.1.attentions.0.proj_in.weight`).

In the original layout every residual block and every down- or upsampling has a running number; diffusers counts level and layer. With L layers
per block, level i's layer j is input block 1 + i (L + 1) + j and, on the way up, output block i (L + 1) + j.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_RESNET_BACK = {new: old for old, new in _RESNET.items()}
_SINGLE = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_SINGLE_BACK = {new: old for old, new in _SINGLE.items()}

_BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)")
_MIDDLE = re.compile(r"middle_block\.([012])\.(.+)")
_NEW_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_NEW_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")
_UPSAMPLER = re.compile(r"up_blocks\.(\d+)\.attentions\.")


def layers_per_block(keys: Iterable[str]) -> int:
    """Residual blocks per level, from the keys of the original layout: the first downsampling is input block L + 1. One level: all of them."""
    highest, first_down = 0, 0
    for key in keys:
        match = _BLOCK.fullmatch(key)
        if match is None or match[1] == "output":
            continue
        number = int(match[2])
        highest = max(highest, number)
        if match[4].startswith("op."):
            first_down = min(first_down or number, number)
    return first_down - 1 if first_down else highest


def to_diffusers(keys: Iterable[str]) -> dict[str, str]:
    """Original keys -> diffusers names. A key of no known place keeps its own name, so that nothing is lost silently."""
    keys = list(keys)
    layers = max(layers_per_block(keys), 1)
    return {key: _renamed(key, layers) for key in keys}


def to_original(names: Iterable[str]) -> dict[str, str]:
    """diffusers names -> original keys, the inverse of `to_diffusers`."""
    names = list(names)
    layers = 1 + max((int(m[4]) for name in names if (m := _NEW_BLOCK.fullmatch(name)) and m[1] == "down" and m[3] == "resnets"), default=0)
    attentive = {int(m[1]) for name in names if (m := _UPSAMPLER.match(name))}
    return {name: _renamed_back(name, layers, attentive) for name in names}


def _split(key: str, table: dict[str, str]) -> str | None:
    stem, _, leaf = key.rpartition(".")
    return f"{table[stem]}.{leaf}" if stem in table else None


def _renamed(key: str, layers: int) -> str:
    single = _split(key, _SINGLE)
    if single is not None:
        return single
    if match := _MIDDLE.fullmatch(key):
        place = int(match[1])
        return f"mid_block.attentions.0.{match[2]}" if place == 1 else f"mid_block.resnets.{place // 2}.{_split(match[2], _RESNET) or match[2]}"
    match = _BLOCK.fullmatch(key)
    if match is None:
        return key
    side, number, place, rest = match[1], int(match[2]), int(match[3]), match[4]
    if side == "input":
        level, layer = divmod(number - 1, layers + 1)
        if rest.startswith("op."):
            return f"down_blocks.{level}.downsamplers.0.conv.{rest[3:]}"
        stem = f"down_blocks.{level}"
    else:
        level, layer = divmod(number, layers + 1)
        if place and rest.startswith("conv."):
            return f"up_blocks.{level}.upsamplers.0.{rest}"
        stem = f"up_blocks.{level}"
    if place == 0:
        return f"{stem}.resnets.{layer}.{_split(rest, _RESNET) or rest}"
    return f"{stem}.attentions.{layer}.{rest}"


def _renamed_back(name: str, layers: int, attentive: set[int]) -> str:
    single = _split(name, _SINGLE_BACK)
    if single is not None:
        return single
    if match := _NEW_MIDDLE.fullmatch(name):
        kind, index, rest = match[1], int(match[2]), match[3]
        return f"middle_block.1.{rest}" if kind == "attentions" else f"middle_block.{2 * index}.{_split(rest, _RESNET_BACK) or rest}"
    match = _NEW_BLOCK.fullmatch(name)
    if match is None:
        return name
    side, level, kind, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{level * (layers + 1) + layers}.{2 if level in attentive else 1}.{rest}"
    number = level * (layers + 1) + index + (1 if side == "down" else 0)
    stem = f"{'input' if side == 'down' else 'output'}_blocks.{number}"
    if kind == "attentions":
        return f"{stem}.1.{rest}"
    return f"{stem}.0.{_split(rest, _RESNET_BACK) or rest}"
