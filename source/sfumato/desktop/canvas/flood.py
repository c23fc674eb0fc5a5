"""What a fill reaches: the pixels joined to the one clicked whose colour is like its colour. Rows of bytes are searched, not pixels visited."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

TOLERANCE_MOST = 255
_ALIKE, _OTHER = b"\xff", b"\x00"


def alike(image: Image, x: int, y: int, tolerance: int) -> Image:
    """255 where no channel differs from the pixel at (x, y) by more than `tolerance` (0..255), else 0. Of what is transparent the colour does not count."""
    from PIL import Image as Images
    from PIL import ImageChops

    if image.mode == "RGBA":
        ground = Images.new("RGBA", image.size, (0, 0, 0, 0))
        ground.paste(image, (0, 0), image.getchannel("A").point([0] + [255] * 255))
        image = ground
    difference = ImageChops.difference(image, Images.new(image.mode, image.size, image.getpixel((x, y))))
    channels = difference.split()
    most = channels[0]
    for channel in channels[1:]:
        most = ImageChops.lighter(most, channel)
    return most.point([255 if value <= tolerance else 0 for value in range(256)])


def reached(image: Image, x: int, y: int, tolerance: int, contiguous: bool = True) -> tuple[Image, tuple[int, int, int, int]]:
    """White where the fill goes, and its box (left, top, right, bottom)."""
    from PIL import Image as Images

    fits = alike(image, x, y, tolerance)
    if not contiguous:
        return fits, fits.getbbox() or (x, y, x + 1, y + 1)
    width, height = fits.size
    left_over, filled = bytearray(fits.tobytes()), bytearray(width * height)
    waiting = [(y, x, x + 1)]
    while waiting:
        row, begin, end = waiting.pop()
        first, last = row * width, (row + 1) * width
        at = left_over.find(_ALIKE, first + begin, first + end)
        while at >= 0:
            # The run around `at`: to its left there may be more than the row above or below showed.
            start = left_over.rfind(_OTHER, first, at) + 1 or first
            stop = left_over.find(_OTHER, at, last)
            stop = last if stop < 0 else stop
            length = stop - start
            filled[start:stop] = _ALIKE * length
            left_over[start:stop] = _OTHER * length
            if row > 0:
                waiting.append((row - 1, start - first, stop - first))
            if row < height - 1:
                waiting.append((row + 1, start - first, stop - first))
            at = left_over.find(_ALIKE, stop, first + end) if stop < first + end else -1
    image = Images.frombytes("L", (width, height), bytes(filled))
    return image, image.getbbox() or (x, y, x + 1, y + 1)
