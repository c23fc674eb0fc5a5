"""Pictures of cards, read away from the GUI thread: what is known of a file, a small face of it, and the bytes that are sent.

A picture is upright as its EXIF says and in sRGB; nothing of more than `PIXELS_AT_MOST` is decoded. No Qt.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from sfumato.desktop.inputs.crops import WHOLE, Box
from sfumato.imaging.encoding import FORMATS as WRITTEN
from sfumato.imaging.encoding import encode
from sfumato.protocol.errors import ImageUnreadable

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
PIXELS_AT_MOST = 300_000_000
# What the engine takes; larger ones are made smaller on the way.
SENT_AT_MOST = 64_000_000
FILE_LIMIT_BYTES = 1 << 30
FACE_PX = 512
MASK_THRESHOLD = 128
_ORIENTATION = 0x0112
_BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
_DAMAGE = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, struct.error, zlib.error, MemoryError)


@dataclass(frozen=True)
class Facts:
    """What is known of a picture.

    Attributes:
        size: width and height, upright; (0, 0) where it cannot be read.
        problem: why it cannot be read, one sentence.
        looked: the pixels were looked at, not only the header.
        white: of a mask, the box around all that is lighter than the middle, in shares of its sides; None if nothing is.
        black: the same of all that is darker.
    """

    size: tuple[int, int] = (0, 0)
    problem: str = ""
    looked: bool = False
    white: Box | None = None
    black: Box | None = None


def look(path: Path, *, is_mask: bool = False) -> tuple[Facts, bytes]:
    """Facts and a small face (PNG, at most `FACE_PX`) of a picture; a file that cannot be read has its problem and no face."""
    try:
        with _opened(path) as image:
            size = _upright_size(image)
            if is_mask:
                image.load()
                grey = grey_of(_upright(image))
                white, black = (_box(grey.point(_table(light))) for light in (True, False))
                return Facts(size, "", True, white, black), _face(grey)
            image.draft("RGB", (2 * FACE_PX, 2 * FACE_PX))
            return Facts(size, "", True), _face(upright_colours(image))
    except ImageUnreadable as error:
        return Facts(problem=error.message), b""
    except _DAMAGE as error:
        return Facts(problem=_unreadable(path, error).message), b""


def glance(path: Path) -> Facts:
    """What the header of a file says, without decoding it."""
    try:
        with _opened(path) as image:
            return Facts(_upright_size(image))
    except ImageUnreadable as error:
        return Facts(problem=error.message)


def sent(path: Path, box: Box = WHOLE, *, is_mask: bool = False) -> bytes:
    """The bytes of a picture's part for a job: the file's own where all of it is sent and the engine reads it the same way, else a PNG.

    Raises:
        ImageUnreadable: the file is gone, damaged, no picture, or too large.
    """
    try:
        with _opened(path) as image:
            if box == WHOLE and image.width * image.height <= SENT_AT_MOST and (is_mask or not _has_own_colours(image)):
                image.load()
                return path.read_bytes()
            image.load()
            upright = grey_of(_upright(image)) if is_mask else upright_colours(image)
        part = upright if box == WHOLE else upright.crop(box.pixels(upright.size))
        return encode(_reduced(part)).data
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def as_format(path: Path, suffix: str) -> bytes:
    """A picture in the format of an ending; its own bytes where that is the format it has. Raises `ImageUnreadable`."""
    form = next((name for name, row in WRITTEN.items() if suffix.lower() in row.suffixes), "png")
    try:
        with _opened(path) as image:
            if (image.format or "").casefold() == WRITTEN[form].pillow.casefold():
                return path.read_bytes()
            image.load()
            pixels = upright_colours(image)
        return encode(pixels.convert("RGB") if form == "jpeg" else pixels, form=form).data
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def grey_of(image: Image.Image) -> Image.Image:
    """A mask of mode "L": its transparency where it has any, else its brightness."""
    pixels = _eight_bits(image)
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema() != (255, 255):
        return pixels.getchannel("A")
    return pixels.convert("L")


def upright_colours(image: Image.Image) -> Image.Image:
    """Mode "RGB" or "RGBA", upright, in sRGB."""
    profile = image.info.get("icc_profile") if _has_own_colours(image) else None
    pixels = _eight_bits(_upright(image))
    return _in_srgb(pixels, profile, image.mode) if profile else pixels


def _opened(path: Path) -> Image.Image:
    """The file with its header read. Raises `ImageUnreadable`."""
    # Pillow warns of pictures that are well within what this window shows.
    Image.MAX_IMAGE_PIXELS = PIXELS_AT_MOST
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise ImageUnreadable(f"'{path.name}'", f"its file is larger than {FILE_LIMIT_BYTES >> 30} GiB", remedy="Make it smaller.")
        image = Image.open(path, formats=FORMATS)
    except _BOMBS as error:
        raise _too_large(path) from error
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    if image.width * image.height > PIXELS_AT_MOST:
        image.close()
        raise _too_large(path)
    return image


def _too_large(path: Path) -> ImageUnreadable:
    return ImageUnreadable(f"'{path.name}'", f"it has more than {PIXELS_AT_MOST // 1_000_000} million pixels", remedy="Make it smaller.")


def _unreadable(path: Path, error: BaseException) -> ImageUnreadable:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return ImageUnreadable(f"'{path.name}'", reason.lower(), remedy="Choose another file." if reason else "Use PNG, JPEG or WebP.")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    try:
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except _DAMAGE:
        turned = False
    return (image.height, image.width) if turned else image.size


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; a damaged EXIF turns nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGE:
        return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Mode "RGB", or "RGBA" for a picture with transparency; 16 bits are rounded to 8."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    elif image.mode == "F":
        image = image.point(lambda value: value * 255 + 0.5).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _has_own_colours(image: Image.Image) -> bool:
    """Whether an embedded profile says that its numbers are no sRGB."""
    profile = image.info.get("icc_profile")
    return bool(profile) and not _is_srgb(profile)


def _is_srgb(profile: bytes) -> bool:
    from PIL import ImageCms  # late: colour management is needed for few pictures

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True  # a damaged profile says nothing
    return "srgb" in name.lower()


def _in_srgb(pixels: Image.Image, profile: bytes, mode: str) -> Image.Image:
    """Colours converted from what `profile` says of them; as they are where it does not fit the picture."""
    from PIL import ImageCms  # late: as above

    alpha = pixels.getchannel("A") if pixels.mode == "RGBA" else None
    source = pixels.convert("L") if mode in ("L", "LA", "I;16") else pixels.convert("RGB")
    try:
        there = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turned = ImageCms.profileToProfile(source, there, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return pixels
    if turned is None:
        return pixels
    if alpha is not None:
        turned.putalpha(alpha)
    return turned


def _reduced(image: Image.Image) -> Image.Image:
    """No larger than what the engine takes."""
    share = (SENT_AT_MOST / (image.width * image.height)) ** 0.5
    if share >= 1:
        return image
    return image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))), Image.Resampling.LANCZOS)


def _face(image: Image.Image) -> bytes:
    small = image.copy() if max(image.size) <= FACE_PX else None
    if small is None:
        share = FACE_PX / max(image.size)
        small = image.resize((max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.BOX, reducing_gap=2.0)
    return encode(small).data


def _table(light: bool) -> list[int]:
    return [255 if (value > MASK_THRESHOLD) == light else 0 for value in range(256)]


def _box(marked: Image.Image) -> Box | None:
    bounds = marked.getbbox()
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    width, height = marked.size
    return Box(left / width, top / height, (right - left) / width, (bottom - top) / height)
