"""The levels of one pass: whole, cut for a picture, and by the rules of samplers with a grid of their own."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.schedules import SCHEDULES, Schedule, ScheduleSettings, find_schedule, levels
from sfumato.engine.steps import Steps, StepSettings, image_steps, joined_methods, steps_of
from tests.support.exact_denoisers import MEAN, TABLE, VARIANCE, Spy, gaussian, moments, seeded

ON_A_SCHEDULE = [row for row in SAMPLERS if row.grid is None]
BY_IMAGE_GRID = [row for row in SAMPLERS if row.image_grid is not None]


def named(name: str) -> SamplerRow:
    row = find_sampler(name)
    assert row is not None
    return row


def spaced(name: str) -> Schedule:
    schedule = find_schedule(name)
    assert schedule is not None
    return schedule


def steps(name: str, n: int, strength: float | None = None, schedule: str = "", table: NoiseTable = TABLE, exact: bool = False, **settings: Any) -> Steps:
    row = named(name)
    return steps_of(row, spaced(schedule or row.schedule), StepSettings(**settings), n, table, strength, exact)


def trained(t: int) -> float:
    return float(torch.tensor(TABLE.sigmas[t], dtype=torch.float32))


# -- joined names -----------------------------------------------------------------------------------


@pytest.mark.rule("E42")
def test_old_joined_names_are_split_for_every_sampler_and_schedule() -> None:
    for row in SAMPLERS:
        for schedule in SCHEDULES:
            for name in (f"{row.name} {schedule.title}", f"{row.name.upper()} {schedule.name}", *(f"{alias} {schedule.title}" for alias in row.aliases)):
                if find_sampler(name) is None:
                    assert joined_methods(name) == (row, schedule), name
        assert joined_methods(row.name) is None


@pytest.mark.rule("E42")
@pytest.mark.parametrize(
    ("joined", "sampler", "schedule"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M", "karras"),
        ("DPM2 a Karras", "DPM2 a", "karras"),
        ("DPM++ 2M SDE Exponential", "DPM++ 2M SDE", "exponential"),
        ("DPM++ 2M SDE Heun Karras", "DPM++ 2M SDE Heun", "karras"),
        ("Euler a SGM Uniform", "Euler a", "sgm_uniform"),
        ("euler_k", "Euler", "karras"),
        ("k_dpmpp_2m_sde_ka", "DPM++ 2M SDE", "karras"),
        ("dpmpp_2m_sde_k", "DPM++ 2M SDE", "karras"),
    ],
)
def test_joined_names_people_have(joined: str, sampler: str, schedule: str) -> None:
    assert joined_methods(joined) == (named(sampler), spaced(schedule))


@pytest.mark.rule("E42")
def test_names_that_join_nothing_known_are_refused() -> None:
    for name in ("", "Karras", "Euler Nonsense", "Nonsense Karras", "_k", "k"):
        assert joined_methods(name) is None


# -- whole runs ------------------------------------------------------------------------------------


@pytest.mark.rule("E41", "E42")
def test_a_schedule_is_walked_as_it_is() -> None:
    made = steps("Euler", 20)
    assert made.sigmas == levels(spaced("uniform"), 20, TABLE)
    assert (made.count, made.calls, made.picture_scale) == (20, 20, 1.0)
    assert steps("Heun", 20).calls == 39
    assert steps("Euler", 20, schedule="kl_optimal").sigmas[-1] == pytest.approx(TABLE.sigma_min, rel=1e-6)
    assert steps("Heun", 20, schedule="kl_optimal").calls == 40, "nothing ends at 0, so no step is single"


@pytest.mark.rule("E42")
@pytest.mark.parametrize("name", ["DPM2", "DPM2 a", "DPM++ 3M SDE"])
def test_three_samplers_always_leave_out_the_last_level_but_one(name: str) -> None:
    more = levels(spaced("karras"), 21, TABLE)
    for wanted in (False, True):
        assert steps(name, 20, schedule="karras", discard_penultimate=wanted).sigmas == (*more[:20], 0.0)
    assert steps(name, 1, schedule="karras").sigmas == (more[0], 0.0)


@pytest.mark.rule("E42")
def test_the_others_leave_it_out_on_request() -> None:
    for row in ON_A_SCHEDULE:
        plain = steps_of(row, spaced("karras"), StepSettings(), 10, TABLE)
        wanted = steps_of(row, spaced("karras"), StepSettings(discard_penultimate=True), 10, TABLE)
        assert plain.count == wanted.count == 10
        assert (wanted.sigmas[-2] > plain.sigmas[-2]) is not row.discard_penultimate, row.name


@pytest.mark.rule("E41", "E42")
def test_the_range_of_a_schedule_can_be_changed() -> None:
    changed = ScheduleSettings(sigma_min=0.05, sigma_max=8.0, rho=3.0)
    made = steps("DPM++ 2M", 12, levels=changed)
    expected = [(8.0 ** (1 / 3) + i / 11 * (0.05 ** (1 / 3) - 8.0 ** (1 / 3))) ** 3 for i in range(12)]
    assert made.sigmas[:-1] == pytest.approx(expected, rel=1e-6)
    assert made.noise_sigma == pytest.approx(8.0)
    old = steps("DPM++ 2M", 12, levels=ScheduleSettings(old_karras_sigmas=True))
    assert (old.sigmas[0], old.sigmas[-2]) == pytest.approx((10.0, 0.1), rel=1e-6)
    assert steps("Euler", 4, schedule="custom", levels=ScheduleSettings(sigmas=(9.0, 3.0, 1.0, 0.2))).sigmas == pytest.approx((9.0, 3.0, 1.0, 0.2, 0.0))


@pytest.mark.rule("E42")
def test_grids_of_their_own_ignore_the_schedule_and_its_settings() -> None:
    for row in SAMPLERS:
        if row.grid is None:
            continue
        found = {
            steps_of(row, schedule, StepSettings(ScheduleSettings(sigma_min=0.3, sigma_max=5.0), discard_penultimate=discard), 12, TABLE, strength)
            for schedule in SCHEDULES[:4]
            for discard in (False, True)
            for strength in (None,)
        }
        assert len(found) == 1, row.name


@pytest.mark.rule("E45", "E48")
def test_the_grids_are_those_of_the_samplers() -> None:
    assert steps("DDIM", 20).sigmas == tuple(trained(t) for t in range(951, 0, -50))
    assert steps("PLMS", 20).sigmas == steps("DDIM CFG++", 20).sigmas == steps("DDIM", 20).sigmas
    # 1000 // 30 = 33 goes 31 times into 1000.
    assert steps("DDIM", 30).count == 30
    assert steps("UniPC", 30).count == 31
    unipc = steps("UniPC", 10).sigmas
    assert [TABLE.t(sigma) for sigma in unipc] == pytest.approx([999 * (1 - i / 10) for i in range(11)], abs=1e-3)
    even = steps("UniPC", 10, parameters=SamplerParameters(unipc_skip_type="logSNR")).sigmas
    assert [math.log(a / b) for a, b in pairwise(even)] == pytest.approx([math.log(TABLE.sigma_max / TABLE.sigma_min) / 10] * 10, abs=1e-5)
    squares = steps("UniPC", 10, parameters=SamplerParameters(unipc_skip_type="time_quadratic")).sigmas
    roots = [math.sqrt(TABLE.t(sigma) + 1) for sigma in squares]
    assert [a - b for a, b in pairwise(roots)] == pytest.approx([(math.sqrt(1000) - 1) / 10] * 10, abs=1e-3)
    assert [round(TABLE.t(sigma)) for sigma in steps("LCM", 4).sigmas[:-1]] == pytest.approx([999, 672, 346, 19], abs=1)
    fast = steps("DPM fast", 10).sigmas
    assert (fast[0], fast[-2]) == pytest.approx((TABLE.sigma_max, TABLE.sigma_min), rel=1e-6)


@pytest.mark.rule("E4")
def test_grids_follow_the_table_of_the_model() -> None:
    table = NoiseTable(zero_terminal=True)
    for name in ("UniPC", "LCM", "DPM fast", "DPM adaptive"):
        assert steps(name, 10, table=table).sigmas[0] == pytest.approx(table.sigma_max, rel=1e-6)
    assert steps("DDIM", 10, table=table).sigmas[0] == pytest.approx(float(table.sigmas[901]), rel=1e-6)


@pytest.mark.rule("E39")
def test_noise_is_scaled_by_the_level_or_as_the_variance_preserving_start() -> None:
    for row in SAMPLERS:
        plain = steps_of(row, spaced(row.schedule), StepSettings(), 10, TABLE)
        first = plain.sigmas[0]
        assert plain.noise_sigma == (math.sqrt(1 + first**2) if row.scaled_noise else first)
        assert steps_of(row, spaced(row.schedule), StepSettings(sgm_noise_multiplier=True), 10, TABLE).noise_sigma == math.sqrt(1 + first**2)
    # from a picture the level is what it is
    assert steps("Euler", 10, 0.5, sgm_noise_multiplier=True).noise_sigma == steps("Euler", 10, 0.5).sigmas[0]


@pytest.mark.rule("E5")
def test_levels_are_float32_values_and_fall() -> None:
    for row in SAMPLERS:
        for strength in (None, 0.4):
            sigmas = steps_of(row, spaced(row.schedule), StepSettings(), 13, TABLE, strength).sigmas
            assert all(float(torch.tensor(sigma, dtype=torch.float32)) == sigma for sigma in sigmas)
            assert all(a > b for a, b in pairwise(sigmas))


# -- from a picture --------------------------------------------------------------------------------


@pytest.mark.rule("E60")
@pytest.mark.parametrize(
    ("strength", "n", "run"), [(0.5, 20, 11), (0.75, 20, 16), (1.0, 20, 20), (0.999, 20, 20), (0.05, 20, 2), (0.01, 20, 1), (0.6, 1, 1), (0.5, 7, 4)]
)
def test_strength_cuts_the_schedule_to_its_end(strength: float, n: int, run: int) -> None:
    whole, made = steps("Euler", n), steps("Euler", n, strength)
    assert image_steps(n, strength) == (n, run - 1)
    assert made.sigmas == whole.sigmas[-run - 1 :]
    assert (made.count, made.calls) == (run, run)
    assert made.noise_sigma == made.sigmas[0]
    assert made.picture_scale == 1.0


@pytest.mark.rule("E40", "E60")
def test_brownian_noise_lies_over_the_whole_schedule_even_if_its_end_is_run() -> None:
    whole = steps("DPM++ SDE", 20)
    assert whole.span == (whole.sigmas[-2], whole.sigmas[0])
    assert steps("DPM++ SDE", 20, 0.5).span == whole.span
    more = steps("DPM++ 3M SDE", 20)
    assert more.span == (more.sigmas[-2], more.sigmas[0])
    assert steps("DPM++ SDE", 20, schedule="kl_optimal").span == pytest.approx((TABLE.sigma_min, TABLE.sigma_max), rel=1e-6)


@pytest.mark.rule("E60")
def test_strength_zero_runs_nothing() -> None:
    for row in SAMPLERS:
        assert steps_of(row, spaced(row.schedule), StepSettings(), 20, TABLE, 0.0) == Steps((), 0.0, 0)
    assert Steps((), 0.0, 0).count == 0


@pytest.mark.rule("E60")
@pytest.mark.parametrize(("strength", "n", "whole"), [(0.5, 20, 40), (0.3, 10, 33), (1.0, 20, 20), (0.01, 150, 15000)])
def test_exact_steps_run_as_many_as_asked_at_the_level_of_the_strength(strength: float, n: int, whole: int) -> None:
    assert image_steps(n, strength, exact=True) == (whole, n - 1)
    made = steps("DPM++ 2M", n, strength, exact=True)
    assert made.sigmas == levels(spaced("karras"), whole, TABLE)[-n - 1 :]
    assert made.calls == n


@pytest.mark.rule("E42")
def test_a_single_level_is_left_where_the_last_but_one_is_left_out() -> None:
    assert steps("DPM++ 3M SDE", 5, schedule="custom", levels=ScheduleSettings(sigmas=(5.0,))).sigmas == (5.0, 0.0)
    assert steps("Euler", 5, discard_penultimate=True, levels=ScheduleSettings(sigma_min=20.0, sigma_max=30.0)).sigmas[-1] == 0.0


@pytest.mark.rule("E60")
def test_a_strength_of_next_to_nothing_asks_for_no_endless_schedule() -> None:
    made = steps("DPM++ 2M", 20, 1e-12, exact=True)
    assert 1 <= made.count <= 20
    assert made.sigmas[0] < 0.03


@pytest.mark.rule("E60", "E42")
@pytest.mark.parametrize("row", SAMPLERS, ids=lambda row: row.name)
def test_more_strength_starts_no_lower(row: SamplerRow) -> None:
    made = [steps_of(row, spaced(row.schedule), StepSettings(), 20, TABLE, strength) for strength in (0.05, 0.2, 0.5, 0.8, 0.95, 1.0)]
    noise = [each.noise_sigma / each.picture_scale for each in made]
    assert noise == sorted(noise)
    assert all(each.count >= 1 for each in made)
    if not row.varies:
        assert [each.calls for each in made] == sorted(each.calls for each in made)


@pytest.mark.rule("E60")
def test_schedules_longer_than_asked_are_cut_from_their_end_too() -> None:
    # 30 does not divide 1000: 31 levels before the 0
    made = steps("Euler", 30, 0.5, schedule="ddim_uniform")
    assert made.sigmas == levels(spaced("ddim_uniform"), 30, TABLE)[-16 - 1 :]


@pytest.mark.rule("E48")
@pytest.mark.parametrize("name", ["DDIM", "DDIM CFG++", "PLMS"])
def test_variance_preserving_samplers_add_noise_one_grid_point_above_where_they_begin(name: str) -> None:
    # Given strength 0.5 of 20: t = 10, the grid 1, 51, 101, ...
    made = steps(name, 20, 0.5)
    assert made.sigmas == tuple(trained(t) for t in range(451, 0, -50))
    noised, begun = float(TABLE.alphas[501]), float(TABLE.alphas[451])
    # sqrt(a) z + sqrt(1 - a) noise with the a of 501, in our coordinates of 451
    assert made.picture_scale == pytest.approx(math.sqrt(noised / begun))
    assert made.noise_sigma == pytest.approx(math.sqrt((1 - noised) / begun))
    exact = steps(name, 20, 0.5, parameters=SamplerParameters(exact_start=True))
    assert exact.sigmas == tuple(trained(t) for t in range(501, 0, -50))
    assert exact.picture_scale == pytest.approx(1.0)
    assert exact.noise_sigma == pytest.approx(exact.sigmas[0])


@pytest.mark.rule("E48")
def test_unipc_walks_a_grid_of_its_own_from_there() -> None:
    made = steps("UniPC", 20, 0.5)
    assert (made.count, made.calls) == (10, 10)
    assert [TABLE.t(sigma) for sigma in made.sigmas] == pytest.approx([451 * (1 - i / 10) for i in range(11)], abs=1e-3)
    noised, begun = float(TABLE.alphas[501]), float(TABLE.alphas[451])
    assert made.noise_sigma == pytest.approx(math.sqrt((1 - noised) / begun), rel=1e-6)
    exact = steps("UniPC", 20, 0.5, parameters=SamplerParameters(exact_start=True))
    assert TABLE.t(exact.sigmas[0]) == pytest.approx(501, abs=1e-3)
    assert exact.picture_scale == pytest.approx(1.0, abs=1e-6)


@pytest.mark.rule("E46", "E48")
def test_an_exact_start_acts_only_where_it_is_claimed() -> None:
    for row in SAMPLERS:
        made = [steps_of(row, spaced(row.schedule), StepSettings(parameters=SamplerParameters(exact_start=exact)), 20, TABLE, 0.5) for exact in (False, True)]
        assert (made[0] != made[1]) == ("exact_start" in row.parameters) == (row in BY_IMAGE_GRID), row.name


@pytest.mark.rule("E48", "E60")
@pytest.mark.parametrize("row", [*BY_IMAGE_GRID, *(named(name) for name in ("Euler", "DPM++ 2M", "Heun", "LMS"))], ids=lambda row: row.name)
def test_a_picture_of_the_data_stays_one(row: SamplerRow) -> None:
    """Given a picture drawn from the data, noised and denoised as told, the result is distributed as the data again."""
    parameters = SamplerParameters(exact_start=True)
    made = steps_of(row, spaced(row.schedule), StepSettings(parameters=parameters), 100, TABLE, 0.6)
    noise = seeded((20_000,))
    picture = MEAN + noise() * math.sqrt(VARIANCE)
    start = made.picture_scale * picture + made.noise_sigma * noise()
    result = row.function(Spy(gaussian), start, made.sigmas, noise, parameters, lambda *args: None)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.015)
    assert float(result.var()) == pytest.approx(VARIANCE, rel=0.07)
    # and starting one point lower changes it but little
    late = steps_of(row, spaced(row.schedule), StepSettings(), 100, TABLE, 0.6)
    assert late.noise_sigma == pytest.approx(made.noise_sigma, rel=0.05)


@pytest.mark.rule("E60", "E47")
def test_moments_of_a_cut_run_are_right_where_the_noisy_samplers_begin() -> None:
    for name in ("DPM++ 2M SDE", "DPM++ SDE", "Restart"):
        made = steps(name, 100, 0.6)
        mean, variance = moments(named(name), made.sigmas)
        assert mean == pytest.approx(MEAN, abs=1e-9)
        assert variance == pytest.approx(VARIANCE, rel=0.02), name
