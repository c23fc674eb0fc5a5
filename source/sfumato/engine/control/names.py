"""Names of the weights of control models in the spellings that files have -> diffusers names.

A ControlNet's encoder is named as a UNet's; beside it there are the convolutions on its outputs and the encoder of the picture. In the original layout these
are `zero_convs.N.0`, `middle_block_out.0` and `input_hint_block.N`, numbered with the activations between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sfumato.engine.layouts import unet
from sfumato.engine.layouts.place import Place

CONTROL_PREFIX = "control_model."
ADAPTER_PREFIX = "adapter."
PICTURE = "controlnet_cond_embedding"

_OUTPUT = re.compile(r"zero_convs\.(\d+)\.0\.(.+)")
_MIDDLE_OUTPUT = re.compile(r"middle_block_out\.0\.(.+)")
_HINT = re.compile(r"input_hint_block\.(\d+)\.(.+)")
_BODY = re.compile(r"body\.(\d+)\.(.+)")
_INNER = re.compile(r"body\.(\d+)\.body\.(\d+)\.(.+)")


def control_net(keys: Iterable[str]) -> dict[str, Place]:
    """diffusers name -> place, for the keys of a ControlNet with or without prefix; what does not belong to it is left out where there is a prefix."""
    prefix, bare = _unprefixed(keys, CONTROL_PREFIX)
    renamed = _from_original(bare) if unet.is_original(bare) else {key: key for key in bare}
    return {name: Place(prefix + key) for key, name in renamed.items()}


def adapter(keys: Iterable[str]) -> dict[str, Place]:
    """diffusers name (without its `adapter.`) -> place, for the keys of a T2I-Adapter.

    The original layout counts the residual blocks of all levels of a full adapter in one row, two to a level; a level that changes its width begins with
    `in_conv`. A light adapter's levels have their blocks inside.
    """
    prefix, bare = _unprefixed(keys, ADAPTER_PREFIX)
    is_nested = any(".resnets." in key or _INNER.fullmatch(key) for key in bare)
    return {_adapter_name(key, is_nested): Place(prefix + key) for key in bare}


def _unprefixed(keys: Iterable[str], prefix: str) -> tuple[str, list[str]]:
    keys = list(keys)
    under = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
    return (prefix, under) if under else ("", keys)


def _from_original(keys: Iterable[str]) -> dict[str, str]:
    keys = list(keys)
    steps = sorted({int(match[1]) for key in keys if (match := _HINT.fullmatch(key))})
    names = [f"{PICTURE}.conv_in", *(f"{PICTURE}.blocks.{number}" for number in range(len(steps) - 2)), f"{PICTURE}.conv_out"]
    hints = dict(zip(steps, names if len(steps) > 1 else [f"{PICTURE}.conv_in"], strict=False))
    encoder = unet.to_diffusers(keys)
    return {key: _renamed(key, hints) or encoder[key] for key in keys}


def _renamed(key: str, hints: Mapping[int, str]) -> str | None:
    if match := _OUTPUT.fullmatch(key):
        return f"controlnet_down_blocks.{match[1]}.{match[2]}"
    if match := _MIDDLE_OUTPUT.fullmatch(key):
        return f"controlnet_mid_block.{match[1]}"
    if match := _HINT.fullmatch(key):
        return f"{hints[int(match[1])]}.{match[2]}"
    return None


def _adapter_name(key: str, is_nested: bool) -> str:
    if match := _INNER.fullmatch(key):
        return f"body.{match[1]}.resnets.{match[2]}.{match[3]}"
    match = _BODY.fullmatch(key)
    if match is None or is_nested:
        return key
    level, block = divmod(int(match[1]), 2)
    return f"body.{level}.{match[2]}" if match[2].startswith("in_conv.") else f"body.{level}.resnets.{block}.{match[2]}"
