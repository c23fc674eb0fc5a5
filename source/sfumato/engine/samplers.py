"""Samplers: how a picture moves from one noise level to the next. Each is one plain function that reads like its paper and keeps no state.

A sampler knows a denoiser `(x, sigma) -> denoised` and nothing of models, prompts or guidance. The list of them is `SAMPLERS`; a new one is a function
and a row. Notation: x (B, C, h, w) = picture + sigma * noise; d = (x - denoised) / sigma, the derivative dx/dsigma.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]
Noise = Callable[[], Tensor]


class Step(Protocol):
    """Told of each step after its first evaluation; may raise to stop."""

    def __call__(self, index: int, x: Tensor, sigma: float, denoised: Tensor) -> None: ...


@dataclass(frozen=True)
class SamplerParameters:
    """What a person may turn; `SamplerRow.parameters` names those that act.

    Attributes:
        eta: share of fresh noise of ancestral samplers, 0..1.
        s_churn: noise added and removed again per run, between levels s_tmin and s_tmax (0 = no upper end).
        s_noise: scale of all added noise.
    """

    eta: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = 0.0
    s_noise: float = 1.0


class Sampler(Protocol):
    def __call__(self, denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor: ...


def ancestral_split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(down, up): step down to `down`, then add noise of scale `up`, to arrive at the level `sigma_next`."""
    if sigma_next == 0:
        return 0.0, 0.0
    up = min(sigma_next, eta * math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2))
    return math.sqrt(sigma_next**2 - up**2), up


def euler(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Karras et al. 2022, algorithm 2 without its second-order correction."""
    count = len(sigmas) - 1
    churn = min(parameters.s_churn / count, math.sqrt(2) - 1)
    churn_until = parameters.s_tmax or math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        gamma = churn if parameters.s_tmin <= sigma <= churn_until else 0.0
        sigma_hat = sigma * (1 + gamma)
        if gamma > 0:
            x = x + noise() * (parameters.s_noise * math.sqrt(sigma_hat**2 - sigma**2))
        denoised = denoise(x, sigma_hat)
        step(index, x, sigma_hat, denoised)
        d = (x - denoised) / sigma_hat
        x = x + d * (sigma_next - sigma_hat)
    return x


def euler_ancestral(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor:
    """Euler to a lower level than asked, and back up by fresh noise."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        step(index, x, sigma, denoised)
        down, up = ancestral_split(sigma, sigma_next, parameters.eta)
        d = (x - denoised) / sigma
        x = x + d * (down - sigma)
        if up > 0:
            x = x + noise() * (parameters.s_noise * up)
    return x


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


@dataclass(frozen=True)
class SamplerRow:
    """A sampler as requests and people know it.

    Attributes:
        name: AUTOMATIC1111's name.
        calls: denoiser evaluations for n steps.
        schedule: what "automatic" means for it.
        parameters: the `SamplerParameters` that act.
    """

    name: str
    function: Sampler
    aliases: tuple[str, ...]
    calls: Callable[[int], int]
    schedule: str
    parameters: tuple[str, ...]


def _once(n: int) -> int:
    return n


SAMPLERS: tuple[SamplerRow, ...] = (
    SamplerRow("Euler a", euler_ancestral, ("k_euler_a", "k_euler_ancestral"), _once, "uniform", ("eta", "s_noise")),
    SamplerRow("Euler", euler, ("k_euler",), _once, "uniform", ("s_churn", "s_tmin", "s_tmax", "s_noise")),
    SamplerRow("DPM++ 2M", dpmpp_2m, ("k_dpmpp_2m",), _once, "karras", ()),
)


def find_sampler(name: str) -> SamplerRow | None:
    """The sampler of that name or alias, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in SAMPLERS if wanted in (row.name.casefold(), *row.aliases)), None)
