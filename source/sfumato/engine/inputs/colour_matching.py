"""The colours of one picture given to another: histograms matched in CIE L*a*b* (E70 of engine).

Conversions: IEC 61966-2-1 (sRGB), CIE 15 (L*a*b*) with the white of D65, in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE = _TO_XYZ.sum(axis=1)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_KNEE = 6 / 29


def match_colours(picture: Image.Image, reference: Image.Image) -> Image.Image:
    """`picture` with its lightness and both colour axes redistributed as in `reference` (any size); which pixel is lighter or redder than which stays."""
    lab, wanted = (rgb_to_lab(np.asarray(image) / 255) for image in (picture, reference))
    matched = np.stack([match_histogram(lab[..., axis], wanted[..., axis]) for axis in range(3)], axis=-1)
    return Image.fromarray((lab_to_rgb(matched) * 255).round().clip(0, 255).astype(np.uint8))


def match_histogram(values: Array, reference: Array) -> Array:
    """Each value replaced by the reference's value at the same share of the distribution; between two of them linearly. Shapes may differ.

    Also used for noise that is to look like a picture.
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    wanted, wanted_counts = np.unique(reference, return_counts=True)
    shares, wanted_shares = np.cumsum(counts) / values.size, np.cumsum(wanted_counts) / reference.size
    return np.interp(shares, wanted_shares, wanted)[places].reshape(values.shape)


def rgb_to_lab(rgb: Array) -> Array:
    """sRGB in 0..1 -> L* in 0..100, a*, b*; the last axis holds the three."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: Array) -> Array:
    """L*, a*, b* -> sRGB, clipped to 0..1."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29)) * _WHITE
    linear = (xyz @ _FROM_XYZ.T).clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
