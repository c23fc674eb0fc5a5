"""What stands around the change of a layer: DoRA's magnitudes, matrices that hold three layers, and convolutions that take more channels.

Sources: Liu et al. 2024 (DoRA); orientation of magnitudes as in LyCORIS 4.1 (`wd_on_out`: (out, 1, ..) for norms of rows, (1, in, ..) for norms of columns)
and PEFT 0.21 `tuners/lora/dora.py` (rows).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from sfumato.engine.networks.delta import Delta, Misfit, Shape, exact


@dataclass(frozen=True, eq=False)
class Decomposed(Delta):
    """DoRA: m (W + dW) / |W + dW| - W, norms and magnitudes by rows or by columns.

    Attributes:
        magnitudes: (out, 1, ..) or (1, in, ..).
        side: 0 for magnitudes of rows, 1 for those of columns.
    """

    inner: Delta
    magnitudes: Tensor
    side: int

    reads_weight: ClassVar[bool] = True

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        before = weight.float()
        changed = before + self.inner.change(weight, rank)
        others = [axis for axis in range(weight.dim()) if axis != self.side]
        norm = changed.square().sum(others, keepdim=True).sqrt()
        return changed * (exact(self.magnitudes, weight) / norm.clamp_min(torch.finfo(torch.float32).tiny)) - before


def magnitudes_side(stored: Shape, shape: Shape, is_by_rows: bool) -> int:
    """Whether stored magnitudes are of rows (0) or columns (1) of a weight; raises `Misfit`.

    Args:
        is_by_rows: the file's format knows rows only (PEFT, which writes (out,) or (1, out, 1, 1)).
    """
    count = math.prod(stored)
    side = 1 if len(stored) > 1 and stored[0] == 1 and stored[1] == count and not is_by_rows else 0
    if count != shape[side]:
        raise Misfit("other magnitudes")
    return side


@dataclass(frozen=True, eq=False)
class Third(Delta):
    """One of three layers that are stacked in the matrix which `inner` changes; `inner` reads no weight."""

    inner: Delta
    third: int

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        rows = weight.shape[0]
        stacked = torch.empty(3 * rows, *weight.shape[1:], device=weight.device, dtype=weight.dtype)
        return self.inner.change(stacked, rank)[self.third * rows : (self.third + 1) * rows]


@dataclass(frozen=True, eq=False)
class Narrow(Delta):
    """The first convolution of an inpainting or pix2pix network, changed by a file made for the plain one: the channels it does not know stay as they are."""

    inner: Delta
    channels: int

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return functional.pad(self.inner.change(weight[:, : self.channels], rank), (0, 0, 0, 0, 0, weight.shape[1] - self.channels))

    def adds(self, module: nn.Module, inputs: Tensor, rank: int | None = None) -> Tensor | None:
        return self.inner.adds(module, inputs[:, : self.channels], rank)
