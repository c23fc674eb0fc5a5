"""DPM-Solver++ for the reverse SDE, with noise from a Brownian path over sigma, so that the picture hardly depends on the number of steps.

The updates follow Lu et al. 2022 (SDE-DPM-Solver++) with eta for the share of noise, as Katherine Crowson extended them in k-diffusion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.dpmpp import towards
from sfumato.engine.samplers.euler import ancestral_split
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def _noised(x: Tensor, sigma: float, sigma_next: float, scale: float, noise: Noise, parameters: SamplerParameters) -> Tensor:
    return x + noise.brownian(sigma, sigma_next) * (parameters.s_noise * scale) if scale > 0 else x


def dpmpp_sde(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver++(2S) with noise to the inner point, the middle of lambda, as well as to the end."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        middle = math.sqrt(sigma * sigma_next)
        down, up = ancestral_split(sigma, middle, parameters.eta)
        inner = _noised(towards(x, denoised, sigma, down), sigma, middle, up, noise, parameters)
        target = denoise(inner, middle)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        x = _noised(towards(x, target, sigma, down), sigma, sigma_next, up, noise, parameters)
    return x


def dpmpp_2m_sde(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """SDE-DPM-Solver++(2M); `solver` picks how the last change of the denoised picture counts."""
    eta = parameters.eta
    previous: Tensor | None = None
    h_previous = 0.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        a = (1 + eta) * h
        x = denoised + (x - denoised) * math.exp(-a)
        if previous is not None:
            second = -math.expm1(-a) / 2 if parameters.solver == "midpoint" else 1 + math.expm1(-a) / a
            x = x + (denoised - previous) * (second * h / h_previous)
        x = _noised(x, sigma, sigma_next, sigma_next * math.sqrt(-math.expm1(-2 * eta * h)), noise, parameters)
        previous, h_previous = denoised, h
    return x


def dpmpp_2m_sde_heun(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """The same with Heun's rule whatever `solver` says: a sampler of its own name since 2023."""
    return dpmpp_2m_sde(denoise, x, sigmas, noise, replace(parameters, solver="heun"), step)


def dpmpp_3m_sde(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """SDE-DPM-Solver++(3M): first and second differences of the last three denoised pictures; order rises over the first three steps."""
    eta = parameters.eta
    pictures: list[Tensor] = []
    steps: list[float] = []
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        a = (1 + eta) * h
        phi_2 = math.expm1(-a) / a + 1
        x = denoised + (x - denoised) * math.exp(-a)
        if len(pictures) == 1:
            x = x + (denoised - pictures[0]) * (phi_2 * h / steps[0])
        elif len(pictures) == 2:
            r0, r1 = steps[0] / h, steps[1] / h
            p, q = (denoised - pictures[0]) / r0, (pictures[0] - pictures[1]) / r1
            bend = (p - q) / (r0 + r1)
            x = x + (p + bend * r0) * phi_2 - bend * (phi_2 / a - 0.5)
        x = _noised(x, sigma, sigma_next, sigma_next * math.sqrt(-math.expm1(-2 * eta * h)), noise, parameters)
        pictures, steps = [denoised, *pictures[:1]], [h, *steps[:1]]
    return x
