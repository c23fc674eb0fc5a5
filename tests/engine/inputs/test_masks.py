"""The mask from paint to latent, against brute force (E63, R28, R36)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sfumato.engine.inputs.masks import MaskShape, blurred, expanded, gaussian_kernel, is_empty, latent_mask, rounded, shaped

Bytes = NDArray[np.uint8]


def random_mask(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8))


def brute_blur(values: Bytes, sigma: float, axis: int) -> Bytes:
    """The sum over the kernel, pixel by pixel, mirrored at the border without repeating it."""
    size = 2 * int(2.5 * sigma + 0.5) + 1
    weights = [math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)]
    result = np.zeros(values.shape, np.uint8)
    length = values.shape[axis]
    for place in np.ndindex(values.shape):
        total = 0.0
        for i, weight in enumerate(weights):
            at = place[axis] + i - size // 2
            while length > 1 and not 0 <= at < length:
                at = -at if at < 0 else 2 * (length - 1) - at
            total += weight * values[(at, place[1]) if axis == 0 else (place[0], at)] if length > 1 else weight * values[place]
        result[place] = int(total / sum(weights) + 0.5)
    return result


@pytest.mark.rule("E63")
@pytest.mark.parametrize(("sigma", "size"), [(4, 21), (0.1, 1), (1, 7), (0.5, 3), (32, 161), (512, 2561)])
def test_the_kernel_is_the_gaussian_of_its_size(sigma: float, size: int) -> None:
    kernel = gaussian_kernel(sigma)
    assert kernel.size == size and kernel.sum() == pytest.approx(1, abs=1e-12)
    middle = size // 2
    for distance in range(min(middle, 30) + 1):
        assert kernel[middle + distance] / kernel[middle] == pytest.approx(math.exp(-(distance**2) / (2 * sigma**2)))
        assert kernel[middle + distance] == kernel[middle - distance]


@pytest.mark.rule("E63")
@pytest.mark.parametrize(("width", "height"), [(13, 9), (7, 20), (5, 1), (1, 6)])
@pytest.mark.parametrize(("x", "y"), [(4, 4), (1.3, 0), (0, 2), (0.1, 9)])
def test_blur_is_the_convolution_along_x_then_along_y(width: int, height: int, x: float, y: float) -> None:
    values = np.asarray(random_mask(width, height))
    wanted = brute_blur(values, x, 1) if x else values
    wanted = brute_blur(wanted, y, 0) if y else wanted
    # A sum within 1e-9 of a half may round either way.
    assert np.abs(np.asarray(blurred(Image.fromarray(values), x, y)).astype(int) - wanted).max() == 0


def test_a_large_mask_is_blurred_in_pieces_without_seams() -> None:
    mask = random_mask(40, 700)
    whole = np.asarray(blurred(mask, 3, 3))
    part = np.asarray(blurred(mask.crop((0, 200, 40, 400)), 3, 3))
    assert np.array_equal(whole[220:380], part[20:180])


@pytest.mark.rule("E63")
@pytest.mark.parametrize("pixels", [1, 2, 3, 5, 8, -1, -2, -4, -7])
def test_expand_is_the_maximum_or_minimum_filter(pixels: int) -> None:
    mask = random_mask(23, 19, seed=pixels + 50)
    side = 2 * abs(pixels) + 1
    values = np.asarray(mask)
    wanted = np.zeros_like(values)
    for y, x in np.ndindex(values.shape):
        window = values[max(0, y - abs(pixels)) : y + abs(pixels) + 1, max(0, x - abs(pixels)) : x + abs(pixels) + 1]
        wanted[y, x] = window.max() if pixels > 0 else window.min()
    result = np.asarray(expanded(mask, pixels))
    assert np.array_equal(result, wanted)
    assert np.array_equal(result, np.asarray(mask.filter(ImageFilter.MaxFilter(side) if pixels > 0 else ImageFilter.MinFilter(side))))


@pytest.mark.parametrize("pixels", [512, -512])
def test_the_largest_expansion_reaches_beyond_the_picture(pixels: int) -> None:
    mask = Image.new("L", (40, 30), 0 if pixels > 0 else 255)
    mask.putpixel((39, 0), 255 if pixels > 0 else 0)
    assert expanded(mask, pixels).getextrema() == ((255, 255) if pixels > 0 else (0, 0))
    assert expanded(mask, 0).tobytes() == mask.tobytes()


@pytest.mark.rule("E63")
def test_rounding_has_its_threshold_at_128() -> None:
    greys = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    result = np.asarray(rounded(greys))[0]
    assert set(result[:129]) == {0} and set(result[129:]) == {255}


@pytest.mark.rule("E63")
def test_the_order_is_round_invert_expand_blur() -> None:
    mask = random_mask(31, 17, seed=9)
    for is_rounded in (True, False):
        for is_inverted in (True, False):
            for expand in (2, 0, -1):
                wanted = np.asarray(mask)
                wanted = np.where(wanted > 128, 255, 0).astype(np.uint8) if is_rounded else wanted
                wanted = 255 - wanted if is_inverted else wanted
                wanted = np.asarray(expanded(Image.fromarray(wanted), expand))
                wanted = np.asarray(blurred(Image.fromarray(wanted), 1.5, 0.7))
                assert np.array_equal(np.asarray(shaped(mask, MaskShape(is_rounded, is_inverted, expand, 1.5, 0.7))), wanted)


@pytest.mark.rule("E63")
def test_white_is_repainted_and_the_defaults_blur_by_four() -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (24, 24, 40, 40))
    result = np.asarray(shaped(mask, MaskShape()))
    assert result[32, 32] > 200 and result[0, 0] == 0
    # The kernel reaches ten pixels, no farther.
    assert result[32, 50 - 1] >= 0 and result[32, 50] == 0 and np.array_equal(result, brute_blur(brute_blur(np.asarray(mask), 4, 1), 4, 0))


@pytest.mark.rule("E64")
def test_an_empty_mask_is_noticed() -> None:
    assert is_empty(Image.new("L", (8, 8)))
    for x, y in ((0, 0), (7, 7), (3, 5)):
        mask = Image.new("L", (8, 8))
        mask.putpixel((x, y), 1)
        assert not is_empty(mask)


@pytest.mark.rule("R36")
@pytest.mark.parametrize(("width", "height"), [(256, 768), (1024, 640), (512, 512), (64, 192)])
@pytest.mark.parametrize("spot", [(0.25, 0.75), (0.75, 0.25), (0.5, 0.125)])
def test_R36_the_latent_mask_acts_at_the_right_place(width: int, height: int, spot: tuple[float, float]) -> None:
    # Given: a square of 48 pixels around one spot of the picture, on the grid of the latent
    x, y = int(spot[0] * width) // 8 * 8, int(spot[1] * height) // 8 * 8
    mask = Image.new("L", (width, height))
    mask.paste(255, (x - 24, y - 24, x + 24, y + 24))
    # When
    latent = latent_mask(mask, (width // 8, height // 8))
    # Then: exactly the latents under it
    assert latent.shape == (height // 8, width // 8) and latent.dtype == np.float32
    wanted = np.zeros_like(latent)
    wanted[max(0, y // 8 - 3) : y // 8 + 3, max(0, x // 8 - 3) : x // 8 + 3] = 1
    assert np.array_equal(latent, wanted)


@pytest.mark.rule("E66")
def test_the_latent_mask_is_rounded_only_if_asked_for() -> None:
    mask = shaped(random_mask(64, 64, seed=4), MaskShape(blur_x=2, blur_y=2))
    soft, hard = latent_mask(mask, (8, 8), is_rounded=False), latent_mask(mask, (8, 8))
    assert set(np.unique(hard)) <= {0.0, 1.0} and len(np.unique(soft)) > 2
    assert np.array_equal(hard, np.round(soft))
    assert latent_mask(Image.new("L", (8, 8), 255), (1, 1), is_rounded=False) == 1


@pytest.mark.parametrize("size", [(32, 32), (48, 40)])
def test_R28_both_passes_take_the_blurred_mask_resized(size: tuple[int, int]) -> None:
    # One blurred mask in pixels, resized to the latent of each pass: what the second pass uses is not the unblurred original.
    mask = Image.new("L", (256, 256))
    mask.paste(255, (96, 96, 160, 160))
    soft = shaped(mask, MaskShape(blur_x=12, blur_y=12))
    latent = latent_mask(soft, size, is_rounded=False)
    assert np.array_equal(latent, np.asarray(soft.resize(size, Image.Resampling.BICUBIC), np.float32) / 255)
    assert np.abs(latent - latent_mask(mask, size, is_rounded=False)).max() > 0.3


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(-6, 6), st.floats(0, 6), st.integers(0, 10))
def test_shaping_keeps_the_size_and_black_and_white_masks(width: int, height: int, expand: int, blur: float, seed: int) -> None:
    shape = MaskShape(expand=expand, blur_x=blur, blur_y=blur)
    assert shaped(random_mask(width, height, seed), shape).size == (width, height)
    for grey in (0, 255):
        assert shaped(Image.new("L", (width, height), grey), shape).getextrema() == (grey, grey)
