"""What a canvas gives to a job: the picture with its layers, the mask, a mask for each region. Not for the GUI thread."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt5.QtCore import QRect

from sfumato.desktop.canvas import channel
from sfumato.desktop.canvas.compositing import flat
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import MASK, PAINT, REGION

if TYPE_CHECKING:
    from PIL.Image import Image

# Of the picture that lies, unsharp, below what was added around it: enough to carry its colours on, too little to draw with.
_HINT_PX = 16
_FASTEST = 1
# Where no region is, in their preview.
_NOTHING = (40, 42, 46)


@dataclass(frozen=True)
class Flattened:
    """PNG files as bytes; empty where there is nothing to say.

    Attributes:
        picture: opaque, with its layers; what was added around it or erased carries the colours around it.
        mask: white where a mask is painted; of layers of paint, white where the picture has nothing: the part that an outpainting makes.
        masks: one for each region, in the order of their numbers; empty bytes for a region that is not painted.
        preview: the regions together in their colours.
    """

    picture: bytes = b""
    mask: bytes = b""
    masks: tuple[bytes, ...] = ()
    preview: bytes = b""


def flattened(canvas: Canvas) -> Flattened:
    if canvas.kind == MASK:
        return Flattened(mask=_mask_of(canvas))
    if canvas.kind == REGION:
        masks = (_grey_png(channel.to_grey(layer.image)) if layer.image is not None else b"" for layer in canvas.of_kind(REGION))
        return Flattened(masks=tuple(masks), preview=_preview(canvas))
    image = channel.to_colour(flat(canvas))
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return Flattened(_png(image.convert("RGB")))
    ground = _ground(image, canvas.picture_rect)
    ground.paste(image, (0, 0), alpha)
    return Flattened(_png(ground), _grey_png(channel.inverted(alpha)))


def _mask_of(canvas: Canvas) -> bytes:
    from PIL import ImageChops

    whole = None
    for layer in canvas.of_kind(MASK):
        if layer.visible and layer.image is not None:
            grey = channel.to_grey(layer.image)
            whole = grey if whole is None else ImageChops.lighter(whole, grey)
    return _grey_png(whole) if whole is not None else b""


def _preview(canvas: Canvas) -> bytes:
    from PIL import Image as Images

    whole = Images.new("RGB", (canvas.width, canvas.height), _NOTHING)
    for layer in canvas.of_kind(REGION):
        if layer.image is not None:
            whole.paste(layer.colour, (0, 0), channel.to_grey(layer.image))
    return _png(whole)


def copied(canvas: Canvas) -> bytes:
    """The picture for a file of its own: as it looks, transparency and all; a mask or regions as greys."""
    if canvas.kind == PAINT:
        return _png(channel.to_colour(flat(canvas)))
    from PIL import Image as Images

    whole = Images.new("L", (canvas.width, canvas.height), 0)
    for layer in canvas.layers:
        if layer.image is not None:
            tone = 255 if layer.kind == MASK else max(32, 255 - 24 * (layer.number - 1))
            whole.paste(tone, (0, 0), channel.to_grey(layer.image))
    return _png(whole)


def black(width: int, height: int) -> bytes:
    """A mask of nothing."""
    from PIL import Image as Images

    return _png(Images.new("L", (width, height), 0))


def _ground(image: Image, around: QRect) -> Image:
    """The picture's own colours, spread over the whole canvas."""
    from PIL import Image as Images

    box = (around.left(), around.top(), around.right() + 1, around.bottom() + 1)
    inner = image.crop(box)
    opaque = Images.new("RGB", inner.size, (128, 128, 128))
    opaque.paste(inner, (0, 0), inner.getchannel("A"))
    hint = opaque.resize((_HINT_PX, _HINT_PX), Images.Resampling.BOX)
    return hint.resize(image.size, Images.Resampling.BICUBIC)


def _grey_png(image: Image) -> bytes:
    return _png(image) if image.getbbox() else b""


def _png(image: Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG", compress_level=_FASTEST)
    return held.getvalue()
