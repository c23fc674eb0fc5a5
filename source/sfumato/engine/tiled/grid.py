"""Where the tiles of a picture lie, and how much each counts at every place. All lengths are in latent pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sfumato.engine.inputs.resizing import Size

Method = Literal["tiles", "multidiffusion"]
# Width of the Gaussian as a share of the tile: at its edges a tile counts next to nothing, so what it lacks beyond them is not seen.
_SIGMA = 0.1


@dataclass(frozen=True)
class Tile:
    """A part of a latent."""

    left: int
    top: int
    width: int
    height: int

    def of(self, whole: Tensor) -> Tensor:
        """(..., h, w) of the whole -> a view of the part."""
        return whole[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def box(self, scale: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) where a latent pixel is so many."""
        return self.left * scale, self.top * scale, (self.left + self.width) * scale, (self.top + self.height) * scale


@dataclass(frozen=True)
class Grid:
    """The tiles of a latent, row by row from the top left: as few as will do, evenly spaced, all of one size.

    Attributes:
        width, height: of the whole.
        tile_width, tile_height: no more than the whole.
        overlap: that neighbours have at least.
    """

    method: Method
    width: int
    height: int
    tile_width: int
    tile_height: int
    overlap: int

    @cached_property
    def lefts(self) -> tuple[int, ...]:
        return _starts(self.width, self.tile_width, self.overlap)

    @cached_property
    def tops(self) -> tuple[int, ...]:
        return _starts(self.height, self.tile_height, self.overlap)

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        return tuple(Tile(left, top, self.tile_width, self.tile_height) for top in self.tops for left in self.lefts)

    def weights(self, device: torch.device) -> tuple[Tensor, ...]:
        """How much each tile counts, (tile_height, tile_width) float32; those of all tiles sum to 1 at every place."""
        profile = _PROFILES[self.method]
        across = _shares(self.lefts, self.tile_width, self.width, self.overlap, profile)
        down = _shares(self.tops, self.tile_height, self.height, self.overlap, profile)
        return tuple((rows[:, None] * columns[None, :]).float().to(device) for rows in down for columns in across)


def grid_of(method: Method, size_px: Size, tile_px: int, overlap_px: int, factor: int) -> Grid | None:
    """The tiles of a picture (width, height); None where one tile is all of it.

    Args:
        factor: pixels of a latent pixel.
    """
    width, height = size_px[0] // factor, size_px[1] // factor
    side = tile_px // factor
    if width <= side and height <= side:
        return None
    return Grid(method, width, height, min(side, width), min(side, height), min(overlap_px // factor, side // 2))


def _starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """ceil((length - overlap) / (tile - overlap)) tiles."""
    if length <= tile:
        return (0,)
    count = math.ceil((length - overlap) / (tile - overlap))
    return tuple(round(number * (length - tile) / (count - 1)) for number in range(count))


# (starts, tile, overlap) -> for each tile how much it counts along a side, (tile,) float64.
_Profile = Callable[[Sequence[int], int, int], list[Tensor]]


def _ramps(starts: Sequence[int], tile: int, overlap: int) -> list[Tensor]:
    """One tile fades into the next linearly over the overlap, in the middle of what they share."""
    place = torch.arange(tile, dtype=torch.float64) + 0.5
    found = []
    for number, start in enumerate(starts):
        weights = torch.ones(tile, dtype=torch.float64)
        if number:
            weights *= _rising(place + start, starts[number - 1] + tile, start, overlap)
        if number + 1 < len(starts):
            weights *= 1 - _rising(place + start, start + tile, starts[number + 1], overlap)
        found.append(weights)
    return found


def _rising(place: Tensor, end: int, start: int, overlap: int) -> Tensor:
    """0 before the seam of a tile that ends and one that starts, 1 behind it."""
    middle = (end + start) / 2
    return ((place - middle) / max(overlap, 1) + 0.5).clamp(0, 1) if overlap else (place > middle).double()


def _gaussians(starts: Sequence[int], tile: int, overlap: int) -> list[Tensor]:
    offset = (torch.arange(tile, dtype=torch.float64) + 0.5) / tile - 0.5
    return [torch.exp(-(offset**2) / (2 * _SIGMA**2))] * len(starts)


_PROFILES: dict[Method, _Profile] = {"tiles": _ramps, "multidiffusion": _gaussians}


def _shares(starts: Sequence[int], tile: int, length: int, overlap: int, profile: _Profile) -> list[Tensor]:
    counts = profile(starts, tile, overlap)
    total = torch.zeros(length, dtype=torch.float64)
    for start, weights in zip(starts, counts, strict=True):
        total[start : start + tile] += weights
    return [weights / total[start : start + tile] for start, weights in zip(starts, counts, strict=True)]
