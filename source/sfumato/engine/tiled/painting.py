"""A pass in tiles: each painted by itself and faded into the next, or all at every call and averaged. Rule: E80.

Either way the network sees one tile of the batch's pictures at a time, so the memory it takes is that of one tile however large the picture is. Every call
of a tile is a call like any other: it can be cancelled, it counts, and it is shown as a part of the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sfumato.engine.samplers import PairDenoiser
from sfumato.engine.tiled.grid import Grid, Tile


class Canvas:
    """What is known of the whole picture while its tiles are painted, (B, C, h, w)."""

    def __init__(self, latents: Tensor) -> None:
        self._latents = latents

    def seen(self, tile: Tile, denoised: Tensor) -> Tensor:
        """The picture with a prediction of one tile laid in; a tensor of its own, as it may be looked at later."""
        shown = self._latents.clone()
        tile.of(shown).copy_(denoised)
        return shown

    def keep(self, latents: Tensor) -> None:
        self._latents = latents


class Averaged:
    """A denoiser of the whole picture: at every call each tile is denoised, and the predictions are averaged.

    Args:
        denoisers: one for each tile of the grid.
        canvas: told of every average.
    """

    def __init__(self, grid: Grid, denoisers: Sequence[PairDenoiser], canvas: Canvas | None = None) -> None:
        self._grid = grid
        self._denoisers = denoisers
        self._canvas = canvas
        self._weights: tuple[Tensor, ...] = ()

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        total = torch.zeros_like(x)
        for tile, weights, denoise in self._each(x):
            tile.of(total).add_(denoise(tile.of(x).contiguous(), sigma) * weights)
        return self._kept(total)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        total, negative = torch.zeros_like(x), torch.zeros_like(x)
        for tile, weights, denoise in self._each(x):
            denoised, other = denoise.pair(tile.of(x).contiguous(), sigma)
            tile.of(total).add_(denoised * weights)
            tile.of(negative).add_(other * weights)
        return self._kept(total), negative

    def _each(self, x: Tensor) -> zip[tuple[Tile, Tensor, PairDenoiser]]:
        self._weights = self._weights or self._grid.weights(x.device)
        return zip(self._grid.tiles, self._weights, self._denoisers, strict=True)

    def _kept(self, average: Tensor) -> Tensor:
        if self._canvas is not None:
            self._canvas.keep(average)
        return average


def one_by_one(grid: Grid, x: Tensor, canvas: Canvas, paint: Callable[[int, Tensor], Tensor]) -> Tensor:
    """The finished latents of a picture whose tiles are painted one after the other.

    Args:
        x: that the pass starts from, (B, C, h, w).
        canvas: of what it paints over; tiles that are finished are laid in.
        paint: the number of a tile and its x -> its finished latents.
    """
    finished = torch.zeros_like(x)
    for number, (tile, weights) in enumerate(zip(grid.tiles, grid.weights(x.device), strict=True)):
        latents = paint(number, tile.of(x).contiguous())
        tile.of(finished).add_(latents * weights)
        canvas.keep(canvas.seen(tile, latents))
    return finished
