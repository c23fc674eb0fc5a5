"""Soft and differential masks (E67 of engine): how much of a place is repainted at a step, and which pixels of the result are new.

The first three functions take arrays of numpy or tensors of torch alike. Sources: soft inpainting of AUTOMATIC1111's web UI (numbers and formulas);
Levin & Fried 2023, "Differential Diffusion: Giving Each Pixel Its Strength".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.inputs.masks import blurred
from sfumato.engine.inputs.resizing import Size, stretch

Array = NDArray[np.float64]

# Weights exp(-d²/1.5²) of the 5x5 latents that a place is judged by; first nearly their maximum, then the mean of their middle half, at least one latent wide.
_RADIUS, _SPREAD = 2, 1.5
_PERCENTILES = ((0.9, 1.0), (0.25, 0.75))
_LEAST_WIDTH = 1.0
_SMOOTHING_PX = 4.0
_LEAST_CHANGE = 1e-6


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """When a latent counts as repainted.

    Attributes:
        threshold: length of the change that is half new.
        contrast: how sharply less and more are told apart.
        influence: 0..1, how much the mask moves the threshold.
    """

    threshold: float = 0.5
    contrast: float = 2.0
    influence: float = 0.0


def soft_mask(mask: Any, sigma: float, power: float = 1.0, scale: float = 0.5) -> Any:
    """mask^(σ^power · scale), for a mask in 0..1: half-open places hold on to the original while there is much noise and are free at the end."""
    return mask ** (sigma**power * scale)


def soft_blend(original: Any, painted: Any, mask: Any, contrast: float = 4.0) -> Any:
    """Latents (B, C, h, w) mixed by a mask (B or 1, 1, h, w): the direction linearly, the length by its mean of exponent `contrast`, which favours the longer.

    |result|^p = (1 - m)·|original|^p + m·|painted|^p. Plain mixing would shorten vectors that disagree, and wash out what they show.
    """
    mixed = original * (1 - mask) + painted * mask
    one, other = _length(original), _length(painted)
    # Divided by the longer, so that no power leaves float32.
    longest = one * (one >= other) + other * (one < other) + _LEAST_CHANGE
    wanted = longest * ((one / longest) ** contrast * (1 - mask) + (other / longest) ** contrast * mask) ** (1 / contrast)
    return mixed * (wanted / (_length(mixed) + _LEAST_CHANGE))


def differential_mask(mask: Any, time: float, start: float, end: float) -> Any:
    """Which places are repainted at `time` (model steps, falling from `start` to `end`): those whose grey has reached the share of the way that is left.

    Booleans of the mask's shape. White is repainted from the start, black never.
    """
    # Samplers look at levels above the first too, as those do that churn, and what is white is repainted there as well.
    left = min((time - end) / (start - end), 1.0) if start != end else 1.0
    return (mask >= left) & (mask > 0)


def changed_mask(change: NDArray[np.floating], mask: NDArray[np.floating], size: Size, rule: ChangeRule | None = None) -> Image.Image:
    """Where a picture of `size` shows new pixels, found from how far its latents moved.

    Args:
        change: (h, w), length over the channels of painted minus original latent.
        mask: (h, w) in 0..1, the latent mask.
    """
    rule = rule or ChangeRule()
    moved = change.astype(np.float64)
    for low, high in _PERCENTILES:
        moved = window_mean(moved, low, high)
    half = np.maximum(rule.threshold * _mask_factor(mask, rule.influence), _LEAST_CHANGE)
    kept = 1 / (1 + (moved / half) ** rule.contrast)
    new = 1 - kept**3 * (kept * (6 * kept - 15) + 10)
    picture = Image.fromarray((255 * new).clip(0, 255).astype(np.uint8))
    return blurred(stretch(picture, size), _SMOOTHING_PX, _SMOOTHING_PX)


def window_mean(values: Array, low: float, high: float) -> Array:
    """For each place of (h, w): the mean of those neighbours (by weight) that lie between the percentiles `low` and `high` of its 5x5 window.

    The span between the percentiles is at least one whole neighbour wide, moved inside the window where it would leave it.
    """
    neighbours, weights = _windows(values)
    order = np.argsort(neighbours, axis=0)
    neighbours, weights = np.take_along_axis(neighbours, order, 0), np.take_along_axis(weights, order, 0)
    ends = np.cumsum(weights, axis=0)
    total = ends[-1]
    middle, half = total * (low + high) / 2, np.maximum(total * (high - low), _LEAST_WIDTH) / 2
    first = np.clip(middle - half, 0, np.maximum(total - 2 * half, 0))
    shares = np.clip(np.minimum(ends, first + 2 * half) - np.maximum(ends - weights, first), 0, None)
    return (neighbours * shares).sum(0) / shares.sum(0)


def _windows(values: Array) -> tuple[Array, Array]:
    """Neighbours and their weights, (25, h, w) each; 0 weighs what lies outside."""
    height, width = values.shape
    padded, inside = np.pad(values, _RADIUS), np.pad(np.ones_like(values), _RADIUS)
    span = range(-_RADIUS, _RADIUS + 1)
    places = [(y, x, np.exp(-(x * x + y * y) / _SPREAD**2)) for y in span for x in span]
    cuts = [(slice(_RADIUS + y, _RADIUS + y + height), slice(_RADIUS + x, _RADIUS + x + width), weight) for y, x, weight in places]
    return np.stack([padded[rows, columns] for rows, columns, _ in cuts]), np.stack([inside[rows, columns] * weight for rows, columns, weight in cuts])


def _mask_factor(mask: NDArray[np.floating], influence: float) -> Array:
    """1 everywhere without influence; with it the threshold is low where the mask is open and high where it is closed."""
    closed = 1 - mask.astype(np.float64).clip(0, 1) ** (influence / 2)
    share = 0.5 * (1 - influence) + closed * influence
    return share / (1.00001 - share)


def _length(latents: Any) -> Any:
    return (latents * latents).sum(1)[:, None] ** 0.5
