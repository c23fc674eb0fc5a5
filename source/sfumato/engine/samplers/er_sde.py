"""ER-SDE-Solver-3, Cui et al. 2023 (arXiv 2309.06169): the reverse SDE with a free noise scale, extended from the ordinary one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from sfumato.engine.noise_table import FloatArray
from sfumato.engine.samplers.quadrature import integral
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step


def _scale(sigma: FloatArray) -> FloatArray:
    """The paper's recommended noise scale, ER-SDE-5."""
    return sigma * (np.exp(sigma**0.3) + 10.0)


def er_sde(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Order 3: proposition 5 of the paper, first and second differences over sigma, the integrals exact instead of sums of 200 rectangles."""
    pictures: list[Tensor] = []
    change_before: Tensor | None = None
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if sigma_next == 0:
            return denoised
        scale_next = float(_scale(np.float64(sigma_next)))
        ratio = scale_next / float(_scale(np.float64(sigma)))
        x = denoised + (x - denoised) * ratio
        if pictures:
            # Substituted u = ln sigma, in which the integrands are flat.
            low, high = math.log(sigma_next), math.log(sigma)
            whole = scale_next * integral(lambda u: np.exp(u) / _scale(np.exp(u)), low, high)
            change = (denoised - pictures[0]) / (sigma - sigmas[index - 1])
            x = x + change * (sigma_next - sigma + whole)
            if change_before is not None:
                moment = scale_next * integral(lambda u, sigma=sigma: np.exp(u) * (np.exp(u) - sigma) / _scale(np.exp(u)), low, high)
                bend = (change - change_before) / ((sigma - sigmas[index - 2]) / 2)
                x = x + bend * ((sigma_next - sigma) ** 2 / 2 + moment)
            change_before = change
        left = math.sqrt(max(sigma_next**2 - (sigma * ratio) ** 2, 0.0))
        if left > 0:
            x = x + noise() * (parameters.s_noise * left)
        pictures = [denoised]
    return x
