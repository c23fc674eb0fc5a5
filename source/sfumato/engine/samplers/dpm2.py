"""DPM-Solver-2 of Karras et al.'s kind: the slope at the geometric middle of a step carries it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.euler import ancestral_split, churned, renoised
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def _by_middle(denoise: Denoiser, x: Tensor, denoised: Tensor, sigma: float, sigma_next: float) -> Tensor:
    if sigma_next == 0:
        return denoised
    middle = math.sqrt(sigma * sigma_next)
    halfway = x + (x - denoised) * ((middle - sigma) / sigma)
    return x + (halfway - denoise(halfway, middle)) * ((sigma_next - sigma) / middle)


def dpm2(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Midpoint rule in ln sigma for dx/dsigma = d, with churn."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, sigma_hat = churned(x, sigma, len(sigmas) - 1, noise, parameters)
        denoised = denoise(x, sigma_hat)
        step(index, x, sigma_hat, denoised)
        x = _by_middle(denoise, x, denoised, sigma_hat, sigma_next)
    return x


def dpm2_ancestral(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """The same to a lower level than asked, and back up by fresh noise."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        x = renoised(_by_middle(denoise, x, denoised, sigma, down), up, noise, parameters)
    return x
