"""Messages as bytes: one BSON document per message, behind a four-byte little-endian length on streams.

Sizes and nesting are bounded before anything is allotted; whatever is not a message raises `BadFrame` and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import bson
from bson.errors import BSONError
from pydantic import ValidationError

from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import COMMANDS, EVENTS, Command, Event

COMMAND_LIMIT_BYTES = 64 << 20
EVENT_LIMIT_BYTES = 256 << 20
MAX_DEPTH = 64
# A value of nothing takes two bytes on the wire and a hundred times that in memory.
COMMAND_VALUES = 100_000
EVENT_VALUES = 500_000
_LENGTH = struct.Struct("<I")


def encode(message: Command | Event) -> bytes:
    """The BSON document of `message`."""
    return bson.encode(message.model_dump(mode="python"))


def decode_command(document: bytes) -> Command:
    """Read a command; raises `BadFrame`."""
    return _decode(document, COMMANDS, COMMAND_LIMIT_BYTES, COMMAND_VALUES)


def decode_event(document: bytes) -> Event:
    """Read an event; raises `BadFrame`."""
    return _decode(document, EVENTS, EVENT_LIMIT_BYTES, EVENT_VALUES)


def document_of(data: bytes, limit_bytes: int, most_values: int = EVENT_VALUES) -> dict[str, Any]:
    """Decode one BSON document of at most so many bytes and values; raises `BadFrame`."""
    if len(data) > limit_bytes:
        raise BadFrame(f"it has {len(data)} bytes, {limit_bytes} are allowed")
    _check_shape(data, most_values)
    try:
        found: dict[str, Any] = bson.decode(data)  # pyright: ignore[reportUnknownMemberType]  # bson's overloads name unparametrised arrays
    except (BSONError, ValueError, OverflowError, RecursionError, UnicodeError) as error:
        raise BadFrame("it is not a BSON document") from error
    return found


def _decode(data: bytes, adapter: Any, limit_bytes: int, most_values: int) -> Any:
    document = document_of(data, limit_bytes, most_values)
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise BadFrame(f"{where}: {first['msg']}") from error


def _check_shape(data: bytes, most_values: int) -> None:
    """Walk the document's element headers without building anything; nesting above MAX_DEPTH is refused, and so are too many values.

    The decoder of pymongo recurses in C, so depth has to be known before it is called.
    """
    ends: list[int] = []
    at, size, values = 0, len(data), 0
    if size < 5:
        raise BadFrame("it is shorter than a BSON document")
    fixed = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}
    try:
        ends.append(_open(data, at, size))
        at += 4
        while ends:
            kind = data[at]
            at += 1
            if kind == 0:
                if at != ends.pop():
                    raise BadFrame("an inner length is wrong")
                continue
            values += 1
            if values > most_values:
                raise BadFrame(f"it holds more than {most_values} values")
            at = data.index(0, at, ends[-1]) + 1  # the element's name
            if kind in (0x03, 0x04):
                if len(ends) >= MAX_DEPTH:
                    raise BadFrame(f"it nests deeper than {MAX_DEPTH}")
                ends.append(_open(data, at, ends[-1]))
                at += 4
            elif kind in fixed:
                at += fixed[kind]
            elif kind == 0x02:
                at += 4 + _LENGTH.unpack_from(data, at)[0]
            elif kind == 0x05:
                at += 5 + _LENGTH.unpack_from(data, at)[0]
            else:
                raise BadFrame(f"it holds a value of type {kind:#04x}, which no message uses")
            if at >= ends[-1]:
                raise BadFrame("an inner length is wrong")
    except (IndexError, ValueError, struct.error) as error:
        raise BadFrame("it ends in the middle of a value") from error
    if at != size:
        raise BadFrame("bytes follow its end")


def _open(data: bytes, at: int, limit: int) -> int:
    length = _LENGTH.unpack_from(data, at)[0]
    if length < 5 or at + length > limit:
        raise BadFrame("an inner length is wrong")
    return at + length


def frame(document: bytes) -> bytes:
    """`document` behind its length, for a stream."""
    return _LENGTH.pack(len(document)) + document


class FrameReader:
    """Cuts a stream of bytes, arriving in any pieces, back into documents."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add `data`, yield every document completed by it; raises `BadFrame` on an announced length over the limit."""
        self._held += data
        start = 0
        try:
            while len(self._held) - start >= _LENGTH.size:
                length = _LENGTH.unpack_from(self._held, start)[0]
                if length > self._limit:
                    raise BadFrame(f"a frame of {length} bytes was announced, {self._limit} are allowed")
                end = start + _LENGTH.size + length
                if len(self._held) < end:
                    break
                document = bytes(self._held[start + _LENGTH.size : end])
                start = end
                yield document
        finally:
            del self._held[:start]
