"""Maps made of a picture's own colours: inverted, without colour, coarse, blurred, or mixed up. Pixels are (H, W, 3) bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators.edges import blurred
from sfumato.engine.annotators.row import Bytes, Map

# Distance in pixels over which a shuffled picture keeps together.
_SWIRL_PX = 256
_HIDDEN_ABOVE = 0.5


def inverted(pixels: Bytes) -> Bytes:
    """Black on white to white on black, for drawings."""
    return 255 - pixels


def luminance(pixels: Bytes, gamma: float) -> Bytes:
    """Lightness as eyes judge it (L* of CIE 1976, of sRGB), 100 as 255, to the power of `gamma`."""
    value = pixels / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = linear @ np.array([0.2126, 0.7152, 0.0722])
    lightness = np.where(light > (6 / 29) ** 3, 1.16 * np.cbrt(light) - 0.16, light * (29 / 3) ** 3 / 100)
    return _powered(lightness, gamma)


def intensity(pixels: Bytes, gamma: float) -> Bytes:
    """The brightest channel (V of HSV), to the power of `gamma`."""
    return _powered(pixels.max(axis=2) / 255.0, gamma)


def coarse(pixels: Bytes, factor: float) -> Bytes:
    """The picture with 1/`factor` of its resolution, at its size."""
    height, width = pixels.shape[:2]
    small = max(1, round(width / factor)), max(1, round(height / factor))
    if small == (width, height):
        return pixels
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def soft(pixels: Bytes, sigma: float) -> Bytes:
    """Blurred by a Gaussian of `sigma` pixels."""
    return blurred(pixels, sigma).round().clip(0, 255).astype(np.uint8)


def colour_grid(pixels: Bytes, cell_px: float) -> Bytes:
    """One colour for each cell of about `cell_px` pixels."""
    height, width = pixels.shape[:2]
    cells = max(1, round(width / cell_px)), max(1, round(height / cell_px))
    return np.asarray(Image.fromarray(pixels).resize(cells, Image.Resampling.BOX).resize((width, height), Image.Resampling.NEAREST))


def shuffled(pixels: Bytes, seed: int) -> Bytes:
    """Colours and textures of the picture at other places: each pixel is taken from where a smooth random field points."""
    height, width = pixels.shape[:2]
    draw = np.random.Generator(np.random.PCG64(seed))
    rows, columns = (_smooth_noise(draw, (height, width)) * (side - 1) for side in (height, width))
    return _taken(pixels, rows, columns)


def with_hidden(pixels: Bytes, mask: NDArray[np.float64]) -> Map:
    """The picture, and what of it is to be painted anew: where the mask is above one half."""
    return Map(pixels, mask > _HIDDEN_ABOVE)


def _powered(value: NDArray[np.float64], gamma: float) -> Bytes:
    return (value.clip(0, 1) ** gamma * 255).round().astype(np.uint8)


def _smooth_noise(draw: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """(H, W) in 0..1, both reached, changing over about `_SWIRL_PX` pixels."""
    cells = tuple(max(2, -(-side // _SWIRL_PX) + 2) for side in shape)
    field = Image.fromarray(draw.random(cells, dtype=np.float32))
    smooth = np.asarray(field.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float64)
    low, high = smooth.min(), smooth.max()
    return (smooth - low) / (high - low) if high > low else np.zeros(shape)


def _taken(pixels: Bytes, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Bytes:
    """Colours at places between pixels, bilinear. `rows` and `columns` are within the picture."""
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    bottom, right = np.minimum(top + 1, pixels.shape[0] - 1), np.minimum(left + 1, pixels.shape[1] - 1)
    down, across = (rows - top)[..., None], (columns - left)[..., None]
    upper = pixels[top, left] * (1 - across) + pixels[top, right] * across
    lower = pixels[bottom, left] * (1 - across) + pixels[bottom, right] * across
    return (upper * (1 - down) + lower * down).round().astype(np.uint8)
