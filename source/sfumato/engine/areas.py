"""Where the parts of a prompt act: pictures become masks of the latent's size.

`softened` once for each picture, `area_mask` once for each pass, from the softened picture, so that both passes of a picture have the same soft edges.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sfumato.engine.inputs.masks import convolved, gaussian_kernel

Array = NDArray[np.float64]


def softened(picture: Image.Image, feather_px: float, width_px: int) -> Array:
    """The brightness (H, W) of a picture in 0..1, its edges blurred.

    Args:
        feather_px: sigma of the Gaussian in pixels of the picture that is made; 0 leaves edges hard.
        width_px: width of that picture.
    """
    values = np.asarray(picture.convert("L"), np.float64) / 255
    sigma = feather_px * picture.width / width_px
    if sigma > 0:
        kernel = gaussian_kernel(sigma)
        values = convolved(convolved(values, kernel, 1), kernel, 0)
    return values.clip(0, 1)


def area_mask(soft: Array, size: tuple[int, int], device: torch.device) -> Tensor:
    """A softened picture at the size (h, w) of a latent, each value the mean of what it covers: (1, 1, h, w) float32 in 0..1."""
    height, width = size
    values = _covering(soft.shape[0], height) @ soft @ _covering(soft.shape[1], width).T
    return torch.from_numpy(values.clip(0, 1).astype(np.float32)).to(device)[None, None]


def _covering(length: int, count: int) -> Array:
    """(count, length): the share that each of `length` pixels has in each of `count` equal parts of them; rows of sum 1."""
    edges = np.linspace(0, length, count + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = np.arange(length)[None, :]
    return (np.minimum(ends, pixels + 1) - np.maximum(starts, pixels)).clip(0) * (count / length)
