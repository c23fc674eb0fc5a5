"""LCM and TCD: samplers of distilled models, which jump to a picture at once and add noise again for the next jump."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step

# The times latent consistency models were distilled at: 19, 39, ... 999.
_DISTILLED = np.arange(TRAINING_STEPS // 50 - 1, TRAINING_STEPS, TRAINING_STEPS // 50)
_BOUNDARY_VARIANCE, _TIME_SCALE = 0.25, 10.0
_OWN_GAMMA = 0.3


def lcm_grid(n: int, table: NoiseTable, parameters: SamplerParameters) -> tuple[float, ...]:
    """n times evenly from 999 to 19, levels linear in ln sigma between the distilled ones; then 0."""
    del parameters
    times = np.linspace(_DISTILLED[-1], _DISTILLED[0], n)
    levels = np.exp(np.interp(times, _DISTILLED, np.log(table.sigmas[_DISTILLED])))
    return (*(float(level) for level in levels), 0.0)


def lcm(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Luo et al. 2023 (arXiv 2310.04378), algorithm 4: the consistency function at the nearest distilled time, then noise of the next level."""
    logs = np.log(parameters.table.sigmas[_DISTILLED])
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        t = _TIME_SCALE * float(_DISTILLED[np.abs(logs - math.log(sigma)).argmin()])
        c_skip = _BOUNDARY_VARIANCE / (t**2 + _BOUNDARY_VARIANCE)
        c_out = t / math.sqrt(t**2 + _BOUNDARY_VARIANCE)
        denoised = denoised * c_out + x * c_skip
        step(index, x, sigma, denoised)
        x = denoised if sigma_next == 0 else denoised + noise() * sigma_next
    return x


def tcd(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Zheng et al. 2024 (arXiv 2402.19159), algorithm 4, strategic stochastic sampling: to a share 1 - gamma of the next time, then noise up to it."""
    table, gamma = parameters.table, min(parameters.gamma or _OWN_GAMMA, 1.0)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        # A hair is added for levels that were rounded to float32, lest a whole time become the one below.
        below = min(float(table.sigmas[int((1 - gamma) * (table.fractional_t(sigma_next) + 1e-4))]), sigma_next)
        x = denoised + (x - denoised) * (below / sigma)
        if below < sigma_next:
            x = x + noise() * math.sqrt(sigma_next**2 - below**2)
    return x
