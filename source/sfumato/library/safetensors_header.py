"""The header of a safetensors file, checked in pure Python before any other reader sees the file.

Opens nothing but the header's bytes, loads no weights and trusts no number. Format: 8 bytes of little-endian length, a JSON object of that length, then the
tensors' bytes end to end. Rules: E10 of the engine, X2 and X3 of security.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from sfumato.library.file_kind import FIRST_BYTES, HEADER_LIMIT_BYTES, kind_of_bytes
from sfumato.protocol.errors import CorruptFile, PickleRefused

# More than any real model has (a tensor takes about ten); bounds the memory that a header of small things could take.
_MARKS_LIMIT = 1_000_000
_DIMENSIONS_LIMIT = 8
_SIZE_LIMIT = 1 << 63
_FIELDS = {"dtype", "shape", "data_offsets"}

DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


class TensorInfo(NamedTuple):
    """One tensor: `begin` and `end` are byte offsets counted from the first byte behind the header (`Header.data_start`)."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: tensors by name in the order of their bytes, its text pairs, and where the tensors' bytes begin."""

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    data_start: int
    file_bytes: int


class _Breach(Exception):
    """A rule of the format is broken; the text says which and where."""


def read_header(path: Path, name: str = "") -> Header:
    """Read and check the header of a file.

    Args:
        path: the file.
        name: what to call it in an error; default its file name.

    Raises:
        PickleRefused: by its first bytes the file is a pickle, whatever its name says.
        CorruptFile: it cannot be read or breaks a rule of the format.
    """
    name = name or path.name
    try:
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
            raise _Breach("it is no ordinary file")  # opening a pipe would wait for its other end for ever
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(FIRST_BYTES)
            if kind_of_bytes(first) == "pickle":
                raise PickleRefused(name)
            length = _checked_length(first, size)
            file.seek(8)
            raw = file.read(length)
        if len(raw) != length:
            raise _Breach("the file ends inside its header")
        tensors, metadata = _checked_object(_parsed(raw), size - 8 - length)
    except OSError as error:
        raise CorruptFile(name, f"it cannot be read ({error.strerror or type(error).__name__})") from error
    except _Breach as breach:
        raise CorruptFile(name, str(breach)) from None
    return Header(tensors, metadata, 8 + length, size)


def _checked_length(first: bytes, size: int) -> int:
    if len(first) < 8:
        raise _Breach(f"it is only {size} bytes long, too short for a safetensors file")
    length = int.from_bytes(first[:8], "little")
    if length > HEADER_LIMIT_BYTES:
        raise _Breach(f"its header claims {length} bytes, more than the {HEADER_LIMIT_BYTES} that are allowed; it may be no safetensors file")
    if length > size - 8:
        raise _Breach(f"its header claims {length} bytes, but only {size - 8} follow")
    return length


def _parsed(raw: bytes) -> Mapping[str, Any]:
    if not raw.startswith(b"{"):
        raise _Breach("its header is no JSON object")
    if sum(raw.count(mark) for mark in (b",", b":", b"[", b"{")) > _MARKS_LIMIT:
        raise _Breach("its header has more entries than any model needs")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _Breach(f"its header is not UTF-8 text at byte {8 + error.start}") from None
    except json.JSONDecodeError as error:
        raise _Breach(f"its header is not JSON at character {error.pos} ({error.msg})") from None
    except (RecursionError, ValueError):  # nested too deep, or an integer of thousands of digits
        raise _Breach("its header is nested too deep or holds a number that is too long") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Breach(f"{_shown(key)} occurs twice in its header")
            seen.add(key)
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise _Breach(f"its header holds {constant}, which is no number")


def _checked_object(found: Mapping[str, Any], data_bytes: int) -> tuple[Mapping[str, TensorInfo], Mapping[str, str]]:
    metadata = found.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _Breach("'__metadata__' in its header does not map text to text")
    for key in found:
        # A lone surrogate can only come from an escape; plain ASCII is text.
        if not key.isascii() and not _is_text(key):
            raise _Breach(f"the name of tensor {_shown(key)} is not text")
    tensors = {key: _checked_tensor(key, entry, data_bytes) for key, entry in found.items() if key != "__metadata__"}
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))
    place = 0
    for key, tensor in ordered.items():
        if tensor.begin < place:
            raise _Breach(f"tensor {_shown(key)} overlaps the one before it (data_offsets)")
        if tensor.begin > place:
            raise _Breach(f"there is a hole of {tensor.begin - place} bytes before tensor {_shown(key)} (data_offsets)")
        place = tensor.end
    if place != data_bytes:
        raise _Breach(f"{data_bytes - place} bytes behind the last tensor belong to none")
    return ordered, metadata


def _checked_tensor(key: str, entry: Any, data_bytes: int) -> TensorInfo:
    # Written for speed: it runs for each of the thousands of tensors of every file of a collection.
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise _Breach(f"tensor {_shown(key)} must have dtype, shape and data_offsets and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _Breach(f"the dtype of tensor {_shown(key)} is {_shown(dtype)}, which is not known")
    bits = counted = DTYPE_BITS[dtype]
    is_counts = isinstance(shape, list) and len(shape) <= _DIMENSIONS_LIMIT
    for size in shape if is_counts else ():
        if type(size) is not int or not 0 <= size < _SIZE_LIMIT:
            is_counts = False
            break
        bits *= size
        counted *= size or 1  # zeros are left out of the check, since a reader multiplies from the left and may meet the zero last
    if not is_counts:
        raise _Breach(f"the shape of tensor {_shown(key)} is not a list of at most {_DIMENSIONS_LIMIT} whole numbers from 0 on")
    if not isinstance(offsets, list) or len(offsets) != 2 or not _is_count(offsets[0]) or not _is_count(offsets[1]):
        raise _Breach(f"the data_offsets of tensor {_shown(key)} are not two whole numbers from 0 on")
    begin, end = offsets
    if end > data_bytes:
        raise _Breach(f"tensor {_shown(key)} ends behind the end of the file")
    if counted >= _SIZE_LIMIT:
        raise _Breach(f"the shape of tensor {_shown(key)} is too large to count")
    if bits % 8 or end - begin != bits // 8:
        raise _Breach(f"the data_offsets of tensor {_shown(key)} span {end - begin} bytes, its shape and dtype need {-(-bits // 8)}")
    return TensorInfo(dtype, tuple(shape), begin, end)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _SIZE_LIMIT


def _is_text(key: str) -> bool:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        return False
    return True


def _shown(value: object) -> str:
    """A value from the file, short and printable, for a sentence."""
    text = ascii(value) if isinstance(value, str) else ascii(repr(value)[:80])
    return text if len(text) <= 80 else f"{text[:76]}...'"
