"""A picture through a network piece by piece: tiles that overlap, joined by weights that ramp linearly from one to the next. Rule: E78 of engine.

The network sees one tile at a time and the result is written row of tiles by row of tiles as bytes, so the memory is that of one tile however large the
picture is. In both directions the weights of all tiles over a pixel sum to one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sfumato.engine.decoding import Pixels

TILE_PX, OVERLAP_PX, SMALLEST_PX = 192, 8, 64
# Networks with windows pad what is no multiple of them.
_MULTIPLE_PX = 16


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut.

    Attributes:
        tile: longest side of a tile in pixels of the picture, 0 for the picture as a whole.
        overlap: pixels that neighbours share, at least.
    """

    tile: int = TILE_PX
    overlap: int = OVERLAP_PX

    def count(self, width: int, height: int) -> int:
        """How many tiles there are."""
        return len(starts(width, self)) * len(starts(height, self))

    def halved(self, width: int, height: int) -> Tiling | None:
        """Smaller tiles for less memory, None if they are as small as they may be."""
        longest = min(self.tile or max(width, height), max(width, height))
        if longest <= SMALLEST_PX:
            return None
        return Tiling(max(SMALLEST_PX, -(-longest // 2)), self.overlap)


def length(side: int, tiling: Tiling) -> int:
    """Pixels of a tile along a side of the picture: no more than the number of tiles needs, or much of the picture would be computed twice."""
    count = _count(side, tiling)
    if count == 1:
        return side
    needed = -(-(side + (count - 1) * _overlap(tiling)) // count)
    return min(tiling.tile, -(-needed // _MULTIPLE_PX) * _MULTIPLE_PX)


def starts(side: int, tiling: Tiling) -> list[int]:
    """First pixels of the tiles along a side: as few as will do, evenly spaced."""
    count, tile = _count(side, tiling), length(side, tiling)
    return [round(number * (side - tile) / (count - 1)) for number in range(count)] if count > 1 else [0]


def _count(side: int, tiling: Tiling) -> int:
    if not tiling.tile or side <= tiling.tile:
        return 1
    return -(-(side - _overlap(tiling)) // (tiling.tile - _overlap(tiling)))


def _overlap(tiling: Tiling) -> int:
    return min(tiling.overlap, tiling.tile // 2)


def ramps(places: list[int], tile: int, scale: int) -> list[Tensor]:
    """For each tile its weights (tile * scale,) along a side of the result; those of all tiles sum to 1 at every pixel."""
    size = tile * scale
    total = torch.zeros((places[-1] + tile) * scale)
    found = []
    for number, start in enumerate(places):
        weights = torch.ones(size)
        if number:
            shared = (places[number - 1] + tile - start) * scale
            weights[:shared] *= (torch.arange(shared) + 0.5) / shared
        if number + 1 < len(places):
            shared = (start + tile - places[number + 1]) * scale
            weights[size - shared :] *= (torch.arange(shared, 0, -1) - 0.5) / shared
        total[start * scale : start * scale + size] += weights
        found.append(weights)
    # Where three tiles meet their ramps alone are more than 1.
    return [weights / total[start * scale : start * scale + size] for start, weights in zip(places, found, strict=True)]


def enlarge(pixels: Pixels, network: Callable[[Tensor], Tensor], scale: int, tiling: Tiling, told: Callable[[], None] = lambda: None) -> Pixels:
    """A picture (h, w, 3 bytes) through a network -> (h * scale, w * scale, 3 bytes).

    Args:
        network: (1, 3, h, w) in 0..1 -> (1, 3, h * scale, w * scale), of any tile.
        told: called before each tile; may raise to stop.
    """
    height, width, _ = pixels.shape
    tile_h, tile_w = length(height, tiling), length(width, tiling)
    tops, lefts = starts(height, tiling), starts(width, tiling)
    down, across = ramps(tops, tile_h, scale), ramps(lefts, tile_w, scale)
    out = np.empty((height * scale, width * scale, 3), np.uint8)
    # Rows that the next row of tiles still adds to.
    unfinished = torch.zeros(3, 0, width * scale)
    for number, top in enumerate(tops):
        strip = torch.zeros(3, tile_h * scale, width * scale)
        for left, weights in zip(lefts, across, strict=True):
            told()
            piece = torch.from_numpy(pixels[top : top + tile_h, left : left + tile_w].copy()).permute(2, 0, 1).float()[None] / 255
            strip[:, :, left * scale : (left + tile_w) * scale] += network(piece)[0] * weights
        strip *= down[number][:, None]
        strip[:, : unfinished.shape[1]] += unfinished
        begin, end = top * scale, (tops[number + 1] if number + 1 < len(tops) else height) * scale
        out[begin:end] = _bytes(strip[:, : end - begin])
        unfinished = strip[:, end - begin :].clone()
    return out


def _bytes(values: Tensor) -> Pixels:
    """(3, h, w) in 0..1 -> (h, w, 3 bytes), rounded to nearest."""
    return (values.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
