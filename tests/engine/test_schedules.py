"""Schedules: every row against levels computed once by an independent script (`data/schedule_levels.py`), and against diffusers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from sfumato.engine.beta_distribution import cumulative, quantile
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import SCHEDULES, Schedule, ScheduleSettings, find_schedule, levels
from sfumato.protocol.errors import Invalid

WRITTEN = json.loads((Path(__file__).parent / "data" / "schedule_levels.json").read_text())
CUSTOM = (12.5, 9.0, 4.25, 1.5, 0.75, 0.2, 0.05)
SDXL_ALIGNED = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)
TABLES = {"sd1": NoiseTable(), "sdxl": NoiseTable(aligned=SDXL_ALIGNED), "zsnr": NoiseTable(zero_terminal=True)}
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def made(name: str, n: int, table: NoiseTable = TABLES["sd1"], **settings: object) -> tuple[float, ...]:
    schedule = find_schedule(name)
    assert schedule is not None
    return levels(schedule, n, table, sigmas=CUSTOM, **settings)


@pytest.mark.rule("E41", "E43", "R40")
@pytest.mark.parametrize("table", ["sd1", "sdxl", "zsnr"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda row: row.name)
def test_R40_levels_match_the_independent_reference(schedule: Schedule, table: str) -> None:
    written = WRITTEN[table].get(schedule.name) or WRITTEN["sd1"][schedule.name]
    assert set(written) == {"1", "2", "7", "10", "20", "30", "50"}
    for n, expected in written.items():
        np.testing.assert_allclose(made(schedule.name, int(n), TABLES[table]), expected, rtol=1e-6, err_msg=f"n = {n}")


@pytest.mark.rule("E41")
def test_every_row_is_written_down_and_no_other() -> None:
    assert {row.name for row in SCHEDULES} == set(WRITTEN["sd1"]) == set(WRITTEN["zsnr"])


@pytest.mark.rule("E41", "E43")
@pytest.mark.parametrize("name", sorted(WRITTEN["changed"]))
def test_range_rho_and_beta_override(name: str) -> None:
    changed = ScheduleSettings(sigma_min=0.1, sigma_max=10.0, rho=3.0, beta_alpha=0.8, beta_beta=1.5)
    schedule = find_schedule(name)
    assert schedule is not None
    np.testing.assert_allclose(levels(schedule, 10, TABLES["sd1"], changed), WRITTEN["changed"][name]["10"], rtol=1e-6)


@pytest.mark.rule("E41")
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda row: row.name)
def test_settings_act_where_the_row_says_so(schedule: Schedule) -> None:
    changed = {
        "sigma_min": 0.2,
        "sigma_max": 9.0,
        "rho": 3.0,
        "beta_alpha": 0.9,
        "beta_beta": 0.9,
        "sigmas": (8.0, 2.0),
        "old_karras_sigmas": True,
        "flow_shift": 3.0,
    }
    assert set(schedule.parameters) <= set(changed)
    plain = made(schedule.name, 12)
    for name, value in changed.items():
        other = levels(schedule, 12, TABLES["sd1"], **{"sigmas": CUSTOM, name: value})
        assert (other != plain) == (name in schedule.parameters), name


@pytest.mark.rule("E42")
def test_old_karras_range_is_a_tenth_to_ten_and_gives_way_to_a_range_of_ones_own() -> None:
    old = made("karras", 20, old_karras_sigmas=True)
    assert (old[0], old[-2]) == pytest.approx((10.0, 0.1))
    assert made("karras", 20, old_karras_sigmas=True, sigma_max=12.0)[0] == 12.0


@pytest.mark.rule("E5", "E41", "E44")
@pytest.mark.parametrize("table", ["sd1", "zsnr"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda row: row.name)
def test_levels_are_float32_values_and_fall(schedule: Schedule, table: str) -> None:
    for n in (1, 2, 3, 30, 38, 75, 150, 1500):
        values = made(schedule.name, n, TABLES[table])
        assert all(float(np.float32(value)) == value for value in values)
        assert all(a > b for a, b in itertools.pairwise(values)), n
        assert values[-1] == 0 or schedule.name == "kl_optimal"


@pytest.mark.rule("E41")
def test_ddim_has_its_own_idea_of_n() -> None:
    assert len(made("ddim_uniform", 30)) == 31 + 1
    assert len(made("ddim_uniform", 20)) == 20 + 1
    assert made("ddim_uniform", 20)[-2] == pytest.approx(float(TABLES["sd1"].sigmas[1]), rel=1e-6)


@pytest.mark.rule("E41")
def test_kl_optimal_ends_at_the_lowest_level() -> None:
    assert made("kl_optimal", 20)[-1] == pytest.approx(TABLES["sd1"].sigma_min, rel=1e-6)
    assert made("kl_optimal_zero", 20)[-2:] == (pytest.approx(TABLES["sd1"].sigma_min, rel=1e-6), 0.0)


@pytest.mark.rule("E41")
def test_custom_levels_are_taken_as_they_are_or_stretched() -> None:
    assert made("custom", 7) == (*(float(np.float32(value)) for value in CUSTOM), 0.0)
    stretched = made("custom", 13)
    np.testing.assert_allclose(stretched[:-1:2], CUSTOM, rtol=1e-6)
    np.testing.assert_allclose(stretched[1], (12.5 * 9.0) ** 0.5, rtol=1e-6)
    schedule = find_schedule("custom")
    assert schedule is not None
    assert levels(schedule, 2, TABLES["sd1"], sigmas=(5.0, 1.0, 0.0)) == (5.0, 1.0, 0.0)
    # What float32 rounds to 0 is no level.
    assert levels(schedule, 2, TABLES["sd1"], sigmas=(5.0, 1.0, 1e-50)) == (5.0, 1.0, 0.0)


@pytest.mark.rule("E41")
def test_karras_has_levels_for_every_curvature() -> None:
    for rho in (1e-9, 0.001, 0.02, 20.0):
        bent = made("karras", 5, rho=rho, sigma_max=10000.0)
        assert bent[0] == pytest.approx(10000.0)
        assert bent[-1] == 0.0
        assert sorted(bent, reverse=True) == list(bent)


@pytest.mark.rule("E120")
def test_levels_that_cannot_be_are_refused_with_the_field() -> None:
    schedule, karras = find_schedule("custom"), find_schedule("karras")
    assert schedule is not None
    assert karras is not None
    for sigmas, words in (((), "needs levels"), ((1e-50,), "needs levels"), ((1.0, 2.0), "must fall"), ((2.0, 2.0, 1.0), "must fall")):
        with pytest.raises(Invalid, match=words) as caught:
            levels(schedule, 3, TABLES["sd1"], sigmas=sigmas)
        assert caught.value.problems[0].path == "sigmas"
    with pytest.raises(Invalid, match="lowest sigma must be below the highest") as caught:
        levels(karras, 3, TABLES["sd1"], sigma_min=20.0)
    assert caught.value.problems[0].path == "sigma_min"
    with pytest.raises(ValueError, match="0 steps"):
        levels(karras, 0, TABLES["sd1"])


@pytest.mark.rule("E43")
@pytest.mark.parametrize("n", [2, 10, 20, 50])
@pytest.mark.parametrize(("name", "option"), [("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas"), ("beta", "use_beta_sigmas")])
def test_karras_exponential_and_beta_equal_diffusers(monkeypatch: pytest.MonkeyPatch, name: str, option: str, n: int) -> None:
    # Given its schedulers, whose beta needs scipy for one function, taken from mpmath here
    import diffusers.schedulers.scheduling_euler_discrete as theirs

    def ppf(p: float, a: float, b: float) -> float:
        if p in (0, 1):
            return float(p)
        return float(mpmath.findroot(lambda x: mpmath.betainc(a, b, 0, x, regularized=True) - p, (1e-12, 1 - 1e-12), solver="anderson", tol=1e-13))

    scipy = SimpleNamespace(stats=SimpleNamespace(beta=SimpleNamespace(ppf=ppf)))
    monkeypatch.setattr(theirs, "is_scipy_available", lambda: True)
    monkeypatch.setattr(theirs, "scipy", scipy, raising=False)
    scheduler = theirs.EulerDiscreteScheduler(**TRAINED, **{option: True})
    # When
    scheduler.set_timesteps(n)
    # Then: its table is float32
    np.testing.assert_allclose(made(name, n), scheduler.sigmas.numpy(), rtol=3e-5)


@pytest.mark.rule("E43")
@pytest.mark.parametrize("n", [1, 4, 7, 8, 20, 50])
def test_trailing_equals_diffusers(n: int) -> None:
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**TRAINED, timestep_spacing="trailing")
    scheduler.set_timesteps(n)
    np.testing.assert_allclose(made("trailing", n), scheduler.sigmas.numpy(), rtol=3e-5)


@pytest.mark.rule("E43")
@pytest.mark.parametrize(("table", "theirs"), [("sd1", "StableDiffusionSigmas"), ("sdxl", "StableDiffusionXLSigmas")])
def test_optimised_levels_equal_diffusers(table: str, theirs: str) -> None:
    from diffusers.schedulers import AysSchedules

    # Its last level is the step's end, 0.
    *published, end = AysSchedules[theirs]
    assert end == 0
    np.testing.assert_allclose(made("align_your_steps", 11, TABLES[table])[:10], published, rtol=1e-6)


@pytest.mark.rule("E43")
def test_flow_equals_diffusers() -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(sigmas=[1 - i / 20 for i in range(20)])
    ours = np.array(made("flow", 20, flow_shift=3.0))
    np.testing.assert_allclose((ours / (1 + ours))[1:], scheduler.sigmas.numpy()[1:], atol=1e-6)


@pytest.mark.rule("E41")
@pytest.mark.parametrize(("a", "b"), [(0.6, 0.6), (0.05, 10.0), (0.3, 5.0), (1.0, 1.0), (10.0, 0.05), (8.0, 3.0)])
def test_quantiles_of_the_beta_distribution_are_exact(a: float, b: float) -> None:
    for probability in (0.0, 1e-6, 0.02, 0.3, 0.5, 0.77, 0.999, 1.0):
        found = quantile(probability, a, b)
        exact = mpmath.betainc(a, b, 0, found, regularized=True)
        # as exact as the float64 next to the quantile tells apart
        above, below = (mpmath.betainc(a, b, 0, min(found * factor, 1), regularized=True) for factor in (1 + 1e-12, 1 - 1e-12))
        assert float(abs(exact - probability)) <= max(2e-13, float(above - below))
        assert cumulative(found, a, b) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.rule("E42")
def test_every_sampler_that_takes_a_schedule_names_one_that_exists() -> None:
    own = {row.name: row.schedule for row in SAMPLERS if find_schedule(row.schedule) is None}
    assert all(row.grid is not None for row in SAMPLERS if row.name in own), own


@pytest.mark.rule("E41")
def test_names_titles_and_aliases() -> None:
    for row in SCHEDULES:
        for name in (row.name, row.title, row.title.upper(), *row.aliases):
            assert find_schedule(f" {name} ") is row
    assert find_schedule("Normal") is find_schedule("Uniform")
    assert find_schedule("no such schedule") is None
    names = [name for row in SCHEDULES for name in {row.name, row.title.casefold(), *row.aliases}]
    assert len(names) == len(set(names))
