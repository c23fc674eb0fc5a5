"""DPM-Solver++ (Lu et al. 2022): exponential integrators of the denoised picture in lambda = -ln sigma; and RES, which is of their kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.euler import ancestral_split, renoised
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def towards(x: Tensor, target: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """Exact solution from `sigma` to `sigma_next` if the denoised picture were `target` all the way."""
    return target + (x - target) * (sigma_next / sigma)


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver++(2M), algorithm 2; the first and the last step are of first order."""
    previous: Tensor | None = None
    h_previous = 0.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        target = denoised if previous is None else denoised + (denoised - previous) * (h / (2 * h_previous))
        x = towards(x, target, sigma, sigma_next)
        previous, h_previous = denoised, h
    return x


def dpmpp_2s_ancestral(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver++(2S), algorithm 1 with the middle of lambda as its inner point, to a lower level than asked, and back up by fresh noise."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        target = denoised
        if down > 0:
            middle = math.sqrt(sigma * down)
            target = denoise(towards(x, denoised, sigma, middle), middle)
        x = renoised(towards(x, target, sigma, down), up, noise, parameters)
    return x


def res_multistep(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """RES, Zhang et al. 2023 (arXiv 2308.02157), the multistep form: second order with the exact phi functions."""
    return _res(denoise, x, sigmas, noise, parameters, step, eta=0.0)


def res_multistep_ancestral(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """The same with ancestral noise, as ComfyUI has it."""
    return _res(denoise, x, sigmas, noise, parameters, step, eta=parameters.eta)


def _res(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step, eta: float) -> Tensor:
    previous: Tensor | None = None
    reached = back = 0.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, eta)
        if previous is None or down == 0:
            x = towards(x, denoised, sigma, down)
        else:
            h = math.log(sigma / down)
            # The distance back to the previous picture, counted from the level that step went down to.
            apart = math.log(back / reached) / h
            second = (math.exp(-h) - 1 + h) / h  # h * phi2(-h)
            x = towards(x, denoised, sigma, down) + (denoised - previous) * (second / apart)
        x = renoised(x, up, noise, parameters)
        previous, reached, back = denoised, down, sigma
    return x
