"""Soft and differential masks against brute force and closed forms (E67)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.engine.inputs.soft_inpainting import ChangeRule, changed_mask, differential_mask, soft_blend, soft_mask, window_mean


def brute_window_mean(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Stack the neighbours by value, each as high as its weight; average the slice between the two heights."""
    result = np.zeros_like(values)
    for y, x in np.ndindex(values.shape):
        stack = []
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                if 0 <= y + dy < values.shape[0] and 0 <= x + dx < values.shape[1]:
                    stack.append((values[y + dy, x + dx], math.exp(-(dy * dy + dx * dx) / 2.25)))
        stack.sort()
        total = sum(weight for _, weight in stack)
        start, end = total * low, total * high
        if end - start < 1:
            middle = (start + end) / 2
            start, end = middle - 0.5, middle + 0.5
            if end > total:
                start, end = total - 1, total
            if start < 0:
                start, end = 0.0, 1.0
        height = amount = share = 0.0
        for value, weight in stack:
            overlap = max(0.0, min(end, height + weight) - max(start, height))
            amount, share, height = amount + value * overlap, share + overlap, height + weight
        result[y, x] = amount / share
    return result


@pytest.mark.rule("E67")
@pytest.mark.parametrize(("low", "high"), [(0.9, 1.0), (0.25, 0.75), (0.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize(("height", "width"), [(6, 7), (1, 5), (3, 1)])
def test_the_window_mean_is_that_of_the_sorted_neighbours(low: float, high: float, height: int, width: int) -> None:
    values = np.random.default_rng(5).random((height, width)) * 3
    assert window_mean(values, low, high) == pytest.approx(brute_window_mean(values, low, high), abs=1e-9)


@pytest.mark.rule("E67")
@pytest.mark.parametrize("sigma", [14.6, 3.0, 1.0, 0.03])
@pytest.mark.parametrize(("power", "scale"), [(1.0, 0.5), (2.0, 1.5), (0.0, 1.0)])
def test_the_mask_is_raised_to_the_noise_level(sigma: float, power: float, scale: float) -> None:
    mask = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    wanted = [value ** (sigma**power * scale) for value in mask]
    assert soft_mask(mask, sigma, power, scale) == pytest.approx(wanted)
    assert soft_mask(torch.tensor(mask), sigma, power, scale).tolist() == pytest.approx(wanted)
    # Closed and open places never move; the others open as the noise falls.
    assert soft_mask(mask, sigma)[[0, 4]].tolist() == [0, 1]
    assert (soft_mask(mask, sigma / 2)[1:4] > soft_mask(mask, sigma)[1:4]).all()


@pytest.mark.rule("E67")
@pytest.mark.parametrize("contrast", [1.0, 4.0, 32.0])
def test_lengths_are_mixed_by_their_power_mean_and_directions_linearly(contrast: float) -> None:
    generator = np.random.default_rng(2)
    original, painted = generator.normal(size=(2, 4, 3, 5)) * 8, generator.normal(size=(2, 4, 3, 5)) * 3
    mask = generator.random((1, 1, 3, 5))
    result = soft_blend(original, painted, mask, contrast)
    one, other = np.linalg.norm(original, axis=1), np.linalg.norm(painted, axis=1)
    share = mask[:, 0]
    wanted = (one**contrast * (1 - share) + other**contrast * share) ** (1 / contrast)
    assert np.linalg.norm(result, axis=1) == pytest.approx(wanted, rel=1e-4)
    straight = original * (1 - mask) + painted * mask
    cosine = (result * straight).sum(1) / np.linalg.norm(result, axis=1) / np.linalg.norm(straight, axis=1)
    assert cosine == pytest.approx(np.ones_like(cosine))
    tensor = soft_blend(torch.tensor(original).float(), torch.tensor(painted).float(), torch.tensor(mask).float(), contrast)
    assert tensor.numpy() == pytest.approx(result, rel=2e-4, abs=1e-4)


@pytest.mark.rule("E67")
def test_open_and_closed_places_are_one_picture_or_the_other() -> None:
    original, painted = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0)), torch.full((1, 4, 2, 2), 2.0)
    for value, wanted in ((0.0, original), (1.0, painted)):
        assert torch.allclose(soft_blend(original, painted, torch.full((1, 1, 2, 2), value)), wanted, atol=1e-5)
    # No power leaves float32, and nothing becomes no number.
    large = soft_blend(original * 1e5, painted * 0, torch.full((1, 1, 2, 2), 0.5), 32.0)
    assert bool(large.isfinite().all()) and bool((large.abs().sum() > 0).all())


@pytest.mark.rule("E67")
def test_greys_are_repainted_from_their_share_of_the_way() -> None:
    mask = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    rows = {time: differential_mask(mask, time, 900, 100).tolist() for time in (900, 700, 500, 300, 100)}
    assert rows[900] == [False, False, False, False, True]
    assert rows[700] == [False, False, False, True, True]
    assert rows[500] == [False, False, True, True, True]
    assert rows[300] == [False, True, True, True, True]
    assert rows[100] == [False, True, True, True, True]  # black never
    assert differential_mask(torch.tensor(mask), 500, 900, 100).tolist() == rows[500]
    assert differential_mask(mask, 900, 900, 900).tolist() == rows[900]
    # A level above the first, which samplers reach by churning or by rounding.
    assert differential_mask(mask, 900.001, 900, 100).tolist() == differential_mask(mask, 950, 900, 100).tolist() == rows[900]


@pytest.mark.rule("E67")
def test_the_changed_mask_follows_its_formula_where_the_change_is_even() -> None:
    for change in (0.0, 0.1, 0.5, 1.0, 5.0):
        for threshold, contrast in ((0.5, 2.0), (1.0, 4.0)):
            kept = 1 / (1 + (change / threshold) ** contrast)
            new = 1 - (6 * kept**5 - 15 * kept**4 + 10 * kept**3)
            result = changed_mask(np.full((6, 9), change), np.ones((6, 9)), (72, 48), ChangeRule(threshold, contrast))
            assert result.size == (72, 48) and result.getextrema() == (int(255 * new), int(255 * new))
    # Half new at the threshold, whatever the contrast.
    assert changed_mask(np.full((4, 4), 0.5), np.zeros((4, 4)), (32, 32)).getextrema() == (127, 127)


@pytest.mark.rule("E67")
def test_influence_lets_the_mask_move_the_threshold() -> None:
    mask = np.zeros((12, 24))
    mask[:, 12:] = 0.8
    change = np.full((12, 24), 0.5)
    without = np.asarray(changed_mask(change, mask, (192, 96)))
    some = np.asarray(changed_mask(change, mask, (192, 96), ChangeRule(influence=0.5)))
    assert without.min() == without.max() == 127
    assert some[48, 10] < 127 < some[48, 180]
    closed = 1 - 0.8**0.25
    share = 0.25 + closed * 0.5
    kept = 1 / (1 + (1 / (share / (1 - share))) ** 2)
    assert some[48, 180] == pytest.approx(255 * (1 - (6 * kept**5 - 15 * kept**4 + 10 * kept**3)), abs=1.5)
    # All the mask's word: closed places have an endless threshold, open ones none.
    full = np.asarray(changed_mask(change, (mask > 0).astype(float), (192, 96), ChangeRule(influence=1.0)))
    assert full[48, 10] == 0 and full[48, 180] == 255


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 8), st.floats(0, 8), st.floats(0, 1), st.integers(0, 99))
def test_any_change_gives_a_mask_of_the_pictures_size(height: int, width: int, threshold: float, contrast: float, influence: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    change = generator.random((height, width)) * generator.integers(0, 2, (height, width)) * 20
    result = changed_mask(change, generator.random((height, width)), (width * 8, height * 8), ChangeRule(threshold, contrast, influence))
    assert result.size == (width * 8, height * 8) and result.mode == "L"
