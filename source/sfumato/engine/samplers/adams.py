"""Adams-Bashforth methods on the slope d: the polynomial through the last few slopes, integrated over the step. One evaluation a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from sfumato.engine.samplers.quadrature import lagrange_integrals
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step

# For equal steps, newest slope first.
EQUAL_STEPS: tuple[tuple[float, ...], ...] = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))

# (levels of the slopes at hand, newest first; the next level) -> what each slope counts
_Weights = Callable[[Sequence[float], float], Sequence[float]]


def weighted(slopes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The sum of slopes times weights."""
    total = slopes[0] * weights[0]
    for slope, weight in zip(slopes[1:], weights[1:], strict=True):
        total = total + slope * weight
    return total


def _adams(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], step: Step, order: int, weights: _Weights) -> Tensor:
    slopes: list[Tensor] = []
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        slopes = [(x - denoised) / sigma, *slopes[: order - 1]]
        levels = [sigmas[index - back] for back in range(len(slopes))]
        x = x + weighted(slopes, weights(levels, sigma_next))
    return x


def _over_sigma(levels: Sequence[float], sigma_next: float) -> Sequence[float]:
    return lagrange_integrals(levels, levels[0], sigma_next)


def _single_at_the_end(weights: _Weights) -> _Weights:
    """To level 0 the newest slope alone: the polynomial through the older ones says nothing reliable there."""
    return lambda levels, sigma_next: weights(levels, sigma_next) if sigma_next > 0 else (-levels[0], *[0.0] * (len(levels) - 1))


def lms(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Linear multistep of order 4, coefficients integrated over sigma."""
    return _adams(denoise, x, sigmas, step, 4, _over_sigma)


def ipndm(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Zhang and Chen 2022, improved PNDM: the coefficients of equal steps whatever the steps are."""
    return _adams(denoise, x, sigmas, step, parameters.order or 4, _single_at_the_end(_as_if_equal))


def _as_if_equal(levels: Sequence[float], sigma_next: float) -> Sequence[float]:
    return [weight * (sigma_next - levels[0]) for weight in EQUAL_STEPS[len(levels) - 1]]


def ipndm_v(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """The same with the coefficients of the steps as they are."""
    return _adams(denoise, x, sigmas, step, parameters.order or 4, _single_at_the_end(_over_sigma))


def deis(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Zhang and Chen 2022, DEIS of the kind tAB in ln sigma: the polynomial is one in ln sigma, the integral is over sigma."""
    return _adams(denoise, x, sigmas, step, min(parameters.order or 3, 3), _single_at_the_end(_over_log_sigma))


def _over_log_sigma(levels: Sequence[float], sigma_next: float) -> Sequence[float]:
    logs = [math.log(level) for level in levels]
    return lagrange_integrals(logs, logs[0], math.log(sigma_next), np.exp)
