"""Sizes, places and edges of resized pictures (E62, E77, R37)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.engine.inputs.resizing import (
    PIXEL_UPSCALERS,
    RESIZE_MODES,
    Box,
    covering,
    crop,
    enlarging,
    extended,
    fill,
    fitting,
    pixel_upscaler,
    resized,
    stretch,
)

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))
NEAREST = PIXEL_UPSCALERS["Nearest"]


def gradient(width: int, height: int) -> Image.Image:
    """Red counts columns, green rows, and nothing is black."""
    values = np.full((height, width, 3), 200, np.uint8)
    values[..., 0] = 40 + np.arange(width) * 200 // max(1, width - 1)
    values[..., 1] = (40 + np.arange(height) * 200 // max(1, height - 1))[:, None]
    return Image.fromarray(values)


@pytest.mark.rule("E62", "R37")
@settings(max_examples=150, deadline=None)
@given(source=SIZES, target=SIZES, mode=st.sampled_from(list(RESIZE_MODES)), upscaler=st.sampled_from(list(PIXEL_UPSCALERS)))
def test_R37_every_mode_gives_the_exact_size_without_bars(source: tuple[int, int], target: tuple[int, int], mode: str, upscaler: str) -> None:
    image = Image.new("RGB", source, (90, 160, 250))
    result = resized(image, target, mode, PIXEL_UPSCALERS[upscaler])
    assert result.size == target
    assert result.getcolors() == [(target[0] * target[1], (90, 160, 250))]
    assert resized(image.convert("L"), target, mode).mode == "L"


@pytest.mark.rule("R37")
@pytest.mark.parametrize("target", [(256, 768), (1024, 640), (512, 512)])
def test_R37_the_aspect_is_kept_by_crop_and_fill_and_not_by_stretch(target: tuple[int, int]) -> None:
    # Given: a picture of 400x300 with a square of 100x100 in the middle
    image = Image.new("RGB", (400, 300), "white")
    image.paste("black", (150, 100, 250, 200))

    def square(result: Image.Image) -> tuple[int, int]:
        dark = np.asarray(result.convert("L")) < 128
        return int(dark.any(0).sum()), int(dark.any(1).sum())

    cover, fit = max(target[0] / 400, target[1] / 300), min(target[0] / 400, target[1] / 300)
    assert square(crop(image, target)) == pytest.approx((100 * cover, 100 * cover), abs=2)
    assert square(fill(image, target)) == pytest.approx((100 * fit, 100 * fit), abs=2)
    assert square(stretch(image, target)) == pytest.approx((target[0] / 4, target[1] / 3), abs=2)
    for result in (crop(image, target), fill(image, target), stretch(image, target)):
        corners = [result.getpixel((x, y)) for x in (0, target[0] - 1) for y in (0, target[1] - 1)]
        assert corners == [(255, 255, 255)] * 4


@pytest.mark.rule("E62")
def test_crop_scales_to_cover_and_keeps_the_middle() -> None:
    image = gradient(60, 20)
    assert covering((60, 20), (20, 20)) == Box(-20, 0, 40, 20)
    assert np.array_equal(np.asarray(crop(image, (20, 20))), np.asarray(image)[:, 20:40])
    # Floor division of the sides, and of the halves, as the web UI has it.
    assert covering((333, 250), (512, 384)).size == (512, 384)
    assert covering((3, 2), (64, 64)) == Box(-16, 0, 80, 64)
    enlarged = image.resize((96, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(crop(image, (40, 32))), np.asarray(enlarged)[:, 28:68])


@pytest.mark.rule("E62")
@pytest.mark.parametrize("target", [(20, 35), (20, 36), (45, 20), (20, 20)])
def test_fill_scales_to_fit_and_stretches_the_edges_into_the_bands(target: tuple[int, int]) -> None:
    image = gradient(20, 20)
    result = np.asarray(fill(image, target))
    box = fitting(image.size, target)
    # Halves are rounded down one by one, as the web UI does: a picture of 11 lies at 5 in 20, not at 4.
    assert fitting((20, 11), (20, 20)) == Box(0, 5, 20, 16) and fitting((11, 20), (20, 20)) == Box(5, 0, 16, 20)
    inner = np.asarray(image)
    assert np.array_equal(result[box.top : box.bottom, box.left : box.right], inner)
    # No row or column is left over, odd bands included.
    assert np.array_equal(result, np.pad(inner, ((box.top, target[1] - box.bottom), (box.left, target[0] - box.right), (0, 0)), mode="edge"))


@settings(max_examples=100, deadline=None)
@given(source=SIZES, target=SIZES)
def test_boxes_touch_two_sides_and_are_centred(source: tuple[int, int], target: tuple[int, int]) -> None:
    outer, inner = covering(source, target), fitting(source, target)
    assert outer.left <= 0 and outer.top <= 0 and outer.right >= target[0] and outer.bottom >= target[1]
    assert inner.left >= 0 and inner.top >= 0 and inner.right <= target[0] and inner.bottom <= target[1]
    for box in (outer, inner):
        assert box.size[0] == target[0] or box.size[1] == target[1]
        assert abs(box.left + box.right - target[0]) <= 1 and abs(box.top + box.bottom - target[1]) <= 1


@pytest.mark.rule("E77")
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("Nearest", Image.Resampling.NEAREST),
        ("Box", Image.Resampling.BOX),
        ("Bilinear", Image.Resampling.BILINEAR),
        ("Bicubic", Image.Resampling.BICUBIC),
        ("Lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_each_pixel_upscaler_is_its_filter(name: str, method: Image.Resampling) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8))
    upscale = pixel_upscaler(name.upper())
    assert upscale is not None
    assert np.array_equal(np.asarray(upscale(image, (20, 31))), np.asarray(image.resize((20, 31), method)))
    same = upscale(image, image.size)
    assert same is not image and np.array_equal(np.asarray(same), np.asarray(image))


@pytest.mark.rule("E77")
def test_the_pixel_upscalers_differ_and_compute_what_they_are_named_after() -> None:
    step = Image.fromarray(np.array([[0, 0, 100, 100]], np.uint8))
    rows = {name: np.asarray(upscale(step, (8, 1)))[0].tolist() for name, upscale in PIXEL_UPSCALERS.items()}
    assert rows["Nearest"] == rows["Box"] == [0, 0, 0, 0, 100, 100, 100, 100]
    assert rows["Bilinear"] == [0, 0, 0, 25, 75, 100, 100, 100]
    # Bicubic (a = -0.5) at a quarter of the way: weights -0.0703125, 0.8671875, 0.2265625, -0.0234375.
    assert rows["Bicubic"][3:5] == [20, 80] and max(rows["Bicubic"]) > 100 < max(rows["Lanczos"])
    assert rows["Bicubic"] != rows["Lanczos"]
    assert np.asarray(PIXEL_UPSCALERS["Box"](step, (2, 1)))[0].tolist() == [0, 100]
    assert pixel_upscaler("none such") is None


def test_a_chosen_upscaler_acts_only_when_a_picture_grows() -> None:
    asked: list[tuple[int, int]] = []

    def spy(image: Image.Image, size: tuple[int, int]) -> Image.Image:
        asked.append(size)
        return NEAREST(image, size)

    upscale = enlarging(spy)
    for mode in RESIZE_MODES:
        resized(gradient(10, 10), (8, 8), mode, upscale)
        resized(gradient(10, 10).convert("L"), (20, 20), mode, upscale)
    assert asked == []
    for mode in RESIZE_MODES:
        assert resized(gradient(10, 10), (20, 15), mode, upscale).size == (20, 15)
    assert asked == [(20, 15), (20, 20), (15, 15)]


def test_a_strip_is_not_enlarged_as_a_whole() -> None:
    strip = gradient(20_000, 2)
    result = crop(strip, (512, 512))  # covering it would take 5 million columns
    assert result.size == (512, 512)
    assert result.getpixel((256, 256))[0] == pytest.approx(140, abs=2)


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(1, 12), st.integers(1, 12)), sides=st.tuples(*[st.integers(0, 9)] * 4))
def test_an_extended_picture_goes_on_at_its_edges(size: tuple[int, int], sides: tuple[int, int, int, int]) -> None:
    image = gradient(*size)
    left, top, right, bottom = sides
    result = extended(image, Box(-left, -top, size[0] + right, size[1] + bottom))
    assert np.array_equal(np.asarray(result), np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), mode="edge"))
