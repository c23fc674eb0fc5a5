"""Samplers on Gaussian data, where the path of every x and the law of every result are known exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.samplers.euler import ancestral_split
from tests.support.exact_denoisers import (
    MEAN,
    TABLE,
    VARIANCE,
    Spy,
    TestNoise,
    exact_path,
    gaussian,
    levels_of,
    moments,
    run,
    seeded,
    sigmas_of,
    silent,
)

# Parameters that make a sampler deterministic, or make its noise act.
QUIET: dict[str, Any] = {"eta": 0.0, "eta_ddim": 0.0, "tau": 0.0, "s_churn": 0.0}
NOISY: dict[str, Any] = {"eta": 1.0, "eta_ddim": 1.0, "tau": 1.0, "s_churn": 20.0}
DRAWS = 20_000


def named(name: str) -> SamplerRow:
    row = find_sampler(name)
    assert row is not None
    return row


# -- convergence -----------------------------------------------------------------------------------

# The order each deterministic sampler has in the limit of many steps; by E47 at most 2 is asserted where the first steps are of lower order.
ORDERS = {
    "Euler": 1,
    "Euler a": 1,
    "Heun": 2,
    # Its corrections fade with the level, see `heun_plus_plus`.
    "Heun++": 1,
    "DPM2": 2,
    "DPM2 a": 2,
    "LMS": 4,
    "DPM++ 2M": 2,
    "DPM++ 2S a": 2,
    "DPM++ SDE": 2,
    "DPM++ 2M SDE": 2,
    "DPM++ 2M SDE Heun": 2,
    "DPM++ 3M SDE": 3,
    "DPM fast": 3,
    "DDIM": 1,
    "PLMS": 2,
    "UniPC": 3,
    "DEIS": 3,
    "iPNDM": 2,
    "iPNDM-v": 4,
    # Its own gamma of 2 overshoots; with 1.5 it is Adams-Bashforth, see below.
    "Gradient estimation": 1,
    "RES multistep": 2,
    "RES multistep a": 2,
    "SA-Solver": 3,
    "Euler CFG++": 1,
    "Euler a CFG++": 1,
    "DDIM CFG++": 1,
    "DPM++ 2M CFG++": 2,
    "DPM++ 2S a CFG++": 2,
}
# These add noise whatever is set, and have tests of their own below.
ALWAYS_NOISY = {"Restart", "LCM", "TCD", "ER-SDE", "DDPM"}


# UniPC and SA-Solver lower their order in the last steps; one of them can be told not to, the other is looked at before.
FULL_ORDER: dict[str, Any] = {"lower_order_final": False}
LOWERED_AT_THE_END = {"SA-Solver": 3}


def errors_of(row: SamplerRow, schedule: str, **parameters: Any) -> list[float]:
    """Largest error at the last level above 0 after 20, 40 and 80 evaluations (a little more, so that DPM fast's last step has always the same order)."""
    start = torch.linspace(-20, 20, 64, dtype=torch.float64).reshape(1, 4, 4, 4)
    before = LOWERED_AT_THE_END.get(row.name, 0)
    errors = []
    for n in (21, 42, 84):
        sigmas = sigmas_of(schedule, n)[:-1]
        result, seen = run(row, Spy(gaussian), start, sigmas, silent(), SamplerParameters(**{**QUIET, **FULL_ORDER, **parameters}))
        reached = [*seen, result][-1 - before]
        errors.append(float((reached - exact_path(start, sigmas[0], sigmas[-1 - before])).abs().max()))
    return errors


def exponents(errors: Sequence[float]) -> list[float]:
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


@pytest.mark.rule("E47", "E45", "R41")
@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_error_falls_with_the_order(name: str, order: int) -> None:
    schedule = "exponential" if order == 3 else "karras"
    errors = errors_of(named(name), schedule)
    assert min(exponents(errors)) >= min(order, 2) - 0.25, (errors, exponents(errors))


@pytest.mark.rule("E47")
def test_every_sampler_is_either_deterministic_or_tested_by_its_law() -> None:
    assert {row.name for row in SAMPLERS} == {*ORDERS, *ALWAYS_NOISY, "DPM adaptive"}


@pytest.mark.rule("E47")
@pytest.mark.parametrize(("name", "order"), [("LMS", 4), ("iPNDM-v", 4), ("DEIS", 3), ("UniPC", 4), ("SA-Solver", 3), ("DPM fast", 3)])
def test_higher_orders_are_really_higher(name: str, order: int) -> None:
    # UniPC's corrector raises it by one
    errors = errors_of(named(name), "karras")
    assert exponents(errors)[-1] >= order - 0.5, (errors, exponents(errors))


@pytest.mark.rule("E45")
def test_lower_orders_are_what_is_asked_for() -> None:
    for name, raised in (("UniPC", 1), ("DEIS", 0), ("iPNDM", 0), ("iPNDM-v", 0)):
        for order in (1, 2):
            found = exponents(errors_of(named(name), "karras", order=order))[-1]
            assert found == pytest.approx(order + raised, abs=0.3), (name, order)


@pytest.mark.rule("E45")
def test_gradient_estimation_with_half_the_change_is_of_second_order() -> None:
    errors = errors_of(named("Gradient estimation"), "karras", gamma=1.5)
    assert min(exponents(errors)) >= 1.75
    assert errors[-1] < errors_of(named("Gradient estimation"), "karras")[-1] / 5


@pytest.mark.rule("E45")
def test_adaptive_steps_keep_the_error_at_the_tolerance() -> None:
    row = named("DPM adaptive")
    sigmas = levels_of(row, 20)
    start = torch.linspace(-20, 20, 64, dtype=torch.float64).reshape(1, 4, 4, 4)
    spy = Spy(gaussian)
    result, _ = run(row, spy, start, sigmas, silent(), SamplerParameters(eta=0.0))
    error = float((result - exact_path(start, sigmas[0], sigmas[-2])).abs().max())
    assert error < 0.05
    assert len(spy.sigmas) < 60


# -- the law of the result -------------------------------------------------------------------------

# (sampler, schedule) of second order and above: at 100 steps their variance is within 2 %.
LAWFUL = (
    ("DPM++ SDE", "karras"),
    ("DPM++ 2M SDE", "exponential"),
    ("DPM++ 2M SDE Heun", "exponential"),
    ("DPM++ 3M SDE", "exponential"),
    ("DPM++ 2S a", "karras"),
    ("DPM++ 2S a CFG++", "karras"),
    ("DPM2", "karras"),
    ("DPM2 a", "karras"),
    ("Heun", "uniform"),
    ("Restart", "karras"),
    ("RES multistep a", "karras"),
    ("ER-SDE", "uniform"),
    ("SA-Solver", "karras"),
    ("DPM fast", "uniform"),
)


def expected_variance(sigmas: Sequence[float]) -> float:
    """Of x at the last level; a sampler that ends at 0 ends with the denoised picture of the level before, hardly less."""
    return VARIANCE + sigmas[-1] ** 2


@pytest.mark.rule("E47")
@pytest.mark.parametrize(("name", "schedule"), LAWFUL)
def test_a_hundred_steps_have_the_right_mean_and_variance(name: str, schedule: str) -> None:
    row, sigmas = named(name), sigmas_of(schedule, 100)
    mean, variance = moments(row, sigmas, SamplerParameters(**NOISY))
    assert mean == pytest.approx(MEAN, abs=1e-9)
    assert variance == pytest.approx(expected_variance(sigmas), rel=0.02)


def factor(sigma: float, sigma_next: float) -> float:
    """What a step of Euler's makes of a difference in x: the exact denoiser's own factor, moved along the slope."""
    return 1 + (sigma_next - sigma) * sigma / (VARIANCE + sigma**2)


def by_recursion(name: str, sigmas: Sequence[float], gamma: float = 0.3) -> float:
    """The variance of first-order samplers, each by the recursion of its formula, written for numbers instead of pictures."""
    variance = VARIANCE + sigmas[0] ** 2
    for sigma, sigma_next in itertools.pairwise(sigmas):
        kept = VARIANCE / (VARIANCE + sigma**2)
        if name == "LCM":
            # The boundary condition, which is most at t = 19, changes the fifth digit.
            variance = kept**2 * variance + sigma_next**2
        elif name == "TCD":
            low = float(TABLE.sigmas[math.floor((1 - gamma) * round(TABLE.t(sigma_next)))]) if sigma_next else 0.0
            variance = (kept + (1 - kept) * low / sigma) ** 2 * variance + max(sigma_next**2 - low**2, 0.0)
        elif name in ("Euler", "Heun++"):
            raised = sigma * (1 + min(20 / (len(sigmas) - 1), math.sqrt(2) - 1))
            variance = factor(raised, sigma_next) ** 2 * (variance + raised**2 - sigma**2)
        else:
            down, up = ancestral_split(sigma, sigma_next, 1.0)
            variance = factor(sigma, down) ** 2 * variance + up**2
    return variance


@pytest.mark.rule("E47")
@pytest.mark.parametrize("name", ["Euler", "Euler a", "Euler a CFG++", "DDPM", "DDIM", "DDIM CFG++", "LCM"])
def test_first_order_samplers_follow_their_own_recursion(name: str) -> None:
    # Their variance is 5 to 15 % low at 100 steps, which the exact recursion shows to be their nature.
    row = named(name)
    sigmas = levels_of(row, 100)
    mean, variance = moments(row, sigmas, SamplerParameters(**NOISY))
    assert mean == pytest.approx(MEAN, abs=1e-5)
    assert variance == pytest.approx(by_recursion(name, sigmas), rel=1e-4 if name == "LCM" else 1e-9)


@pytest.mark.rule("E47")
def test_tcd_follows_its_own_recursion() -> None:
    sigmas = (*(float(TABLE.sigmas[t]) for t in range(999, 0, -10)), 0.0)
    for gamma in (0.3, 0.8, 1.0):
        _, variance = moments(named("TCD"), sigmas, SamplerParameters(gamma=gamma))
        assert variance == pytest.approx(by_recursion("TCD", sigmas, gamma), rel=1e-9)


@pytest.mark.rule("E47")
@pytest.mark.parametrize("name", ["Euler", "Euler a", "DDPM", "DDIM", "Heun++"])
def test_their_variance_comes_right_with_more_steps(name: str) -> None:
    row, missing = named(name), []
    for n in (100, 200):
        sigmas = levels_of(row, n)
        _, variance = moments(row, sigmas, SamplerParameters(**NOISY))
        missing.append(1 - variance / expected_variance(sigmas))
    assert 0 < missing[1] < 0.62 * missing[0]


@pytest.mark.rule("E47")
@pytest.mark.parametrize("name", [row.name for row in SAMPLERS if row.name in {*(name for name, _ in LAWFUL), "Euler a", "DDIM", "LCM", "TCD", "DDPM"}])
def test_twenty_thousand_draws_have_the_moments_that_were_computed(name: str) -> None:
    row = named(name)
    sigmas, parameters = levels_of(row, 100), SamplerParameters(**NOISY)
    mean, variance = moments(row, sigmas, parameters)
    x = drawn(row, sigmas, parameters)
    assert float(x.mean()) == pytest.approx(mean, abs=3 * math.sqrt(variance / DRAWS))
    assert float(x.var()) == pytest.approx(variance, abs=3 * variance * math.sqrt(2 / DRAWS))


def drawn(row: SamplerRow, sigmas: Sequence[float], parameters: SamplerParameters) -> Tensor:
    noise = seeded((DRAWS,), seed=3)
    start = MEAN + noise() * math.sqrt(VARIANCE + sigmas[0] ** 2)
    return run(row, Spy(gaussian), start, sigmas, noise, parameters)[0]


@pytest.mark.rule("E47")
def test_adaptive_steps_have_the_right_law() -> None:
    row = named("DPM adaptive")
    sigmas = levels_of(row, 20)
    noise = seeded((1, 4, 50, 100), seed=4)
    start = MEAN + noise() * math.sqrt(VARIANCE + sigmas[0] ** 2)
    x, _ = run(row, Spy(gaussian), start, sigmas, noise, SamplerParameters(eta=1.0))
    expected = VARIANCE + sigmas[-2] ** 2
    assert float(x.mean()) == pytest.approx(MEAN, abs=3 * math.sqrt(expected / DRAWS) + 0.02 * MEAN)
    assert float(x.var()) == pytest.approx(expected, abs=3 * expected * math.sqrt(2 / DRAWS) + 0.02 * expected)


@pytest.mark.rule("E47", "E40")
@pytest.mark.parametrize("name", ["DPM++ SDE", "DPM++ 2M SDE"])
def test_the_engines_own_noise_gives_the_same_law(name: str) -> None:
    # Given the noise that jobs use, 4 images of 5,000 values
    row = named(name)
    sigmas = levels_of(row, 20)
    noise = NoiseSource([ImageSeed(seed) for seed in range(4)], (1, 50, 100), torch.device("cpu"))
    start = MEAN + noise().double() * math.sqrt(VARIANCE + sigmas[0] ** 2)
    x = row.function(Spy(gaussian), start, sigmas, noise, SamplerParameters(), lambda *args: None)
    mean, variance = moments(row, sigmas)
    assert float(x.mean()) == pytest.approx(mean, abs=3 * math.sqrt(variance / DRAWS))
    assert float(x.var()) == pytest.approx(variance, abs=3 * variance * math.sqrt(2 / DRAWS))


@pytest.mark.rule("E46")
def test_scaled_noise_scales_the_variance_it_adds() -> None:
    # Without noise of its own nothing of s_noise is left; with it, the exact moments tell how much.
    row, sigmas = named("ER-SDE"), sigmas_of("karras", 50)
    variances = [moments(row, sigmas, replace(SamplerParameters(), s_noise=scale))[1] for scale in (0.0, 0.5, 1.0)]
    assert variances[1] - variances[0] == pytest.approx((variances[2] - variances[0]) / 4)


def test_the_noise_of_these_tests_is_brownian() -> None:
    noise = TestNoise(lambda: torch.randn((5000,), generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    whole, first, second = noise.brownian(4.0, 1.0), noise.brownian(4.0, 2.0), noise.brownian(2.0, 1.0)
    torch.testing.assert_close(whole * math.sqrt(3), first * math.sqrt(2) + second)
