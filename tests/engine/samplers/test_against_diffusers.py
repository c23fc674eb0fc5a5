"""Samplers against diffusers' schedulers of the same method, step by step in float64: the same levels, the same denoiser, the same recorded noise.

Each of their steps starts from our state, so an error cannot hide behind an earlier one; several of them cast to float32, hence 1e-6 at unit scale.
"""

from __future__ import annotations

import importlib
import inspect
import math
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.samplers import SamplerParameters, find_sampler
from sfumato.engine.samplers.ddim import grid_times
from tests.support.exact_denoisers import TABLE, sigmas_of, wavy

STEPS = 20
SHAPE = (2, 4, 4, 4)
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


class Recorded:
    """Noise known by the step and the number within it, for both sides; the step is set from outside."""

    def __init__(self) -> None:
        self.step = self._within = -1

    def begin(self, step: int) -> None:
        self.step, self._within = step, 0

    def __call__(self) -> Tensor:
        self._within += 1
        generator = torch.Generator().manual_seed(1000 * self.step + self._within)
        return torch.randn(SHAPE, generator=generator, dtype=torch.float64)

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        return self()


def with_zero(schedule: str) -> tuple[float, ...]:
    return sigmas_of(schedule, STEPS)


def without_zero(schedule: str) -> tuple[float, ...]:
    return sigmas_of(schedule, STEPS)[:-1]


def trained_levels(times: Sequence[int]) -> tuple[float, ...]:
    return tuple(float(TABLE.sigmas[t]) for t in times)


@dataclass(frozen=True)
class Case:
    """A sampler and the scheduler it is held against.

    Attributes:
        scheduler: class name in diffusers.
        settings: how it is built.
        levels: our levels for the name of a schedule.
        prepare: puts our levels into the scheduler's own arrays.
        scaled: it works at x / sqrt(1 + sigma^2).
        inner: level of the second evaluation of a step, for those that take two; None where a step takes one. (DPM2 a with eta 1 goes down to
            sigma_next^2 / sigma, and the middle of that way is sigma_next.)
        options: more arguments of `step`.
        output: the network output they expect, from (noise, their sample, step).
    """

    name: str
    scheduler: str
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    levels: Callable[[str], tuple[float, ...]] = with_zero
    schedules: tuple[str, ...] = ("uniform", "karras")
    prepare: Callable[[Any, Tensor], None] = lambda scheduler, sigmas: None
    scaled: bool = False
    inner: Callable[[int, tuple[float, ...]], float | None] = lambda index, sigmas: None
    options: dict[str, Any] = field(default_factory=dict)
    times: Callable[[tuple[float, ...]], Sequence[Any]] = lambda sigmas: [TABLE.t(sigma) for sigma in sigmas[:-1]]
    output: Callable[[Any, Tensor, Tensor, int], Tensor] = lambda scheduler, noise, sample, index: noise


def own_levels(scheduler: Any, sigmas: Tensor) -> None:
    scheduler.sigmas = sigmas


def doubled(scheduler: Any, sigmas: Tensor) -> None:
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])


def doubled_with_middles(scheduler: Any, sigmas: Tensor) -> None:
    """As KDPM2DiscreteScheduler.set_timesteps arranges them."""
    middles = sigmas.log().lerp(sigmas.roll(1).log(), 0.5).exp()
    scheduler.sigmas, scheduler.sigmas_interpol = (torch.cat([s[:1], s[1:].repeat_interleave(2), s[-1:]]) for s in (sigmas, middles))


def doubled_ancestral(scheduler: Any, sigmas: Tensor) -> None:
    """As KDPM2AncestralDiscreteScheduler.set_timesteps arranges them."""
    following = sigmas.roll(-1)
    following[-1] = 0.0
    up = (following**2 * (sigmas**2 - following**2) / sigmas**2) ** 0.5
    down = (following**2 - up**2) ** 0.5
    down[-1] = 0.0
    middles = sigmas.log().lerp(down.log(), 0.5).exp()
    middles[-2:] = 0.0
    arrays = (torch.cat([s[:1], s[1:].repeat_interleave(2), s[-1:]]) for s in (sigmas, middles, up, down))
    scheduler.sigmas, scheduler.sigmas_interpol, scheduler.sigmas_up, scheduler.sigmas_down = arrays


def alphas_of_the_table(scheduler: Any, sigmas: Tensor) -> None:
    scheduler.alphas_cumprod = torch.from_numpy(TABLE.alphas)


def cosine_and_sine(scheduler: Any, sigmas: Tensor) -> None:
    scheduler.alphas, scheduler.betas = 1 / (1 + sigmas**2).sqrt(), sigmas / (1 + sigmas**2).sqrt()


def ipndm_output(scheduler: Any, noise: Tensor, sample: Tensor, index: int) -> Tensor:
    """It adds beta * sample to alpha * output before anything else."""
    return (noise - sample * scheduler.betas[index]) / scheduler.alphas[index]


def at_the_end(index: int, sigmas: tuple[float, ...]) -> float | None:
    return sigmas[index + 1] or None


def at_the_middle(index: int, sigmas: tuple[float, ...]) -> float | None:
    return math.sqrt(sigmas[index] * sigmas[index + 1]) or None


def only_at_first(index: int, sigmas: tuple[float, ...]) -> float | None:
    return sigmas[1] if index == 0 else None


def in_the_middle(tau: float) -> Callable[[float], float]:
    return lambda t: tau if 200 <= t <= 800 else 0.0


DDIM_TIMES = list(reversed(grid_times(STEPS)))
LCM_TIMES = [999, 759, 499, 259]
TAU = 0.7
MULTISTEP = {"solver_order": 2, "final_sigmas_type": "zero"}

CASES = (
    Case("Euler", "EulerDiscreteScheduler", prepare=own_levels),
    Case("Euler a", "EulerAncestralDiscreteScheduler", prepare=own_levels),
    Case("Heun", "HeunDiscreteScheduler", prepare=doubled, inner=at_the_end),
    Case("DPM2", "KDPM2DiscreteScheduler", prepare=doubled_with_middles, inner=at_the_middle),
    Case("DPM2 a", "KDPM2AncestralDiscreteScheduler", prepare=doubled_ancestral, inner=at_the_end),
    Case("LMS", "LMSDiscreteScheduler", prepare=own_levels),
    Case("DPM++ 2M", "DPMSolverMultistepScheduler", {**MULTISTEP, "algorithm_type": "dpmsolver++"}, prepare=own_levels, scaled=True),
    Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**MULTISTEP, "algorithm_type": "sde-dpmsolver++"}, prepare=own_levels, scaled=True),
    Case(
        "DPM++ 2M SDE Heun",
        "DPMSolverMultistepScheduler",
        {**MULTISTEP, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun"},
        prepare=own_levels,
        scaled=True,
    ),
    # With noise, theirs of order 3 counts the second difference by (1 - e^-a - a)/a^2 - 1/2 instead of + 1/2, which does not vanish for small steps.
    Case(
        "DPM++ 3M SDE",
        "DPMSolverMultistepScheduler",
        {**MULTISTEP, "solver_order": 3, "algorithm_type": "dpmsolver++", "solver_type": "heun"},
        {"eta": 0.0},
        prepare=own_levels,
        scaled=True,
    ),
    Case(
        "RES multistep", "DPMSolverMultistepScheduler", {**MULTISTEP, "algorithm_type": "dpmsolver++", "solver_type": "heun"}, prepare=own_levels, scaled=True
    ),
    Case("DPM++ SDE", "DPMSolverSDEScheduler", prepare=doubled, inner=at_the_middle),
    *(
        Case(
            "UniPC",
            "UniPCMultistepScheduler",
            {"solver_type": variant, "solver_order": order, "lower_order_final": final},
            {"unipc_variant": variant, "order": order, "lower_order_final": final},
            levels=without_zero,
            prepare=own_levels,
            scaled=True,
        )
        for variant, order, final in (("bh1", 3, True), ("bh2", 3, True), ("bh1", 2, True), ("bh2", 2, False), ("bh2", 1, True))
    ),
    *(
        Case("DEIS", "DEISMultistepScheduler", {"solver_order": order}, {"order": order}, levels=without_zero, prepare=own_levels, scaled=True)
        for order in (2, 3)
    ),
    *(
        Case(
            "DDIM",
            "DDIMScheduler",
            {"steps_offset": 1, "clip_sample": False},
            {"eta_ddim": eta},
            levels=lambda schedule: trained_levels(DDIM_TIMES),
            schedules=("own",),
            prepare=alphas_of_the_table,
            scaled=True,
            options={"eta": eta},
            times=lambda sigmas: DDIM_TIMES,
        )
        for eta in (0.0, 0.6, 1.0)
    ),
    Case(
        "PLMS",
        "PNDMScheduler",
        {"steps_offset": 1, "skip_prk_steps": True},
        levels=lambda schedule: trained_levels(DDIM_TIMES),
        schedules=("own",),
        prepare=alphas_of_the_table,
        scaled=True,
        inner=only_at_first,
        times=lambda sigmas: DDIM_TIMES,
    ),
    Case(
        "LCM",
        "LCMScheduler",
        levels=lambda schedule: (*trained_levels(LCM_TIMES), 0.0),
        schedules=("own",),
        prepare=alphas_of_the_table,
        scaled=True,
        times=lambda sigmas: LCM_TIMES,
    ),
    *(
        # Their last step ends at the first trained level, not at 0.
        Case(
            "TCD",
            "TCDScheduler",
            parameters={"gamma": gamma},
            levels=lambda schedule: trained_levels([*LCM_TIMES, 0]),
            schedules=("own",),
            prepare=alphas_of_the_table,
            scaled=True,
            options={"eta": gamma or 0.3},
            times=lambda sigmas: LCM_TIMES,
        )
        for gamma in (0.0, 0.8, 1.0)
    ),
    # Theirs keeps order 4 into level 0, ours ends with order 1 as ComfyUI does, where people know the sampler from.
    Case("iPNDM", "IPNDMScheduler", levels=without_zero, prepare=cosine_and_sine, scaled=True, output=ipndm_output),
    *(
        Case(
            "SA-Solver",
            "SASolverScheduler",
            {"predictor_order": 3, "corrector_order": 4, "tau_func": in_the_middle(tau)},
            {"tau": tau},
            levels=without_zero,
            prepare=own_levels,
            scaled=True,
        )
        for tau in (0.0, TAU, 1.0)
    ),
    Case(
        "DDPM",
        "DDPMScheduler",
        {"clip_sample": False, "steps_offset": 1, "timestep_spacing": "leading"},
        levels=lambda schedule: trained_levels(DDIM_TIMES),
        schedules=("own",),
        prepare=alphas_of_the_table,
        scaled=True,
        times=lambda sigmas: DDIM_TIMES,
    ),
)


def _quad(function: Callable[[float], float], low: float, high: float, epsrel: float = 0.0) -> tuple[float, float]:
    """scipy.integrate.quad for polynomials: Simpson's rule on two halves, which is exact up to degree 3."""
    del epsrel
    middle, half = (low + high) / 2, (high - low) / 2
    edges = ((low, middle), (middle, high))
    return sum(half / 6 * (function(a) + 4 * function((a + b) / 2) + function(b)) for a, b in edges), 0.0


def _class_of(name: str, monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """From its own module, as the package hides those whose libraries are missing; given the noise they need nothing of torchsde."""
    monkeypatch.setitem(sys.modules, "torchsde", types.ModuleType("torchsde"))
    places = {"DPMSolverSDEScheduler": "scheduling_dpmsolver_sde", "LMSDiscreteScheduler": "scheduling_lms_discrete"}
    place = f"diffusers.schedulers.{places[name]}" if name in places else "diffusers"
    return getattr(importlib.import_module(place), name)


def scheduler_of(case: Case, sigmas: tuple[float, ...], noise: Recorded, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Their scheduler with our levels and our noise."""
    kind = _class_of(case.scheduler, monkeypatch)
    known = inspect.signature(kind).parameters
    times = case.times(sigmas)
    with warnings.catch_warnings():
        # Theirs, of how they call numpy.
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler = kind(**{key: value for key, value in TRAINED.items() if key in known}, **case.settings)
        scheduler.set_timesteps(len(times))
    module = sys.modules[kind.__module__]
    if hasattr(module, "randn_tensor"):
        monkeypatch.setattr(module, "randn_tensor", lambda *args, **kwargs: noise())
    monkeypatch.setattr(module, "integrate", types.SimpleNamespace(quad=_quad), raising=False)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.timesteps = torch.tensor(times)
        scheduler.set_begin_index(0)
    scheduler.is_scale_input_called = True
    scheduler.noise_sampler = lambda sigma, sigma_next: noise()
    case.prepare(scheduler, torch.tensor(sigmas, dtype=torch.float64))
    return scheduler


@pytest.mark.rule("E47", "E44", "R41")
@pytest.mark.parametrize(
    ("case", "schedule"),
    [
        pytest.param(case, schedule, id=" ".join([case.name, *(str(value) for value in case.parameters.values()), schedule]))
        for case in CASES
        for schedule in case.schedules
    ],
)
def test_every_step_is_the_one_of_diffusers(case: Case, schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given our whole run
    row = find_sampler(case.name)
    assert row is not None
    sigmas, noise = case.levels(schedule), Recorded()
    states: list[Tensor] = []

    def step(index: int, x: Tensor, sigma: float, denoised: Tensor) -> None:
        states.append(x)
        noise.begin(index)

    start = noise() * sigmas[0]
    states.append(row.function(wavy, start, sigmas, noise, SamplerParameters(**case.parameters), step))
    # When theirs takes each of its steps from our state
    scheduler = scheduler_of(case, sigmas, noise, monkeypatch)
    times = case.times(sigmas)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        noise.begin(index)
        x = states[index]
        after = math.sqrt(1 + sigma_next**2)
        second = case.inner(index, sigmas)
        for level in (sigma,) if second is None else (sigma, second):
            scale = math.sqrt(1 + level**2) if case.scaled else 1.0
            output = case.output(scheduler, (x - wavy(x, level)) / level, x / scale, index)
            t = times[index if level == sigma else min(index + 1, len(times) - 1)]
            x = scheduler.step(output, t, x / scale, **case.options).prev_sample * (after if case.scaled else 1.0)
        # Then
        np.testing.assert_allclose(states[index + 1] / after, x / after, atol=1e-6, rtol=0, err_msg=f"step {index}")
    assert len(states) == len(sigmas)
