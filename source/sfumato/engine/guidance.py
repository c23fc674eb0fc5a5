"""Guidance: how the sides of a prompt become one prediction, `D = U + scale (C - U)` (Ho and Salimans 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from sfumato.engine.denoiser import Network, join_sides
from sfumato.engine.samplers import Denoiser


def guided(network: Network, positive: Tensor, negative: Tensor, scale: float, batch: int, dtype: torch.dtype, device: torch.device) -> Denoiser:
    """The samplers' denoiser for one prompt.

    Args:
        positive, negative: contexts (1, tokens, width); of different lengths they are evaluated one after the other, else in one batch.
        scale: at 1 the negative side cancels out and is not evaluated.
        batch: images per call.
    """
    if scale == 1:
        only = join_sides([positive], batch, dtype, device)
        return lambda x, sigma: network(x, sigma, only)[0]
    both = join_sides([negative, positive], batch, dtype, device)

    def denoise(x: Tensor, sigma: float) -> Tensor:
        away, towards = network(x, sigma, both)
        return torch.lerp(away, towards, scale)

    return denoise
