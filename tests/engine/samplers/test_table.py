"""Every row of the list of samplers keeps what it says: names, calls, parameters, and the contract of a sampler."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.samplers.table import adaptive_estimate
from sfumato.engine.schedules import SCHEDULES, find_schedule
from sfumato.engine.steps import StepSettings, steps_of
from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.generate import Generate
from tests.support.exact_denoisers import MEAN, TABLE, Bomb, Explosion, Spy, gaussian, levels_of, other_wavy, run, seeded, sigmas_of, silent, wavy

every_sampler = pytest.mark.parametrize("row", SAMPLERS, ids=lambda row: row.name)
SHAPE = (2, 4, 8, 8)


def steps(row: SamplerRow, n: int, strength: float | None = None, schedule: str = "", **parameters: Any) -> tuple[float, ...]:
    """The levels the engine would walk."""
    spacing = find_schedule(schedule or row.schedule)
    assert spacing is not None
    return steps_of(row, spacing, StepSettings(parameters=SamplerParameters(**parameters)), n, TABLE, strength).sigmas


def result_of(row: SamplerRow, n: int = 24, **parameters: Any) -> torch.Tensor:
    sigmas, noise = steps(row, n, **parameters), seeded(SHAPE)
    return run(row, Spy(wavy, other_wavy), noise() * sigmas[0], sigmas, noise, SamplerParameters(**parameters))[0]


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.rule("E44", "E45")
def test_the_list_is_the_one_of_the_specification() -> None:
    assert [row.name for row in SAMPLERS] == [
        *("Euler a", "Euler", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 2S a", "DPM++ 3M SDE", "LMS", "Heun", "Heun++"),
        *("DPM2", "DPM2 a", "DPM fast", "DPM adaptive", "Restart", "DDIM", "DDIM CFG++", "PLMS", "UniPC", "LCM", "TCD", "DEIS", "iPNDM", "iPNDM-v"),
        *("Gradient estimation", "RES multistep", "RES multistep a", "ER-SDE", "SA-Solver", "DDPM"),
        *("Euler CFG++", "Euler a CFG++", "DPM++ 2M CFG++", "DPM++ 2S a CFG++"),
    ]


@pytest.mark.rule("E44")
def test_names_and_aliases_are_understood_whatever_the_case_and_mean_one_sampler() -> None:
    names = [name for row in SAMPLERS for name in (row.name.casefold(), *row.aliases)]
    assert len(names) == len(set(names))
    for row in SAMPLERS:
        for name in (row.name, *row.aliases):
            assert find_sampler(name) is find_sampler(f" {name.upper()} ") is row
    assert find_sampler("no such sampler") is None


@pytest.mark.rule("E44")
@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("k_euler_a", "Euler a"),
        ("k_dpm_2_a", "DPM2 a"),
        ("k_dpmpp_2s_a", "DPM++ 2S a"),
        ("k_dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun"),
        ("k_dpm_ad", "DPM adaptive"),
        ("euler_ancestral", "Euler a"),
        ("dpmpp_3m_sde_gpu", "DPM++ 3M SDE"),
        ("heunpp2", "Heun++"),
        ("uni_pc", "UniPC"),
        ("euler_ancestral_cfg_pp", "Euler a CFG++"),
        ("res_multistep_ancestral", "RES multistep a"),
        ("kdpm_2_a", "DPM2 a"),
        ("ddim_cfgpp", "DDIM CFG++"),
        ("EulerAncestralDiscreteScheduler", "Euler a"),
        ("UniPCMultistepScheduler", "UniPC"),
    ],
)
def test_names_of_other_programs_are_understood(other: str, name: str) -> None:
    row = find_sampler(other)
    assert row is not None
    assert row.name == name


# -- calls -----------------------------------------------------------------------------------------


@pytest.mark.rule("E45", "E44")
@every_sampler
def test_calls_are_counted_right(row: SamplerRow) -> None:
    for n in (1, 2, 5, 20, 40):
        for strength in (None, 0.3):
            spy, noise, told = Spy(gaussian), seeded(SHAPE), []
            sigmas = steps(row, n, strength)
            row.function(spy, noise() * sigmas[0], sigmas, noise, SamplerParameters(), lambda index, *rest, told=told: told.append(index))
            if not row.varies:
                assert len(spy.sigmas) == row.evaluations(sigmas), (n, strength)
            if strength is None and not row.varies and not row.discard_penultimate:
                assert len(spy.sigmas) == row.calls(n)
            assert told == list(range(len(told))), "each step is told once, in order"


@pytest.mark.rule("E45")
@pytest.mark.parametrize(
    ("names", "calls"),
    [
        ("Euler, Euler a, LMS, DPM++ 2M, DPM++ 2M SDE, DPM++ 3M SDE, DPM fast, DEIS, LCM, TCD, Gradient estimation, DDPM, SA-Solver, PLMS, UniPC", 20),
        ("Heun, DPM2, DPM2 a, DPM++ 2S a, DPM++ SDE, Restart, DPM++ 2S a CFG++", 39),
        ("Heun++", 57),
        ("DDIM, DDIM CFG++", 19),
    ],
)
def test_twenty_steps_cost_what_the_list_says(names: str, calls: int) -> None:
    for name in names.split(", "):
        row = find_sampler(name)
        assert row is not None
        assert row.calls(20) == calls, name


@pytest.mark.rule("E45")
def test_adaptive_steps_are_estimated_and_limited() -> None:
    row = find_sampler("DPM adaptive")
    assert row is not None
    assert row.varies
    spy, noise, sigmas = Spy(gaussian), seeded(SHAPE), steps(row, 20)
    run(row, spy, noise() * sigmas[0], sigmas, noise)
    assert row.calls(20) / 2 <= len(spy.sigmas) <= 2 * row.calls(20)
    assert adaptive_estimate(steps(row, 20, 0.3)) < row.calls(20)
    # When no step is ever good enough
    wild = Spy(lambda x, sigma: torch.randn(x.shape, generator=torch.Generator().manual_seed(int(sigma * 1e6)), dtype=x.dtype) * 100)
    with pytest.raises(Invalid) as refusal:
        run(row, wild, noise() * sigmas[0], sigmas, noise)
    assert refusal.value.problems[0].path == "sampler"
    assert len(wild.sigmas) <= 1000


@pytest.mark.rule("P24")
def test_the_prompt_language_counts_calls_by_factors() -> None:
    twice = {"DPM++ SDE", "DPM++ 2S a", "DPM++ 2S a CFG++", "Heun", "DPM2", "DPM2 a", "Restart"}
    assert {row.name: row.call_factor for row in SAMPLERS} == {row.name: 2 if row.name in twice else 3 if row.name == "Heun++" else 1 for row in SAMPLERS}


# -- schedules -------------------------------------------------------------------------------------

OWN_GRID = {"DDIM", "DDIM CFG++", "PLMS", "UniPC", "LCM", "DPM fast", "DPM adaptive"}


@pytest.mark.rule("E46", "E42", "R8", "R34")
@every_sampler
def test_every_sampler_walks_every_schedule_it_is_given(row: SamplerRow) -> None:
    """For every sampler and schedule the function called is the row's own, and its steps begin at the schedule's levels."""
    for schedule in SCHEDULES:
        if schedule.name == "custom":
            continue
        settings = StepSettings()
        sigmas = steps_of(row, schedule, settings, 9, TABLE).sigmas
        again = sigmas_of(schedule.name, 9)
        if row.grid is not None:
            assert sigmas == tuple(float(torch.tensor(level)) for level in levels_of(row, 9))
        elif row.discard_penultimate:
            more = sigmas_of(schedule.name, 10)
            assert sigmas == (*more[:-2], more[-1])
        else:
            assert sigmas == again
        begun: list[float] = []
        row.function(
            Spy(gaussian), torch.ones(SHAPE, dtype=torch.float64), sigmas, seeded(SHAPE), SamplerParameters(), lambda i, x, s, d, begun=begun: begun.append(s)
        )
        if row.name not in ("DPM fast", "DPM adaptive"):
            assert begun == list(sigmas[:-1]), schedule.name


@pytest.mark.rule("E42")
def test_those_with_a_grid_of_their_own_say_so_and_the_others_name_a_schedule() -> None:
    assert {row.name for row in SAMPLERS if row.grid} == OWN_GRID
    assert all(find_schedule(row.schedule) is not None for row in SAMPLERS)
    by_schedule = {schedule: {row.name for row in SAMPLERS if not row.grid and row.schedule == schedule} for schedule in ("karras", "exponential", "trailing")}
    assert by_schedule == {
        "karras": {"DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a", "Restart", "DPM++ 2M CFG++", "DPM++ 2S a CFG++"},
        "exponential": {"DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"},
        "trailing": {"TCD"},
    }
    assert {row.name for row in SAMPLERS if row.discard_penultimate} == {"DPM2", "DPM2 a", "DPM++ 3M SDE"}


@pytest.mark.rule("R34", "R8")
def test_no_two_samplers_are_the_same_method() -> None:
    # One list of levels for all, and a denoiser of two different sides.
    sigmas, results = sigmas_of("karras", 24), {}
    for row in SAMPLERS:
        noise = seeded(SHAPE)
        results[row.name] = run(row, Spy(wavy, other_wavy), noise() * sigmas[0], sigmas, noise)[0]
    names = [row.name for row in SAMPLERS]
    alike = {frozenset((name, other)) for name in names for other in names if name < other and torch.allclose(results[name], results[other], atol=1e-9)}
    # These differ in their levels or their parameters only, which is how they were published.
    assert alike == {
        frozenset({"DDIM", "Euler"}),
        frozenset({"DDIM CFG++", "Euler CFG++"}),
        frozenset({"DDPM", "Euler a"}),
    }


# -- parameters ------------------------------------------------------------------------------------

# A value of each parameter that is neither its default nor a neighbour of it.
CHANGED: dict[str, Any] = {
    "eta": 0.4,
    "eta_ddim": 0.5,
    "s_churn": 4.0,
    "s_tmin": 1.0,
    "s_tmax": 5.0,
    "s_noise": 0.9,
    "solver": "heun",
    "order": 2,
    "unipc_variant": "bh2",
    "unipc_skip_type": "logSNR",
    "lower_order_final": False,
    "gamma": 0.7,
    "tau": 0.3,
}
# What must be on for another parameter to have anything to act on.
BASE: dict[str, Any] = {"s_churn": 8.0}


@pytest.mark.rule("E46", "R9")
@every_sampler
def test_parameters_act_where_the_row_says_so_and_nowhere_else(row: SamplerRow) -> None:
    plain = result_of(row, **BASE)
    for name, value in CHANGED.items():
        changed = result_of(row, **{**BASE, name: value})
        assert torch.equal(plain, changed) != (name in row.parameters), name


@pytest.mark.rule("E46")
def test_every_parameter_is_claimed_by_a_sampler_and_offered_by_the_request() -> None:
    parameters = {field.name for field in fields(SamplerParameters)} - {"table"}
    assert {name for row in SAMPLERS for name in row.parameters} == parameters
    assert parameters == {*CHANGED, "exact_start"}
    assert parameters <= set(Generate.model_fields)
    for field in fields(SamplerParameters):
        if field.name != "table":
            assert Generate.model_fields[field.name].default == getattr(SamplerParameters(), field.name), field.name


@pytest.mark.rule("E46", "R9")
@every_sampler
def test_eta_zero_draws_no_noise_and_eta_one_changes_the_picture(row: SamplerRow) -> None:
    for name in {"eta", "eta_ddim", "tau"} & set(row.parameters):
        sigmas, start = steps(row, 20), seeded(SHAPE)()
        quiet, _ = run(row, Spy(wavy), start * sigmas[0], sigmas, silent(), replace(SamplerParameters(), **{name: 0.0}))
        noise = seeded(SHAPE, seed=6)
        loud, _ = run(row, Spy(wavy), start * sigmas[0], sigmas, noise, replace(SamplerParameters(), **{name: 1.0}))
        assert noise.drawn > 0
        assert not torch.allclose(quiet, loud, atol=1e-3)


@pytest.mark.rule("E46")
def test_churn_acts_only_between_its_levels() -> None:
    row = find_sampler("Euler")
    assert row is not None
    sigmas = sigmas_of("karras", 20)
    for low, high in ((0.0, 0.0), (1.0, 5.0), (0.0, 0.5)):
        spy, noise = Spy(gaussian), seeded(SHAPE)
        run(row, spy, noise() * sigmas[0], sigmas, noise, SamplerParameters(s_churn=4.0, s_tmin=low, s_tmax=high))
        raised = {sigma for sigma, asked in zip(sigmas, spy.sigmas, strict=False) if asked != sigma}
        assert raised == {sigma for sigma in sigmas[:-1] if low <= sigma <= (high or math.inf)}
        assert noise.drawn == 1 + len(raised)


@pytest.mark.rule("E40", "E45")
@every_sampler
def test_sde_samplers_take_their_noise_from_the_brownian_path_and_the_others_do_not(row: SamplerRow) -> None:
    noise, asked = seeded(SHAPE), []
    noise.brownian = lambda sigma, sigma_next: asked.append((sigma, sigma_next)) or noise()  # type: ignore[method-assign]
    sigmas = steps(row, 6)
    run(row, Spy(gaussian), seeded(SHAPE)() * sigmas[0], sigmas, noise)
    if not row.name.startswith("DPM++") or "SDE" not in row.name:
        assert asked == []
    elif row.name == "DPM++ SDE":
        halves = [(a, math.sqrt(a * b)) for a, b in pairwise(sigmas[:-1])]
        assert asked == [pair for both in zip(halves, pairwise(sigmas[:-1]), strict=True) for pair in both]
    else:
        assert asked == list(pairwise(sigmas[:-1]))


# -- the contract ----------------------------------------------------------------------------------


@pytest.mark.rule("E49")
@every_sampler
def test_nothing_is_left_between_runs_nor_by_a_failing_one(row: SamplerRow) -> None:
    sigmas = steps(row, 21)
    start = seeded(SHAPE)() * sigmas[0]
    kept = start.clone()
    first, _ = run(row, Spy(wavy, other_wavy), start, sigmas, seeded(SHAPE))
    for at in (0, 3, 11):
        with pytest.raises(Explosion):
            run(row, Bomb(at), start, sigmas, seeded(SHAPE))
    second, _ = run(row, Spy(wavy, other_wavy), start, sigmas, seeded(SHAPE))
    assert torch.equal(first, second)
    assert torch.equal(start, kept)


@pytest.mark.rule("E49", "E44")
@every_sampler
def test_the_step_may_stop_the_run(row: SamplerRow) -> None:
    def stop(index: int, *rest: object) -> None:
        if index == 1:
            raise Explosion

    sigmas = steps(row, 12)
    with pytest.raises(Explosion):
        row.function(Spy(gaussian), seeded(SHAPE)() * sigmas[0], sigmas, seeded(SHAPE), SamplerParameters(), stop)


@pytest.mark.rule("E5", "R41")
@every_sampler
def test_float32_state_stays_close_to_float64(row: SamplerRow) -> None:
    sigmas = steps(row, 20)
    states = []
    for dtype in (torch.float64, torch.float32):
        noise = seeded(SHAPE)
        single = seeded(SHAPE)
        single._draw = lambda noise=noise, dtype=dtype: noise().to(torch.float32).to(dtype)
        result, seen = run(row, Spy(gaussian), single() * sigmas[0], sigmas, single)
        assert all(state.dtype == dtype for state in (*seen, result))
        states.append(result.double())
    torch.testing.assert_close(states[1], states[0], atol=2e-5 if row.varies else 1e-5, rtol=0)


@pytest.mark.rule("E60", "E48")
@every_sampler
def test_any_number_of_steps_and_any_strength_ends_in_numbers(row: SamplerRow) -> None:
    whole = [(n, None, "") for n in (1, 2, 3, 4, 7, 36, 150)]
    cut = [(n, strength, schedule) for n in (1, 2, 3, 8, 25) for strength in (0.01, 0.5, 1.0) for schedule in ("kl_optimal", "")]
    for n, strength, schedule in whole + cut:
        sigmas = steps(row, n, strength, schedule)
        assert len(sigmas) >= 2
        assert all(a > b for a, b in pairwise(sigmas))
        noise = seeded((1, 1, 2, 2))
        result, _ = run(row, Spy(gaussian), noise() * sigmas[0], sigmas, noise)
        assert bool(result.isfinite().all()), (n, strength, schedule)


@pytest.mark.rule("E4", "E45")
@every_sampler
def test_a_table_that_ends_in_pure_noise_is_walked_too(row: SamplerRow) -> None:
    table = NoiseTable(zero_terminal=True)
    parameters = SamplerParameters(table=table)
    spacing = find_schedule(row.schedule)
    assert spacing is not None
    made = steps_of(row, spacing, StepSettings(parameters=parameters), 30, table)
    noise = seeded((1, 4, 16, 16), dtype=torch.float32)
    result, _ = run(row, Spy(gaussian), noise() * made.noise_sigma, made.sigmas, noise, parameters)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.1)
    assert 0.08 < float(result.var()) < 0.75


# -- CFG++ -----------------------------------------------------------------------------------------


@pytest.mark.rule("E45", "E58")
@pytest.mark.parametrize("plain", ["Euler", "Euler a", "DPM++ 2M", "DPM++ 2S a", "DDIM"])
def test_cfg_plus_plus_with_equal_sides_is_the_plain_sampler(plain: str) -> None:
    row, twin = find_sampler(plain), find_sampler(f"{plain} CFG++")
    assert row is not None
    assert twin is not None
    sigmas = steps(row, 12)
    results, equal = [], SamplerParameters(eta_ddim=0.5)
    for each, denoise in ((row, Spy(wavy)), (twin, Spy(wavy)), (twin, Spy(wavy, other_wavy))):
        noise = seeded(SHAPE)
        results.append(run(each, denoise, noise() * sigmas[0], sigmas, noise, equal)[0])
    torch.testing.assert_close(results[1], results[0], atol=1e-12, rtol=0)
    assert not torch.allclose(results[2], results[0], atol=1e-2)
    assert (row.parameters, row.schedule, row.call_factor) == (tuple(p for p in twin.parameters), twin.schedule, twin.call_factor) or plain == "Euler"


@pytest.mark.rule("E45")
def test_cfg_plus_plus_steps_along_the_negative_side() -> None:
    sigma, sigma_next = 3.0, 1.0
    x = seeded(SHAPE)() * sigma
    denoised, negative = wavy(x, sigma), other_wavy(x, sigma)
    for name in ("Euler CFG++", "DDIM CFG++", "DPM++ 2M CFG++"):
        row = find_sampler(name)
        assert row is not None
        result, _ = run(row, Spy(wavy, other_wavy), x, (sigma, sigma_next), silent())
        torch.testing.assert_close(result, denoised + sigma_next * (x - negative) / sigma)


@pytest.mark.rule("E45", "E58")
def test_only_cfg_plus_plus_asks_for_the_negative_side() -> None:
    for row in SAMPLERS:
        asked = []
        spy = Spy(gaussian)
        pair = spy.pair
        spy.pair = lambda x, sigma, pair=pair, asked=asked: asked.append(sigma) or pair(x, sigma)  # type: ignore[method-assign]
        sigmas = steps(row, 4)
        run(row, spy, seeded(SHAPE)() * sigmas[0], sigmas, seeded(SHAPE))
        assert bool(asked) == row.needs_pair == ("CFG++" in row.name)
        if row.needs_pair:
            with pytest.raises(TypeError, match="pair"):
                run(row, gaussian, seeded(SHAPE)() * sigmas[0], sigmas, seeded(SHAPE))
    assert {row.name: row.guidance_factor for row in SAMPLERS if row.guidance_factor != 1} == {"DDIM CFG++": pytest.approx(0.08)}


@pytest.mark.rule("E39", "E66")
def test_variance_preserving_kin_start_and_blend_by_their_own_rules() -> None:
    kin = {"DDIM", "DDIM CFG++", "PLMS", "UniPC"}
    assert {row.name for row in SAMPLERS if row.scaled_noise} == {row.name for row in SAMPLERS if row.mask_before} == kin
