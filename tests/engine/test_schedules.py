"""Noise levels: the trained table and the schedules, against float64 references."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import SCHEDULES, find_schedule, levels


def reference_sigmas() -> list[float]:
    """The table by the definition, in Python's own doubles."""
    product, sigmas = 1.0, []
    for t in range(1000):
        beta = (math.sqrt(0.00085) + t / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))) ** 2
        product *= 1 - beta
        sigmas.append(math.sqrt((1 - product) / product))
    return sigmas


@pytest.mark.rule("E3", "R40")
def test_table_matches_the_definition_in_float64() -> None:
    table = NoiseTable()
    assert table.sigma_min == pytest.approx(0.029167, abs=5e-7)
    assert table.sigma_max == pytest.approx(14.614641, abs=5e-7)
    np.testing.assert_allclose(table.sigmas, reference_sigmas(), rtol=1e-12)


@pytest.mark.rule("E3")
def test_time_and_level_are_inverse_and_linear_in_the_logarithm() -> None:
    table = NoiseTable()
    for t in (0.0, 0.25, 17.5, 500.0, 998.75, 999.0):
        assert table.t(float(table.sigma(np.array([t]))[0])) == pytest.approx(t, abs=1e-8)
    halfway = math.sqrt(table.sigmas[10] * table.sigmas[11])
    assert table.t(halfway) == pytest.approx(10.5)
    assert (table.t(1e-4), table.t(1e4)) == (0.0, 999.0)


@pytest.mark.rule("E4")
def test_zero_terminal_table_ends_in_almost_pure_noise() -> None:
    table = NoiseTable(zero_terminal=True)
    assert table.sigma_max == pytest.approx(4518.764, abs=5e-4)
    assert table.sigma_min == pytest.approx(NoiseTable().sigma_min, rel=1e-9)
    assert bool((np.diff(table.sigmas) > 0).all())


@pytest.mark.rule("E41", "E43", "R40")
@pytest.mark.parametrize("n", [1, 2, 7, 10, 20, 30, 50, 150])
def test_uniform_is_even_in_time(n: int) -> None:
    logs = [math.log(sigma) for sigma in reference_sigmas()]
    expected = []
    for i in range(n):
        t = 999 * (1 - i / (n - 1)) if n > 1 else 999.0
        low = min(int(t), 998)
        expected.append(math.exp(logs[low] + (t - low) * (logs[low + 1] - logs[low])))
    schedule = find_schedule("uniform")
    assert schedule is not None
    np.testing.assert_allclose(levels(schedule, n, NoiseTable()), [*expected, 0.0], rtol=1e-6)


@pytest.mark.rule("E41", "E43", "R40")
@pytest.mark.parametrize("n", [1, 2, 7, 10, 20, 30, 50, 150])
def test_karras_follows_its_equation(n: int) -> None:
    sigmas = reference_sigmas()
    first, last = sigmas[-1] ** (1 / 7), sigmas[0] ** (1 / 7)
    expected = [(first + i / max(n - 1, 1) * (last - first)) ** 7 for i in range(n)]
    schedule = find_schedule("karras")
    assert schedule is not None
    np.testing.assert_allclose(levels(schedule, n, NoiseTable()), [*expected, 0.0], rtol=1e-6)


@pytest.mark.rule("E41", "E43")
def test_karras_equals_diffusers() -> None:
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", use_karras_sigmas=True)
    scheduler.set_timesteps(20)
    schedule = find_schedule("Karras")
    assert schedule is not None
    np.testing.assert_allclose(levels(schedule, 20, NoiseTable()), scheduler.sigmas.numpy(), rtol=2e-5)  # its table is float32


@pytest.mark.rule("E5")
def test_levels_are_float32_values_and_fall() -> None:
    for schedule in SCHEDULES:
        values = levels(schedule, 30, NoiseTable())
        assert all(float(np.float32(value)) == value for value in values)
        assert all(a > b for a, b in itertools.pairwise(values))


@pytest.mark.rule("E42")
def test_every_sampler_names_a_schedule_that_exists() -> None:
    assert {row.name: find_schedule(row.schedule) is not None for row in SAMPLERS} == {"Euler a": True, "Euler": True, "DPM++ 2M": True}
    assert {row.name: row.schedule for row in SAMPLERS} == {"Euler a": "uniform", "Euler": "uniform", "DPM++ 2M": "karras"}
