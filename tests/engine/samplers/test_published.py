"""Samplers that diffusers lacks, against the formulas of their papers or of the programs that made them known, written out once more for single steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.samplers import SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.samplers.er_sde import _scale
from sfumato.engine.samplers.quadrature import integral, lagrange_integrals
from sfumato.engine.samplers.restart import restart_steps
from tests.support.exact_denoisers import MEAN, TABLE, VARIANCE, Spy, gaussian, other_wavy, run, seeded, sigmas_of, silent, wavy

LEVELS = (9.0, 5.0, 2.5, 1.0, 0.3, 0.0)


def named(name: str) -> SamplerRow:
    row = find_sampler(name)
    assert row is not None
    return row


def slope(x: Tensor, sigma: float) -> Tensor:
    return (x - wavy(x, sigma)) / sigma


def states_of(name: str, parameters: SamplerParameters | None = None, noise: Any = None) -> list[Tensor]:
    """x at the first evaluation of each step of `LEVELS`, and the result."""
    result, seen = run(named(name), Spy(wavy), seeded()() * LEVELS[0], LEVELS, noise or silent(), parameters)
    return [*seen, result]


@pytest.mark.rule("E45")
def test_polynomials_are_integrated_exactly() -> None:
    nodes = (5.0, 7.0, 8.0, 9.5)

    def cubic(u: Any) -> Any:
        return 2 * u**3 - u**2 + 4 * u - 3

    antiderivative: Callable[[float], float] = lambda u: u**4 / 2 - u**3 / 3 + 2 * u**2 - 3 * u  # noqa: E731
    weights = lagrange_integrals(nodes, 5.0, 3.2)
    found = sum(weight * cubic(node) for weight, node in zip(weights, nodes, strict=True))
    assert found == pytest.approx(antiderivative(3.2) - antiderivative(5.0), rel=1e-12)
    assert integral(np.exp, -3.5, 2.7) == pytest.approx(math.exp(2.7) - math.exp(-3.5), rel=1e-13)


@pytest.mark.rule("E45")
def test_heun_plus_plus_weighs_slopes_by_their_levels() -> None:
    states = states_of("Heun++")
    for index, (sigma, sigma_next) in enumerate(pairwise(LEVELS)):
        x, dt = states[index], sigma_next - sigma
        d1 = slope(x, sigma)
        left = len(LEVELS) - 1 - index
        if left == 1:
            mean = d1
        elif left == 2:
            d2 = slope(x + d1 * dt, sigma_next)
            w2 = sigma_next / (2 * LEVELS[0])
            mean = (1 - w2) * d1 + w2 * d2
        else:
            after = LEVELS[index + 2]
            x2 = x + d1 * dt
            d2 = slope(x2, sigma_next)
            d3 = slope(x2 + d2 * (after - sigma_next), after)
            w2, w3 = sigma_next / (3 * LEVELS[0]), after / (3 * LEVELS[0])
            mean = (1 - w2 - w3) * d1 + w2 * d2 + w3 * d3
        torch.testing.assert_close(states[index + 1], x + mean * dt, msg=f"step {index}")


@pytest.mark.rule("E45")
@pytest.mark.parametrize("gamma", [0.0, 1.5, 3.0])
def test_gradient_estimation_overshoots_the_change_of_slope(gamma: float) -> None:
    states = states_of("Gradient estimation", SamplerParameters(gamma=gamma))
    slopes = [slope(x, sigma) for x, sigma in zip(states[:-1], LEVELS[:-1], strict=True)]
    for index in range(1, len(LEVELS) - 2):
        estimate = (gamma or 2.0) * slopes[index] + (1 - (gamma or 2.0)) * slopes[index - 1]
        torch.testing.assert_close(states[index + 1], states[index] + estimate * (LEVELS[index + 1] - LEVELS[index]))
    torch.testing.assert_close(states[-1], wavy(states[-2], LEVELS[-2]))


@pytest.mark.rule("E45")
def test_res_uses_the_phi_functions_of_its_paper() -> None:
    # Table 3 of arXiv 2308.02157 with c2 the place of the picture before, in steps: b2 = phi2(-h) / c2, b1 = phi1(-h) - b2.
    states = states_of("RES multistep")
    for index in range(1, len(LEVELS) - 2):
        before, sigma, sigma_next = LEVELS[index - 1 : index + 2]
        h = math.log(sigma / sigma_next)
        c2 = -math.log(before / sigma) / h
        phi1 = (math.exp(-h) - 1) / -h
        phi2 = (phi1 - 1) / -h
        expected = math.exp(-h) * states[index] + h * ((phi1 - phi2 / c2) * wavy(states[index], sigma) + phi2 / c2 * wavy(states[index - 1], before))
        torch.testing.assert_close(states[index + 1], expected)


@pytest.mark.rule("E45")
def test_er_sde_counts_differences_by_the_integrals_of_its_paper() -> None:
    # Given the integrals as sums of very many rectangles, as its code has them with 200
    states = states_of("ER-SDE", SamplerParameters(s_noise=0.0), seeded())
    pictures = [wavy(x, sigma) for x, sigma in zip(states[:-1], LEVELS[:-1], strict=True)]
    for index in range(2, len(LEVELS) - 2):
        s, t = LEVELS[index], LEVELS[index + 1]
        at = np.linspace(t, s, 200_001)
        middle = (at[1:] + at[:-1]) / 2
        width, scale = (s - t) / 200_000, _scale(middle)
        ratio = float(_scale(np.float64(t)) / _scale(np.float64(s)))
        first = (pictures[index] - pictures[index - 1]) / (s - LEVELS[index - 1])
        first_before = (pictures[index - 1] - pictures[index - 2]) / (LEVELS[index - 1] - LEVELS[index - 2])
        second = (first - first_before) / ((s - LEVELS[index - 2]) / 2)
        whole, moment = (float((part / scale).sum() * width * _scale(np.float64(t))) for part in (1.0, middle - s))
        expected = ratio * states[index] + (1 - ratio) * pictures[index] + (t - s + whole) * first + ((t - s) ** 2 / 2 + moment) * second
        # Then, though the last term of the middle difference is of the step before
        torch.testing.assert_close(states[index + 1], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.rule("E45")
def test_er_sde_has_the_noise_scale_that_its_paper_recommends() -> None:
    for sigma in (0.05, 1.0, 3.0, 14.6):
        assert float(_scale(np.float64(sigma))) == pytest.approx(sigma * (math.e ** (sigma**0.3) + 10))
    # and what noise a step adds follows from it: sigma'^2 - sigma^2 (phi' / phi)^2
    noise, levels = seeded(), (4.0, 2.0)
    start = seeded(seed=9)() * 4
    loud, _ = run(named("ER-SDE"), Spy(wavy), start, levels, noise)
    quiet, _ = run(named("ER-SDE"), Spy(wavy), start, levels, seeded(), _QUIET)
    ratio = 2 * (math.exp(2**0.3) + 10) / (4 * (math.exp(4**0.3) + 10))
    torch.testing.assert_close(loud - quiet, seeded()() * math.sqrt(4 - 16 * ratio**2))


@pytest.mark.rule("E45", "E47")
def test_er_sde_solves_its_drift() -> None:
    """Without noise it follows dx/dsigma = (x - D) phi'(sigma) / phi(sigma), here integrated by many steps of Runge and Kutta.

    Third order in name: its first difference is not centred on the step, which leaves an error of second order with a small factor.
    """

    def drift(x: float, sigma: float) -> float:
        scale, bit = float(_scale(np.float64(sigma))), 1e-6 * sigma
        change = float(_scale(np.float64(sigma + bit)) - _scale(np.float64(sigma - bit))) / (2 * bit)
        return (x - (VARIANCE * x + sigma**2 * MEAN) / (VARIANCE + sigma**2)) * change / scale

    x, fine = 12.0, list(reversed(np.geomspace(TABLE.sigma_min, TABLE.sigma_max, 4001).tolist()))
    for sigma, sigma_next in pairwise(fine):
        dt = sigma_next - sigma
        k1 = drift(x, sigma)
        k2 = drift(x + k1 * dt / 2, sigma + dt / 2)
        k3 = drift(x + k2 * dt / 2, sigma + dt / 2)
        x += (k1 + 2 * k2 + 2 * k3 + drift(x + k3 * dt, sigma_next)) * dt / 6
    errors = []
    for n in (40, 80, 160):
        result, _ = run(named("ER-SDE"), Spy(gaussian), torch.tensor([12.0], dtype=torch.float64), sigmas_of("karras", n)[:-1], seeded((1,)), _QUIET)
        errors.append(abs(float(result) - x))
    assert min(math.log2(a / b) for a, b in pairwise(errors)) > 1.9, errors
    assert errors[2] < 1e-4


_QUIET = SamplerParameters(s_noise=0.0)


@pytest.mark.rule("E45")
def test_restart_goes_back_up_as_often_and_as_far_as_published() -> None:
    for n, back, times in ((10, 0, 0), (19, 0, 0), (20, 9, 1), (35, 9, 1), (36, 9, 2), (60, 15, 2)):
        plan = restart_steps(sigmas_of("karras", n))
        assert len(plan) == n
        rises = [(end, start) for (_, end), (start, _) in pairwise(plan) if start > end]
        assert len(rises) == times
        for low, high in rises:
            assert low == pytest.approx(0.1, abs=0.06)
            assert high == pytest.approx(2.0, rel=0.5)
        if times:
            again = [step for step in plan if plan.count(step) == times and step[0] <= rises[0][1]]
            assert sum(1 for start, _ in plan if start == rises[0][1]) == times + 1
            assert len(again) >= back
        assert plan[0][0] == pytest.approx(TABLE.sigma_max, rel=1e-6)
        assert plan[-1][1] == 0.0


@pytest.mark.rule("E45")
def test_restart_adds_exactly_the_noise_between_the_levels() -> None:
    sigmas, noise = sigmas_of("karras", 20), seeded()
    start = noise() * sigmas[0]
    seen: list[tuple[Tensor, float]] = []
    row = named("Restart")
    row.function(Spy(gaussian), start, sigmas, noise, SamplerParameters(s_noise=0.5), lambda i, x, s, d: seen.append((x, s)))
    plan = restart_steps(sigmas)
    assert [sigma for _, sigma in seen] == [start for start, _ in plan]
    assert noise.drawn == 2
    at = next(index for index, ((_, end), (start, _)) in enumerate(pairwise(plan)) if start > end)
    # The step that went down to the low level, done again by hand
    sigma, low, high = *plan[at], plan[at + 1][0]
    x = seen[at][0]
    d = (x - gaussian(x, sigma)) / sigma
    ahead = x + d * (low - sigma)
    lowered = x + (d + (ahead - gaussian(ahead, low)) / low) / 2 * (low - sigma)
    again = seeded()
    again()
    torch.testing.assert_close(seen[at + 1][0], lowered + again() * 0.5 * math.sqrt(high**2 - low**2))


@pytest.mark.rule("E45")
@pytest.mark.parametrize(("n", "orders"), [(1, [1]), (2, [2]), (3, [2, 1]), (4, [3, 1]), (5, [3, 2]), (6, [3, 2, 1]), (20, [3, 3, 3, 3, 3, 3, 2])])
def test_dpm_fast_spends_its_evaluations_as_published(n: int, orders: list[int]) -> None:
    row, spy, begun = named("DPM fast"), Spy(gaussian), []
    assert row.grid is not None
    sigmas = row.grid(n, TABLE, SamplerParameters())
    row.function(
        spy, seeded()() * sigmas[0], sigmas, silent(), SamplerParameters(eta=0.0), lambda index, x, sigma, denoised: begun.append((sigma, len(spy.sigmas) - 1))
    )
    ends = [*(place for _, place in begun), len(spy.sigmas)]
    assert [b - a for a, b in pairwise(ends)] == orders
    # Equal steps in ln sigma, from the highest level to the lowest
    ratio = (TABLE.sigma_min / TABLE.sigma_max) ** (1 / len(orders))
    assert [sigma for sigma, _ in begun] == pytest.approx([TABLE.sigma_max * ratio**index for index in range(len(orders))])
    # and within them thirds, or halves
    for (sigma, place), order in zip(begun, orders, strict=True):
        inner = [sigma * ratio ** (part / order) for part in range(order)]
        assert spy.sigmas[place : place + order] == pytest.approx(inner)


@pytest.mark.rule("E45")
def test_dpm_fast_takes_the_steps_of_algorithms_1_and_2_of_its_paper() -> None:
    # Given 5 evaluations, a step of third order and one of second, written out in lambda = -ln sigma
    first, middle, last = 8.0, 2.0, 0.5
    x0 = seeded()() * first
    h = math.log(first / middle)
    s1, s2 = first * math.exp(-h / 3), first * math.exp(-2 * h / 3)
    e0 = slope(x0, first)
    u1 = x0 - s1 * math.expm1(h / 3) * e0
    difference = slope(u1, s1) - e0
    u2 = x0 - s2 * math.expm1(2 * h / 3) * e0 - s2 * 2 * (math.expm1(2 * h / 3) / (2 * h / 3) - 1) * difference
    x1 = x0 - middle * math.expm1(h) * e0 - middle * 3 / 2 * (math.expm1(h) / h - 1) * (slope(u2, s2) - e0)
    h = math.log(middle / last)
    half = math.sqrt(middle * last)
    e1 = slope(x1, middle)
    u = x1 - half * math.expm1(h / 2) * e1
    x2 = x1 - last * math.expm1(h) * e1 - last * math.expm1(h) * (slope(u, half) - e1)
    # Then
    result, seen = run(named("DPM fast"), Spy(wavy), x0, (first, 5.0, 4.0, 3.0, last, 0.0), silent(), SamplerParameters(eta=0.0))
    torch.testing.assert_close(seen[1], x1)
    torch.testing.assert_close(result, x2)


@pytest.mark.rule("E45")
def test_adaptive_steps_begin_small_and_grow() -> None:
    row, begun = named("DPM adaptive"), []
    assert row.grid is not None
    sigmas = row.grid(10, TABLE, SamplerParameters())
    spy = Spy(gaussian)
    row.function(spy, seeded()() * sigmas[0], sigmas, silent(), SamplerParameters(eta=0.0), lambda i, x, sigma, d: begun.append(sigma))
    sizes = [math.log(a / b) for a, b in pairwise(begun)]
    assert sizes[0] == pytest.approx(0.05)
    assert sizes[1] > 1.5 * sizes[0]
    # The inner points are thirds of the step.
    assert spy.sigmas[:3] == pytest.approx([sigmas[0] * math.exp(-0.05 * part / 3) for part in range(3)])


@pytest.mark.rule("E45")
def test_adaptive_steps_do_not_depend_on_how_many_images_agree() -> None:
    # The worst image decides: the same one twice changes nothing.
    row = named("DPM adaptive")
    assert row.grid is not None
    sigmas = row.grid(10, TABLE, SamplerParameters())
    start = seeded((1, 4, 8, 8))() * sigmas[0]
    alone, _ = run(row, Spy(wavy), start, sigmas, silent(), SamplerParameters(eta=0.0))
    twice, _ = run(row, Spy(wavy), start.repeat(2, 1, 1, 1), sigmas, silent(), SamplerParameters(eta=0.0))
    torch.testing.assert_close(twice[1:], alone)


@pytest.mark.rule("E45")
def test_ddim_spans_from_euler_to_the_ancestral_chain() -> None:
    sigmas = sigmas_of("uniform", 15)[:-1]
    start = seeded()() * sigmas[0]
    for eta, other in ((0.0, "Euler"), (1.0, "Euler a"), (1.0, "DDPM")):
        ddim, _ = run(named("DDIM"), Spy(wavy), start, sigmas, seeded(seed=8), SamplerParameters(eta_ddim=eta))
        plain, _ = run(named(other), Spy(wavy), start, sigmas, seeded(seed=8))
        torch.testing.assert_close(ddim, plain, atol=1e-10, rtol=0)


@pytest.mark.rule("E45")
def test_lcm_has_the_boundary_condition_at_the_nearest_distilled_time() -> None:
    row = named("LCM")
    assert row.grid is not None
    assert row.grid(4, TABLE, SamplerParameters())[0] == pytest.approx(float(TABLE.sigmas[999]))
    assert row.grid(50, TABLE, SamplerParameters())[:-1] == pytest.approx([float(TABLE.sigmas[t]) for t in range(999, 0, -20)])
    sigma = float(TABLE.sigmas[21])  # nearest is 19
    x = torch.tensor([100.0], dtype=torch.float64)
    result, _ = run(row, Spy(lambda x, sigma: x * 0 + 1), x, (sigma, 0.0), silent())
    t = 190.0
    assert float(result) == pytest.approx(t / math.sqrt(t**2 + 0.25) + 100 * 0.25 / (t**2 + 0.25), rel=1e-12)


@pytest.mark.rule("E45")
def test_dpmpp_2m_cfg_plus_plus_corrects_from_the_last_negative_side() -> None:
    result, seen = run(named("DPM++ 2M CFG++"), Spy(wavy, other_wavy), seeded()() * LEVELS[0], LEVELS, silent())
    states = [*seen, result]
    for index in range(1, len(LEVELS) - 2):
        before, sigma, sigma_next = LEVELS[index - 1 : index + 2]
        h, r = math.log(sigma / sigma_next), math.log(before / sigma) / math.log(sigma / sigma_next)
        x, denoised = states[index], wavy(states[index], sigma)
        along = math.exp(-h) * (x - other_wavy(x, sigma))
        correction = (1 - math.exp(-h)) * (denoised - other_wavy(states[index - 1], before)) / (2 * r)
        torch.testing.assert_close(states[index + 1], denoised + along + correction)


@pytest.mark.rule("E45")
def test_dpmpp_2s_cfg_plus_plus_begins_beside_the_negative_side() -> None:
    sigma, sigma_next = LEVELS[:2]
    x = seeded()() * sigma
    result, _ = run(named("DPM++ 2S a CFG++"), Spy(wavy, other_wavy), x, LEVELS[:2], silent(), SamplerParameters(eta=0.0))
    denoised, middle = wavy(x, sigma), math.sqrt(sigma * sigma_next)
    start = x + denoised - other_wavy(x, sigma)
    inner = middle / sigma * start + (1 - middle / sigma) * denoised
    torch.testing.assert_close(result, sigma_next / sigma * start + (1 - sigma_next / sigma) * wavy(inner, middle))
