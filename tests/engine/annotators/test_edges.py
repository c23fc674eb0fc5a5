"""Edges by filters: against slow restatements, and for what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.engine.annotators import edges

Bytes = NDArray[np.uint8]


def slow_canny(pixels: Bytes, low: int, high: int) -> Bytes:
    """The same definition, pixel by pixel and with floating-point angles."""
    height, width, _ = pixels.shape

    def at(row: int, column: int, channel: int) -> int:
        return int(pixels[min(max(row, 0), height - 1), min(max(column, 0), width - 1), channel])

    slopes = {}
    for row in range(height):
        for column in range(width):
            best = (-1, 0, 0)
            for channel in range(3):
                across = sum(weight * (at(row + step, column + 1, channel) - at(row + step, column - 1, channel)) for step, weight in ((-1, 1), (0, 2), (1, 1)))
                down = sum(weight * (at(row + 1, column + step, channel) - at(row - 1, column + step, channel)) for step, weight in ((-1, 1), (0, 2), (1, 1)))
                if abs(across) + abs(down) > best[0]:
                    best = (abs(across) + abs(down), across, down)
            slopes[row, column] = best

    def strength(row: int, column: int) -> int:
        return slopes.get((row, column), (0, 0, 0))[0]

    ridge, waiting = set(), []
    for (row, column), (force, across, down) in slopes.items():
        angle = math.degrees(math.atan2(abs(down), abs(across)))
        if angle < 22.5:
            is_top = force > strength(row, column - 1) and force >= strength(row, column + 1)
        elif angle > 67.5:
            is_top = force > strength(row - 1, column) and force >= strength(row + 1, column)
        else:
            side = -1 if (across < 0) != (down < 0) else 1
            is_top = force > strength(row - 1, column - side) and force > strength(row + 1, column + side)
        if is_top and force > low:
            ridge.add((row, column))
            if force > high:
                waiting.append((row, column))
    found = np.zeros((height, width), np.uint8)
    while waiting:
        row, column = waiting.pop()
        if found[row, column]:
            continue
        found[row, column] = 255
        waiting += [place for place in ((row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)) if place in ridge]
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 24), st.sampled_from([(0.4, 0.8), (0.1, 0.3), (0.0, 1.0)]))
def test_canny_is_what_a_slow_restatement_finds(seed: int, height: int, width: int, thresholds: tuple[float, float]) -> None:
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3))
    pixels = (coarse.repeat(4, 0).repeat(4, 1)[:height, :width] + draw.integers(-9, 10, (height, width, 3))).clip(0, 255).astype(np.uint8)
    low, high = thresholds
    assert np.array_equal(edges.canny(pixels, low, high), slow_canny(pixels, int(low * 255), int(high * 255)))


@pytest.mark.rule("E84")
def test_canny_draws_a_thin_closed_outline_and_its_thresholds_count(disc: Bytes) -> None:
    found = edges.canny(disc, 0.4, 0.8)
    rows, columns = np.nonzero(found)
    distance = np.hypot(columns - 40, rows - 30)
    assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 255}
    assert distance.min() > 18 and distance.max() < 22
    assert len(np.unique(np.degrees(np.arctan2(rows - 30, columns - 40)) % 360 // 20)) == 18  # all around
    faint = (disc // 12).astype(np.uint8)
    assert not edges.canny(faint, 0.4, 0.8).any() and edges.canny(faint, 0.05, 0.1).any()
    assert np.array_equal(edges.canny(disc, 0.8, 0.4), found)


@pytest.mark.rule("E84")
def test_soft_edges_line_art_and_scribbles_are_at_the_edge(disc: Bytes) -> None:
    rows, columns = np.mgrid[:60, :80]
    near = np.abs(np.hypot(columns - 40, rows - 30) - 20) < 3
    soft = edges.soft_edges(disc)
    assert soft[near].mean() > 5 * soft[~near].mean() + 20
    assert len(np.unique(soft)) > 50
    for dark in (edges.line_art(disc, 6.0, 8.0), edges.scribble(disc, 32)):
        found = np.hypot(columns - 40, rows - 30)[dark > 0]
        # What is darker than around lies outside a light disc.
        assert found.size and found.min() > 18
    for flat in (np.full((9, 9, 3), 77, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert (
            not edges.soft_edges(flat).any()
            and not edges.line_art(flat, 6, 8).any()
            and not edges.scribble(flat, 32).any()
            and not edges.canny(flat, 0, 0).any()
        )


@pytest.mark.rule("E84")
def test_a_threshold_parts_light_from_dark(disc: Bytes) -> None:
    made = edges.threshold(disc, 127)
    assert np.array_equal(made == 255, disc.mean(axis=2) > 127)
    assert not edges.threshold(disc, 255).any()
