"""Restart sampling, Xu et al. 2023 (arXiv 2306.14878): noise is added back in the last part of the run and removed again, which undoes errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from sfumato.engine.samplers.euler import renoised
from sfumato.engine.samplers.heun import heun_step
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step

# Where the picture goes back up from, and where to.
_LOW, _HIGH = 0.1, 2.0
_RHO = 7.0


def _karras(n: int, last: float, first: float) -> list[float]:
    low, high = last ** (1 / _RHO), first ** (1 / _RHO)
    return [(high + index / max(n - 1, 1) * (low - high)) ** _RHO for index in range(n)]


def _nearest(levels: Sequence[float], sigma: float) -> int:
    return min(range(len(levels)), key=lambda index: abs(levels[index] - sigma))


def restart_steps(sigmas: Sequence[float]) -> list[tuple[float, float]]:
    """All steps (from, to) in order, as many as `sigmas` has; where one begins above the end of the one before, noise is added.

    AUTOMATIC1111's plan: with 20 steps or more 9 of them, or twice a quarter of 36 or more, are taken from the way down and spent on going from the
    level nearest 0.1 back to the one nearest 2. Where there is no such way (few steps, image to image at low strength) the levels are used as they are.
    """
    count = len(sigmas) - 1
    back, times = (0, 0) if count < 20 else (9, 1) if count < 36 else (count // 4, 2)
    above = [sigma for sigma in sigmas if sigma > 0]
    levels = _karras(count - back * times, above[-1], above[0])
    low, high = _nearest(levels, _LOW), _nearest(levels, _HIGH)
    if times == 0 or high >= low:
        return list(pairwise(sigmas))
    down = list(pairwise([*levels, 0.0]))
    again = list(pairwise(_karras(back + 1, levels[low], levels[high])))
    return down[:low] + again * times + down[low:]


def restart(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Heun's method without churn along `restart_steps`."""
    reached = sigmas[0]
    for index, (sigma, sigma_next) in enumerate(restart_steps(sigmas)):
        if sigma > reached:
            x = renoised(x, math.sqrt(sigma**2 - reached**2), noise, parameters)
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        x = heun_step(denoise, x, (x - denoised) / sigma, sigma, sigma_next)
        reached = sigma_next
    return x
