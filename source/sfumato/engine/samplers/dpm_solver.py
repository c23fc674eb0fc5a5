"""DPM-Solver (Lu et al. 2022, arXiv 2206.00927): exponential integrators of the predicted noise in lambda = -ln sigma, singlestep.

Both samplers go from the first level straight to the last one above 0 by steps of their own; the levels between serve them only as a count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.engine.samplers.euler import ancestral_split, renoised
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step
from sfumato.protocol.errors import Invalid, Problem

# What the step size control of the adaptive one was published with.
_RTOL, _ATOL, _FIRST_STEP, _ACCEPT = 0.05, 0.0078, 0.05, 0.81
CALL_LIMIT = 1000


class _Span:
    """One step from `sigma` to `sigma_next`, and the predicted noises within it, each evaluated once."""

    def __init__(self, denoise: Denoiser, x: Tensor, d: Tensor, sigma: float, sigma_next: float) -> None:
        self._denoise, self._x, self._d, self._sigma = denoise, x, d, sigma
        self._h = math.log(sigma / sigma_next)
        self._changes: dict[float, Tensor] = {}

    def _to(self, share: float, inner: float = 0.0) -> Tensor:
        """x after a share of the step: of first order, or of second with the change of the noise up to the inner point."""
        sigma, part = self._sigma * math.exp(-share * self._h), share * self._h
        x = self._x - self._d * (sigma * math.expm1(part))
        if inner == 0 or part == 0:
            return x
        return x - self._change(inner) * (sigma * (share / inner) * (math.expm1(part) / part - 1))

    def _change(self, share: float) -> Tensor:
        """Predicted noise at a point of the step, less that at its beginning."""
        if share not in self._changes:
            sigma = self._sigma * math.exp(-share * self._h)
            x = self._to(share, inner=1 / 3 if share == 2 / 3 else 0.0)
            self._changes[share] = (x - self._denoise(x, sigma)) / sigma - self._d
        return self._changes[share]

    def first(self) -> Tensor:
        return self._to(1.0)

    def second(self, inner: float = 0.5) -> Tensor:
        """DPM-Solver-2, algorithm 1 with r1 = inner."""
        return self._to(1.0) - self._change(inner) * (self._sigma * math.exp(-self._h) * math.expm1(self._h) / (2 * inner))

    def third(self) -> Tensor:
        """DPM-Solver-3, algorithm 2 with r1 = 1/3, r2 = 2/3; three evaluations with the one at the beginning."""
        return self._to(1.0, inner=2 / 3)


def dpm_grid(n: int, table: NoiseTable, parameters: SamplerParameters) -> tuple[float, ...]:
    """Levels even in training time, so that image to image means by a strength what it means for the others; one step still spans the range."""
    del parameters
    if n == 1:
        return (table.sigma_max, table.sigma_min)
    return (*(float(level) for level in table.sigma(np.linspace(TRAINING_STEPS - 1, 0, n))), 0.0)


def _ends(sigmas: Sequence[float]) -> tuple[float, float]:
    return sigmas[0], sigmas[-1] or sigmas[-2]


def _lowered(sigma: float, sigma_next: float, last: float, eta: float) -> tuple[float, float]:
    """(down, up) as ancestral steps have it, but never down below the last level."""
    down = max(ancestral_split(sigma, sigma_next, eta)[0], last)
    return down, math.sqrt(max(sigma_next**2 - down**2, 0.0))


def _orders(count: int) -> list[int]:
    """Orders of the steps that together take `count` evaluations: as many threes as fit, falling at the end."""
    thirds, rest = divmod(count, 3)
    return [3] * (thirds - 1) + [2, 1] if rest == 0 else [3] * thirds + [rest]


def dpm_fast(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver-fast, section 3.4: n evaluations in steps of equal size in lambda."""
    first, last = _ends(sigmas)
    orders = _orders(len(sigmas) - 1)
    levels = [first * (last / first) ** (index / len(orders)) for index in range(len(orders))] + [last]
    for index, order in enumerate(orders):
        sigma, sigma_next = levels[index], levels[index + 1]
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = _lowered(sigma, sigma_next, last, parameters.eta)
        span = _Span(denoise, x, (x - denoised) / sigma, sigma, down)
        x = renoised({1: span.first, 2: span.second, 3: span.third}[order](), up, noise, parameters)
    return x


def dpm_adaptive(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver-12/23's idea, appendix C: orders 2 and 3 of one step are compared, and the step is taken if they agree well enough, else shortened.

    The worst image of a batch decides. Raises `Invalid` rather than exceed `CALL_LIMIT` evaluations.
    """
    first, last = _ends(sigmas)
    exponent = 1 / (1.5 if parameters.eta else 3)
    position, end, h = 0.0, math.log(first / last), _FIRST_STEP
    calls = index = 0
    below = x
    while position < end - 1e-5:
        if calls + 3 > CALL_LIMIT:
            raise Invalid([Problem("sampler", f"DPM adaptive found no step size for this picture within {CALL_LIMIT} evaluations; choose another sampler.")])
        sigma, sigma_next = first * math.exp(-position), first * math.exp(-min(position + h, end))
        down, up = _lowered(sigma, sigma_next, last, parameters.eta)
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        span = _Span(denoise, x, (x - denoised) / sigma, sigma, down)
        low, high = span.second(1 / 3), span.third()
        tolerance = (low.abs().maximum(below.abs()) * _RTOL).clamp(min=_ATOL)
        error = float(((low - high) / tolerance).square().flatten(1).mean(1).sqrt().max())
        factor = 1 + math.atan((1 / (error + 1e-8)) ** exponent - 1)
        if factor >= _ACCEPT:
            below = low
            x = renoised(high, up, noise, parameters)
            position = min(position + h, end)
        h *= factor
        calls, index = calls + 3, index + 1
    return x
