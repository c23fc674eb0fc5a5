"""Histograms in L*a*b* (E70)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.engine.inputs.colour_matching import lab_to_rgb, match_colours, match_histogram, rgb_to_lab


def noisy(width: int, height: int, seed: int, low: int = 0, high: int = 256) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(low, high, (height, width, 3), np.uint8))


@pytest.mark.rule("E70")
@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # Published values for sRGB under D65, to two places.
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_conversion_to_lab(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    assert rgb_to_lab(np.array(rgb) / 255) == pytest.approx(np.array(lab), abs=0.02)


@pytest.mark.rule("E70")
def test_conversion_there_and_back_keeps_every_byte() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1)
    assert np.array_equal((lab_to_rgb(rgb_to_lab(grid / 255)) * 255).round(), grid)


@pytest.mark.rule("E70")
def test_equal_counts_of_different_values_are_exchanged_in_order() -> None:
    generator = np.random.default_rng(0)
    values, reference = generator.permutation(50).reshape(5, 10) * 1.0, np.sort(generator.random(50))
    assert np.array_equal(match_histogram(values, reference), reference[values.astype(int)])


@pytest.mark.rule("E70")
def test_matching_is_by_share_of_the_distribution() -> None:
    # Half of 0 and half of 4 stand at the shares 1/2 and 1; the reference has 10 at 1/4, 20 at 3/4, 40 at 1: a half lies midway between 10 and 20.
    values, reference = np.array([0, 0, 4, 4.0]), np.array([10, 20, 20, 40.0])
    assert match_histogram(values, reference).tolist() == [15, 15, 40, 40]


@pytest.mark.rule("E70")
def test_colours_become_those_of_the_reference() -> None:
    picture, reference = noisy(40, 30, 1, 100, 256), noisy(25, 60, 2, 0, 120)
    result = match_colours(picture, reference)
    assert result.size == picture.size and result.mode == "RGB"
    shares = np.linspace(0.05, 0.95, 19)
    lab, wanted = (rgb_to_lab(np.asarray(image) / 255).reshape(-1, 3) for image in (result, reference))
    # Independent channels can ask for colours that no screen shows; lightness is hit closely, the axes within their clipping.
    assert np.quantile(lab[:, 0], shares) == pytest.approx(np.quantile(wanted[:, 0], shares), abs=2.5)
    for axis in (1, 2):
        assert np.abs(np.quantile(lab[:, axis], shares) - np.quantile(wanted[:, axis], shares)).mean() < 6


@pytest.mark.rule("E70")
def test_greys_are_matched_exactly() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    grey = Image.fromarray(np.repeat(ramp[None, :, None], 3, 2))
    dark = Image.fromarray(np.repeat((ramp // 2)[None, ::-1, None], 3, 2))
    result = np.asarray(match_colours(grey, dark))[0, :, 0].astype(int)
    assert np.abs(result - ramp // 2).max() <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 50))
def test_a_picture_matched_to_itself_is_itself(width: int, height: int, seed: int) -> None:
    picture = noisy(width, height, seed)
    assert match_colours(picture, picture).tobytes() == picture.tobytes()


@pytest.mark.rule("E70")
def test_a_single_colour_gives_a_single_colour() -> None:
    result = match_colours(noisy(9, 9, 0), Image.new("RGB", (5, 5), (12, 200, 90)))
    assert result.getcolors() == [(81, (12, 200, 90))]
