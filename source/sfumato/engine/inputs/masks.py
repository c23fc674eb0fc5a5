"""A mask from what was painted to what the sampler needs (E63 and the latent mask of E66 of engine). 255 = repaint, 0 = keep.

The numbers are those of AUTOMATIC1111's web UI, computed here in float64 from the Gaussian itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sfumato.engine.inputs.resizing import Size

Array = NDArray[np.float64]
Axis = Literal[0, 1]

THRESHOLD = 128
# Rows that are blurred at a time: a mask of the largest picture would take gigabytes at once in float64.
_ROWS = 256
# Fourier transforms are slow for lengths with large prime factors.
_GRAIN = 64


@dataclass(frozen=True, slots=True)
class MaskShape:
    """How a mask is shaped, in this order.

    Attributes:
        is_rounded: every pixel becomes 0 or 255.
        is_inverted: black is repainted.
        expand: pixels by which the white grows, or shrinks if negative.
        blur_x, blur_y: sigma of the Gaussian in pixels, along the rows and along the columns.
    """

    is_rounded: bool = True
    is_inverted: bool = False
    expand: int = 0
    blur_x: float = 4.0
    blur_y: float = 4.0


def shaped(mask: Image.Image, shape: MaskShape) -> Image.Image:
    """The mask rounded, inverted, expanded and blurred, in this order."""
    if shape.is_rounded:
        mask = rounded(mask)
    if shape.is_inverted:
        mask = ImageOps.invert(mask)
    return blurred(expanded(mask, shape.expand), shape.blur_x, shape.blur_y)


def is_empty(mask: Image.Image) -> bool:
    """Nothing is to be repainted."""
    return mask.getbbox() is None


def rounded(mask: Image.Image) -> Image.Image:
    """Above 128: 255, else 0."""
    return Image.fromarray(np.where(np.asarray(mask) > THRESHOLD, 255, 0).astype(np.uint8))


def expanded(mask: Image.Image, pixels: int) -> Image.Image:
    """Maximum over squares of side 2·pixels + 1; the minimum for negative `pixels`. What lies outside the mask does not count."""
    if pixels == 0:
        return mask.copy()
    # The minimum is the maximum of what is kept.
    values = np.asarray(mask) if pixels > 0 else 255 - np.asarray(mask)
    for axis in (0, 1):
        values = _running_maximum(values, abs(pixels), axis)
    return Image.fromarray(values if pixels > 0 else 255 - values)


def blurred(mask: Image.Image, sigma_x: float, sigma_y: float) -> Image.Image:
    """Gaussian along the rows, rounded to bytes, then along the columns."""
    values = np.asarray(mask)
    for sigma, axis in ((sigma_x, 1), (sigma_y, 0)):
        if sigma > 0:
            values = convolved(values, gaussian_kernel(sigma), axis).round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(values)


def latent_mask(mask: Image.Image, size: Size, is_rounded: bool = True) -> NDArray[np.float32]:
    """The shaped mask of any size at the size (w, h) of the latent -> (h, w) in 0..1. Bicubic; rounded to 0 or 1 (0.5 to 0) if asked for."""
    values = np.asarray(mask.resize(size, Image.Resampling.BICUBIC), np.float32) / np.float32(255)
    return np.rint(values) if is_rounded else values


def gaussian_kernel(sigma: float) -> Array:
    """exp(-d²/2σ²) for d = -r..r with r = int(2.5·σ + 0.5), of sum 1. For sigma > 0."""
    radius = int(2.5 * sigma + 0.5)
    weights = np.exp(-((np.arange(-radius, radius + 1) / sigma) ** 2) / 2)
    return weights / weights.sum()


def convolved(values: NDArray[np.generic], kernel: Array, axis: Axis) -> Array:
    """Rows (axis 1) or columns (axis 0) of (h, w) or (h, w, C) convolved with a symmetric kernel; mirrored at the ends without repeating the last one.

    By Fourier transform, so that a blur as wide as the picture costs no more than a narrow one.
    """
    if kernel.size == 1:
        return values.astype(np.float64)
    along = np.moveaxis(values, axis, -1)
    out = np.empty(along.shape, np.float64)
    for start in range(0, along.shape[0], _ROWS):
        out[start : start + _ROWS] = _convolved(along[start : start + _ROWS].astype(np.float64), kernel)
    return np.moveaxis(out, -1, axis)


def _convolved(rows: Array, kernel: Array) -> Array:
    radius, length = kernel.size // 2, rows.shape[-1]
    mirrored = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(radius, radius)], mode="reflect")
    size = -(-mirrored.shape[-1] // _GRAIN) * _GRAIN
    # Circular: the places from 2r on have seen no wrap-around.
    spectrum = np.fft.rfft(mirrored, size) * np.fft.rfft(kernel, size)
    return np.fft.irfft(spectrum, size)[..., 2 * radius : 2 * radius + length]


def _running_maximum(values: NDArray[np.uint8], radius: int, axis: int) -> NDArray[np.uint8]:
    """Maximum over windows of 2r + 1, by windows of doubled length: the work grows with log r."""
    width = 2 * radius + 1
    along = np.moveaxis(values, axis, 0)
    length = along.shape[0]
    margins = [(radius, radius)] + [(0, 0)] * (along.ndim - 1)
    window = np.pad(along, margins)
    covered = 1
    while covered < width:
        step = min(covered, width - covered)
        window = np.maximum(window[:-step], window[step:])
        covered += step
    return np.moveaxis(window[:length], 0, axis)
