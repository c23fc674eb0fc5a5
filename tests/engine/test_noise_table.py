"""The trained noise levels: against the definition in Python's own doubles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sfumato.engine.noise_table import NoiseTable


def reference_alphas() -> list[float]:
    """The cumulative alphas by the definition."""
    product, alphas = 1.0, []
    for t in range(1000):
        product *= 1 - (math.sqrt(0.00085) + t / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))) ** 2
        alphas.append(product)
    return alphas


def sigmas_of(alphas: list[float]) -> list[float]:
    return [math.sqrt((1 - alpha) / alpha) for alpha in alphas]


@pytest.mark.rule("E3", "R40")
def test_R40_table_matches_the_definition_in_float64() -> None:
    table = NoiseTable()
    assert table.sigma_min == pytest.approx(0.029167, abs=5e-7)
    assert table.sigma_max == pytest.approx(14.614641, abs=5e-7)
    np.testing.assert_allclose(table.sigmas, sigmas_of(reference_alphas()), rtol=1e-12)


@pytest.mark.rule("E3")
def test_time_and_level_are_inverse_and_linear_in_the_logarithm() -> None:
    table = NoiseTable()
    for t in (0.0, 0.25, 17.5, 500.0, 998.75, 999.0):
        assert table.t(float(table.sigma(np.array([t]))[0])) == pytest.approx(t, abs=1e-8)
    halfway = math.sqrt(table.sigmas[10] * table.sigmas[11])
    assert table.t(halfway) == pytest.approx(10.5)
    assert (table.t(1e-4), table.t(1e4)) == (0.0, 999.0)


@pytest.mark.rule("E3")
def test_quantised_time_is_that_of_the_nearest_trained_level() -> None:
    exact, rounded = NoiseTable(), NoiseTable(quantize_t=True)
    for sigma in (0.01, 0.03, 0.5, 1.7, 3.3, 14.0, 20.0):
        nearest = min(range(1000), key=lambda t: abs(math.log(sigma / exact.sigmas[t])))
        assert rounded.t(sigma) == nearest
        assert rounded.fractional_t(sigma) == exact.t(sigma)
    np.testing.assert_array_equal(rounded.sigmas, exact.sigmas)


@pytest.mark.rule("E3")
def test_downcast_alphas_are_those_that_half_precision_holds() -> None:
    table = NoiseTable(downcast_alphas=True)
    halves = [float(np.float16(alpha)) for alpha in reference_alphas()]
    np.testing.assert_allclose(table.sigmas, sigmas_of(halves), rtol=1e-12)
    assert bool((np.diff(table.sigmas) > 0).all())
    assert float(np.abs(table.sigmas / NoiseTable().sigmas - 1).max()) > 1e-3


@pytest.mark.rule("E4")
@pytest.mark.parametrize("downcast", [False, True])
def test_zero_terminal_table_ends_in_almost_pure_noise(downcast: bool) -> None:
    table = NoiseTable(zero_terminal=True, downcast_alphas=downcast)
    assert table.sigma_max == pytest.approx(4518.764, abs=5e-4)
    assert table.sigma_min == pytest.approx(NoiseTable(downcast_alphas=downcast).sigma_min, rel=1e-9)
    assert bool((np.diff(table.sigmas) > 0).all())


@pytest.mark.rule("E4")
def test_zero_terminal_alphas_follow_the_formula() -> None:
    alphas = reference_alphas()
    first, last = math.sqrt(alphas[0]), math.sqrt(alphas[-1])
    expected = [((math.sqrt(alpha) - last) * first / (first - last)) ** 2 for alpha in alphas[:-1]]
    np.testing.assert_allclose(NoiseTable(zero_terminal=True).alphas, [*expected, 4.8973451890853435e-08], rtol=1e-10)
