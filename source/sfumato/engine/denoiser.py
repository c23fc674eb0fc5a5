"""From a network's raw output to the seam of this engine: `(x, sigma, sides) -> denoised, one for each side`.

Coordinates are variance exploding, x = picture + sigma * noise, float32; only the network itself runs in the model's number format. Guidance makes
the samplers' `(x, sigma) -> denoised` from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sfumato.engine.family import Model, Prediction

# (x, output, sigma) -> denoised
_Wrapping = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Sides:
    """Contexts to evaluate together, made once for many calls.

    Attributes:
        groups: (context (k * B, tokens, width), the k sides it holds, in order); sides of equal length share a batch, none is padded to another's.
        count: number of sides.
    """

    groups: tuple[tuple[Tensor, tuple[int, ...]], ...]
    count: int


class Network(Protocol):
    """Evaluates every side at (x, sigma)."""

    def __call__(self, x: Tensor, sigma: float, sides: Sides) -> list[Tensor]: ...


def _from_eps(x: Tensor, output: Tensor, sigma: float) -> Tensor:
    return torch.sub(x, output, alpha=sigma)


def _from_v(x: Tensor, output: Tensor, sigma: float) -> Tensor:
    variance = sigma**2 + 1
    return torch.sub(x / variance, output, alpha=sigma / math.sqrt(variance))


_WRAPPINGS: dict[Prediction, _Wrapping] = {"eps": _from_eps, "v": _from_v}


def join_sides(contexts: Sequence[Tensor], batch: int, dtype: torch.dtype, device: torch.device) -> Sides:
    """Group contexts (1, tokens, width) by length, each repeated for `batch` images, in the network's number format."""
    by_length: dict[int, list[int]] = {}
    for index, context in enumerate(contexts):
        by_length.setdefault(context.shape[1], []).append(index)
    groups = tuple(
        (torch.cat([contexts[index].to(device, dtype).expand(batch, -1, -1) for index in indices]), tuple(indices)) for indices in by_length.values()
    )
    return Sides(groups, len(contexts))


class UNetNetwork:
    """A diffusers UNet with text cross-attention."""

    def __init__(self, model: Model) -> None:
        self._unet = model.unet
        self._table = model.table
        self._dtype = model.device.dtype
        self._wrap = _WRAPPINGS[model.prediction]

    def __call__(self, x: Tensor, sigma: float, sides: Sides) -> list[Tensor]:
        """x (B, C, h, w) float32 -> for each side the denoised (B, C, h, w) float32."""
        scaled = (x / math.sqrt(sigma**2 + 1)).to(self._dtype)
        # Filled on the device: a copied tensor would wait for everything queued there.
        t = torch.full((1,), self._table.t(sigma), dtype=torch.float32, device=x.device)
        denoised: list[Tensor] = [x] * sides.count
        for context, indices in sides.groups:
            batched = scaled if len(indices) == 1 else torch.cat([scaled] * len(indices))
            output = self._unet(batched, t, encoder_hidden_states=context, return_dict=False)[0].to(x.dtype)
            for index, part in zip(indices, output.chunk(len(indices)), strict=True):
                denoised[index] = self._wrap(x, part, sigma)
        return denoised
