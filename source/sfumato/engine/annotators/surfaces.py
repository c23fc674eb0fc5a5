"""Depth and the slopes of what is seen, from a depth map that is there already or that a network found. Near is white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.engine.annotators.edges import sobel
from sfumato.engine.annotators.row import Bytes

Floats = NDArray[np.float64]

# Weight of the direction to the viewer beside the Sobel slopes of a depth in 0..1, as in the maps that ControlNets for normals were trained with.
_TOWARDS = 2 * np.pi


def spread(depth: Floats) -> Floats:
    """A depth of any unit, its nearest 1 and its farthest 0; all 0 where nothing differs."""
    low, high = float(depth.min()), float(depth.max())
    return (depth - low) / (high - low) if high > low else np.zeros(depth.shape)


def as_bytes(values: Floats) -> Bytes:
    """0..1 as 0..255, rounded."""
    return (values * 255).round().clip(0, 255).astype(np.uint8)


def given_depth(pixels: Bytes) -> Floats:
    """A depth map that is a picture, in 0..1."""
    return spread(pixels.astype(np.float64).mean(axis=2))


def normals(depth: Floats, background: float) -> Bytes:
    """Directions of surfaces as colours: x red, y green, towards the viewer blue, -1..1 as 0..255.

    Args:
        depth: (H, W) in 0..1, near 1.
        background: what is farther than this counts as flat.
    """
    across, down = (slope[..., 0].copy() for slope in sobel(depth[..., None]))
    far = depth < background
    across[far] = down[far] = 0
    direction = np.stack([across, down, np.full(depth.shape, _TOWARDS)], axis=2)
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    return (direction * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
