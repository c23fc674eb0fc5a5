"""CFG++, Chung et al. 2024 (arXiv 2406.08070): the guided picture, and on to the next level along the predicted noise of the negative side.

U is the denoised picture of the negative side. Where U = D each is the sampler it is named after. DDIM's is in `ddim`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.dpmpp import towards
from sfumato.engine.samplers.euler import ancestral_split, renoised
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step, pair_of


def euler_cfg_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """x' = D + sigma' (x - U) / sigma."""
    pair = pair_of(denoise)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, negative = pair(x, sigma)
        step(index, x, sigma, denoised)
        x = denoised + (x - negative) * (sigma_next / sigma)
    return x


def euler_ancestral_cfg_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """The same to a lower level than asked, and back up by fresh noise."""
    pair = pair_of(denoise)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, negative = pair(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        x = renoised(denoised + (x - negative) * (down / sigma), up, noise, parameters)
    return x


def dpmpp_2m_cfg_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM++ 2M, its correction from the guided picture to the last negative one."""
    pair = pair_of(denoise)
    previous: Tensor | None = None
    h_previous = 0.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, negative = pair(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        x = denoised + (x - negative) * (sigma_next / sigma)
        if previous is not None:
            x = x + (denoised - previous) * (-math.expm1(-h) * h / (2 * h_previous))
        previous, h_previous = negative, h
    return x


def dpmpp_2s_ancestral_cfg_plus_plus(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM++ 2S a, begun at x + (D - U)."""
    pair = pair_of(denoise)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, negative = pair(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        target, start = denoised, x + (denoised - negative)
        if down > 0:
            middle = math.sqrt(sigma * down)
            target = denoise(towards(start, denoised, sigma, middle), middle)
        x = renoised(towards(start, target, sigma, down), up, noise, parameters)
    return x
