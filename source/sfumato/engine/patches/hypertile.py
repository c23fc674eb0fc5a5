"""HyperTile (tfernd 2023): self-attention inside tiles of the picture, each of which sees itself only; cost grows with the picture, not with its square."""

from __future__ import annotations

from torch import Tensor

from sfumato.engine.attachments import NetworkCall
from sfumato.engine.patches.around_self_attention import AroundSelfAttention, Undo

# Deeper levels see the whole picture, which keeps it one.
_LEVELS = 2


class HyperTile(AroundSelfAttention):
    """`side`: least side of a tile, in latent pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def change(self, hidden: Tensor, grid: tuple[int, int], level: int, call: NetworkCall) -> tuple[Tensor, Undo] | None:
        if level >= _LEVELS:
            return None
        side = max(1, self._side >> level)
        counts = tuple(tiles(each, side) for each in grid)
        return tiled(hidden, grid, counts) if counts != (1, 1) else None  # type: ignore[arg-type]  two of them


def tiles(length: int, side: int) -> int:
    """The most tiles of equal whole length that are at least `side` long."""
    return next((count for count in range(max(1, length // side), 1, -1) if length % count == 0), 1)


def tiled(hidden: Tensor, grid: tuple[int, int], counts: tuple[int, int]) -> tuple[Tensor, Undo]:
    """(R, h * w, width) -> (R * tiles, tokens of a tile, width), and the way back."""
    (height, width), (rows, columns) = grid, counts
    tall, wide = height // rows, width // columns

    def undo(answered: Tensor) -> Tensor:
        return answered.view(-1, rows, columns, tall, wide, answered.shape[-1]).transpose(2, 3).reshape(-1, height * width, answered.shape[-1])

    return hidden.view(-1, rows, tall, columns, wide, hidden.shape[-1]).transpose(2, 3).reshape(-1, tall * wide, hidden.shape[-1]), undo
