"""Maps made of colours and of depth: each against its own definition."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.engine.annotators import surfaces, tones

Bytes = NDArray[np.uint8]


@pytest.mark.rule("E84")
def test_recolouring_keeps_lightness_or_the_strongest_channel(disc: Bytes) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(tones.intensity(grey, 1.0), grey[..., 0])
    assert np.array_equal(tones.intensity(disc, 1.0), [[round(colorsys.rgb_to_hsv(*(pixel / 255))[2] * 255) for pixel in row] for row in disc])
    lightness = tones.luminance(grey, 1.0)
    # sRGB 119 is the grey of L* 50.
    assert lightness[119 // 16, 119 % 16] in (127, 128) and lightness[0, 0] == 0 and lightness[15, 15] == 255
    red, green = (np.array([[colour]], np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))
    assert (int(tones.luminance(red, 1.0)[0, 0]), int(tones.luminance(green, 1.0)[0, 0])) == (136, 224)  # L* 53.2 and 87.7
    assert tones.luminance(disc, 0.5).mean() > tones.luminance(disc, 1.0).mean() > tones.luminance(disc, 2.0).mean()


@pytest.mark.rule("E84")
def test_a_shuffle_is_the_seeds_and_keeps_the_colours(disc: Bytes) -> None:
    first = tones.shuffled(disc, 1)
    assert np.array_equal(first, tones.shuffled(disc, 1))
    assert not np.array_equal(first, tones.shuffled(disc, 2)) and not np.array_equal(first, disc)
    assert first.shape == disc.shape
    for channel in range(3):
        assert disc[..., channel].min() <= first[..., channel].min() and first[..., channel].max() <= disc[..., channel].max()
    assert np.array_equal(tones.shuffled(disc[:1, :1], 3), disc[:1, :1])


@pytest.mark.rule("E84")
def test_coarser_pictures_keep_their_size_and_means(disc: Bytes) -> None:
    assert np.array_equal(tones.coarse(disc, 1.0), disc)
    grid = tones.colour_grid(disc, 20)
    assert grid.shape == disc.shape and len(np.unique(grid.reshape(-1, 3), axis=0)) <= 12
    assert np.abs(grid[:20, :20].astype(int) - disc[:20, :20].mean(axis=(0, 1))).max() <= 1
    for made in (tones.coarse(disc, 4.0), tones.soft(disc, 3.0)):
        assert made.shape == disc.shape
        assert abs(made.mean() - disc.mean()) < 2 and np.abs(np.diff(made.astype(int), axis=1)).max() < np.abs(np.diff(disc.astype(int), axis=1)).max()
    assert np.array_equal(tones.inverted(tones.inverted(disc)), disc)


@pytest.mark.rule("E84")
def test_inpainting_tells_minus_one_where_the_mask_is(disc: Bytes) -> None:
    mask = np.zeros((60, 80))
    mask[10:20, 10:30] = 1
    made = tones.with_hidden(disc, mask)
    values = made.values()
    assert values.dtype == np.float32 and (values[10:20, 10:30] == -1).all()
    assert np.allclose(values[mask == 0] * 255, disc[mask == 0], atol=1e-4)
    assert not np.asarray(made.picture())[10:20, 10:30].any()


@pytest.mark.rule("E84")
def test_normals_of_a_depth_map_lean_where_it_rises() -> None:
    ramp = np.tile(np.linspace(0, 1, 33), (20, 1))
    flat = surfaces.normals(np.full((8, 8), 0.7), 0.4)
    assert (flat == [127, 127, 255]).all()
    leaning = surfaces.normals(ramp, 0.4)
    rising = leaning[5, 20].astype(int)
    assert rising[0] > 127 and rising[1] == 127
    assert (leaning[:, :10, 0] == 127).all()  # the background
    direction = leaning[5, 20] / 127.5 - 1
    assert abs(np.linalg.norm(direction) - 1) < 0.02
    turned = surfaces.normals(ramp.T, 0.4)
    assert turned[20, 5, 1] > 127 and turned[20, 5, 0] == 127


@pytest.mark.rule("E84")
def test_depth_is_spread_from_far_to_near() -> None:
    depth = surfaces.given_depth(np.array([[[50] * 3, [100] * 3, [150] * 3]], np.uint8))
    assert depth.tolist() == [[0, 0.5, 1]]
    assert not surfaces.given_depth(np.full((3, 3, 3), 9, np.uint8)).any()
