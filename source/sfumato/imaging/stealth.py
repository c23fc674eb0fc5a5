"""Texts hidden in the lowest bits of a picture's pixels, as several programs hide them so that they survive where chunks are removed. Rules: M17, M18.

The bits stand column by column, top to bottom: in alpha (`stealth_pnginfo`, packed `stealth_pngcomp`), or in red, green and blue of each pixel in turn
(`stealth_rgbinfo`, `stealth_rgbcomp`). Behind the mark come 32 bits with the number of bits of the text. Source: the published description of "stealth
pnginfo". The pixels are decoded for this, so it is asked last.
"""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from sfumato.imaging.exif import decoded

PIXELS_AT_MOST = 64_000_000
TEXT_LIMIT_BYTES = 16 << 20
INFLATED_LIMIT_BYTES = 64 << 20

_MARK_BYTES = 15
_HEAD_BYTES = _MARK_BYTES + 4
_MARKS = {"A": {b"stealth_pnginfo": False, b"stealth_pngcomp": True}, "RGB": {b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}}
# The formats that can keep every bit and that these programs write.
_FORMATS = ("PNG", "WEBP")
# A byte of a pixel -> its lowest bit as a digit.
_LOWEST_BIT = bytes(b"01"[value & 1] for value in range(256))
# What Pillow raises for files that are none, and for formats it was built without.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, MemoryError, OverflowError, struct.error,
    zlib.error, Image.DecompressionBombError, Warning,
)  # fmt: skip


def read_stealth(data: bytes) -> tuple[str, list[str]]:
    """The hidden text of a picture, empty if there is none, and sentences about what could not be read. Never fails."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > PIXELS_AT_MOST:
                return "", [f"The picture has {image.width}x{image.height} pixels; hidden texts are sought in up to {PIXELS_AT_MOST // 1_000_000} megapixels."]
            # A palette's alpha is no place to hide bits in.
            if image.mode in ("RGBA", "LA"):
                text, warnings = _sought(image.getchannel("A"), "A")
                if text or warnings:
                    return text, warnings
            if image.mode in ("RGB", "RGBA"):
                return _sought(image.convert("RGB"), "RGB")
    except _UNREADABLE:
        return "", []
    return "", []


def _sought(image: Image.Image, where: str) -> tuple[str, list[str]]:
    """The text in one place. Only so many columns are looked at as the text takes, which the first ones tell."""
    per_pixel = len(image.getbands())
    head = _bytes(image, _HEAD_BYTES, per_pixel)
    packed = _MARKS[where].get(head[:_MARK_BYTES])
    if packed is None:
        return "", []
    bits = int.from_bytes(head[_MARK_BYTES:], "big")
    length = bits // 8
    if bits % 8 or length > TEXT_LIMIT_BYTES or _HEAD_BYTES * 8 + bits > image.width * image.height * per_pixel:
        return "", [f"The picture announces a hidden text of {bits} bits, which it cannot hold; it was not read."]
    body = _bytes(image, _HEAD_BYTES + length, per_pixel)[_HEAD_BYTES:]
    if packed:
        inflater = zlib.decompressobj(wbits=31)
        try:
            body = inflater.decompress(body, INFLATED_LIMIT_BYTES)
        except zlib.error:
            return "", ["The picture's hidden text is damaged and was left out."]
        if not inflater.eof:
            return "", [f"The picture's hidden text is cut short or larger than {INFLATED_LIMIT_BYTES} bytes and was left out."]
    return decoded(body), []


def _bytes(image: Image.Image, count: int, per_pixel: int) -> bytes:
    """The first `count` bytes made of lowest bits, column by column; fewer if the picture is smaller."""
    columns = min(image.width, -(-count * 8 // (image.height * per_pixel)))
    pixels = image.crop((0, 0, columns, image.height)).transpose(Image.Transpose.TRANSPOSE).tobytes()
    digits = pixels.translate(_LOWEST_BIT)[: count * 8]
    digits = digits[: len(digits) // 8 * 8]
    return int(digits, 2).to_bytes(len(digits) // 8, "big") if digits else b""
