"""DDIM and PLMS, from the variance-preserving world: written in our coordinates, with the grid and the start that AUTOMATIC1111 gives them.

Their grid is t = 1, 1 + k, ... with k = 1000 // n, so the number of levels may exceed n, and they end at the level of t = 1, not at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.engine.samplers.adams import EQUAL_STEPS, weighted
from sfumato.engine.samplers.seam import Denoiser, ImageStart, Noise, SamplerParameters, Step, pair_of


def grid_times(n: int) -> list[int]:
    """The training times of n steps, rising."""
    last = TRAINING_STEPS - 1
    return sorted({min(t + 1, last) for t in range(0, TRAINING_STEPS, max(TRAINING_STEPS // n, 1))})


def _levels(times: Sequence[int], table: NoiseTable) -> tuple[float, ...]:
    return tuple(float(table.sigmas[t]) for t in reversed(times))


def ddim_grid(n: int, table: NoiseTable, parameters: SamplerParameters) -> tuple[float, ...]:
    """The levels of n steps; a grid of one time only gets the last training time as its start."""
    del parameters
    times = grid_times(n)
    return _levels(times if len(times) > 1 else [*times, TRAINING_STEPS - 1], table)


def ddim_image_start(n: int, t: int, table: NoiseTable, parameters: SamplerParameters) -> ImageStart:
    """Noise is added at grid[t]; sampling begins one grid point lower as in AUTOMATIC1111, or there with `exact_start`."""
    times = grid_times(max(n, 2))
    noised = min(max(t, 1), len(times) - 1)
    begin = noised if parameters.exact_start else noised - 1
    # One step at least, however little strength is asked for.
    return ImageStart(_levels(times[: max(begin, 1) + 1], table), float(table.sigmas[times[noised]]))


def _ddim_step(denoised: Tensor, d: Tensor, sigma: float, sigma_next: float, noise: Noise, eta: float) -> Tensor:
    """Song et al. 2020, equations 12 and 16, over sqrt(alpha_next). d is the predicted noise."""
    alpha, alpha_next = 1 / (1 + sigma**2), 1 / (1 + sigma_next**2)
    q = eta * math.sqrt(max((1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next), 0.0))
    x = denoised + d * math.sqrt(max(1 - alpha_next - q**2, 0.0) / alpha_next)
    return x + noise() * (q / math.sqrt(alpha_next)) if q > 0 else x


def ddim(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Song et al. 2020: Euler for eta 0, the ancestral chain for eta 1."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        x = _ddim_step(denoised, (x - denoised) / sigma, sigma, sigma_next, noise, parameters.eta_ddim)
    return x


def ddim_cfg_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Chung et al. 2024 (arXiv 2406.08070): DDIM along the predicted noise of the negative side."""
    pair = pair_of(denoise)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, negative = pair(x, sigma)
        step(index, x, sigma, denoised)
        x = _ddim_step(denoised, (x - negative) / sigma, sigma, sigma_next, noise, parameters.eta_ddim)
    return x


def plms(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Liu et al. 2022, pseudo linear multistep: Adams-Bashforth weights of equal steps on the predicted noise; the first step is improved Euler."""
    slopes: list[Tensor] = []
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        slopes = [(x - denoised) / sigma, *slopes[:3]]
        slope = weighted(slopes, EQUAL_STEPS[len(slopes) - 1])
        if index == 0 and sigma_next > 0:
            ahead = x + slope * (sigma_next - sigma)
            slope = (slope + (ahead - denoise(ahead, sigma_next)) / sigma_next) / 2
        x = x + slope * (sigma_next - sigma)
    return x
