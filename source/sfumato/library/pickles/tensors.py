"""The tensors of a container, by name, written as safetensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sfumato.library.pickles.containers import ITEM, Container, Place, copy_whole
from sfumato.library.pickles.machine import Refused, TensorView

# Where trainers put the weights among other things; the first that is there is taken alone.
WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model_state_dict", "model")
_TENSORS_LIMIT = 100_000
_NAME_LIMIT = 512
_LISTED = 20
# Under which the header keeps the plain values that stood beside the weights, as JSON: what a hypernetwork's layers are joined by, an embedding's name.
VALUES = "sfumato.values"
_VALUES_LIMIT = 64
_VALUE_LIMIT_CHARACTERS = 1000

_DTYPES = {
    "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2), "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1), "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1), "uint8": ("U8", 1), "bool": ("BOOL", 1),
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """`left_out`: what stood beside the weights, by name; `values`: those of it that are plain."""

    tensors: dict[str, TensorView]
    left_out: list[str]
    values: dict[str, Any] = field(default_factory=dict)


def find_tensors(value: Any) -> Found:
    """The tensors below `value`, nested names joined by dots. Raises `Refused` if there are none."""
    left_out: list[str] = []
    values = _plain_values(value) if isinstance(value, Mapping) else {}
    if isinstance(value, Mapping):
        wrapper = next((name for name in WRAPPERS if isinstance(value.get(name), dict) and _has_tensor(value[name])), None)
        if wrapper is not None:
            left_out = [str(name)[:100] for name in value if name != wrapper]
            value = value[wrapper]
    tensors: dict[str, TensorView] = {}
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        name, item, depth = waiting.pop()
        if isinstance(item, TensorView):
            if name in tensors or len(name) > _NAME_LIMIT or len(tensors) >= _TENSORS_LIMIT:
                raise Refused("its tensors have no proper names, or there are too many")
            tensors[name or "tensor"] = item
        elif isinstance(item, dict) and depth < 8:
            waiting.extend((f"{name}.{key}" if name else str(key), inner, depth + 1) for key, inner in item.items())
        elif isinstance(item, list | tuple) and depth < 8 and any(isinstance(inner, TensorView | dict) for inner in item):
            waiting.extend((f"{name}.{index}" if name else str(index), inner, depth + 1) for index, inner in enumerate(item))
        else:
            left_out.append(name[:100])
    if not tensors:
        raise Refused("there are no weights in it")
    return Found(dict(sorted(tensors.items())), sorted(set(left_out))[:_LISTED], values)


def _plain_values(value: Mapping[Any, Any]) -> dict[str, Any]:
    """The texts, numbers and short lists of them in a mapping."""
    plain = {name: item for name, item in value.items() if isinstance(name, str) and len(name) <= _VALUES_LIMIT and _is_plain(item)}
    return dict(list(plain.items())[:_VALUES_LIMIT])


def _is_plain(item: Any) -> bool:
    if isinstance(item, list | tuple):
        return len(item) <= _VALUES_LIMIT and all(not isinstance(inner, list | tuple) and _is_plain(inner) for inner in item)
    if isinstance(item, float):
        return math.isfinite(item)
    if isinstance(item, str):
        return len(item) <= _VALUE_LIMIT_CHARACTERS
    return item is None or isinstance(item, bool) or (isinstance(item, int) and abs(item) < 1 << 63)


def _has_tensor(value: Mapping[Any, Any]) -> bool:
    return any(isinstance(item, TensorView) or (isinstance(item, dict) and _has_tensor_shallow(item)) for item in value.values())


def _has_tensor_shallow(value: Mapping[Any, Any]) -> bool:
    return any(isinstance(item, TensorView) for item in value.values())


@dataclass(frozen=True)
class _Piece:
    dtype: str
    item_bytes: int
    view: TensorView
    place: Place

    @property
    def bytes(self) -> int:
        return math.prod(self.view.size) * self.item_bytes


def _piece(name: str, view: TensorView, container: Container) -> _Piece:
    """The tensor checked against the storage it looks at; raises `Refused` where it would leave it."""
    stored = ITEM.get(view.storage.kind)
    found = _DTYPES.get(view.dtype) if view.dtype else stored
    place = container.places.get(view.storage.key)
    if stored is None or found is None or place is None:
        raise Refused(f"tensor '{name}' has no numbers, or a number format that is not known ({view.dtype or view.storage.kind})")
    if len(view.stride) != len(view.size) or math.prod(view.size) > 1 << 40:
        raise Refused(f"tensor '{name}' has an impossible shape")
    reach = view.offset + sum((size - 1) * stride for size, stride in zip(view.size, view.stride, strict=True)) + 1 if math.prod(view.size) else view.offset
    if reach * found[1] > place.size:
        raise Refused(f"tensor '{name}' reaches behind the end of its numbers")
    return _Piece(*found, view, place)


def write_safetensors(found: Found, container: Container, source: BinaryIO, target: BinaryIO, metadata: Mapping[str, str], limit_bytes: int) -> int:
    """Write header and tensors; the count of bytes written. Raises `Refused`."""
    pieces = {name: _piece(name, view, container) for name, view in found.tensors.items()}
    total = sum(piece.bytes for piece in pieces.values())
    if total > limit_bytes:
        raise Refused(f"its tensors would take {total} bytes, more than it has itself")
    values = {VALUES: json.dumps(found.values, ensure_ascii=True)} if found.values else {}
    header: dict[str, Any] = {"__metadata__": {**metadata, **values}}
    begin = 0
    for name, piece in pieces.items():
        header[name] = {"dtype": piece.dtype, "shape": list(piece.view.size), "data_offsets": [begin, begin + piece.bytes]}
        begin += piece.bytes
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write(len(text).to_bytes(8, "little") + text)
    for piece in pieces.values():
        _write(piece, source, target)
    return 8 + len(text) + total


def _write(piece: _Piece, source: BinaryIO, target: BinaryIO) -> None:
    view, item = piece.view, piece.item_bytes
    if not piece.bytes:
        return
    if _is_contiguous(view):
        if view.offset == 0 and piece.bytes == piece.place.size:
            copy_whole(source, piece.place, target)
        else:
            copy_whole(source, Place(piece.place.begin + view.offset * item, piece.bytes, None), target)
        return
    source.seek(piece.place.begin)
    numbers = memoryview(source.read(piece.place.size))
    _gather(numbers, view.offset, view.size, view.stride, item, target)


def _is_contiguous(view: TensorView) -> bool:
    expected = 1
    for size, stride in zip(reversed(view.size), reversed(view.stride), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _gather(numbers: memoryview, offset: int, size: tuple[int, ...], stride: tuple[int, ...], item: int, target: BinaryIO) -> None:
    """A view with other strides (transposed, or cut out of a larger one), row by row."""
    if len(size) == 1:
        if stride[0] == 1:
            target.write(numbers[offset * item : (offset + size[0]) * item])
        else:
            row = bytearray(size[0] * item)
            for index in range(size[0]):
                begin = (offset + index * stride[0]) * item
                row[index * item : (index + 1) * item] = numbers[begin : begin + item]
            target.write(row)
        return
    for index in range(size[0]):
        _gather(numbers, offset + index * stride[0], size[1:], stride[1:], item, target)
