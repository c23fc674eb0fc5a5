"""Each rule of guidance against its formula, written out independently in float64, on random sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.guidance_rules import (
    RULES,
    GuidanceSettings,
    Sides,
    adaptive_projected,
    classifier_free,
    dynamically_limited,
    perpendicular_negative,
)


def random_sides(seed: int = 0, batch: int = 2) -> Sides:
    generator = torch.Generator().manual_seed(seed)
    base, *offsets = torch.randn((4, batch, 4, 8, 8), generator=generator)
    return Sides(base + offsets[0], base + offsets[1], base + offsets[2])


def arrays(sides: Sides, number: int) -> list[np.ndarray]:
    return [side[number].double().numpy() for side in (sides.positive, sides.negative, sides.empty) if side is not None]


def close(made: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(made.double().numpy(), expected, atol=3e-5, rtol=1e-5)


@pytest.mark.rule("E55")
@pytest.mark.parametrize(("eta", "norm", "momentum"), [(0.0, 0.0, 0.0), (0.3, 5.0, 0.0), (-1.0, 0.0, -0.5), (0.5, 12.0, -0.75)])
def test_apg_projects_limits_and_remembers(eta: float, norm: float, momentum: float) -> None:
    settings = GuidanceSettings(guidance=8.0, guidance_rule="apg", apg_eta=eta, apg_norm=norm, apg_momentum=momentum)
    kept: Tensor | None = None
    before = [np.zeros((4, 8, 8))] * 2
    for call in range(3):
        sides = random_sides(call)
        made, kept = adaptive_projected(sides, settings, kept)
        for number in range(2):
            towards, away, _ = arrays(sides, number)
            guide = towards - away + momentum * before[number]
            before[number] = guide
            if norm > 0:
                guide = guide * min(1.0, norm / np.linalg.norm(guide))
            unit = towards / np.linalg.norm(towards)
            along = np.vdot(guide, unit) * unit
            close(made[number], away + (towards - away) + 7.0 * ((guide - along) + eta * along))


@pytest.mark.rule("E55")
def test_apg_without_its_parameters_is_plain_guidance() -> None:
    sides = random_sides()
    settings = GuidanceSettings(guidance=6.0)
    torch.testing.assert_close(adaptive_projected(sides, settings, None)[0], classifier_free(sides, settings, None)[0], atol=2e-5, rtol=1e-5)


@pytest.mark.rule("E56")
@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_perp_neg_keeps_only_what_is_perpendicular(weight: float) -> None:
    sides = random_sides()
    made, _ = perpendicular_negative(sides, GuidanceSettings(guidance=7.0, perp_neg=weight), None)
    for number in range(2):
        towards, away, empty = arrays(sides, number)
        p, q = (towards - empty).ravel(), (away - empty).ravel()
        across = q - (q @ p) / (p @ p) * p
        close(made[number], empty + 7.0 * (p - weight * across).reshape(4, 8, 8))


@pytest.mark.rule("E56")
def test_perp_neg_with_an_empty_negative_is_plain_guidance() -> None:
    sides = random_sides()
    alike = Sides(sides.positive, sides.empty, sides.empty)
    settings = GuidanceSettings(guidance=7.0)
    torch.testing.assert_close(perpendicular_negative(alike, settings, None)[0], classifier_free(alike, settings, None)[0], atol=2e-5, rtol=1e-5)
    # and an empty prompt divides by nothing
    nothing = Sides(sides.positive, sides.negative, sides.positive)
    assert bool(perpendicular_negative(nothing, settings, None)[0].isfinite().all())


@pytest.mark.rule("E57")
@pytest.mark.parametrize(("mimic", "percentile"), [(7.0, 1.0), (3.0, 0.95), (30.0, 0.9), (0.0, 1.0)])
def test_dynamic_thresholding_keeps_the_range_of_a_lower_guidance(mimic: float, percentile: float) -> None:
    sides = random_sides()
    settings = GuidanceSettings(guidance=20.0, guidance_rule="dynamic", mimic_scale=mimic, mimic_percentile=percentile)
    denoised, _ = classifier_free(sides, settings, None)
    made = dynamically_limited(denoised, sides, settings)
    for number in range(2):
        towards, away, _ = arrays(sides, number)
        for channel in range(4):
            own = (away + 20.0 * (towards - away))[channel]
            lower = (away + mimic * (towards - away))[channel]
            mean = own.mean()
            wanted = np.abs(lower - lower.mean()).max()
            limit = max(wanted, np.quantile(np.abs(own - mean), percentile))
            expected = np.clip(own - mean, -limit, limit) / limit * wanted + mean
            np.testing.assert_allclose(made[number, channel].double().numpy(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.rule("E57")
def test_dynamic_thresholding_at_its_mimic_scale_changes_nothing() -> None:
    sides = random_sides()
    settings = GuidanceSettings(guidance=7.0, mimic_scale=7.0)
    denoised, _ = classifier_free(sides, settings, None)
    torch.testing.assert_close(dynamically_limited(denoised, sides, settings), denoised, atol=1e-5, rtol=1e-5)


@pytest.mark.rule("E49")
@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_bears_flat_pictures(rule: str) -> None:
    flat = torch.zeros((1, 4, 8, 8))
    settings = GuidanceSettings(guidance_rule=rule, apg_norm=5.0)
    made, _ = RULES[rule].combine(Sides(flat, flat, flat), settings, None)
    limit = RULES[rule].limit
    assert torch.equal(limit(made, Sides(flat, flat, flat), settings) if limit else made, flat)
