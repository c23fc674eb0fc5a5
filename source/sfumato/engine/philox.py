"""The random numbers of an Nvidia card, without one: Philox 4x32-10 (Salmon et al. 2011) and the Box-Muller transform as CUDA's library uses them.

Element i of draw j is made from the counter (j, 0, i, 0) under the key (low, high word of the seed), so every element is independent of the others.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

_ROUNDS = 10
# Multipliers and key increments of Philox 4x32, Salmon et al. 2011, table 2.
_MULTIPLY_FIRST, _MULTIPLY_SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_LOW, _WEYL_HIGH = 0x9E3779B9, 0xBB67AE85
_WORD, _MASK = np.uint64(32), np.uint64(0xFFFFFFFF)
_UNIT = 2.0**-32
# Elements made at a time: what is computed between stays in the processor's cache, four times as quick.
_BLOCK = 1 << 13
_TURN = 2 * math.pi * _UNIT

Words = NDArray[np.uint64]


def philox(counter: tuple[Words, Words, Words, Words], seed: int) -> tuple[Words, Words, Words, Words]:
    """Four random 32-bit words for each counter (four words held in uint64, shapes that broadcast) under the 64-bit key `seed`."""
    first, second, third, fourth = counter
    low, high = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(_ROUNDS):
        left, right = first * _MULTIPLY_FIRST, third * _MULTIPLY_SECOND  # 64-bit products of 32-bit words
        first, second = (right >> _WORD) ^ second ^ np.uint64(low), right & _MASK
        third, fourth = (left >> _WORD) ^ fourth ^ np.uint64(high), left & _MASK
        low, high = (low + _WEYL_LOW) & 0xFFFFFFFF, (high + _WEYL_HIGH) & 0xFFFFFFFF
    return first, second, third, fourth


def normal(seed: int, draw: int, count: int) -> NDArray[np.float32]:
    """`count` standard normal numbers, the `draw`-th time (from 0) that a generator of this seed is asked for some."""
    values = np.empty(count, np.float32)
    for start in range(0, count, _BLOCK):
        block = values[start : start + _BLOCK]
        block[:] = _normal(seed, draw, np.arange(start, start + len(block), dtype=np.uint64))
    return values


def _normal(seed: int, draw: int, elements: Words) -> NDArray[np.float64]:
    zero = np.zeros(1, np.uint64)
    radius, angle, _, _ = philox((np.full(1, draw, np.uint64), zero, elements, zero), seed)
    # torch's logarithm and sine are three times as quick as numpy's
    length = torch.from_numpy(radius * _UNIT + _UNIT / 2).log_().mul_(-2).sqrt_()
    return torch.from_numpy(angle * _TURN + _TURN / 2).sin_().mul_(length).numpy()
