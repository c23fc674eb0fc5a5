"""Token merging (Bolya and Hoffman 2023, "Token Merging for Fast Stable Diffusion"): alike tokens go through self-attention as one.

Of every cell of 2x2 tokens one, drawn by chance, stays; of the others the share `ratio` of all tokens that is most alike to one that stays is averaged into
it, and takes its answer afterwards. Acts at the full resolution only, where attention costs most.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sfumato.engine.attachments import NetworkCall
from sfumato.engine.patches.around_self_attention import AroundSelfAttention, Undo

_CELL = 2
_SEED = 0x70C3


class TokenMerging(AroundSelfAttention):
    """`ratio`: share of the tokens that is merged away, 0..0.75."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self._ratio = ratio

    def change(self, hidden: Tensor, grid: tuple[int, int], level: int, call: NetworkCall) -> tuple[Tensor, Undo] | None:
        if level:
            return None
        stays, goes = _drawn(grid, call.moment.call, hidden.device)
        count = min(len(goes), int(hidden.shape[1] * self._ratio))
        return merged(hidden, stays, goes, count) if count else None


def merged(hidden: Tensor, stays: Tensor, goes: Tensor, count: int) -> tuple[Tensor, Undo]:
    """Average `count` of the tokens `goes` into the most alike of `stays`.

    Args:
        hidden: (R, n, width).
        stays, goes: places, (s,) and (n - s,); together every place once.

    Returns:
        (R, n - count, width), those that go and were not merged first; and the way from answers of that shape to (R, n, width).
    """
    unit = functional.normalize(hidden.float(), dim=-1)
    alike, nearest = (unit[:, goes] @ unit[:, stays].transpose(1, 2)).max(dim=-1)
    order = alike.argsort(dim=-1, descending=True, stable=True)
    lost, left = order[:, :count], order[:, count:]
    into = nearest.gather(1, lost)
    width = hidden.shape[-1]

    def spread(places: Tensor, channels: int = width) -> Tensor:
        return places[..., None].expand(-1, -1, channels)

    going = hidden[:, goes]
    kept = hidden[:, stays].scatter_reduce(1, spread(into), going.gather(1, spread(lost)), "mean", include_self=True)

    def undo(answered: Tensor) -> Tensor:
        channels = answered.shape[-1]
        alone, shared = answered.split((left.shape[1], len(stays)), dim=1)
        whole = answered.new_empty((len(answered), hidden.shape[1], channels))
        whole[:, stays] = shared
        whole.scatter_(1, spread(goes[left], channels), alone)
        return whole.scatter_(1, spread(goes[lost], channels), shared.gather(1, spread(into, channels)))

    return torch.cat([going.gather(1, spread(left)), kept], dim=1), undo


def _drawn(grid: tuple[int, int], call: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The places that stay and the others. The draw is the same for all rows, so a picture does not depend on its batch; what no whole cell holds goes."""
    height, width = grid
    generator = torch.Generator("cpu").manual_seed(_SEED + call)
    rows, columns = height // _CELL, width // _CELL
    chosen = torch.randint(_CELL * _CELL, (rows, columns), generator=generator)
    y = torch.arange(rows)[:, None] * _CELL + chosen // _CELL
    x = torch.arange(columns)[None, :] * _CELL + chosen % _CELL
    stays = (y * width + x).flatten()
    others = torch.ones(height * width, dtype=torch.bool)
    others[stays] = False
    return stays.to(device), others.nonzero()[:, 0].to(device)
