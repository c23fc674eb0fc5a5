"""Many pictures in one zip file, with what they tell or without."""

from __future__ import annotations

import io
import os
import secrets
import struct
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image

from sfumato.imaging.writing import TEMPORARY_SUFFIX
from sfumato.protocol.errors import ImageUnreadable, NotWritable

_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks of a PNG that say something about the picture.
_SAYING = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME")
_PLAIN = ("RGB", "RGBA", "L")


def write_bundle(paths: Sequence[Path], target: Path, with_metadata: bool) -> list[str]:
    """Write pictures into a new zip file; returns a sentence for each that could not be read.

    Raises:
        NotWritable: the zip cannot be written; nothing is left behind.
    """
    temporary = target.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    sentences: list[str] = []
    taken: set[str] = set()
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED) as bundle:
            for path in paths:
                try:
                    data = path.read_bytes()
                    name, data = (path.name, data) if with_metadata else silent(path.name, data)
                except (OSError, ImageUnreadable) as error:
                    sentences.append(f"'{path.name}' was left out: {getattr(error, 'strerror', None) or error}.")
                    continue
                bundle.writestr(_free(name, taken), data)
        os.replace(temporary, target)
    except OSError as error:
        raise NotWritable(str(target), error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return sentences


def silent(name: str, data: bytes) -> tuple[str, bytes]:
    """A picture that tells nothing of how it was made, pixel for pixel the same; one whose format cannot be cut without loss becomes a PNG.

    Raises:
        ImageUnreadable: it is damaged.
    """
    if data.startswith(_PNG):
        return name, _silent_png(name, data)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            plain = picture if picture.mode in _PLAIN else picture.convert("RGBA")
            bare = Image.frombytes(plain.mode, plain.size, plain.tobytes())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageUnreadable(f"'{name}'", "it is damaged") from error
    held = io.BytesIO()
    bare.save(held, "PNG", compress_level=4)
    return f"{name.rpartition('.')[0] or name}.png", held.getvalue()


def _silent_png(name: str, data: bytes) -> bytes:
    kept = [_PNG]
    place = len(_PNG)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        end = place + 12 + length
        if end > len(data):
            break
        if kind not in _SAYING:
            kept.append(data[place:end])
        if kind == b"IEND":
            return b"".join(kept)
        place = end
    raise ImageUnreadable(f"'{name}'", "it is damaged")


def _free(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.rpartition(".")
    number, free = 2, name
    while free.casefold() in taken:
        free = f"{stem}-{number}{dot}{ending}"
        number += 1
    taken.add(free.casefold())
    return free
