"""Cut out, resized, put back: places, sizes, and not a byte outside the mask (E64, E65, E66, R36, R51)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from sfumato.engine.inputs.filling import filled
from sfumato.engine.inputs.masks import MaskShape, shaped
from sfumato.engine.inputs.repainting import Workpiece, mask_in_base, masked_box, matched, only_masked, put_back, whole
from sfumato.engine.inputs.resizing import RESIZE_MODES, Box, crop, fill

SIDES = st.integers(1, 90)


def noisy(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def mask_of(size: tuple[int, int], *boxes: tuple[int, int, int, int], grey: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    for box in boxes:
        mask.paste(grey, box)
    return mask


@pytest.mark.rule("E64", "R51")
@pytest.mark.parametrize("padding", [0, 5, 32])
def test_R51_the_padding_lies_on_each_side(padding: int) -> None:
    mask = mask_of((200, 160), (80, 60, 110, 100))
    wide, high = 30 + 2 * padding, 40 + 2 * padding
    assert masked_box(mask, padding, (wide * 4, high * 4)) == Box(80 - padding, 60 - padding, 110 + padding, 100 + padding)


@pytest.mark.rule("R51")
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_R51_the_padding_is_clipped_at_every_corner(corner: tuple[int, int]) -> None:
    left, top = corner[0] * (200 - 20), corner[1] * (160 - 20)
    box = masked_box(mask_of((200, 160), (left, top, left + 20, top + 20)), 32, (512, 512))
    # 20 pixels, 32 on the inner side of each axis, nothing outside; square already.
    assert box == Box(max(0, left - 32), max(0, top - 32), min(200, left + 52), min(160, top + 52))
    assert box.size == (52, 52)


@pytest.mark.rule("E64")
@pytest.mark.parametrize(
    ("bounds", "size", "wanted"),
    [
        # 128x32 for a square: grown evenly in height.
        ((100, 100, 228, 132), (512, 512), (100, 52, 228, 180)),
        # At the top and at the bottom it is pushed inside.
        ((100, 0, 228, 32), (512, 512), (100, 0, 228, 128)),
        ((100, 268, 228, 300), (512, 512), (100, 172, 228, 300)),
        # Grown in width, odd extra to the right; pushed from both ends.
        ((100, 100, 110, 131), (512, 512), (90, 100, 121, 131)),
        ((0, 100, 10, 140), (512, 512), (0, 100, 40, 140)),
        ((390, 100, 400, 140), (512, 512), (360, 100, 400, 140)),
        # No room for the aspect: all there is.
        ((0, 0, 400, 300), (512, 1024), (0, 0, 400, 300)),
        ((0, 0, 10, 300), (1024, 512), (0, 0, 400, 300)),
    ],
)
def test_the_box_grows_to_the_aspect_and_stays_inside(bounds: tuple[int, int, int, int], size: tuple[int, int], wanted: tuple[int, int, int, int]) -> None:
    assert masked_box(mask_of((400, 300), bounds), 0, size) == wanted


@pytest.mark.rule("E64")
@settings(max_examples=200, deadline=None)
@given(data=st.data(), picture=st.tuples(SIDES, SIDES), size=st.tuples(st.integers(8, 80), st.integers(8, 80)), padding=st.integers(0, 60))
def test_the_box_holds_the_mask_and_its_padding_in_the_wanted_aspect(
    data: st.DataObject, picture: tuple[int, int], size: tuple[int, int], padding: int
) -> None:
    left, top = data.draw(st.integers(0, picture[0] - 1)), data.draw(st.integers(0, picture[1] - 1))
    right, bottom = data.draw(st.integers(left + 1, picture[0])), data.draw(st.integers(top + 1, picture[1]))
    box = masked_box(mask_of(picture, (left, top, right, bottom), grey=1), padding, size)
    assert box is not None
    assert 0 <= box.left <= max(0, left - padding) and 0 <= box.top <= max(0, top - padding)
    assert min(picture[0], right + padding) <= box.right <= picture[0] and min(picture[1], bottom + padding) <= box.bottom <= picture[1]
    if box.size[0] < picture[0] and box.size[1] < picture[1]:
        # Within a pixel of the aspect.
        assert abs(box.size[0] * size[1] - box.size[1] * size[0]) <= max(size)


def test_an_empty_mask_leaves_nothing_to_work_on() -> None:
    assert masked_box(Image.new("L", (40, 30)), 32, (64, 64)) is None
    assert only_masked(noisy(40, 30), Image.new("L", (40, 30)), 32, (64, 64)) is None


@pytest.mark.rule("R36")
@pytest.mark.parametrize("size", [(256, 768), (1024, 640)])
@pytest.mark.parametrize("working", [(512, 512), (256, 768), (1024, 640)])
def test_R36_what_is_painted_lands_under_the_mask(size: tuple[int, int], working: tuple[int, int]) -> None:
    # Given: three spots at places that only fit this size
    width, height = size
    spots = [(16, height - 96, 80, height - 32), (width - 80, 24, width - 16, 88), (width // 2 - 32, height // 2 - 32, width // 2 + 32, height // 2 + 32)]
    picture = Image.new("RGB", size, (0, 0, 200))
    for spot in spots:
        mask = mask_of(size, spot)
        for work in (whole(picture, mask, size), only_masked(picture, mask, 32, working)):
            assert work is not None
            # When: all of the working picture is painted red
            result = np.asarray(put_back(work, Image.new("RGB", work.mask.size, (255, 0, 0))))
            # Then: red exactly under the mask
            assert np.array_equal(result[..., 0] == 255, np.asarray(mask) == 255)
            assert np.array_equal(result[np.asarray(mask) == 0], np.asarray(picture)[np.asarray(mask) == 0])


@pytest.mark.rule("E66")
@settings(max_examples=120, deadline=None)
@given(
    data=st.data(),
    size=st.tuples(SIDES, SIDES),
    working=st.tuples(st.integers(8, 80), st.integers(8, 80)),
    padding=st.integers(0, 40),
    shape=st.builds(MaskShape, st.booleans(), st.booleans(), st.integers(-4, 4), st.floats(0, 5), st.floats(0, 5)),
)
def test_outside_the_mask_every_byte_stays(data: st.DataObject, size: tuple[int, int], working: tuple[int, int], padding: int, shape: MaskShape) -> None:
    picture, painted = noisy(*size), noisy(*working, seed=7)
    left, top = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    mask = shaped(mask_of(size, (left, top, min(size[0], left + 20), min(size[1], top + 20)), grey=data.draw(st.integers(1, 255))), shape)
    before, closed = np.asarray(picture), np.asarray(mask) == 0
    part = only_masked(picture, mask, padding, working)
    if part is None:
        assert closed.all()
    else:
        assert part.picture.size == part.mask.size == working
        after = np.asarray(put_back(part, painted))
        assert after.shape == before.shape and np.array_equal(after[closed], before[closed])
    after = np.asarray(put_back(whole(picture, mask, size), painted.resize(size)))
    assert np.array_equal(after[closed], before[closed])


@pytest.mark.rule("E66")
def test_the_whole_picture_is_pasted_through_the_mask_at_twice_its_brightness() -> None:
    mask = Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(8, 0))
    picture, painted = Image.new("RGB", (256, 8)), Image.new("RGB", (256, 8), "white")
    row = np.asarray(put_back(whole(picture, mask, (256, 8)), painted))[0, :, 0]
    assert np.array_equal(row, np.minimum(np.arange(256) * 2, 255))
    # Only masked: through the blurred mask as it is.
    part = only_masked(picture, mask, 0, (256, 8))
    assert part is not None
    assert np.array_equal(np.asarray(put_back(part, painted))[0, :, 0], np.arange(256))


@pytest.mark.rule("E64")
def test_only_masked_cuts_out_resizes_and_fills_the_bands() -> None:
    # The box can not reach the aspect of the working size: 60x40 of 60x40 for a square.
    picture, mask = noisy(60, 40), mask_of((60, 40), (0, 0, 60, 40))
    work = only_masked(picture, mask, 0, (96, 96))
    assert work is not None and work.box == Box(0, 0, 60, 40)
    assert work.picture.tobytes() == fill(picture, (96, 96)).tobytes() and work.inner == Box(0, 16, 96, 80)
    # Putting back inverts exactly that: a picture marked at the box's corners comes back at the corners.
    painted = Image.new("RGB", (96, 96), "white")
    painted.paste("black", work.inner)
    assert put_back(work, painted).getcolors() == [(2400, (0, 0, 0))]


@pytest.mark.rule("E64")
def test_a_part_that_is_not_painted_comes_back_as_it_was() -> None:
    picture = noisy(90, 70).filter(ImageFilter.GaussianBlur(3))
    mask = mask_of((90, 70), (20, 30, 44, 47))
    for working in ((48, 48), (200, 120), (64, 192)):
        work = only_masked(picture, mask, 4, working)
        assert work is not None
        result = put_back(work, work.picture)
        assert np.abs(np.asarray(result).astype(int) - np.asarray(picture)).max() <= (3 if min(working) > 60 else 24)


@pytest.mark.rule("E62")
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_the_whole_picture_is_resized_by_the_mode(mode: str) -> None:
    picture, mask = noisy(60, 40), mask_of((60, 40), (20, 10, 40, 30))
    work = whole(picture, mask, (48, 48), mode)
    assert work.picture.tobytes() == RESIZE_MODES[mode](picture, (48, 48)).tobytes()
    assert work.mask.tobytes() == RESIZE_MODES[mode](mask, (48, 48)).tobytes()
    assert work.base is work.picture and work.paste_mask.size == (48, 48) and work.box is None


def test_a_latent_resize_encodes_the_picture_as_it_is() -> None:
    picture, mask = noisy(64, 40), mask_of((64, 40), (20, 10, 40, 30))
    work = whole(picture, mask, (48, 48), "latent")
    assert work.picture is picture and work.base.size == work.mask.size == (48, 48)
    assert whole(picture, mask, (48, 48), "latent", is_filled=True).picture.size == (64, 40)


def test_a_mask_of_another_size_is_stretched_over_its_picture() -> None:
    mask = mask_of((32, 32), (0, 0, 16, 32))
    stretched = np.asarray(matched(mask, noisy(128, 64)))
    assert stretched.shape == (64, 128) and (stretched[:, :62] == 255).all() and (stretched[:, 66:] == 0).all()
    assert matched(mask, noisy(32, 32)) is mask


def test_an_own_paste_mask_is_kept_inside_the_works_own() -> None:
    picture, mask = noisy(100, 80), mask_of((100, 80), (40, 20, 60, 40))
    for work in (whole(picture, mask, (100, 80)), only_masked(picture, mask, 16, (64, 64))):
        assert isinstance(work, Workpiece)
        wide = mask_in_base(work, Image.new("L", work.mask.size, 200))
        assert np.array_equal(np.asarray(wide), np.where(np.asarray(mask) > 0, 200, 0))
        result = np.asarray(put_back(work, Image.new("RGB", work.mask.size), wide))
        assert np.array_equal(result[np.asarray(mask) == 0], np.asarray(picture)[np.asarray(mask) == 0])


# -- E65 -------------------------------------------------------------------------------------------


LAYERS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))


def composited(picture: Image.Image, mask: Image.Image, layers: tuple[tuple[int, int], ...]) -> np.ndarray:
    """The definition, step by step in floating point on premultiplied colours; only the blurs are of bytes."""
    alpha = 1 - np.asarray(mask) / 255
    seen = np.dstack([np.asarray(picture) / 255 * alpha[..., None], alpha])
    channels = [Image.fromarray((seen[..., index] * 255).round().astype(np.uint8)) for index in range(4)]
    colour, cover = np.zeros((*alpha.shape, 3)), np.zeros((*alpha.shape, 1))
    for radius, times in layers:
        layer = np.dstack([np.asarray(channel.filter(ImageFilter.GaussianBlur(radius))) / 255 for channel in channels])
        for _ in range(times):
            colour = layer[..., :3] + colour * (1 - layer[..., 3:])
            cover = layer[..., 3:] + cover * (1 - layer[..., 3:])
    return 255 * colour / np.maximum(cover, 1e-9)


@pytest.mark.rule("E65")
@pytest.mark.parametrize(("size", "box", "smoothness"), [((48, 40), (12, 10, 36, 30), 4), ((96, 80), (20, 16, 76, 64), 12)])
def test_fill_composites_the_blurs_in_their_order(size: tuple[int, int], box: tuple[int, int, int, int], smoothness: int) -> None:
    smooth = np.asarray(noisy(*size).filter(ImageFilter.GaussianBlur(smoothness))).astype(float)
    picture = Image.fromarray(((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8))
    mask = shaped(mask_of(size, box), MaskShape(blur_x=2, blur_y=2))
    result = np.asarray(filled(picture, mask))

    def difference(layers: tuple[tuple[int, int], ...]) -> float:
        return float(np.abs(result - composited(picture, mask, layers)).max())

    # Pillow rounds every layer to bytes; one layer less of the narrow ones already shows beyond that.
    assert difference(LAYERS) < 3.5 < difference((*LAYERS[:3], (4, 3), *LAYERS[4:]))


@pytest.mark.rule("E65")
def test_fill_takes_the_colours_around_and_leaves_the_rest() -> None:
    picture = Image.new("RGB", (64, 64), (30, 120, 210))
    picture.paste((255, 0, 0), (20, 20, 44, 44))
    mask = mask_of((64, 64), (20, 20, 44, 44))
    result = np.asarray(filled(picture, mask)).astype(int)
    assert np.abs(result - (30, 120, 210)).max() <= 6  # no red is left, none has bled
    untouched = noisy(64, 64)
    assert np.abs(np.asarray(filled(untouched, mask)).astype(int) - np.asarray(untouched))[np.asarray(mask) == 0].max() == 0


@pytest.mark.rule("E65")
def test_masked_content_is_filled_only_if_asked_for() -> None:
    picture, mask = noisy(64, 48), mask_of((64, 48), (20, 20, 44, 40))
    assert whole(picture, mask, (64, 48)).picture.tobytes() == picture.tobytes()
    assert whole(picture, mask, (64, 48), is_filled=True).picture.tobytes() == filled(picture, mask).tobytes()
    part = only_masked(picture, mask, 0, (64, 64), is_filled=True)
    assert part is not None and part.picture.tobytes() == filled(fill(picture.crop(part.box), (64, 64)), part.mask).tobytes()
    assert put_back(part, part.picture).size == crop(picture, (64, 48)).size
