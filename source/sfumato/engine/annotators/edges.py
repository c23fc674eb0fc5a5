"""Lines by filters alone: Canny, soft edges, line art and scribbles. Pixels are (H, W, 3) bytes, maps (H, W) bytes, white on black."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.engine.annotators.row import Bytes
from sfumato.engine.inputs.masks import convolved, gaussian_kernel

Floats = NDArray[np.float64]
Whole = NDArray[np.int32]

# tan 22.5° in 15 bits behind the point; directions are told apart in whole numbers, so that the same picture gives the same edges on every machine.
_SLOPE_BITS = 15
_SLOPE = int(0.4142135623730950 * (1 << _SLOPE_BITS) + 0.5)
_SOFT_SIGMAS = (1.0, 2.0, 4.0)
_FAINT = 8.0


def canny(pixels: Bytes, low: float, high: float) -> Bytes:
    """J. Canny, 1986, in the form that OpenCV gave it and ControlNets were trained with: |dx| + |dy| of 3x3 Sobel filters of the strongest channel.

    Args:
        low, high: thresholds as fractions of 255; exchanged if `low` is above `high`. Lines begin above `high` and go on above `low`.
    """
    low, high = sorted((int(low * 255), int(high * 255)))
    across, down = sobel(pixels.astype(np.int32))
    strength = np.abs(across) + np.abs(down)  # (H, W, 3)
    strongest = strength.argmax(axis=2)[..., None]
    across, down, strength = (np.take_along_axis(values, strongest, 2)[..., 0] for values in (across, down, strength))
    ridge = _ridge(across, down, strength) & (strength > low)
    return np.where(_connected(ridge, ridge & (strength > high)), 255, 0).astype(np.uint8)


def soft_edges(pixels: Bytes) -> Bytes:
    """Strength of edges at three scales, the strongest white: what a network for soft edges shows, without its understanding of what matters."""
    bright = pixels.astype(np.float64).mean(axis=2)
    total = np.zeros(bright.shape)
    for sigma in _SOFT_SIGMAS:
        across, down = sobel(blurred(bright, sigma)[..., None])
        slope = np.hypot(across, down)[..., 0]
        total += slope / max(float(np.percentile(slope, 99)), _FAINT)
    return (total / len(_SOFT_SIGMAS) * 255).clip(0, 255).round().astype(np.uint8)


def line_art(pixels: Bytes, sigma: float, faint: float) -> Bytes:
    """What is darker than its surroundings, its median brought to middle grey.

    Args:
        sigma: of the Gaussian that says what the surroundings are, in pixels.
        faint: darkness out of 255 below which nothing counts for the median.
    """
    darker = (blurred(pixels, sigma) - pixels).min(axis=2).clip(0, 255)
    marked = darker[darker > faint]
    middle = max(16.0, float(np.median(marked))) if marked.size else 16.0
    return (darker / middle * 127).clip(0, 255).astype(np.uint8)


def scribble(pixels: Bytes, threshold: float) -> Bytes:
    """Difference of two Gaussians (0.5 and 5 px): white where all channels are darker than around by half of `threshold` (0..255)."""
    darker = (blurred(pixels, 5.0) - blurred(pixels, 0.5)).min(axis=2).clip(0, 255)
    return np.where(2 * darker > threshold, 255, 0).astype(np.uint8)


def threshold(pixels: Bytes, level: float) -> Bytes:
    """White where the mean of the channels is above `level` (0..255)."""
    return np.where(pixels.astype(np.float64).mean(axis=2) > level, 255, 0).astype(np.uint8)


def blurred(values: NDArray[np.generic], sigma: float) -> Floats:
    """A Gaussian along both axes of (H, W) or (H, W, C)."""
    kernel = gaussian_kernel(sigma)
    kernel = _shorter(kernel, min(values.shape[:2]))
    return convolved(convolved(values, kernel, 1), kernel, 0)


def _shorter(kernel: Floats, side: int) -> Floats:
    """A mirrored picture can be looked at no further than to its other end."""
    radius = min(kernel.size // 2, max(side - 1, 0))
    middle = kernel.size // 2
    cut = kernel[middle - radius : middle + radius + 1]
    return cut / cut.sum()


def sobel(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Slopes across and down of (H, W, C), edges repeated; 4 times the difference of neighbours two apart."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    smooth_down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    smooth_across = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return smooth_down[:, 2:] - smooth_down[:, :-2], smooth_across[2:] - smooth_across[:-2]


def _ridge(across: Whole, down: Whole, strength: Whole) -> NDArray[np.bool_]:
    """Where the slope is steepest along its own direction, one of four; what is beside the picture counts as flat. Of two equals one stays."""
    height, width = strength.shape
    around = np.pad(strength, 1)

    def at(rows: int, columns: int) -> Whole:
        return around[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    flat = np.abs(across).astype(np.int64) * _SLOPE
    steep = np.abs(down).astype(np.int64) << _SLOPE_BITS
    is_level = steep < flat
    is_upright = steep > flat + (np.abs(across).astype(np.int64) << (_SLOPE_BITS + 1))
    falls = (across ^ down) < 0
    level = (strength > at(0, -1)) & (strength >= at(0, 1))
    upright = (strength > at(-1, 0)) & (strength >= at(1, 0))
    slanted = np.where(falls, (strength > at(-1, 1)) & (strength > at(1, -1)), (strength > at(-1, -1)) & (strength > at(1, 1)))
    return np.where(is_level, level, np.where(is_upright, upright, slanted))


def _connected(candidates: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The candidates that hang together with a seed over any of their eight neighbours."""
    wide = candidates.shape[1] + 2
    waiting = np.pad(candidates & ~seeds, 1).ravel()
    found = np.pad(seeds, 1).ravel()
    around = np.array([-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1])
    front = np.flatnonzero(found)
    while front.size:
        reached = (front[:, None] + around).ravel()
        front = np.unique(reached[waiting[reached]])
        waiting[front] = False
        found[front] = True
    return found.reshape(-1, wide)[1:-1, 1:-1]
