"""The header of a GGUF file, checked in pure Python before any other reader sees the file.

Opens nothing behind the header, loads no weights and trusts no number: counts, lengths, types, alignment and offsets. Format: "GGUF", version, counts of
tensors and of pairs, the pairs, the tensors' rows, padding, the tensors' bytes. Rules: X2 and X3 of security.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sfumato.protocol.errors import CorruptFile

HEADER_LIMIT_BYTES = 100 << 20
_VERSIONS = (2, 3)
_TENSORS_LIMIT = 100_000
_PAIRS_LIMIT = 10_000
_TEXTS_LIMIT = 4_000_000
_NAME_LIMIT_BYTES = 1024
_DIMENSIONS_LIMIT = 8
_SIZE_LIMIT = 1 << 63
_ALIGNMENT = "general.alignment"
_UINT32, _STRING, _ARRAY = 4, 8, 9
# Bytes of the values of a fixed size, by their number in the format.
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# Number of a tensor's type in the format -> (values of a block, bytes of a block).
_BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4),
    1: (1, 2),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    30: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    20: (32, 18),
    39: (32, 17),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    29: (256, 56),
    34: (256, 54),
    35: (256, 66),
}


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What was counted: the tensors' names, the number of pairs, and where the tensors' bytes begin."""

    tensors: tuple[str, ...]
    pairs: int
    data_start: int


class _Breach(Exception):
    """A rule of the format is broken; the text says which."""


def check_gguf(path: Path, name: str = "") -> GgufHeader:
    """Read and check the header of a file. Raises `CorruptFile`, in which the file is called `name`."""
    name = name or path.name
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _Breach("it is no ordinary file")
        with path.open("rb") as file:
            return _checked(_Reading(file, os.fstat(file.fileno()).st_size))
    except OSError as error:
        raise CorruptFile(name, f"it cannot be read ({error.strerror or type(error).__name__})") from error
    except _Breach as breach:
        raise CorruptFile(name, str(breach)) from None


class _Reading:
    """Takes numbers and texts off a file; never more than it has, and never past the limit of a header."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self.at = 0

    def take(self, count: int) -> bytes:
        self._reserve(count)
        data = self._file.read(count)
        if len(data) != count:
            raise _Breach("the file ends inside its header")
        return data

    def skip(self, count: int) -> None:
        self._reserve(count)
        self._file.seek(count, os.SEEK_CUR)

    def number(self, form: str) -> int:
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0])

    def text(self, what: str) -> str:
        length = self.number("Q")
        if length > _NAME_LIMIT_BYTES:
            raise _Breach(f"{what} claims {length} bytes, more than the {_NAME_LIMIT_BYTES} that are allowed")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise _Breach(f"{what} is not UTF-8 text (before byte {self.at})") from None

    def _reserve(self, count: int) -> None:
        self.at += count
        if self.at > self.size:
            raise _Breach("the file ends inside its header")
        if self.at > HEADER_LIMIT_BYTES:
            raise _Breach(f"its header has more than the {HEADER_LIMIT_BYTES} bytes that are allowed")


def _checked(file: _Reading) -> GgufHeader:
    if file.take(4) != b"GGUF":
        raise _Breach("it does not begin as a GGUF file")
    version = file.number("I")
    if version not in _VERSIONS:
        raise _Breach(f"its version is {version}, known are {_VERSIONS[0]} to {_VERSIONS[-1]}")
    tensors, pairs = file.number("Q"), file.number("Q")
    if tensors > _TENSORS_LIMIT or pairs > _PAIRS_LIMIT:
        raise _Breach(f"its header claims {tensors} tensors and {pairs} values, more than any model needs")
    alignment = _pairs(file, pairs)
    rows = [_row(file) for _ in range(tensors)]
    names = tuple(name for name, _, _ in rows)
    if len(set(names)) != len(names):
        raise _Breach("a tensor occurs twice in its header")
    start = -(-file.at // alignment) * alignment
    _check_places(rows, alignment, file.size - start)
    return GgufHeader(names, pairs, start)


def _pairs(file: _Reading, count: int) -> int:
    """Go over the named values; the alignment of the tensors' bytes."""
    alignment, seen = 32, set[str]()
    for _ in range(count):
        key = file.text("the name of a value")
        if key in seen:
            raise _Breach(f"{key[:80]!a} occurs twice in its header")
        seen.add(key)
        kind = file.number("I")
        if key == _ALIGNMENT:
            alignment = file.number("I") if kind == _UINT32 else 0
            if alignment < 8 or alignment > 1 << 20 or alignment & (alignment - 1):
                raise _Breach(f"its alignment is {alignment}, which is no power of two from 8 on")
        else:
            _skip_value(file, kind)
    return alignment


def _skip_value(file: _Reading, kind: int) -> None:
    if kind in _VALUE_BYTES:
        file.skip(_VALUE_BYTES[kind])
    elif kind == _STRING:
        file.skip(file.number("Q"))
    elif kind == _ARRAY:
        inner, count = file.number("I"), file.number("Q")
        if inner in _VALUE_BYTES:
            file.skip(count * _VALUE_BYTES[inner])
        elif inner == _STRING and count <= _TEXTS_LIMIT:
            for _ in range(count):
                file.skip(file.number("Q"))
        else:
            raise _Breach(f"a list holds {count} values of type {inner}, which is not known or more than any model needs")
    else:
        raise _Breach(f"a value has type {kind}, which is not known")


def _row(file: _Reading) -> tuple[str, int, int]:
    """Name, offset and bytes of one tensor."""
    name = file.text("the name of a tensor")
    dimensions = file.number("I")
    if dimensions > _DIMENSIONS_LIMIT:
        raise _Breach(f"tensor {name[:80]!a} has {dimensions} dimensions")
    sides = [file.number("Q") for _ in range(dimensions)]
    kind, offset = file.number("I"), file.number("Q")
    if kind not in _BLOCKS:
        raise _Breach(f"the type of tensor {name[:80]!a} is {kind}, which is not known")
    values, block_bytes = _BLOCKS[kind]
    count = 1
    for side in sides:
        count *= side
        if count >= _SIZE_LIMIT:
            raise _Breach(f"the shape of tensor {name[:80]!a} is too large to count")
    if (sides[0] if sides else 1) % values:
        raise _Breach(f"a row of tensor {name[:80]!a} is no multiple of {values} values")
    return name, offset, count // values * block_bytes


def _check_places(rows: list[tuple[str, int, int]], alignment: int, data_bytes: int) -> None:
    """Every tensor is aligned, begins where the one before it ends, and lies inside the file."""
    place = 0
    for name, offset, count in sorted(rows, key=lambda row: (row[1], row[2])):
        if offset % alignment:
            raise _Breach(f"tensor {name[:80]!a} is not aligned (offset {offset})")
        expected = -(-place // alignment) * alignment
        if offset != expected:
            what = "overlaps the one before it" if offset < expected else f"comes behind a hole of {offset - expected} bytes"
            raise _Breach(f"tensor {name[:80]!a} {what} (offset {offset})")
        place = offset + count
        if place > data_bytes:
            raise _Breach(f"tensor {name[:80]!a} ends behind the end of the file")
    if data_bytes - place >= alignment and rows:
        raise _Breach(f"{data_bytes - place} bytes behind the last tensor belong to none")
