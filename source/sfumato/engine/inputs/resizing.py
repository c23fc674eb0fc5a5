"""Pictures and masks to another size: the pixel upscalers and the three ways to meet another aspect (E62 and E77 of engine).

The fourth way, a stretched latent, begins with the picture as it is and is the business of who encodes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image

from sfumato.engine.inputs.opening import PIXEL_LIMIT

Size = tuple[int, int]
Upscaler = Callable[[Image.Image, Size], Image.Image]

DEFAULT_FILTER = "Lanczos"


def _resampling(method: Image.Resampling) -> Upscaler:
    def resample(image: Image.Image, size: Size) -> Image.Image:
        return image.copy() if image.size == size else image.resize(size, method)

    return resample


# Name -> function; what pixels can be computed with, in the order that is shown.
PIXEL_UPSCALERS: Mapping[str, Upscaler] = MappingProxyType(
    {
        "Nearest": _resampling(Image.Resampling.NEAREST),
        "Box": _resampling(Image.Resampling.BOX),
        "Bilinear": _resampling(Image.Resampling.BILINEAR),
        "Bicubic": _resampling(Image.Resampling.BICUBIC),
        "Lanczos": _resampling(Image.Resampling.LANCZOS),
    }
)


class Box(NamedTuple):
    """A rectangle of a picture: columns left..right-1, rows top..bottom-1, as Pillow's boxes."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return self.right - self.left, self.bottom - self.top


def pixel_upscaler(name: str) -> Upscaler | None:
    """The pixel upscaler of that name, whatever its case; None if there is none."""
    return {row.casefold(): upscale for row, upscale in PIXEL_UPSCALERS.items()}.get(name.strip().casefold())


def covering(source: Size, target: Size) -> Box:
    """Where a picture of size `source`, scaled to cover `target`, lies around it: the box is at least as large as `target`, in its coordinates."""
    (width, height), (wide, high) = source, target
    if wide * height > width * high:
        return _centred((wide, height * wide // width), target)
    return _centred((width * high // height, high), target)


def fitting(source: Size, target: Size) -> Box:
    """Where a picture of size `source`, scaled to fit into `target`, lies in it."""
    (width, height), (wide, high) = source, target
    if wide * height < width * high:
        return _centred((wide, max(1, height * wide // width)), target)
    return _centred((max(1, width * high // height), high), target)


def stretch(image: Image.Image, size: Size, upscale: Upscaler = PIXEL_UPSCALERS[DEFAULT_FILTER]) -> Image.Image:
    """Exactly `size`, the aspect changed."""
    return upscale(image, size)


def crop(image: Image.Image, size: Size, upscale: Upscaler = PIXEL_UPSCALERS[DEFAULT_FILTER]) -> Image.Image:
    """Scaled to cover `size`; what is too much is cut off on both sides alike."""
    box = covering(image.size, size)
    if box.size[0] * box.size[1] > max(PIXEL_LIMIT, size[0] * size[1]):
        # A strip of a picture, enlarged as a whole, would fill the memory: cut out what will be seen first.
        image = image.crop(fitting(size, image.size))
        box = covering(image.size, size)
    return upscale(image, box.size).crop((-box.left, -box.top, size[0] - box.left, size[1] - box.top))


def fill(image: Image.Image, size: Size, upscale: Upscaler = PIXEL_UPSCALERS[DEFAULT_FILTER]) -> Image.Image:
    """Scaled to fit into `size` and centred; the bands beside it repeat its outermost row or column."""
    box = fitting(image.size, size)
    scaled = upscale(image, box.size)
    return scaled if box.size == size else extended(scaled, Box(-box.left, -box.top, size[0] - box.left, size[1] - box.top))


RESIZE_MODES: Mapping[str, Callable[[Image.Image, Size, Upscaler], Image.Image]] = MappingProxyType({"stretch": stretch, "crop": crop, "fill": fill})


def resized(image: Image.Image, size: Size, mode: str = "crop", upscale: Upscaler = PIXEL_UPSCALERS[DEFAULT_FILTER]) -> Image.Image:
    """The picture or mask in exactly `size`. `mode` is a key of `RESIZE_MODES`; an own `upscale` must return the size it is asked for."""
    return RESIZE_MODES[mode](image, size, upscale)


def enlarging(upscale: Upscaler, otherwise: Upscaler = PIXEL_UPSCALERS[DEFAULT_FILTER]) -> Upscaler:
    """An upscaler that is used only where a side grows and `otherwise` where none does; masks ("L") always take `otherwise`."""

    def choose(image: Image.Image, size: Size) -> Image.Image:
        grows = size[0] > image.width or size[1] > image.height
        return (upscale if grows and image.mode != "L" else otherwise)(image, size)

    return choose


def extended(image: Image.Image, box: Box) -> Image.Image:
    """The part of an endless plane inside `box`, in the picture's coordinates, on which the picture's outermost rows and columns go on for ever."""
    canvas = image.crop(box)
    width, height = image.size
    for column, place, wide in ((0, 0, -box.left), (width - 1, width - box.left, box.right - width)):
        if wide > 0:
            canvas.paste(image.crop((column, 0, column + 1, height)).resize((wide, height), Image.Resampling.NEAREST), (place, -box.top))
    for row, place, high in ((-box.top, 0, -box.top), (height - 1 - box.top, height - box.top, box.bottom - height)):
        if high > 0:
            canvas.paste(canvas.crop((0, row, canvas.width, row + 1)).resize((canvas.width, high), Image.Resampling.NEAREST), (0, place))
    return canvas


def _centred(size: Size, frame: Size) -> Box:
    left, top = frame[0] // 2 - size[0] // 2, frame[1] // 2 - size[1] // 2
    return Box(left, top, left + size[0], top + size[1])
