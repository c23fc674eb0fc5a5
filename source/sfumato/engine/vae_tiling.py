"""The VAE tile by tile: memory is that of one tile, neighbours overlap and are blended linearly (E109).

All tiles are equally large, spread evenly. A group norm averages over all it sees, so a tile by itself would come out brighter or darker than its neighbour:
what the norms find is learned once, of the whole picture made small, and holds for all tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn import functional

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


@contextmanager
def common_norms(networks: Sequence[nn.Module], learn: Callable[[], object]) -> Iterator[None]:
    """While inside, the group norms of these networks use what they found while `learn` ran, whatever they are given; afterwards they are themselves again.

    Only on this thread: a preview may go through the same networks on another.
    """
    own = get_ident()
    norms = [module for network in networks for module in network.modules() if isinstance(module, nn.GroupNorm)]
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def remember(norm: nn.GroupNorm, args: tuple[Tensor, ...]) -> None:
        if get_ident() != own:
            return
        values = args[0].float().reshape(args[0].shape[0], norm.num_groups, -1)
        spread, mean = torch.var_mean(values, dim=-1, correction=0)
        found[norm] = mean, spread

    def use(norm: nn.GroupNorm, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if get_ident() != own:
            return output
        mean, spread = found[norm]
        channels = norm.num_channels // norm.num_groups
        factor = (spread + norm.eps).rsqrt().repeat_interleave(channels, dim=1)
        shift = -mean.repeat_interleave(channels, dim=1) * factor
        if norm.affine:
            factor, shift = factor * norm.weight.float(), shift * norm.weight.float() + norm.bias.float()
        shape = (-1, norm.num_channels, *(1,) * (output.dim() - 2))
        # Over what the norm found by itself, so that no more memory is taken.
        return torch.addcmul(shift.to(output.dtype).view(shape), args[0], factor.to(output.dtype).view(shape), out=output)

    with ExitStack() as stack:
        for norm in norms:
            stack.callback(norm.register_forward_pre_hook(remember).remove)  # type: ignore[arg-type]  the modules are group norms
        learn()
        stack.close()
        for norm in norms:
            if norm in found:
                # Before all others: networks that come piece by piece take the norm's weights off the device behind it.
                stack.callback(norm.register_forward_hook(use, prepend=True).remove)  # type: ignore[arg-type]
        yield


def smaller(source: Tensor, side: int) -> Tensor:
    """The whole of a picture or latent in one tile, its values those of places spread over it."""
    scale = side / max(source.shape[-2:])
    size = [max(1, round(length * scale)) for length in source.shape[-2:]]
    return functional.interpolate(source, size=size, mode="nearest-exact")


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
