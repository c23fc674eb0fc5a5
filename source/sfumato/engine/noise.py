"""Noise, reproducible picture by picture: each image draws from a generator of its own on the CPU.

So image k of a batch with seed s has exactly the noise of a single image with seed s + k, on every device.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

SEED_LIMIT = 2**63
# Drawn seeds stay below this, so that other programs can read them.
DRAWN_LIMIT = 2**32 - 2


def resolve_seed(seed: int) -> int:
    """The seed itself, or a fresh one for -1."""
    return random.SystemRandom().randrange(DRAWN_LIMIT) if seed == -1 else seed


def image_seeds(seed: int, count: int) -> list[int]:
    """The seeds of `count` images: seed, seed + 1, ... wrapping at the end of the range."""
    return [(seed + index) % SEED_LIMIT for index in range(count)]


class NoiseSource:
    """Draws (B, C, h, w) float32 noise on `device`, row k from the generator of image k; calls continue each generator."""

    def __init__(self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device) -> None:
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self._shape = shape
        self._device = device

    def __call__(self) -> Tensor:
        rows = [torch.randn(self._shape, generator=generator, dtype=torch.float32) for generator in self._generators]
        return torch.stack(rows).to(self._device, non_blocking=True)
