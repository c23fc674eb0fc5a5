"""Schedules: which noise levels a picture passes through.

A schedule is a function of a `Span` that gives n levels, falling, followed by where the last step ends: mostly 0. All is computed in float64 and rounded
to float32 at the end. The list of them is `SCHEDULES`; a new one is a function and a row. "automatic" is no schedule but the sampler's own choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from sfumato.engine.beta_distribution import quantile
from sfumato.engine.noise_table import TRAINING_STEPS, FloatArray, NoiseTable
from sfumato.protocol.errors import Invalid, Problem

AUTOMATIC = "automatic"
# A flow's time 1 is infinite noise; networks are trained a little below.
_FLOW_LAST_TIME = 0.9999
# Below this all levels of `karras` but the last are the first one, and float64 does not hold their powers.
_LEAST_RHO = 0.02


@dataclass(frozen=True)
class ScheduleSettings:
    """What a person may set, under the request's names; 0 and empty are the schedule's or the model's own.

    Attributes:
        sigma_min: lowest level above 0.
        sigma_max: first level.
        rho: curvature of `karras` and `polyexponential`.
        beta_alpha: first parameter of the Beta schedules.
        beta_beta: second parameter of the Beta schedules.
        sigmas: the levels of `custom`, falling.
        old_karras_sigmas: let `karras` run from 10 to 0.1.
        flow_shift: shift of `flow`'s time, as its model was trained.
    """

    sigma_min: float = 0.0
    sigma_max: float = 0.0
    rho: float = 0.0
    beta_alpha: float = 0.6
    beta_beta: float = 0.6
    sigmas: tuple[float, ...] = ()
    old_karras_sigmas: bool = False
    flow_shift: float = 0.0


@dataclass(frozen=True)
class Span:
    """What a schedule is asked for: `n` levels of a table from `sigma_max` to `sigma_min`, both and `rho` definite."""

    n: int
    sigma_min: float
    sigma_max: float
    table: NoiseTable
    rho: float
    settings: ScheduleSettings

    @property
    def ramp(self) -> FloatArray:
        """i / (n - 1): n values from 0 to 1; 0 alone for n = 1."""
        return np.arange(self.n) / max(self.n - 1, 1)

    @property
    def rise(self) -> FloatArray:
        """i / n: n values from 0 that stop short of 1."""
        return np.arange(self.n) / self.n


def _ended(values: FloatArray | Sequence[float]) -> FloatArray:
    return np.append(np.asarray(values, np.float64), 0.0)


def uniform(span: Span) -> FloatArray:
    """Evenly spaced in the training time t, both ends included."""
    first, last = span.table.fractional_t(span.sigma_max), span.table.fractional_t(span.sigma_min)
    return _ended(span.table.sigma(first + span.ramp * (last - first)))


def sgm_uniform(span: Span) -> FloatArray:
    """Evenly spaced in t, the end of the range left to the step to 0."""
    first, last = span.table.fractional_t(span.sigma_max), span.table.fractional_t(span.sigma_min)
    return _ended(span.table.sigma(first + span.rise * (last - first)))


def karras(span: Span) -> FloatArray:
    """Karras et al. 2022, equation 5: evenly spaced in sigma^(1/rho)."""
    rho = max(span.rho, _LEAST_RHO)
    first, last = span.sigma_max ** (1 / rho), span.sigma_min ** (1 / rho)
    return _ended((first + span.ramp * (last - first)) ** rho)


def exponential(span: Span) -> FloatArray:
    """Evenly spaced in ln sigma."""
    first, last = math.log(span.sigma_max), math.log(span.sigma_min)
    return _ended(np.exp(first + span.ramp * (last - first)))


def polyexponential(span: Span) -> FloatArray:
    """A polynomial of degree rho in ln sigma."""
    first, last = math.log(span.sigma_max), math.log(span.sigma_min)
    return _ended(np.exp((1 - span.ramp) ** span.rho * (first - last) + last))


def simple(span: Span) -> FloatArray:
    """Trained levels at even distances, from the top."""
    return _ended(span.table.sigmas[TRAINING_STEPS - 1 - TRAINING_STEPS * np.arange(span.n) // span.n])


def ddim_uniform(span: Span) -> FloatArray:
    """Trained levels in whole strides from the second upwards, as DDIM takes them; where n does not divide 1000 there may be more than n."""
    stride = max(TRAINING_STEPS // span.n, 1)
    return _ended(span.table.sigmas[1::stride][::-1])


def trailing(span: Span) -> FloatArray:
    """Trained levels counted back from the last: Lin et al. 2023, table 2."""
    return _ended(span.table.sigmas[np.round(TRAINING_STEPS * (span.n - np.arange(span.n)) / span.n).astype(int) - 1])


def _beta_quantiles(span: Span, shares: FloatArray) -> FloatArray:
    return np.array([quantile(float(share), span.settings.beta_alpha, span.settings.beta_beta) for share in shares])


def beta(span: Span) -> FloatArray:
    """Quantiles of a Beta distribution (Lee et al. 2024, "Beta Sampling is All You Need") laid over sigma."""
    return _ended(span.sigma_min + _beta_quantiles(span, 1 - span.ramp) * (span.sigma_max - span.sigma_min))


def beta_t(span: Span) -> FloatArray:
    """The same laid over t, as its paper has it; a trained level that comes twice is taken once."""
    times = np.round(_beta_quantiles(span, 1 - span.rise) * (TRAINING_STEPS - 1)).astype(int)
    return _ended(span.table.sigmas[times])


def kl_optimal(span: Span) -> FloatArray:
    """Even in arctan sigma (Sabour et al. 2024, equation 7), n + 1 levels: the last step ends at sigma_min, not at 0."""
    share = np.arange(span.n + 1) / span.n
    return np.tan(share * math.atan(span.sigma_min) + (1 - share) * math.atan(span.sigma_max))


def kl_optimal_zero(span: Span) -> FloatArray:
    """The same over n levels, then 0."""
    return _ended(np.tan(span.ramp * math.atan(span.sigma_min) + (1 - span.ramp) * math.atan(span.sigma_max)))


def align_your_steps(span: Span) -> FloatArray:
    """The levels optimised for the model's family (Sabour et al. 2024); other numbers of steps lie between them."""
    return _ended(resampled(span.table.aligned, span.n))


def linear_quadratic(span: Span) -> FloatArray:
    """The first half of the steps takes 2.5 % of the way evenly, the second the rest quadratically: Polyak et al. 2024 (Movie Gen), section 3.4.2."""
    linear, gentle = span.n // 2, 0.025
    if linear == 0:
        return _ended([span.sigma_max])
    i, rest = np.arange(span.n, dtype=np.float64), span.n - linear
    ahead = linear - gentle * span.n
    square = ahead / (linear * rest**2)
    slope = gentle / linear - 2 * ahead / rest**2
    done = np.where(i < linear, gentle * i / linear, square * i**2 + slope * i + square * linear**2)
    return _ended((1 - done) * span.sigma_max)


def vp(span: Span) -> FloatArray:
    """The continuous variance-preserving process of Song et al. 2021, t from 1 to 0.001; its range is its own."""
    t = 1 + span.ramp * (0.001 - 1)
    return _ended(np.sqrt(np.expm1(19.9 * t**2 / 2 + 0.1 * t)))


def laplace(span: Span) -> FloatArray:
    """Quantiles of a Laplace distribution of ln sigma (Hang et al. 2024), mean 0, width 0.5, kept inside the range."""
    p = span.ramp
    logs = -0.5 * np.sign(0.5 - p) * np.log(1 - 2 * np.abs(0.5 - p) + 1e-5)
    return _ended(np.exp(logs).clip(span.sigma_min, span.sigma_max))


def flow(span: Span) -> FloatArray:
    """A flow's time, even but for its shift (Esser et al. 2024, equation 23), as sigma = time / (1 - time)."""
    shift = span.settings.flow_shift or 1.0
    time = 1 - span.rise
    time = np.minimum(shift * time / (1 + (shift - 1) * time), _FLOW_LAST_TIME)
    return _ended(time / (1 - time))


def custom(span: Span) -> FloatArray:
    """The levels a person wrote down; other numbers of steps lie between them. Raises `Invalid` where they are missing or do not fall."""
    given = [sigma for sigma in span.settings.sigmas if np.float32(sigma) > 0]
    if not given:
        raise Invalid([Problem("sigmas", "The schedule 'custom' needs levels: write them down, the highest first, or choose another schedule.")])
    if any(following >= level for level, following in pairwise(given)):
        raise Invalid([Problem("sigmas", "Custom levels must fall from each to the next: write the highest first and none twice.")])
    return _ended(resampled(given, span.n))


def resampled(levels: Sequence[float], n: int) -> FloatArray:
    """n levels at even places along these, linear in ln sigma; these themselves where the numbers agree."""
    if n == len(levels):
        return np.asarray(levels, np.float64)
    places = np.arange(n) / max(n - 1, 1) * (len(levels) - 1)
    return np.exp(np.interp(places, np.arange(len(levels)), np.log(levels)))


@dataclass(frozen=True)
class Schedule:
    """A schedule as requests and people know it.

    Attributes:
        name: used in requests.
        title: for people and in metadata, AUTOMATIC1111's where it has one.
        aliases: other names, in lower case.
        rho: its own curvature.
        parameters: the `ScheduleSettings` that act.
        old_range: (lowest, highest) level of pictures made before the model's own range was taken.
    """

    name: str
    title: str
    function: Callable[[Span], FloatArray]
    aliases: tuple[str, ...] = ()
    rho: float = 0.0
    parameters: tuple[str, ...] = ()
    old_range: tuple[float, float] | None = None


_RANGE = ("sigma_min", "sigma_max")
_BETA = ("beta_alpha", "beta_beta")
SCHEDULES: tuple[Schedule, ...] = (
    Schedule("uniform", "Uniform", uniform, ("normal",), parameters=_RANGE),
    Schedule("karras", "Karras", karras, rho=7.0, parameters=(*_RANGE, "rho", "old_karras_sigmas"), old_range=(0.1, 10.0)),
    Schedule("exponential", "Exponential", exponential, parameters=_RANGE),
    Schedule("polyexponential", "Polyexponential", polyexponential, rho=1.0, parameters=(*_RANGE, "rho")),
    Schedule("sgm_uniform", "SGM Uniform", sgm_uniform, ("sgmuniform",), parameters=_RANGE),
    Schedule("simple", "Simple", simple),
    Schedule("ddim_uniform", "DDIM", ddim_uniform, ("ddim uniform",)),
    Schedule("trailing", "Trailing", trailing, ("turbo",)),
    Schedule("beta", "Beta", beta, parameters=(*_RANGE, *_BETA)),
    Schedule("beta_t", "Beta in time", beta_t, parameters=_BETA),
    Schedule("kl_optimal", "KL Optimal", kl_optimal, parameters=_RANGE),
    Schedule("kl_optimal_zero", "KL Optimal to 0", kl_optimal_zero, parameters=_RANGE),
    Schedule("align_your_steps", "Align Your Steps", align_your_steps, ("ays",)),
    Schedule("linear_quadratic", "Linear Quadratic", linear_quadratic, parameters=("sigma_max",)),
    Schedule("vp", "VP", vp),
    Schedule("laplace", "Laplace", laplace, parameters=_RANGE),
    Schedule("flow", "Flow", flow, parameters=("flow_shift",)),
    Schedule("custom", "Custom", custom, parameters=("sigmas",)),
)


def find_schedule(name: str) -> Schedule | None:
    """The schedule of that name, title or alias, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in SCHEDULES if wanted in (row.name, row.title.casefold(), *row.aliases)), None)


def levels(schedule: Schedule, n: int, table: NoiseTable, settings: ScheduleSettings | None = None, **changed: Any) -> tuple[float, ...]:
    """The levels for n steps, each a float32 value below the one before: mostly n + 1, the last 0.

    A level that rounds to the one before it is left out, and `ddim_uniform` has its own idea of n, so count the steps on the result.

    Args:
        settings: a person's; single ones may be given by name beside it (`sigma_min=0.1`).

    Raises:
        Invalid: a range that is empty, or custom levels that do not fall.
    """
    if n < 1:
        raise ValueError(f"{n} steps")
    settings = replace(settings or ScheduleSettings(), **changed)
    own_min, own_max = (schedule.old_range if settings.old_karras_sigmas else None) or (table.sigma_min, table.sigma_max)
    span = Span(n, settings.sigma_min or own_min, settings.sigma_max or own_max, table, settings.rho or schedule.rho, settings)
    if span.sigma_min >= span.sigma_max and set(_RANGE) <= set(schedule.parameters):
        path = "sigma_min" if settings.sigma_min else "sigma_max"
        sentence = f"The lowest sigma must be below the highest: {span.sigma_min:g} is not below {span.sigma_max:g}. 0 takes the model's own."
        raise Invalid([Problem(path, sentence)])
    values = schedule.function(span).astype(np.float32)
    kept = np.concatenate([[True], values[1:] != values[:-1]])
    return tuple(float(value) for value in values[kept])
