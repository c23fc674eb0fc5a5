"""A picture and its mask before and after the model: cut out, resized, filled; then put back so that nothing else changes (E64-E66 of engine).

`whole` and `only_masked` make a `Workpiece`, `put_back` ends it. Where the paste mask is black the result has the bytes of the base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sfumato.engine.inputs.filling import filled
from sfumato.engine.inputs.resizing import DEFAULT_FILTER, PIXEL_UPSCALERS, RESIZE_MODES, Box, Size, Upscaler, fill, fitting, resized, stretch

_LANCZOS = PIXEL_UPSCALERS[DEFAULT_FILTER]


@dataclass(frozen=True, slots=True)
class Workpiece:
    """One picture to repaint.

    Attributes:
        picture: what is encoded, "RGB". Of the working size, but for resize mode latent: there as it was given, and its latent is stretched.
        mask: of the working size, "L", shaped.
        base: what the result is put into, "RGB".
        paste_mask: of the base's size, "L".
        box: place of the work in the base; None = all of it.
        inner: the part of the working size that shows `box`; None = all of it.
    """

    picture: Image.Image
    mask: Image.Image
    base: Image.Image
    paste_mask: Image.Image
    box: Box | None = None
    inner: Box | None = None


def matched(mask: Image.Image, picture: Image.Image) -> Image.Image:
    """The mask stretched to the size of its picture, if it has another."""
    return mask if mask.size == picture.size else stretch(mask, picture.size, PIXEL_UPSCALERS["Bilinear"])


def whole(picture: Image.Image, mask: Image.Image, size: Size, mode: str = "crop", upscale: Upscaler = _LANCZOS, is_filled: bool = False) -> Workpiece:
    """The whole picture at the working size.

    Args:
        mask: shaped, of the picture's size.
        mode: of `RESIZE_MODES`; any other is the latent's and stretches what is pasted.
        is_filled: masked places start from the colours around (any masked content but "original").
    """
    pixel_mode = mode if mode in RESIZE_MODES else "stretch"
    base = resized(picture, size, pixel_mode, upscale)
    small = resized(mask, size, pixel_mode)
    encoded, covered = (base, small) if mode in RESIZE_MODES else (picture, mask)
    # Twice as bright, so that the work shows fully where the blurred mask is half open.
    paste_mask = Image.fromarray((np.asarray(small, np.uint16) * 2).clip(0, 255).astype(np.uint8))
    return Workpiece(filled(encoded, covered) if is_filled else encoded, small, base, paste_mask)


def only_masked(picture: Image.Image, mask: Image.Image, padding: int, size: Size, upscale: Upscaler = _LANCZOS, is_filled: bool = False) -> Workpiece | None:
    """The masked part with `padding` pixels on each side, enlarged or reduced to the working size. None if the mask is empty.

    Args:
        mask: shaped, of the picture's size.
    """
    box = masked_box(mask, padding, size)
    if box is None:
        return None
    part, covered = fill(picture.crop(box), size, upscale), fill(mask.crop(box), size)
    return Workpiece(filled(part, covered) if is_filled else part, covered, picture, mask, box, fitting(box.size, size))


def put_back(work: Workpiece, painted: Image.Image, paste_mask: Image.Image | None = None, upscale: Upscaler = _LANCZOS) -> Image.Image:
    """The painted picture (working size, "RGB") in its base.

    Args:
        paste_mask: of the base's size, instead of the work's own.
        upscale: brings the painted part to the size of its box.
    """
    layer = _in_base(work, painted, work.base.copy(), upscale)
    return Image.composite(layer, work.base, work.paste_mask if paste_mask is None else paste_mask)


def mask_in_base(work: Workpiece, mask: Image.Image) -> Image.Image:
    """A mask of the working size as one of the base's size, closed wherever the work's own paste mask is closed."""
    layer = _in_base(work, mask, Image.new("L", work.base.size), _LANCZOS)
    return Image.fromarray(np.where(np.asarray(work.paste_mask) > 0, np.asarray(layer), 0).astype(np.uint8))


def masked_box(mask: Image.Image, padding: int, size: Size) -> Box | None:
    """What "only masked" works on, in the mask's coordinates; None if the mask is empty.

    The smallest rectangle around everything not black, larger by `padding` on each side and clipped; then its shorter side grows, as far as the picture
    has room, to the aspect of `size`, evenly to both ends and pushed inside.
    """
    bounds = mask.getbbox()
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    left, top = max(left - padding, 0), max(top - padding, 0)
    right, bottom = min(right + padding, mask.width), min(bottom + padding, mask.height)
    width, height = right - left, bottom - top
    if width * size[1] > height * size[0]:
        top, bottom = _grown(top, bottom, width * size[1] // size[0], mask.height)
    else:
        left, right = _grown(left, right, height * size[0] // size[1], mask.width)
    return Box(left, top, right, bottom)


def _grown(start: int, end: int, wanted: int, limit: int) -> tuple[int, int]:
    """start..end made `wanted` long within 0..limit, or as long as fits."""
    extra = max(0, wanted - (end - start))
    start, end = start - extra // 2, end + extra - extra // 2
    beyond = max(0, end - limit)
    start, end = start - beyond, end - beyond
    return max(0, start), min(end + max(0, -start), limit)


def _in_base(work: Workpiece, painted: Image.Image, base: Image.Image, upscale: Upscaler) -> Image.Image:
    """`base` with the work laid over its box."""
    box = work.box or Box(0, 0, *base.size)
    base.paste(upscale(painted.crop(work.inner) if work.inner else painted, box.size), box)
    return base
