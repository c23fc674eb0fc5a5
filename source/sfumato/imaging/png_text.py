"""The text chunks of a PNG, read without decoding a pixel and without trusting a length. Rules: M18 of metadata, X10 of security.

Source of the format: W3C, Portable Network Graphics, third edition, sections 5 and 11.3.3.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sfumato.imaging.exif import decoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_LIMIT_BYTES = 16 << 20
INFLATED_LIMIT_BYTES = 64 << 20


@dataclass(slots=True)
class PngText:
    """Width and height as announced, texts by keyword (the first of each counts), the EXIF block, and what could not be read."""

    width: int = 0
    height: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    exif: bytes = b""
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Budget:
    """Bytes that may still be inflated from this file, whatever the number of its chunks."""

    left: int = INFLATED_LIMIT_BYTES


class _Damaged(Exception):
    """One chunk cannot be read; the others may."""


def is_unmistakable_latin_1(text: str) -> bool:
    """Whether a text may be written as Latin-1 so that a reader that knows of UTF-8 in tEXt chunks gives it back as it was."""
    if text.isascii():
        return True
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeEncodeError:
        return False
    except UnicodeDecodeError:
        return True
    return False


def read_png_text(data: bytes) -> PngText:
    """Read the texts of a PNG. Never fails: a damaged chunk spoils only itself, and a file that is no PNG has no texts."""
    found = PngText()
    stored, budget = 0, _Budget()
    for kind, body, is_sound in _chunks(data):
        if kind == b"IHDR":
            if len(body) >= 8:
                found.width, found.height = struct.unpack(">II", body[:8])
            continue
        name = kind.decode()
        if not is_sound:
            found.warnings.append(f"A {name} chunk is damaged and was left out.")
        elif stored + len(body) > CHUNK_LIMIT_BYTES:
            found.warnings.append(f"A {name} chunk of {len(body)} bytes was left out; at most {CHUNK_LIMIT_BYTES} bytes of text are read.")
        elif kind == b"eXIf":
            stored += len(body)
            found.exif = found.exif or body
        else:
            stored += len(body)
            try:
                keyword, text = _READERS[kind](body, budget)
            except _Damaged as reason:
                found.warnings.append(f"A {name} chunk was left out: {reason}.")
            else:
                found.texts.setdefault(keyword, text)
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind, content and whether the checksum agrees, of every chunk up to IEND or the end of the data."""
    place = len(SIGNATURE)
    if data[:place] != SIGNATURE:
        return
    view = memoryview(data)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", view[place : place + 8])
        end = place + 8 + length
        wanted = kind in (b"IHDR", b"eXIf") or kind in _READERS
        if wanted:
            is_sound = end + 4 <= len(data) and struct.unpack(">I", view[end : end + 4])[0] == zlib.crc32(view[place + 4 : end])
            yield kind, bytes(view[place + 8 : end]), is_sound
        if kind == b"IEND":
            return
        place = end + 4


def _read_plain(body: bytes, budget: _Budget) -> tuple[str, str]:
    del budget
    keyword, _, text = body.partition(b"\0")
    return keyword.decode("latin-1"), decoded(text)


def _read_deflated(body: bytes, budget: _Budget) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    if rest[:1] != b"\0":
        raise _Damaged("its compression is not known")
    return keyword.decode("latin-1"), decoded(_inflated(rest[1:], budget))


def _read_international(body: bytes, budget: _Budget) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    flags, parts = rest[:2], rest[2:].split(b"\0", 2)
    if len(flags) < 2 or len(parts) < 3 or flags[0] > 1 or (flags[0] and flags[1]):
        raise _Damaged("its compression is not known")
    text = _inflated(parts[2], budget) if flags[0] else parts[2]
    try:
        return keyword.decode("latin-1"), text.decode("utf-8")
    except UnicodeDecodeError:
        raise _Damaged("it is not UTF-8 text") from None


_READERS = {b"tEXt": _read_plain, b"zTXt": _read_deflated, b"iTXt": _read_international}


def _inflated(packed: bytes, budget: _Budget) -> bytes:
    inflater = zlib.decompressobj()
    try:
        # One byte more than is left tells a text of exactly that length from a longer one; 0 would mean no limit.
        text = inflater.decompress(packed, budget.left + 1)
    except zlib.error:
        raise _Damaged("its compressed text is damaged") from None
    if len(text) > budget.left:
        raise _Damaged(f"the compressed texts of a picture may have at most {INFLATED_LIMIT_BYTES} bytes")
    if not inflater.eof:
        raise _Damaged("its compressed text is cut short")
    budget.left -= len(text)
    return text
