"""Networks that turn a weight's rows, or its columns, in blocks: OFT, COFT and BOFT.

Sources: Qiu et al. 2023 (OFT), Liu et al. 2024 (BOFT). What is stored and how it is used as in LyCORIS 4.1 `functional/diag_oft.py` (W' = R^T W per block of
rows) and `functional/boft.py` (W' = R_m .. R_1 W through butterfly orders, not transposed), kohya's sd-scripts `networks/oft.py` (as the first), PEFT 0.21
`tuners/oft/layer.py` (inputs are turned: W' = W R^T per block of columns), and AUTOMATIC1111 1.10 `network_oft.py` for the oldest files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from sfumato.engine.networks.delta import Delta, Misfit, Shape, Shapes, Tensors, columns, exact, need
from sfumato.engine.networks.leaves import ALPHA, RESCALE

# 2 to this power is more rows than any layer has.
_STAGES = 32


@dataclass(frozen=True, eq=False)
class Rotation(Delta):
    """OFT and BOFT: blocks of rows are turned, W' = R^T W, or in stages; then each row may be scaled.

    Attributes:
        blocks: (n, s, s), n s = out, or (m, n, s, s) for m stages; the skew part Q = B - B^T makes R = (I + Q)(I - Q)^-1.
        limit: the norm of all Q together is at most this (COFT); None: as it is.
        rescale: (out,) or None.
    """

    blocks: Tensor
    limit: float | None
    rescale: Tensor | None
    scale: float

    reads_weight: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"oft_blocks"})
    may_have: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        # Blocks (n, s, s); with a fourth dimension in front BOFT's stages.
        blocks = next(shapes[leaf] for leaf in cls.needs)
        need(len(blocks) in (3, 4) and blocks[-1] == blocks[-2], "its blocks are not square")
        if math.prod(blocks[-3:-1]) != shape[0]:
            raise Misfit("other rows")
        if len(blocks) == 4:
            stages, count, size, _ = blocks
            need(stages <= _STAGES and size % 2 == 0 and count % (1 << (stages - 1)) == 0, "its stages do not divide its rows")
        need(RESCALE not in shapes or math.prod(shapes[RESCALE]) == shape[0], "it scales another number of rows than it has")

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return None

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        rescale, alpha = tensors.get(RESCALE), tensors.get(ALPHA)
        share = 0.0 if alpha is None else float(alpha.float())
        return cls(next(tensors[leaf] for leaf in cls.needs), share * shape[0] if share > 0 else None, None if rescale is None else rescale.flatten(), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        before = weight.float()
        turned = self._turned(before, self._rotations(weight))
        if self.rescale is not None:
            turned = turned * exact(self.rescale, weight).reshape(-1, *(1,) * (weight.dim() - 1))
        return (turned - before) * self.scale

    def _rotations(self, weight: Tensor) -> Tensor:
        blocks = exact(self.blocks, weight)
        skew = blocks - blocks.transpose(-1, -2)
        if self.limit is not None:
            skew = skew * (self.limit / skew.norm().clamp_min(self.limit))
        return cayley(skew)

    def _turned(self, weight: Tensor, rotations: Tensor) -> Tensor:
        if rotations.dim() == 4:
            return _butterfly(weight, rotations)
        count, size, _ = rotations.shape
        return torch.einsum("k n m, k n i -> k m i", rotations, weight.reshape(count, size, -1)).reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class StoredRotation(Rotation):
    """The oldest files of LyCORIS, which hold R itself."""

    needs: ClassVar[frozenset[str]] = frozenset({"oft_diag"})

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        need(len(shapes["oft_diag"]) == 3, "its blocks are not square")
        super().check(shapes, shape)

    def _rotations(self, weight: Tensor) -> Tensor:
        return exact(self.blocks, weight)


@dataclass(frozen=True, eq=False)
class InputRotation(Delta):
    """OFT as PEFT has it: blocks of the layer's input are turned, W' = W R^T.

    Attributes:
        triangles: (n, s (s - 1) / 2), what stands above the diagonal of Q row by row; n = 1 may serve all blocks.
        size: s.
    """

    triangles: Tensor
    size: int
    scale: float

    reads_weight: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"oft_r"})
    may_have: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def check(cls, shapes: Shapes, shape: Shape) -> None:
        triangles = shapes["oft_r"]
        need(len(triangles) == 2, "its blocks are no triangles")
        size = _side(triangles[1])
        need(size * (size - 1) // 2 == triangles[1], "its blocks are no triangles")
        if columns(shape) % size or triangles[0] not in (1, columns(shape) // size):
            raise Misfit("other columns")

    @classmethod
    def rank(cls, shapes: Shapes) -> int | None:
        return None

    @classmethod
    def made(cls, tensors: Tensors, shape: Shape, scale: float) -> Self:
        return cls(tensors["oft_r"], _side(tensors["oft_r"].shape[1]), scale)

    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        above = exact(self.triangles, weight)
        skew = above.new_zeros(above.shape[0], self.size, self.size)
        row, column = torch.triu_indices(self.size, self.size, 1, device=weight.device)
        skew[:, row, column] = above
        rotations = _series(skew - skew.transpose(-1, -2))
        before = weight.float().reshape(weight.shape[0], -1, self.size)
        rotations = rotations.expand(before.shape[1], -1, -1)
        turned = torch.einsum("o k n, k m n -> o k m", before, rotations)
        return ((turned - before) * self.scale).reshape(weight.shape)


def cayley(skew: Tensor) -> Tensor:
    """(I + Q)(I - Q)^-1 of skew matrices (.., s, s): rotations."""
    one = torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype)
    return torch.linalg.solve(one - skew, one + skew, left=False)


def _series(skew: Tensor) -> Tensor:
    """The rotation as PEFT trains it unless told otherwise: the first five terms of `cayley`'s series, the last one once."""
    square = skew @ skew
    cube = square @ skew
    return torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype) + 2 * (skew + square + cube) + cube @ skew


def _butterfly(weight: Tensor, stages: Tensor) -> Tensor:
    """BOFT: stage i turns rows that stand 2^i s/2 apart. stages: (m, n, s, s), n s = out."""
    rows = weight.flatten(1)
    width, size = rows.shape[1], stages.shape[-1]
    for stage, rotations in enumerate(stages):
        apart = 2**stage * size // 2
        gathered = rows.reshape(-1, 2, apart, width).transpose(1, 2).reshape(-1, size, width)
        turned = torch.einsum("k i j, k j w -> k i w", rotations, gathered)
        rows = turned.reshape(-1, apart, 2, width).transpose(1, 2).reshape(-1, width)
    return rows.reshape(weight.shape)


def _side(count: int) -> int:
    """The side of the square matrix that has so many numbers above its diagonal."""
    return (1 + math.isqrt(1 + 8 * count)) // 2
