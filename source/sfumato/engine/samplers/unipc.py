"""UniPC, Zhao et al. 2023 (arXiv 2302.04867): a multistep predictor, and a corrector that uses the next evaluation before it is needed anyway.

Data prediction in lambda = -ln sigma, with a grid of its own in training time that ends at the lowest level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.engine.samplers.ddim import grid_times
from sfumato.engine.samplers.seam import Denoiser, ImageStart, Noise, SamplerParameters, Step, UnipcVariant

_OWN_ORDER = 3


def _spaced(first: float, count: int, table: NoiseTable, parameters: SamplerParameters) -> tuple[float, ...]:
    """count + 1 levels from the training time `first` down to time 0."""
    share = np.arange(count + 1) / count
    if parameters.unipc_skip_type == "logSNR":
        high, low = np.log(table.sigma(np.array([first, 0.0])))
        return tuple(float(level) for level in np.exp(high + share * (low - high)))
    # The published spacings are of (t + 1) / 1000, which is never 0.
    power = 2.0 if parameters.unipc_skip_type == "time_quadratic" else 1.0
    high, low = (first + 1) ** (1 / power), 1.0
    times = (high + share * (low - high)) ** power - 1
    return tuple(float(level) for level in table.sigma(times))


def unipc_grid(n: int, table: NoiseTable, parameters: SamplerParameters) -> tuple[float, ...]:
    """As many steps as DDIM's grid has times, from the last training time to the first."""
    return _spaced(TRAINING_STEPS - 1, len(grid_times(n)), table, parameters)


def unipc_image_start(n: int, t: int, table: NoiseTable, parameters: SamplerParameters) -> ImageStart:
    """t steps of its own spacing; noise is added at DDIM's grid[t], sampling begins at grid[t-1] as in AUTOMATIC1111, or at grid[t] with `exact_start`."""
    times = grid_times(max(n, 2))
    noised = min(max(t, 1), len(times) - 1)
    begin = times[noised if parameters.exact_start else noised - 1]
    return ImageStart(_spaced(begin, max(t, 1), table, parameters), float(table.sigmas[times[noised]]))


def _weights(nodes: Sequence[float], h: float, variant: UnipcVariant) -> list[float]:
    """What the differences at `nodes` (positions in units of the step) count: the system R(h) a = b(h) of the paper, section 3.1, divided by its B(h).

    One unknown alone is taken as 1/2, which the paper shows to be enough for second order.
    """
    if not nodes:
        return []
    scale = -h if variant == "bh1" else math.expm1(-h)
    if len(nodes) == 1:
        return [scale / 2]
    phi, factorial, right = math.expm1(-h) / -h - 1, 1.0, []
    for k in range(len(nodes)):
        right.append(phi * factorial)
        factorial *= k + 2
        phi = phi / -h - 1 / factorial
    rows = np.array([[node**k for node in nodes] for k in range(len(nodes))])
    return [float(weight) for weight in np.linalg.solve(rows, np.array(right))]


def _moved(x: Tensor, pictures: Sequence[Tensor], lambdas: Sequence[float], sigma_ratio: float, ahead: Tensor | None, variant: UnipcVariant) -> Tensor:
    """From lambdas[0] on by h = -ln sigma_ratio. pictures and lambdas are of the points before, newest first; `ahead` is the picture found at the end."""
    h = -math.log(sigma_ratio)
    nodes = [(point - lambdas[0]) / h for point in lambdas[1:]]
    changes = [(picture - pictures[0]) / node for picture, node in zip(pictures[1:], nodes, strict=True)]
    if ahead is not None:
        nodes.append(1.0)
        changes.append(ahead - pictures[0])
    x = pictures[0] + (x - pictures[0]) * sigma_ratio
    for change, weight in zip(changes, _weights(nodes, h, variant), strict=True):
        x = x - change * weight
    return x


def unipc(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """UniPC of order up to 3 (or `order`), rising over the first steps, with `lower_order_final` falling over the last."""
    count = len(sigmas) - 1
    highest = min(parameters.order or _OWN_ORDER, count)
    pictures: list[Tensor] = []
    lambdas: list[float] = []
    used = 0
    start = x
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        if index:
            x = _moved(start, pictures[:used], lambdas[:used], sigma / sigmas[index - 1], denoised, parameters.unipc_variant)
        pictures, lambdas = [denoised, *pictures[: highest - 1]], [-math.log(sigma), *lambdas[: highest - 1]]
        if sigma_next == 0:
            return denoised
        used = min(highest, index + 1, count - index if parameters.lower_order_final else highest)
        start = x
        x = _moved(x, pictures[:used], lambdas[:used], sigma_next / sigma, None, parameters.unipc_variant)
    return x
