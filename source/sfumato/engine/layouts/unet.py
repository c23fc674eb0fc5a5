"""Names of a UNet's weights: original layout (`input_blocks.4.1.proj_in.weight`) <-> diffusers (`down_blocks.1.attentions.0.proj_in.weight`).

In the original layout every residual block and every down- or upsampling has a running number; diffusers counts level and layer. A level ends with its
down- or upsampling, so both are found by walking the numbers: models with other numbers of layers, also different ones per level, need no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

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
_SAMPLERS = {"input": "op.", "output": "conv."}


class _Place(NamedTuple):
    level: int
    layer: int


def is_original(keys: Iterable[str]) -> bool:
    """Whether the keys (without prefix) are of the original layout."""
    return any(key.startswith("input_blocks.") for key in keys)


def to_diffusers(keys: Iterable[str]) -> dict[str, str]:
    """Original keys -> diffusers names. A key of no known place keeps its own name, so that nothing is lost silently."""
    keys = list(keys)
    blocks = {key: match for key in keys if (match := _BLOCK.fullmatch(key))}
    places = {side: _places(blocks.values(), side) for side in _SAMPLERS}
    return {key: _renamed_block(key, blocks[key], places) if key in blocks else _renamed(key) for key in keys}


def to_original(names: Iterable[str]) -> dict[str, str]:
    """diffusers names -> original keys, the inverse of `to_diffusers`."""
    names = list(names)
    blocks = [match for name in names if (match := _NEW_BLOCK.fullmatch(name))]
    starts = {side: _starts(blocks, side) for side in ("down", "up")}
    attentive = {int(match[2]) for match in blocks if match[1] == "up" and match[3] == "attentions"}
    return {name: _renamed_back(name, starts, attentive) for name in names}


def _places(blocks: Iterable[re.Match[str]], side: str) -> dict[int, _Place]:
    """The running number of each block of a side -> its level and layer; a downsampling is the last "layer" of its level."""
    numbers: set[int] = set()
    last_of_level: set[int] = set()
    for match in blocks:
        if match[1] == side:
            number = int(match[2])
            numbers.add(number)
            if match[4].startswith(_SAMPLERS[side]):
                last_of_level.add(number)
    places: dict[int, _Place] = {}
    level = layer = 0
    for number in sorted(numbers - ({0} if side == "input" else set())):  # input block 0 is the first convolution
        places[number] = _Place(level, layer)
        level, layer = (level + 1, 0) if number in last_of_level else (level, layer + 1)
    return places


def _starts(blocks: Iterable[re.Match[str]], side: str) -> list[int]:
    """The running number of the first block of each level."""
    layers: dict[int, int] = {}
    for match in blocks:
        if match[1] == side and match[3] == "resnets":
            layers[int(match[2])] = max(layers.get(int(match[2]), 0), int(match[4]) + 1)
    start = 1 if side == "down" else 0
    starts = []
    for level in range(max(layers, default=-1) + 1):
        starts.append(start)
        # Going down, the sampling is a block of its own; going up, it is part of the level's last block.
        start += layers.get(level, 0) + (1 if side == "down" else 0)
    return [*starts, start]


def _split(key: str, table: dict[str, str]) -> str | None:
    stem, _, leaf = key.rpartition(".")
    return f"{table[stem]}.{leaf}" if stem in table else None


def _renamed(key: str) -> str:
    if match := _MIDDLE.fullmatch(key):
        position = int(match[1])
        return f"mid_block.attentions.0.{match[2]}" if position == 1 else f"mid_block.resnets.{position // 2}.{_split(match[2], _RESNET) or match[2]}"
    return _split(key, _SINGLE) or key


def _renamed_block(key: str, match: re.Match[str], places: Mapping[str, Mapping[int, _Place]]) -> str:
    side, number, position, rest = match[1], int(match[2]), int(match[3]), match[4]
    if number not in places[side]:  # the first convolution
        return _split(key, _SINGLE) or key
    level, layer = places[side][number]
    stem = f"{'down' if side == 'input' else 'up'}_blocks.{level}"
    if side == "input" and rest.startswith("op."):
        return f"{stem}.downsamplers.0.conv.{rest[3:]}"
    if side == "output" and position and rest.startswith("conv."):
        return f"{stem}.upsamplers.0.{rest}"
    if position == 0:
        return f"{stem}.resnets.{layer}.{_split(rest, _RESNET) or rest}"
    return f"{stem}.attentions.{layer}.{rest}"


def _renamed_back(name: str, starts: Mapping[str, list[int]], attentive: set[int]) -> str:
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
    next_start = starts[side][level + 1]
    if kind == "downsamplers":
        return f"input_blocks.{next_start - 1}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{next_start - 1}.{2 if level in attentive else 1}.{rest}"
    stem = f"{'input' if side == 'down' else 'output'}_blocks.{starts[side][level] + index}"
    if kind == "attentions":
        return f"{stem}.1.{rest}"
    return f"{stem}.0.{_split(rest, _RESNET_BACK) or rest}"
