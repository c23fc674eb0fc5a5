"""Loopback: a result is repainted again and again, each time with the next seed (E71)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from sfumato.engine.noise import SEED_LIMIT, ImageSeed

# Share of the way to the final strength, by the share p of the loops that are done.
CURVES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "linear": lambda p: p,
        "aggressive": lambda p: math.sin(p * math.pi / 2),
        "lazy": lambda p: 1 - math.cos(p * math.pi / 2),
    }
)


def strengths(first: float, last: float | None, loops: int, curve: str) -> tuple[float, ...]:
    """The strength of each loop, 0..1; `last` None is the same for all."""
    if last is None or loops == 1:
        return (first,) * loops
    return tuple(first + (last - first) * CURVES[curve](loop / (loops - 1)) for loop in range(loops))


def seed_of(seed: ImageSeed, loop: int) -> ImageSeed:
    """What one picture's noise is made from in its loop number `loop`, counted from 0."""
    return replace(seed, seed=(seed.seed + loop) % SEED_LIMIT)


def caption_of(prompt: str, caption: str, loop: int) -> str:
    """The prompt with the caption behind it, from the second loop on."""
    return joined(prompt, caption) if loop else prompt


def joined(prompt: str, caption: str) -> str:
    """The prompt with a caption behind it."""
    return ", ".join(text for text in (prompt, caption) if text)
