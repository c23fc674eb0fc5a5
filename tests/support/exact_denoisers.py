"""Denoisers that are known exactly, noise that is known exactly, and what a sampler does with them.

For data distributed N(MEAN, VARIANCE) everything is known: the denoiser, the path of every x, the law of the result. As that denoiser is affine, a
sampler is an affine map of its noises, and `moments` finds the mean and variance of its result without a single random number.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SamplerParameters, SamplerRow
from sfumato.engine.schedules import find_schedule, levels

MEAN, VARIANCE = 0.7, 0.25
TABLE = NoiseTable()
Function = Callable[[Tensor, float], Tensor]


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """The exact denoiser of data distributed N(MEAN, VARIANCE)."""
    return (VARIANCE * x + sigma**2 * MEAN) / (VARIANCE + sigma**2)


def exact_path(start: Tensor, first: float, last: float) -> Tensor:
    """Where x goes from level `first` to level `last` along the exact flow."""
    return MEAN + (start - MEAN) * math.sqrt((VARIANCE + last**2) / (VARIANCE + first**2))


def wavy(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that is anything but linear."""
    return torch.sin(x / math.sqrt(1 + sigma**2) * 3) * 0.8


def other_wavy(x: Tensor, sigma: float) -> Tensor:
    """Another, for the negative side."""
    return torch.cos(x / math.sqrt(1 + sigma**2) * 2) * 0.6


class Spy:
    """A denoiser that records the levels it is asked at. Its negative side is the same function unless told otherwise."""

    def __init__(self, function: Function = wavy, negative: Function | None = None) -> None:
        self.sigmas: list[float] = []
        self._function, self._negative = function, negative or function

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.sigmas.append(sigma)
        return self._function(x, sigma)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        return self(x, sigma), self._negative(x, sigma)


class Explosion(Exception):
    """What a `Bomb` raises."""


class Bomb(Spy):
    """Raises at evaluation number `at`, counted from 0."""

    def __init__(self, at: int, function: Function = wavy) -> None:
        super().__init__(function)
        self._at = at

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        if len(self.sigmas) == self._at:
            raise Explosion
        return super().__call__(x, sigma)


class TestNoise:
    """Noise made by `draw`; its Brownian path is built point by point between those already known, so increments add up in any order of asking."""

    __test__ = False

    def __init__(self, draw: Callable[[], Tensor]) -> None:
        self._draw = draw
        self._times: list[float] = [0.0]
        self._values: list[Tensor | float] = [0.0]
        self.drawn = 0

    def __call__(self) -> Tensor:
        self.drawn += 1
        return self._draw()

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        self.drawn += 1
        return (self._at(sigma) - self._at(sigma_next)) / math.sqrt(abs(sigma - sigma_next))

    def _at(self, time: float) -> Tensor:
        place = bisect.bisect_left(self._times, time)
        if place < len(self._times) and self._times[place] == time:
            return torch.as_tensor(self._values[place])
        before, known = self._times[place - 1], torch.as_tensor(self._values[place - 1])
        if place == len(self._times):
            value = known + self._draw() * math.sqrt(time - before)
        else:
            after, share = self._times[place], (time - before) / (self._times[place] - before)
            value = known + (self._values[place] - known) * share + self._draw() * math.sqrt(share * (after - time))
        self._times.insert(place, time)
        self._values.insert(place, value)
        return value


def seeded(shape: Sequence[int] = (2, 4, 8, 8), seed: int = 5, dtype: torch.dtype = torch.float64) -> TestNoise:
    generator = torch.Generator().manual_seed(seed)
    return TestNoise(lambda: torch.randn(tuple(shape), generator=generator, dtype=dtype))


def silent() -> TestNoise:
    """Noise that nobody may ask for."""

    def draw() -> Tensor:
        raise AssertionError("no noise is to be drawn here")

    return TestNoise(draw)


def sigmas_of(schedule: str, n: int) -> tuple[float, ...]:
    row = find_schedule(schedule)
    assert row is not None
    return levels(row, n, TABLE)


def levels_of(row: SamplerRow, n: int, parameters: SamplerParameters | None = None) -> tuple[float, ...]:
    """The levels of n steps that "automatic" means for a sampler, without what it may discard."""
    return row.grid(n, TABLE, parameters or SamplerParameters()) if row.grid else sigmas_of(row.schedule, n)


def run(
    row: SamplerRow, denoise: Function, x: Tensor, sigmas: Sequence[float], noise: TestNoise, parameters: SamplerParameters | None = None
) -> tuple[Tensor, list[Tensor]]:
    """The result, and x at the first evaluation of every step."""
    seen: list[Tensor] = []
    result = row.function(denoise, x, sigmas, noise, parameters or SamplerParameters(), lambda index, x, sigma, denoised: seen.append(x))
    return result, seen


_DIMENSIONS = 512


def moments(row: SamplerRow, sigmas: Sequence[float], parameters: SamplerParameters | None = None) -> tuple[float, float]:
    """Mean and variance of a sampler's result for Gaussian data, exactly: x is a vector of its constant part and of what each noise counts in it."""
    one = torch.zeros(_DIMENSIONS, dtype=torch.float64)
    one[0] = 1.0
    numbers = itertools.count(1)

    def draw() -> Tensor:
        vector = torch.zeros(_DIMENSIONS, dtype=torch.float64)
        vector[next(numbers)] = 1.0
        return vector

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return (VARIANCE * x + sigma**2 * MEAN * one) / (VARIANCE + sigma**2)

    # The mean of x at a level is that of the data: it starts there.
    start = draw() * math.sqrt(sigmas[0] ** 2 + VARIANCE) + MEAN * one
    result, _ = run(row, Spy(denoise), start, sigmas, TestNoise(draw), parameters)
    return float(result[0]), float(result[1:].square().sum())
