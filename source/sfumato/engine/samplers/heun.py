"""Heun's method: the slope of a step corrected by the slope where it leads; twice or thrice the evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.euler import churned
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def heun_step(denoise: Denoiser, x: Tensor, d: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """From `sigma`, where the slope is d, to `sigma_next` by the mean of both ends' slopes; an end at 0 has none."""
    straight = x + d * (sigma_next - sigma)
    if sigma_next == 0:
        return straight
    d_next = (straight - denoise(straight, sigma_next)) / sigma_next
    return x + (d + d_next) * ((sigma_next - sigma) / 2)


def heun(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Karras et al. 2022, algorithm 2."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, sigma_hat = churned(x, sigma, len(sigmas) - 1, noise, parameters)
        denoised = denoise(x, sigma_hat)
        step(index, x, sigma_hat, denoised)
        x = heun_step(denoise, x, (x - denoised) / sigma_hat, sigma_hat, sigma_next)
    return x


def heun_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Heun++ as its author Carzit published it in 2023: slopes looked up to two levels ahead, those ahead weighted by their level.

    With k slopes the one at level s weighs s / (k * first level), the slope of the step itself the rest. So the corrections fade as the noise does, and
    in the limit of many steps the method is of first order. Two slopes in the last step but one, one in the last.
    """
    count = len(sigmas) - 1
    for index, sigma in enumerate(sigmas[:-1]):
        x, sigma_hat = churned(x, sigma, count, noise, parameters)
        denoised = denoise(x, sigma_hat)
        step(index, x, sigma_hat, denoised)
        d = (x - denoised) / sigma_hat
        ahead = sigmas[index + 1 : min(index + 3, count)]
        whole = (1 + len(ahead)) * sigmas[0]
        mean = d * (1 - sum(ahead) / whole)
        looked, slope = x, d
        for here, there in pairwise((sigma_hat, *ahead)):
            looked = looked + slope * (there - here)
            slope = (looked - denoise(looked, there)) / there
            mean = mean + slope * (there / whole)
        x = x + mean * (sigmas[index + 1] - sigma_hat)
    return x
