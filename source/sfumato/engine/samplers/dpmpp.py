"""DPM-Solver++ (Lu et al. 2022): exponential integrators of the denoised picture in lambda = -ln sigma, without noise of the SDE kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2, in lambda = -ln sigma; the first and the last step are of first order."""
    previous: Tensor | None = None
    h_previous = 0.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        target = denoised
        if previous is not None:
            r = h_previous / h
            target = denoised + (denoised - previous) / (2 * r)
        x = x * (sigma_next / sigma) - target * math.expm1(-h)
        previous, h_previous = denoised, h
    return x
