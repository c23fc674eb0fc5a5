"""The texts of an EXIF block: read without trusting an offset, and written for our own pictures.

EXIF is a TIFF file in small: directories of entries, each a tag, a type, a count and a value or the place of one. Only texts are of interest here, so all
directories are read as one. Source of the format: CIPA DC-008 (Exif 2.32), sections 4.5-4.6; TIFF 6.0, section 2. Rules: M2, M18 of metadata.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

IMAGE_DESCRIPTION = 0x010E
MAKE = 0x010F
CAMERA = 0x0110
SOFTWARE = 0x0131
EXIF_DIRECTORY = 0x8769
MAKER_NOTE = 0x927C
USER_COMMENT = 0x9286

_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_BYTES_OF = {1: 1, _ASCII: 1, _UNDEFINED: 1}
_ENTRIES_AT_MOST = 512
_DIRECTORIES_AT_MOST = 16
_CODES = {b"UNICODE\0": "", b"ASCII\0\0\0": "ascii", b"JIS\0\0\0\0\0": "euc_jp", b"\0" * 8: "utf-8"}


@dataclass(slots=True)
class Exif:
    """Texts by tag (the first of each counts) and what could not be read."""

    texts: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_exif(data: bytes) -> Exif:
    """Read the texts of an EXIF block, with or without the `Exif\\0\\0` in front. Never fails."""
    found = Exif()
    data = data[6:] if data[:6] == b"Exif\0\0" else data
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        if data:
            found.warnings.append("The EXIF block is damaged and was left out.")
        return found
    for tag, kind, value in _entries(data, order, found.warnings):
        if tag == USER_COMMENT:
            text = decode_comment(value)
        elif kind in (_ASCII, 1, _UNDEFINED):
            text = decoded(value)
        else:
            continue
        found.texts.setdefault(tag, text.rstrip("\0"))
    return found


def _entries(data: bytes, order: str, warnings: list[str]) -> Iterator[tuple[int, int, bytes]]:
    """Tag, type and bytes of every entry of bytes, in all directories. Directories are visited once, so that circles end."""
    (first,) = struct.unpack(order + "I", data[4:8].ljust(4, b"\0"))
    waiting, seen = [first], set[int]()
    while waiting and len(seen) < _DIRECTORIES_AT_MOST:
        place = waiting.pop(0)
        if place in seen or not 8 <= place <= len(data) - 2:
            continue
        seen.add(place)
        (count,) = struct.unpack(order + "H", data[place : place + 2])
        for index in range(min(count, _ENTRIES_AT_MOST)):
            entry = data[place + 2 + 12 * index : place + 14 + 12 * index]
            if len(entry) < 12:
                warnings.append("The EXIF block ends in the middle of a list.")
                return
            tag, kind, length, offset = struct.unpack(order + "HHII", entry)
            if tag == EXIF_DIRECTORY and kind == _LONG:
                waiting.append(offset)
            elif kind in _BYTES_OF:
                value = entry[8 : 8 + length] if length <= 4 else data[offset : offset + length]
                if len(value) == length:
                    yield tag, kind, value
                else:
                    warnings.append(f"The EXIF entry {tag:#06x} ends behind the end of the block and was left out.")
        after = data[place + 2 + 12 * count : place + 6 + 12 * count]
        if len(after) == 4:
            waiting.append(struct.unpack(order + "I", after)[0])


def decode_comment(value: bytes) -> str:
    """The text of a UserComment: eight bytes name its code; the byte order of UNICODE is not told, so both are tried."""
    code = _CODES.get(value[:8])
    if code is None:
        return decoded(value)
    if code:
        return value[8:].decode(code, "replace") if code != "ascii" else decoded(value[8:])
    return decode_utf16(value[8:])


def decode_utf16(value: bytes) -> str:
    """UTF-16 with or without a byte order mark. Without one, the order that gives fewer characters of odd scripts wins; big-endian if equal."""
    if value[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return value.decode("utf-16", "replace")
    # Of text in any script most spaces, digits, line ends and marks are below U+0100, where one of the two bytes is zero.
    is_little = value[1::2].count(0) > value[0::2].count(0)
    return value.decode("utf-16-le" if is_little else "utf-16-be", "replace")


def decoded(value: bytes) -> str:
    """UTF-8 where it is such, UTF-16 where a mark or zero bytes tell so, else Latin-1."""
    if value[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return decode_utf16(value)
    body = value.rstrip(b"\0")
    if len(value) >= 4 and len(value) % 2 == 0 and b"\0" in body and body.count(0) * 3 >= len(body):
        return decode_utf16(value)
    try:
        return value.decode("utf-8-sig")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def write_exif(description: str = "", comment: str = "", software: str = "") -> bytes:
    """An EXIF block (without `Exif\\0\\0`) with ImageDescription and Software in ASCII and UserComment as UNICODE in UTF-16 big-endian.

    Empty texts are left out.

    Raises:
        UnicodeEncodeError: description or software is not ASCII, or the comment holds a lone surrogate.
    """
    main = [(tag, _ASCII, text.encode("ascii") + b"\0") for tag, text in ((IMAGE_DESCRIPTION, description), (SOFTWARE, software)) if text]
    inner = [(USER_COMMENT, _UNDEFINED, b"UNICODE\0" + comment.encode("utf-16-be"))] if comment else []
    # The inner directory stands behind everything of the main one.
    start = 8 + _directory_bytes(main, 1 if inner else 0)
    body = _directory([*main, *([(EXIF_DIRECTORY, _LONG, struct.pack(">I", start))] if inner else [])], 8)
    return b"MM\0*" + struct.pack(">I", 8) + body + (_directory(inner, start) if inner else b"")


def _directory_bytes(entries: list[tuple[int, int, bytes]], more: int) -> int:
    return 6 + 12 * (len(entries) + more) + sum(len(value) + len(value) % 2 for _, _, value in entries if len(value) > 4)


def _directory(entries: list[tuple[int, int, bytes]], place: int) -> bytes:
    """One directory that will stand at `place`, its long values behind it."""
    values, head = b"", struct.pack(">H", len(entries))
    after = place + 6 + 12 * len(entries)
    for tag, kind, value in sorted(entries):
        count = 1 if kind == _LONG else len(value)
        if len(value) <= 4:
            head += struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\0")
        else:
            head += struct.pack(">HHII", tag, kind, count, after + len(values))
            values += value + b"\0" * (len(value) % 2)
    return head + struct.pack(">I", 0) + values
