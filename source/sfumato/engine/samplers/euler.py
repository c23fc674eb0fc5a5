"""Euler's method, with churn or with ancestral noise: the samplers all others are measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def ancestral_split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(down, up): step down to `down`, then add noise of scale `up`, to arrive at the level `sigma_next`."""
    if sigma_next == 0:
        return 0.0, 0.0
    up = min(sigma_next, eta * math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2))
    return math.sqrt(sigma_next**2 - up**2), up


def euler(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Karras et al. 2022, algorithm 2 without its second-order correction."""
    count = len(sigmas) - 1
    churn = min(parameters.s_churn / count, math.sqrt(2) - 1)
    churn_until = parameters.s_tmax or math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        gamma = churn if parameters.s_tmin <= sigma <= churn_until else 0.0
        sigma_hat = sigma * (1 + gamma)
        if gamma > 0:
            x = x + noise() * (parameters.s_noise * math.sqrt(sigma_hat**2 - sigma**2))
        denoised = denoise(x, sigma_hat)
        step(index, x, sigma_hat, denoised)
        d = (x - denoised) / sigma_hat
        x = x + d * (sigma_next - sigma_hat)
    return x


def euler_ancestral(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Euler to a lower level than asked, and back up by fresh noise."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        d = (x - denoised) / sigma
        x = x + d * (down - sigma)
        if up > 0:
            x = x + noise() * (parameters.s_noise * up)
    return x
