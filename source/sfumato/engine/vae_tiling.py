"""The VAE tile by tile: memory is that of one tile, neighbours overlap and are blended linearly (E109).

The tiles at the right and lower edges are moved back so that all are equally large. Only where tiles overlap does anything depend on two of them; how bright
a tile comes out depends a little on what is in it, because group norms average over it, and the blending hides that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

TILE_PX = 512
SMALL_TILE_PX = 256
OVERLAP_PX = 64


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin on a side of `length`, evenly spread; neighbours share at least `overlap`."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(number * (length - tile) / (count - 1)) for number in range(count)]


def ramps(begins: list[int], length: int, tile: int) -> Iterator[tuple[int, Tensor]]:
    """(begin, weights (tile,)) of each tile on a side: they rise and fall linearly over what neighbours share, and sum to 1 everywhere."""
    tile = min(tile, length)
    for number, begin in enumerate(begins):
        weights = torch.ones(tile)
        if number:
            shared = begins[number - 1] + tile - begin
            weights[:shared] = (torch.arange(shared) + 0.5) / shared
        if number + 1 < len(begins):
            shared = begin + tile - begins[number + 1]
            weights[tile - shared :] *= 1 - (torch.arange(shared) + 0.5) / shared
        yield begin, weights


def tiled(source: Tensor, work: Callable[[Tensor], Tensor], tile: int, overlap: int, scale: float, check: Callable[[], None]) -> Tensor:
    """`work` over the whole of a picture or latent (1, C, h, w), tile by tile; the result (1, K, h * scale, w * scale) float32 in ordinary memory.

    Args:
        work: (1, C, tile, tile) -> (1, K, tile * scale, tile * scale).
        tile, overlap: in places of the source; times `scale` they are whole numbers.
        check: called before each tile; may raise to stop.
    """
    height, width = source.shape[-2:]
    rows, columns = starts(height, tile, overlap), starts(width, tile, overlap)
    if scale < 1:  # a tile must begin where a latent does
        step = round(1 / scale)
        rows, columns = [begin // step * step for begin in rows], [begin // step * step for begin in columns]
    out_rows = list(ramps([round(row * scale) for row in rows], round(height * scale), round(tile * scale)))
    out_columns = list(ramps([round(column * scale) for column in columns], round(width * scale), round(tile * scale)))
    total: Tensor | None = None
    for row, (out_row, down) in zip(rows, out_rows, strict=True):
        for column, (out_column, across) in zip(columns, out_columns, strict=True):
            check()
            made = work(source[..., row : row + tile, column : column + tile]).float().cpu()
            if total is None:
                total = torch.zeros((*made.shape[:2], round(height * scale), round(width * scale)))
            shape = made.shape[-2:]
            part = total[..., out_row : out_row + shape[0], out_column : out_column + shape[1]]
            part += made * (down[:, None] * across)
    assert total is not None
    return total
