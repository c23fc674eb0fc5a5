"""Samplers against diffusers' schedulers step by step, and against the exact solution for Gaussian data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler
from torch import Tensor

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.samplers.dpmpp import dpmpp_2m
from sfumato.engine.samplers.euler import euler, euler_ancestral
from sfumato.engine.schedules import find_schedule, levels

MEAN, VARIANCE = 0.7, 0.25
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """The exact denoiser of data distributed N(MEAN, VARIANCE)."""
    return (VARIANCE * x + sigma**2 * MEAN) / (VARIANCE + sigma**2)


def wavy(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that is anything but linear, for parity."""
    return torch.sin(x / math.sqrt(1 + sigma**2) * 3) * 0.8


def sigmas_of(name: str, n: int) -> tuple[float, ...]:
    schedule = find_schedule(name)
    assert schedule is not None
    return levels(schedule, n, NoiseTable())


def seeded() -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(5)
    return lambda: torch.randn((2, 4, 8, 8), generator=generator, dtype=torch.float64)


def no_noise() -> Tensor:
    raise AssertionError("this sampler draws no noise")


def run(
    row: SamplerRow, denoise: Callable[[Tensor, float], Tensor], x: Tensor, sigmas: tuple[float, ...], noise: Callable[[], Tensor], **parameters: float
) -> tuple[Tensor, list[Tensor]]:
    """The result, and x at the beginning of every step."""
    seen: list[Tensor] = []
    result = row.function(denoise, x, sigmas, noise, SamplerParameters(**parameters), lambda index, x, sigma, denoised: seen.append(x))
    return result, seen


@pytest.mark.rule("E47", "E44", "R41")
@pytest.mark.parametrize("schedule", ["uniform", "karras"])
@pytest.mark.parametrize("name", ["Euler", "Euler a"])
def test_euler_and_ancestral_follow_diffusers(monkeypatch: pytest.MonkeyPatch, name: str, schedule: str) -> None:
    # Given the same levels and the same recorded noise
    row = find_sampler(name)
    assert row is not None
    sigmas = sigmas_of(schedule, 20)
    scheduler = (EulerDiscreteScheduler if name == "Euler" else EulerAncestralDiscreteScheduler)(**TRAINED)
    scheduler.set_timesteps(20)
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas), torch.arange(20, dtype=torch.float32).flip(0)
    draw = seeded()
    module = type(scheduler).__module__
    monkeypatch.setattr(f"{module}.randn_tensor", lambda *args, **kwargs: draw())
    start = seeded()() * sigmas[0]
    # When
    ours, seen = run(row, wavy, start, sigmas, seeded(), eta=1.0)
    # Then each of its steps from our state ends in our next one; it computes in float32, so compare at unit scale
    for index, t in enumerate(scheduler.timesteps):
        x = seen[index]
        scheduler.scale_model_input(x, t)
        theirs = scheduler.step((x - wavy(x, sigmas[index])) / sigmas[index], t, x).prev_sample
        unit = math.sqrt(1 + sigmas[index + 1] ** 2)
        np.testing.assert_allclose([*seen, ours][index + 1] / unit, theirs / unit, atol=1e-6, err_msg=f"step {index}")


@pytest.mark.rule("E47", "E44", "R41")
@pytest.mark.parametrize("schedule", ["uniform", "karras"])
def test_dpmpp_2m_follows_diffusers(schedule: str) -> None:
    sigmas = sigmas_of(schedule, 20)
    scheduler = DPMSolverMultistepScheduler(**TRAINED, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero")
    scheduler.set_timesteps(20)
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas, dtype=torch.float64), torch.arange(20, dtype=torch.float32).flip(0)
    row = find_sampler("DPM++ 2M")
    assert row is not None
    start = seeded()() * sigmas[0]
    ours, seen = run(row, wavy, start, sigmas, no_noise)
    # Theirs lives in variance-preserving coordinates: x / sqrt(1 + sigma^2).
    for index, t in enumerate(scheduler.timesteps):
        x = seen[index]
        noise = (x - wavy(x, sigmas[index])) / sigmas[index]
        theirs = scheduler.step(noise, t, x / math.sqrt(1 + sigmas[index] ** 2)).prev_sample
        np.testing.assert_allclose([*seen, ours][index + 1] / math.sqrt(1 + sigmas[index + 1] ** 2), theirs, atol=1e-6, err_msg=f"step {index}")


@pytest.mark.rule("E47", "R41")
@pytest.mark.parametrize(("name", "order"), [("Euler", 1), ("Euler a", 1), ("DPM++ 2M", 2)])
def test_error_falls_with_the_order(name: str, order: int) -> None:
    # Given the exact path x(sigma) = mean + (x0 - mean) sqrt((v + sigma^2) / (v + sigma0^2))
    row = find_sampler(name)
    assert row is not None
    start = torch.linspace(-20, 20, 64, dtype=torch.float64).reshape(1, 4, 4, 4)
    errors = []
    for n in (20, 40, 80):
        sigmas = sigmas_of("karras", n)
        _, seen = run(row, gaussian, start, sigmas, no_noise, eta=0.0)
        exact = MEAN + (start - MEAN) * math.sqrt((VARIANCE + sigmas[-2] ** 2) / (VARIANCE + sigmas[0] ** 2))
        errors.append(float((seen[-1] - exact).abs().max()))  # x at sigma_min
    exponents = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(exponents) >= order - 0.25, (errors, exponents)


@pytest.mark.rule("E47")
def test_ancestral_noise_has_the_right_statistics() -> None:
    # A first-order method: at 100 steps its variance is 7 % low by its own recursion, at 400 steps 2 %.
    sigmas = sigmas_of("karras", 400)
    generator = torch.Generator().manual_seed(1)
    draws = 20_000

    def noise() -> Tensor:
        return torch.randn((draws,), generator=generator, dtype=torch.float64)

    x = euler_ancestral(gaussian, noise() * sigmas[0], sigmas, noise, SamplerParameters(), lambda *args: None)
    assert float(x.mean()) == pytest.approx(MEAN, abs=3 * math.sqrt(VARIANCE / draws) + 0.02 * MEAN)
    assert float(x.var()) == pytest.approx(VARIANCE, abs=3 * VARIANCE * math.sqrt(2 / draws) + 0.02 * VARIANCE)


@pytest.mark.rule("E46")
def test_parameters_act_where_the_row_says_so() -> None:
    sigmas = sigmas_of("uniform", 6)
    changed = {"eta": 0.3, "s_churn": 2.0, "s_noise": 0.9}
    for row in SAMPLERS:
        # s_noise scales noise, which Euler only adds when it churns
        base = {"eta": 1.0, "s_churn": 1.0, "s_noise": 1.0}
        start = seeded()() * sigmas[0]
        plain, _ = run(row, wavy, start, sigmas, seeded(), **base)
        for name, value in changed.items():
            other, _ = run(row, wavy, start, sigmas, seeded(), **{**base, name: value})
            assert torch.equal(plain, other) != (name in row.parameters), (row.name, name)


@pytest.mark.rule("E46")
def test_eta_zero_draws_no_noise() -> None:
    sigmas = sigmas_of("uniform", 6)
    start = seeded()() * sigmas[0]
    quiet = euler_ancestral(wavy, start, sigmas, no_noise, SamplerParameters(eta=0.0), lambda *args: None)
    plain = euler(wavy, start, sigmas, no_noise, SamplerParameters(), lambda *args: None)
    torch.testing.assert_close(quiet, plain, atol=1e-12, rtol=0)


@pytest.mark.rule("E46", "E45")
def test_every_sampler_walks_the_schedule_it_is_given() -> None:
    for row in SAMPLERS:
        for schedule in ("uniform", "karras"):
            for n in (1, 2, 9):
                called: list[float] = []

                def spy(x: Tensor, sigma: float, called: list[float] = called) -> Tensor:
                    called.append(sigma)
                    return gaussian(x, sigma)

                sigmas = sigmas_of(schedule, n)
                run(row, spy, torch.ones(2, 4, 8, 8, dtype=torch.float64), sigmas, seeded())
                assert called == list(sigmas[:-1])
                assert len(called) == row.calls(n)


@pytest.mark.rule("E49")
def test_nothing_is_left_between_two_runs() -> None:
    sigmas = sigmas_of("karras", 8)
    for row in SAMPLERS:
        start = seeded()() * sigmas[0]
        kept = start.clone()
        first, _ = run(row, wavy, start, sigmas, seeded())
        second, _ = run(row, wavy, start, sigmas, seeded())
        assert torch.equal(first, second)
        assert torch.equal(start, kept)


@pytest.mark.rule("E5", "R41")
def test_float32_state_stays_close_to_float64() -> None:
    sigmas = sigmas_of("karras", 30)
    for function in (euler, dpmpp_2m):
        start = seeded()() * sigmas[0]
        exact = function(gaussian, start, sigmas, no_noise, SamplerParameters(), lambda *args: None)
        single = function(gaussian, start.float(), sigmas, no_noise, SamplerParameters(), lambda *args: None)
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), exact, atol=1e-5, rtol=0)


@pytest.mark.rule("E44")
def test_names_and_aliases() -> None:
    assert find_sampler("k_euler_a") is find_sampler("EULER A") is not None
    assert find_sampler("no such sampler") is None
