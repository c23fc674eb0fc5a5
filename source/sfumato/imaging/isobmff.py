"""The EXIF and XMP items of an AVIF file, read without decoding a pixel and without trusting a length.

An AVIF file is a row of boxes: length, kind, content. The `meta` box lists items (`iinf`) and says where the bytes of each are (`iloc`). Source of the format:
ISO/IEC 14496-12, sections 8.11.3 and 8.11.6; ISO/IEC 23008-12, annex A.2.1 (the four bytes before an EXIF block). Rule: M18 of metadata.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ITEM_LIMIT_BYTES = 16 << 20
_ITEMS_AT_MOST = 4096


@dataclass(slots=True)
class Items:
    """Sizes as announced, and the texts' bytes as they stand in the file."""

    width: int = 0
    height: int = 0
    exif: bytes = b""
    xmp: bytes = b""


def read_items(data: bytes) -> Items:
    """Width, height, EXIF block and XMP packet of an AVIF file; what is damaged is left out. Never fails."""
    found = Items()
    meta = next((body for kind, body in _boxes(data) if kind == b"meta"), b"")[4:]
    places: dict[int, list[tuple[int, int]]] = {}
    kinds: dict[int, tuple[bytes, bytes]] = {}
    for kind, body in _boxes(meta):
        try:
            if kind == b"iinf":
                kinds = dict(_item_kinds(body))
            elif kind == b"iloc":
                places = dict(_item_places(body))
            elif kind == b"iprp":
                found.width, found.height = _size(body)
        except (struct.error, IndexError):
            continue  # this box is damaged; the others may tell enough
    exif = next((item for item, (kind, _) in kinds.items() if kind == b"Exif"), None)
    xmp = next((item for item, (_, content) in kinds.items() if content == b"application/rdf+xml"), None)
    if exif is not None and len(value := _joined(data, places.get(exif, []))) > 4:
        found.exif = value[4 + min(struct.unpack(">I", value[:4])[0], len(value)) :]
    if xmp is not None:
        found.xmp = _joined(data, places.get(xmp, []))
    return found


def _joined(data: bytes, places: list[tuple[int, int]]) -> bytes:
    """The bytes of one item; none if it is too long."""
    if sum(length for _, length in places) > ITEM_LIMIT_BYTES:
        return b""
    return b"".join(data[offset : offset + length] for offset, length in places)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box up to the first that does not fit."""
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        head = 8
        if length == 1:
            if place + 16 > len(data):
                return
            (length,) = struct.unpack(">Q", data[place + 8 : place + 16])
            head = 16
        elif length == 0:
            length = len(data) - place
        if length < head or place + length > len(data):
            return
        yield kind, data[place + head : place + length]
        place += length


def _item_kinds(body: bytes) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Item number, its kind and, of `mime` items, its content type."""
    skip = 6 if body[0] == 0 else 8
    for count, (kind, entry) in enumerate(_boxes(body[skip:])):
        if kind != b"infe" or count >= _ITEMS_AT_MOST or not entry or entry[0] < 2:
            continue
        number = ">H" if entry[0] == 2 else ">I"
        (item,) = struct.unpack_from(number, entry, 4)
        after = 4 + struct.calcsize(number) + 2
        texts = entry[after + 4 :].split(b"\0")
        yield item, (entry[after : after + 4], texts[1] if len(texts) > 1 else b"")


def _item_places(body: bytes) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Item number and the places (offset, length) of its bytes, of items that lie in the file itself."""
    version = body[0]
    offset_bytes, length_bytes, base_bytes, index_bytes = body[4] >> 4, body[4] & 15, body[5] >> 4, body[5] & 15 if version else 0
    number_bytes = 4 if version == 2 else 2
    place = 6

    def take(size: int) -> int:
        nonlocal place
        if place + size > len(body):
            raise IndexError("the list of places ends early")
        place += size
        return int.from_bytes(body[place - size : place], "big")

    left = _ITEMS_AT_MOST
    for _ in range(min(take(number_bytes), _ITEMS_AT_MOST)):
        item = take(number_bytes)
        method = take(2) & 15 if version else 0
        take(2)  # which file: 0 is this one
        base = take(base_bytes)
        places = []
        for _ in range(take(2)):
            left -= 1
            if left < 0:
                return
            take(index_bytes)
            places.append((base + take(offset_bytes), take(length_bytes)))
        yield item, places if method == 0 else []


def _size(body: bytes) -> tuple[int, int]:
    """Width and height in the first `ispe` property."""
    for kind, properties in _boxes(body):
        if kind == b"ipco":
            for name, value in _boxes(properties):
                if name == b"ispe":
                    return struct.unpack_from(">II", value, 4)
    return 0, 0
