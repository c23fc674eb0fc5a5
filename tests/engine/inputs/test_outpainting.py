"""Canvas, bands and mask of a picture that is continued (E69)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.engine.inputs.outpainting import Sides, band_mask, begin, canvas_of
from sfumato.engine.inputs.repainting import put_back
from sfumato.engine.inputs.resizing import Box

PIXELS = st.integers(0, 40)


def noisy(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def distance_to_band(size: tuple[int, int], plane: Box) -> np.ndarray:
    """For each pixel of the canvas, how many pixels (in the larger of both directions) it lies from the nearest one outside the picture; 0 outside it."""
    width, height = size
    y, x = np.mgrid[plane.top : plane.bottom, plane.left : plane.right]
    far = np.full(x.shape, 10_000)
    for band, depth in ((plane.left, x + 1), (plane.top, y + 1), (plane.right - width, width - x), (plane.bottom - height, height - y)):
        far = np.minimum(far, depth) if band else far
    return np.where((x >= 0) & (x < width) & (y >= 0) & (y < height), far, 0)


@pytest.mark.rule("E69")
@pytest.mark.parametrize(
    ("size", "sides", "wanted"),
    [
        ((512, 512), Sides(left=128), (-128, 0, 512, 512)),
        ((512, 512), Sides(64, 64, 64, 64), (-64, -64, 576, 576)),
        ((500, 300), Sides(right=100), (0, 0, 600, 304)),  # 300 is no multiple of 8: the rest below
        ((500, 300), Sides(left=101, top=1), (-108, -4, 500, 300)),  # the rest on the painted side
        ((500, 300), Sides(left=10, right=11), (-10, 0, 518, 304)),
        ((64, 64), Sides(2048, 2048, 2048, 2048), (-2048, -2048, 2112, 2112)),
    ],
)
def test_the_canvas_is_rounded_up_to_eight(size: tuple[int, int], sides: Sides, wanted: tuple[int, int, int, int]) -> None:
    assert canvas_of(size, sides) == wanted


@pytest.mark.rule("E69")
@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(9, 60), st.integers(9, 60)), sides=st.builds(Sides, PIXELS, PIXELS, PIXELS, PIXELS), overlap=st.sampled_from([8, 9, 16]))
def test_the_picture_keeps_its_place_and_its_bytes(size: tuple[int, int], sides: Sides, overlap: int) -> None:
    picture = noisy(*size)
    work = begin(picture, sides, "edges", overlap)
    plane = canvas_of(size, sides)
    assert work.base.size == work.mask.size == work.picture.size == plane.size
    assert plane.size[0] % 8 == plane.size[1] % 8 == 0
    assert sides.left <= -plane.left < sides.left + 8 and sides.bottom <= plane.bottom - size[1] < sides.bottom + 8
    inner = np.s_[-plane.top : size[1] - plane.top, -plane.left : size[0] - plane.left]
    assert np.array_equal(np.asarray(work.base)[inner], np.asarray(picture))
    # Then: what is farther from a band than the overlap has the same bytes after painting, the bands are all new
    painted = np.asarray(put_back(work, Image.new("RGB", plane.size, (1, 2, 3))))
    far = distance_to_band(size, plane)
    assert np.array_equal(painted[far > overlap], np.asarray(work.base)[far > overlap])
    assert (painted[far == 0] == (1, 2, 3)).all()


@pytest.mark.rule("E69")
@pytest.mark.parametrize("overlap", [8, 9, 20, 33, 64])
def test_the_mask_falls_from_white_to_black_within_the_overlap(overlap: int) -> None:
    plane = Box(-80, 0, 240, 200)
    row = np.asarray(band_mask((200, 200), plane, overlap))[100].astype(int)
    into_left, into_right = row[80:], row[: 80 + 200][::-1]
    for inside in (into_left, into_right):
        assert (np.diff(inside[:overlap]) <= 0).all()
        assert inside[0] > 240 and inside[overlap - 1] < 30 and inside[overlap] == 0
        assert inside[overlap // 2 - 1] >= 128 > inside[overlap // 2]
    assert (row[:80] == 255).all() and (row[280:] == 255).all()
    assert (np.asarray(band_mask((200, 200), plane, overlap))[:, 80 + overlap : 280 - overlap] == 0).all()


@pytest.mark.rule("E69")
def test_edges_are_stretched_and_blurred() -> None:
    # Given: red on the left half, blue on the right; green lines across would be streaks
    picture = Image.new("RGB", (96, 96), (200, 0, 0))
    picture.paste((0, 0, 200), (48, 0, 96, 96))
    picture.paste((0, 255, 0), (0, 40, 96, 42))
    canvas = np.asarray(begin(picture, Sides(left=64, right=64)).picture).astype(int)
    # Then: each band has the colour of its side
    assert np.abs(canvas[10, 10] - (200, 0, 0)).max() <= 6
    assert np.abs(canvas[10, -10] - (0, 0, 200)).max() <= 6
    # and the line is a soft hump of the same amount instead of a streak.
    assert canvas[41, 20, 1] < 40 and canvas[41, 20, 1] > canvas[20, 20, 1]


@pytest.mark.rule("E69")
def test_texture_has_the_histogram_and_the_spectrum_of_the_picture() -> None:
    # Given: a picture of slow waves, darker in blue
    y, x = np.mgrid[0:128, 0:128]
    wave = np.sin(x / 9) * np.cos(y / 13)
    picture = Image.fromarray(np.stack([128 + 90 * wave, 90 + 60 * wave, 40 + 30 * wave], -1).astype(np.uint8))
    work = begin(picture, Sides(right=128), "texture")
    band = np.asarray(work.picture)[:, 128:].astype(float)
    pixels = np.asarray(picture).astype(float)
    # Then: the same distribution in every channel
    shares = np.linspace(0, 1, 21)
    for channel in range(3):
        assert np.quantile(band[..., channel], shares) == pytest.approx(np.quantile(pixels[..., channel], shares), abs=2)
    # and as smooth: most of the energy at the frequencies of the waves, where white noise would have 3 % of it.
    spectrum = np.abs(np.fft.fft2(band[..., 0] - band[..., 0].mean())) ** 2
    y, x = np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij")
    assert spectrum[np.hypot(x, y) < 0.1].sum() / spectrum.sum() > 0.8
    rough = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    noise = np.asarray(begin(Image.fromarray(rough), Sides(right=128), "texture").picture)[:, 128:, 0].astype(float)
    flat = np.abs(np.fft.fft2(noise - noise.mean())) ** 2
    assert flat[np.hypot(x, y) < 0.1].sum() / flat.sum() < 0.1


@pytest.mark.rule("E69")
def test_texture_is_the_same_every_time_and_not_the_edges() -> None:
    picture = noisy(40, 32)
    one, other = (begin(picture, Sides(top=24), "texture").picture.tobytes() for _ in range(2))
    assert one == other != begin(picture, Sides(top=24), "edges").picture.tobytes()
    flat = begin(Image.new("RGB", (32, 32), (9, 80, 200)), Sides(top=24), "texture").picture
    assert flat.getcolors() == [(32 * 56, (9, 80, 200))]


@pytest.mark.rule("E69")
def test_sides_one_after_another_give_the_same_canvas() -> None:
    sides = Sides(16, 24, 0, 40)
    assert sides.one_by_one() == (Sides(left=16), Sides(right=24), Sides(bottom=40))
    picture = noisy(64, 48)
    for side in sides.one_by_one():
        work = begin(picture, side)
        picture = put_back(work, work.picture)
    assert picture.size == canvas_of((64, 48), sides).size
    assert np.array_equal(np.asarray(picture)[:48, 16:80], np.asarray(noisy(64, 48)))
    assert Sides().one_by_one() == ()


def test_no_sides_leave_nothing_to_paint() -> None:
    work = begin(noisy(64, 48), Sides())
    assert work.mask.getbbox() is None and work.picture.tobytes() == noisy(64, 48).tobytes()
