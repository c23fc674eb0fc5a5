"""Names of a CLIP text tower's weights. Canonical is transformers' naming without the wrapper `text_model.`, and `text_projection.weight`.

Files write that wrapper or not (NovelAI's do not), and installed versions of transformers have it or not (gone in 5.6); both are bridged here. SD2, the
second tower of SDXL and the refiner are stored as OpenCLIP wrote them: other names, query, key and value stacked in one matrix, the projection transposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sfumato.engine.layouts.place import Place

WRAPPER = "text_model."
PROJECTION = "text_projection.weight"
_IGNORED = ("embeddings.position_ids",)  # a counter 0..76 that old files carry; the module makes its own

_OPEN_SINGLE = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_OPEN_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)")
_OPEN_STACKED = re.compile(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)")
_OPEN_PARTS = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2", "attn.out_proj": "self_attn.out_proj"}
_OPEN_PARTS_BACK = {new: old for old, new in _OPEN_PARTS.items()}
_THIRDS = ("q_proj", "k_proj", "v_proj")
_OPEN_PROJECTION = "text_projection"

_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_THIRD = re.compile(r"encoder\.layers\.(\d+)\.self_attn\.(q|k|v)_proj\.(weight|bias)")


def is_open_clip(keys: Iterable[str]) -> bool:
    """Whether the keys (without prefix) are OpenCLIP's."""
    return any(key.startswith("transformer.resblocks.") for key in keys)


def canonical(keys: Iterable[str]) -> dict[str, str]:
    """Keys of a stored tower in transformers' naming -> canonical names; counters that are no weights are left out."""
    named = {key: key.removeprefix("transformer.").removeprefix(WRAPPER) for key in keys}
    return {key: name for key, name in named.items() if name not in _IGNORED}


def from_open_clip(keys: Iterable[str]) -> dict[str, Place]:
    """Canonical name -> its place, for a tower in OpenCLIP's naming. A key of no known place keeps its own name."""
    places: dict[str, Place] = {}
    for key in keys:
        if key in _OPEN_SINGLE:
            places[_OPEN_SINGLE[key]] = Place(key)
        elif key == _OPEN_PROJECTION:
            places[PROJECTION] = Place(key, is_transposed=True)
        elif stacked := _OPEN_STACKED.fullmatch(key):
            for index, third in enumerate(_THIRDS):
                places[f"encoder.layers.{stacked[1]}.self_attn.{third}.{stacked[2]}"] = Place(key, third=index)
        elif (match := _OPEN_LAYER.fullmatch(key)) and match[2] in _OPEN_PARTS:
            places[f"encoder.layers.{match[1]}.{_OPEN_PARTS[match[2]]}.{match[3]}"] = Place(key)
        else:
            places[key] = Place(key)
    return places


def to_open_clip(names: Iterable[str]) -> dict[str, Place]:
    """Canonical name -> its place in OpenCLIP's naming, the inverse of `from_open_clip`."""
    single = {new: old for old, new in _OPEN_SINGLE.items()}
    places: dict[str, Place] = {}
    for name in names:
        if name in single:
            places[name] = Place(single[name])
        elif name == PROJECTION:
            places[name] = Place(_OPEN_PROJECTION, is_transposed=True)
        elif match := _THIRD.fullmatch(name):
            places[name] = Place(f"transformer.resblocks.{match[1]}.attn.in_proj_{match[3]}", third="qkv".index(match[2]))
        elif (match := _LAYER.fullmatch(name)) and match[2] in _OPEN_PARTS_BACK:
            places[name] = Place(f"transformer.resblocks.{match[1]}.{_OPEN_PARTS_BACK[match[2]]}.{match[3]}")
        else:
            places[name] = Place(name)
    return places
