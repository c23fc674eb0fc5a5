"""What a network does to one weight of a model: the seam between kinds of networks and those who apply them.

Every kind is a `Delta`: it tells the change of the weight at strength 1. All arithmetic is float32, whatever the file stores; who applies it casts once.
Before any tensor is read, a kind is shown the shapes alone (`Shapes`): what does not fit together or not fit the model is refused there, so that no number
in a file decides how much memory is taken.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
# Leaf -> shape of its tensor.
Shapes = Mapping[str, Shape]
Tensors = Mapping[str, Tensor]


class Disjoint(Exception):
    """The tensors of one layer do not belong together; the text says how."""


class Misfit(Exception):
    """What the tensors make has another shape than the weight."""


@dataclass(frozen=True, eq=False)
class Delta(ABC):
    """The change of one weight.

    Attributes:
        reads_weight: whether the change depends on the weight's values, not only on its shape.
    """

    reads_weight: ClassVar[bool] = False

    @abstractmethod
    def change(self, weight: Tensor, rank: int | None = None) -> Tensor:
        """What is added to the weight at strength 1: float32, of the weight's shape, on its device.

        Args:
            weight: (out, in), (out, in, kh, kw), or (n,) for biases and norms; any number format, not modified.
            rank: how many of the first ranks count, None for all; kinds without ranks ignore it.
        """

    def added(self, total: Tensor, weight: Tensor, factor: float, rank: int | None = None, into: Tensor | None = None) -> Tensor:
        """`total` and `factor` times the change of `weight`: both float32; in `into`, which is none of them, or a new tensor."""
        return torch.add(total, self.change(weight, rank), alpha=factor, out=into)

    def adds(self, module: nn.Module, inputs: Tensor, rank: int | None = None) -> Tensor | None:
        """What is added to the layer's output at strength 1, in the inputs' number format, where that costs less than `change`; else None."""
        return None

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors())

    def tensors(self) -> Iterator[Tensor]:
        """All tensors it holds."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, Delta):
                yield from value.tensors()

    def moved(self, device: torch.device, dtype: torch.dtype | None = None) -> Self:
        """The same on another device, and in another number format if one is given (which `change` then starts from)."""
        return replace(self, **{field.name: _moved(getattr(self, field.name), device, dtype) for field in fields(self)})


def _moved(value: Any, device: torch.device, dtype: torch.dtype | None) -> Any:
    if isinstance(value, Tensor):
        return value.to(device=device, dtype=dtype or value.dtype)
    return value.moved(device, dtype) if isinstance(value, Delta) else value


def exact(tensor: Tensor, like: Tensor) -> Tensor:
    """A stored tensor in float32 where the weight is."""
    return tensor.to(device=like.device, dtype=torch.float32)


def columns(shape: Shape) -> int:
    """How many numbers a row of a weight has."""
    return math.prod(shape[1:])


def as_matrix(shape: Shape) -> Shape:
    """The shape without sides of 1, which layouts spell differently: 1x1 convolutions and linear layers are one matrix."""
    return tuple(side for side in shape if side != 1)


def need(condition: bool, sentence: str) -> None:
    """Raise `Disjoint` unless the condition holds."""
    if not condition:
        raise Disjoint(sentence)


def need_fit(made: Shape, shape: Shape) -> None:
    """Raise `Misfit` unless a change of shape `made` can be added to a weight of `shape`."""
    if as_matrix(made) != as_matrix(shape):
        raise Misfit(f"{'x'.join(map(str, made))} for {'x'.join(map(str, shape))}")
