"""Brownian motion over noise levels, for samplers whose noise must not depend on how they step: the same seed gives the same path, however it is read.

The path is a dyadic tree of bridges. Its splitting, its rounding to a millionth and its seeds are those of the BrownianTree in torchsde, which other
programs use, so that their pictures are met; torchsde itself is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

_DIGITS = 6
_POOL_WORDS = 24
# The last levels asked for are remembered: a sampler asks for each twice or thrice, as an end and as a beginning.
_REMEMBERED = 3

# seed -> a fresh (C, h, w) float32 tensor of unit noise
Noise = Callable[[int], Tensor]


@dataclass(frozen=True)
class _Node:
    """An interval of the tree: where it lies and the path's values at both its ends (float64)."""

    depth: int
    key: int
    start: float
    end: float
    low: Tensor
    high: Tensor


class BrownianPath:
    """One image's path W over the levels start..end, W(start) = 0.

    Args:
        seed: 0..2^63-1; with start and end it decides the whole path.
        noise: unit noise from a seed.
    """

    def __init__(self, seed: int, start: float, end: float, noise: Noise) -> None:
        if not 0 <= start < end:
            raise ValueError(f"a Brownian path from {start} to {end}")
        self._seed = seed
        self._noise = noise
        high = noise(_word(seed)).double() * math.sqrt(end - start)
        self._descent = [_Node(0, 0, round(start, _DIGITS), round(end, _DIGITS), high * 0, high)]
        self._points: dict[float, Tensor] = {}

    def __call__(self, start: float, end: float) -> Tensor:
        """W(end) - W(start), (C, h, w) float64. Levels outside the path count as its ends."""
        return self._at(end) - self._at(start)

    def _at(self, level: float) -> Tensor:
        root = self._descent[0]
        level = min(max(round(level, _DIGITS), root.start), root.end)
        if level not in self._points:
            value = self._found(level)
            while len(self._points) >= _REMEMBERED:
                del self._points[next(iter(self._points))]
            self._points[level] = value
        return self._points[level]

    def _found(self, level: float) -> Tensor:
        """Descend to the node that begins or ends at the level; what lies above both this and the last level is not computed again."""
        while not self._descent[-1].start <= level <= self._descent[-1].end:
            self._descent.pop()
        while True:
            node = self._descent[-1]
            if level == node.start:
                return node.low
            if level == node.end:
                return node.high
            self._descent.append(self._half(node, level))

    def _half(self, node: _Node, level: float) -> _Node:
        """The half of the node that holds the level, its new end drawn from the bridge between the node's ends."""
        middle = round(0.5 * (node.start + node.end), _DIGITS)
        left, right, whole = middle - node.start, node.end - middle, node.end - node.start
        noise = self._noise(_word(self._seed, node.key, node.depth))
        value = node.low.lerp(node.high, left / whole).add_(noise, alpha=math.sqrt(left * right / whole))
        if level <= middle:
            return _Node(node.depth + 1, 2 * node.key, node.start, middle, node.low, value)
        return _Node(node.depth + 1, 2 * node.key + 1, middle, node.end, value, node.high)


def _word(seed: int, *place: int) -> int:
    """The 32-bit seed of the noise at a place (key, depth) in the tree of `seed`."""
    return int(np.random.SeedSequence(entropy=seed, spawn_key=place, pool_size=_POOL_WORDS).generate_state(1)[0])
