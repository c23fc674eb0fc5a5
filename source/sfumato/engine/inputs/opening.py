"""Bytes from outside to pixels: formats on a list, a limit before anything is decoded, one sentence for whatever is wrong.

Rules: X10 of security, E61, E63 and the row image_unreadable of E120 of engine. Texts and profiles in a picture are not looked at here.
"""

from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise

import numpy as np
from PIL import Image

from sfumato.protocol.errors import ImageUnreadable

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
PIXEL_LIMIT = 64_000_000
WHITE = "#ffffff"

_PNG_START = b"\x89PNG\r\n\x1a\n"
# Pillow unpacks these while it opens a PNG and gives up on large ones, such as the record of a long prompt; none of them is a pixel.
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# But for those in which some programs tell which way is up.
_ORIENTING = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
_ORIENTING_LIMIT_BYTES = 65_536
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
# What Pillow's decoders raise on damaged files; warnings are errors only where somebody asked for it.
_DAMAGE = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, struct.error, zlib.error, Warning)


def open_picture(data: bytes, field: str = "image", background: str = WHITE) -> Image.Image:
    """The picture in `data`, upright, of mode "RGB"; what is transparent shows the `background` (#rrggbb).

    Raises:
        ImageUnreadable: it is none, damaged, or larger than `PIXEL_LIMIT`; the path is `field`.
    """
    return flattened(open_pixels(data, field), background)


def open_mask(data: bytes, field: str = "mask") -> Image.Image:
    """The mask in `data`, upright, of mode "L": its transparency where it has any, as painted by programs that draw a mask over a picture, else its brightness.

    Raises:
        ImageUnreadable: as for `open_picture`.
    """
    pixels = open_pixels(data, field)
    return pixels.getchannel("A") if pixels.mode == "RGBA" else pixels.convert("L")


def open_pixels(data: bytes, field: str = "image") -> Image.Image:
    """The first frame of the picture in `data`, upright, of mode "RGB", or "RGBA" if a pixel of it is transparent. 16 bits are rounded to 8.

    Raises:
        ImageUnreadable: as for `open_picture`.
    """
    what = _named(field)
    try:
        with Image.open(io.BytesIO(_without_texts(data)), formats=FORMATS) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise _too_large(what, field, width, height)
            image.load()
            turned = _upright(image)
        return _eight_bits(turned)
    except _BOMBS as error:
        raise _too_large(what, field) from error
    except ImageUnreadable:
        raise
    except _DAMAGE as error:
        raise ImageUnreadable(what, path=field) from error


def flattened(pixels: Image.Image, background: str = WHITE) -> Image.Image:
    """ "RGB" or "RGBA" to "RGB": colour·alpha + background·(1 - alpha), rounded to nearest."""
    if pixels.mode == "RGB":
        return pixels
    canvas = Image.new("RGB", pixels.size, background)
    canvas.paste(pixels, mask=pixels)
    return canvas


def _named(field: str) -> str:
    """A field's picture in words: "image" -> "The image", "control.0.mask" -> "The mask of control 1"."""
    *owner, name = field.replace("_", " ").split(".")
    return f"The {name} of {owner[0]} {int(owner[1]) + 1}" if owner else f"The {name}"


def _too_large(what: str, field: str, width: int = 0, height: int = 0) -> ImageUnreadable:
    size = f"{width}x{height} " if width else ""
    return ImageUnreadable(what, f"its {size}pixels are more than {PIXEL_LIMIT // 1_000_000} million", path=field, remedy="Make it smaller.")


def _without_texts(data: bytes) -> bytes:
    """A PNG without its colour profile and texts, but for small ones that tell its orientation; anything else as it is."""
    if not data.startswith(_PNG_START):
        return data
    places = [len(_PNG_START)]
    while places[-1] + 12 <= len(data):
        places.append(places[-1] + 12 + int.from_bytes(data[places[-1] : places[-1] + 4], "big"))
    kept = [data[start:end] for start, end in pairwise(places) if data[start + 4 : start + 8] not in _PNG_TEXTS or _orients(data[start:end])]
    return b"".join([_PNG_START, *kept, data[places[-1] :]])


def _orients(chunk: bytes) -> bool:
    return chunk[8:40].startswith(_ORIENTING) and len(chunk) <= _ORIENTING_LIMIT_BYTES


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; a damaged EXIF turns nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        turn = None
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Whole numbers of 16 bits, in a mode of 32 for some files.
        grey = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(((grey + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        grey = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0).clip(0, 1)
        image = Image.fromarray((grey * 255).round().astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    pixels = image.convert("RGBA")
    return pixels if pixels.getchannel("A").getextrema() != (255, 255) else pixels.convert("RGB")
