"""SA-Solver, Xue et al. 2023 (arXiv 2309.05019): stochastic Adams methods, predictor and corrector, on the denoised picture in lambda = -ln sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers.adams import weighted
from sfumato.engine.samplers.quadrature import lagrange_integrals
from sfumato.engine.samplers.seam import Denoiser, Noise, SamplerParameters, Step

# As published for latent models: noise in the middle of the training times only, three pictures to predict from, four to correct with.
_NOISY_FROM, _NOISY_UNTIL = 200.0, 800.0
_PREDICTOR, _CORRECTOR = 3, 4


def _tau(sigma: float, table: NoiseTable, parameters: SamplerParameters) -> float:
    return parameters.tau if _NOISY_FROM <= table.fractional_t(sigma) <= _NOISY_UNTIL else 0.0


def _weights(lambdas: Sequence[float], start: float, end: float, rate: float) -> list[float]:
    """What the pictures at `lambdas` (newest first) count from `start` to `end`; rate = 1 + tau^2; equations 14 and 17.

    Of two pictures the paper's appendix D takes a simpler weight of the same order.
    """
    if len(lambdas) == 2:
        h = end - start
        inner = lambdas[1] if lambdas[0] == start else lambdas[0]
        weight = rate * h**2 / (2 * (inner - start))
        rest = -math.expm1(-rate * h) - weight
        return [rest, weight] if lambdas[0] == start else [weight, rest]
    return lagrange_integrals(lambdas, start, end, lambda u: rate * np.exp(-rate * (end - u)))


def sa_solver(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Predict, evaluate, correct; orders rise over the first steps and fall over the last. One evaluation a step, `tau` the share of noise."""
    count = len(sigmas) - 1
    pictures: list[Tensor] = []
    lambdas: list[float] = []
    correct_with = 0
    rate = 1.0
    unpredicted = x  # the last step without what its pictures contribute: decayed x and noise
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        pictures, lambdas = [denoised, *pictures[: _CORRECTOR - 1]], [-math.log(sigma), *lambdas[: _CORRECTOR - 1]]
        if index:
            x = unpredicted + weighted(pictures[:correct_with], _weights(lambdas[:correct_with], lambdas[1], lambdas[0], rate))
        if sigma_next == 0:
            return denoised
        tau = _tau(sigma, parameters.table, parameters)
        h, rate = math.log(sigma / sigma_next), 1 + tau**2
        unpredicted = x * math.exp(-rate * h)
        if tau > 0:
            unpredicted = unpredicted + noise() * (sigma_next * math.sqrt(-math.expm1(-2 * tau**2 * h)))
        predict_with = min(_PREDICTOR, index + 1, count - index)
        correct_with = min(_CORRECTOR, index + 2, count - index + 1)
        x = unpredicted + weighted(pictures[:predict_with], _weights(lambdas[:predict_with], lambdas[0], lambdas[0] + h, rate))
    return x
