"""Euler's method, with churn or with ancestral noise: the samplers all others are measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step

# Karras et al. 2022: more churn than this raises a level by more than its noise can hide.
_CHURN_LIMIT = math.sqrt(2) - 1


def ancestral_split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(down, up): step down to `down`, then add noise of scale `up`, to arrive at the level `sigma_next`."""
    if sigma_next == 0:
        return 0.0, 0.0
    up = min(sigma_next, eta * math.sqrt(max(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2, 0.0)))
    return math.sqrt(sigma_next**2 - up**2), up


def renoised(x: Tensor, scale: float, noise: Noise, parameters: SamplerParameters) -> Tensor:
    """x with the next noise at this scale; nothing is drawn for a scale of 0."""
    return x + noise() * (parameters.s_noise * scale) if scale > 0 else x


def churned(x: Tensor, sigma: float, count: int, noise: Noise, parameters: SamplerParameters) -> tuple[Tensor, float]:
    """(x, level) raised by this step's share of churn, `count` steps in all; Karras et al. 2022, algorithm 2, lines 4 to 6."""
    if parameters.s_churn == 0 or not parameters.s_tmin <= sigma <= (parameters.s_tmax or math.inf):
        return x, sigma
    raised = sigma * (1 + min(parameters.s_churn / count, _CHURN_LIMIT))
    return renoised(x, math.sqrt(raised**2 - sigma**2), noise, parameters), raised


def euler(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Karras et al. 2022, algorithm 2 without its second-order correction."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, sigma_hat = churned(x, sigma, len(sigmas) - 1, noise, parameters)
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
        x = renoised(x + d * (down - sigma), up, noise, parameters)
    return x


def ddpm(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Ho et al. 2020, equations 6 and 7: mean and variance of the discrete chain's posterior, divided by sqrt(alpha_next) to be in our coordinates.

    The same law as Euler with ancestral noise at eta 1.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        kept = (sigma_next / sigma) ** 2
        x = denoised + (x - denoised) * kept
        if sigma_next > 0:
            x = x + noise() * (sigma_next * math.sqrt(1 - kept))
    return x


def gradient_estimation(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Permenter and Yuan 2024, algorithm 2: Euler along the slope and gamma - 1 times its last change; the last step is Euler's."""
    overshoot = (parameters.gamma or 2.0) - 1
    previous: Tensor | None = None
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        d = (x - denoised) / sigma
        slope = d if previous is None or sigma_next == 0 else d + (d - previous) * overshoot
        x = x + slope * (sigma_next - sigma)
        previous = d
    return x
