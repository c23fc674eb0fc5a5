"""One channel of a layer as Pillow's greyscale image and back: grow, shrink, feather, invert. Not for the GUI thread: large ones take long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtCore import QRect
from PyQt5.QtGui import QImage

from sfumato.desktop.canvas.layers import COLOUR_FORMAT, MASK_FORMAT

if TYPE_CHECKING:
    from PIL.Image import Image

REACH_MOST_PX = 512


def to_grey(image: QImage) -> Image:
    """A mask, or how opaque a coloured image is, 0..255."""
    from PIL import Image as Images  # late: Pillow is not needed before something is painted

    if image.format() not in (MASK_FORMAT, QImage.Format.Format_Grayscale8):
        image = image.convertToFormat(QImage.Format.Format_Alpha8)
    data = image.constBits().asstring(image.sizeInBytes())
    return Images.frombuffer("L", (image.width(), image.height()), data, "raw", "L", image.bytesPerLine(), 1)


def to_colour(image: QImage) -> Image:
    """An image with its alpha, not premultiplied."""
    from PIL import Image as Images

    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    data = plain.constBits().asstring(plain.sizeInBytes())
    return Images.frombuffer("RGBA", (plain.width(), plain.height()), data, "raw", "RGBA", plain.bytesPerLine(), 1)


def from_grey(image: Image, form: QImage.Format = MASK_FORMAT) -> QImage:
    return QImage(image.tobytes(), image.width, image.height, image.width, form).copy()


def from_colour(image: Image) -> QImage:
    held = image.convert("RGBA")
    return QImage(held.tobytes(), held.width, held.height, held.width * 4, QImage.Format.Format_RGBA8888).convertToFormat(COLOUR_FORMAT)


def bounds(image: QImage) -> QRect:
    """The smallest rectangle around all that is painted; empty if nothing is."""
    box = to_grey(image).getbbox()
    return QRect(box[0], box[1], box[2] - box[0], box[3] - box[1]) if box else QRect()


def feathered(image: Image, radius: int) -> Image:
    """Edges softened over `radius` pixels, 1..512."""
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(radius))


def inverted(image: Image) -> Image:
    from PIL import ImageChops

    return ImageChops.invert(image)


def grown(image: Image, distance: int) -> Image:
    """Wider by `distance` pixels on every side, or narrower where it is negative (-512..512); corners become those of an octagon.

    A maximum over an octagon is one over four segments, each reached by doubling: its cost rises with the logarithm of the distance.
    """
    if distance < 0:
        return inverted(grown(inverted(image), -distance))
    box = image.getbbox()
    if box is None or distance == 0:
        return image
    area = (
        max(0, box[0] - distance),
        max(0, box[1] - distance),
        min(image.width, box[2] + distance),
        min(image.height, box[3] + distance),
    )
    part = image.crop(area)
    # Half the sides of the octagon: the straight ones, and those at 45 degrees, which reach twice as far as they are long in each direction.
    slant = min(round(distance * 0.2929), (distance - 1) // 2)
    straight = distance - 2 * slant
    for across, down, reach in ((1, 0, straight), (0, 1, straight), (1, 1, slant), (1, -1, slant)):
        part = _along(part, across, down, reach)
    whole = image.copy()
    whole.paste(part, area[:2])
    return whole


def _along(image: Image, across: int, down: int, reach: int) -> Image:
    """The maximum over a segment of `reach` pixels to both sides."""
    for sign in (1, -1):
        done = 0
        while done < reach:
            step = min(done + 1, reach - done)
            image = _lighter(image, across * sign * step, down * sign * step)
            done += step
    return image


def _lighter(image: Image, across: int, down: int) -> Image:
    from PIL import Image as Images
    from PIL import ImageChops

    moved = Images.new("L", image.size, 0)
    moved.paste(image, (across, down))
    return ImageChops.lighter(image, moved)
