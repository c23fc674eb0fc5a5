"""What a request says is what is painted: weights, schedules, AND, negatives, strength, masks, tiling, variations, by the starter model's pictures.

Bounds are about half way between what was measured for the right behaviour and for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.starter.painter import Painter, distance, judge, mean_share, pixels, share_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PAIR = "a red circle and a blue square, white background"


def rises(values: Sequence[float], slack: float = 0.0) -> bool:
    return all(later >= earlier - slack for earlier, later in pairwise(values)) and values[-1] > values[0]


@pytest.mark.rule("P6", "E28")
def test_a_stronger_weight_makes_the_second_thing_more_present(painter: Painter) -> None:
    blue = [mean_share("blue", painter.paint(f"a red circle and a (blue square:{weight}), white background")) for weight in (0.4, 0.7, 1.0, 1.3, 1.6)]
    assert rises(blue) and blue[-1] > 3 * blue[1]


@pytest.mark.rule("E50")
def test_a_colour_in_the_negative_prompt_disappears(painter: Painter) -> None:
    plain = mean_share("blue", painter.paint(PAIR))
    assert plain > 0.1
    assert mean_share("blue", painter.paint(PAIR, negative="blue")) < plain / 3


@pytest.mark.rule("P18")
def test_editing_keeps_the_shape_of_the_first_text_and_takes_colour_from_the_second(painter: Painter, shape_network: judge.ShapeNetwork) -> None:
    plain = painter.paint("a red circle, white background")
    edited = painter.paint("a [red circle:blue star:12], white background")
    at_once = painter.paint("a [red circle:blue star:0], white background")
    shapes = [judge.shape_of(shape_network, picture) for picture in edited]
    assert shapes.count("circle") >= 4
    assert [judge.shape_of(shape_network, picture) for picture in at_once].count("star") >= 4
    centre = np.s_[24:40, 24:40]
    redness = [float(np.mean([pixels(picture)[centre][..., 0].mean() for picture in pictures])) for pictures in (plain, edited)]
    assert redness[1] < redness[0] - 40, "the circle left its red on the way to blue"


@pytest.mark.rule("P19")
def test_alternation_mixes_both_texts(painter: Painter) -> None:
    red, blue, both = (painter.paint(f"a {words} circle, white background") for words in ("red", "blue", "[red|blue]"))
    centre = np.s_[24:40, 24:40]
    for mixed, one, other in zip(both, red, blue, strict=True):
        middle = pixels(mixed)[centre].mean((0, 1))
        assert np.abs(middle - pixels(one)[centre].mean((0, 1))).max() > 40
        assert np.abs(middle - pixels(other)[centre].mean((0, 1))).max() > 25


@pytest.mark.rule("P28")
def test_both_sides_of_and_appear_and_their_weights_count(painter: Painter) -> None:
    def ground(weight: float) -> list[tuple[float, float]]:
        pictures = painter.paint(f"a red circle AND blue background:{weight}", guidance=5.0)
        return [(share_of("red", picture), share_of("blue", picture)) for picture in pictures]

    both = sum(red > 0.1 and blue > 0.3 for red, blue in ground(0.5))
    assert both >= 3
    without, with_it = (float(np.mean([blue for _, blue in ground(weight)])) for weight in (0.0, 1.0))
    assert with_it > without + 0.3


@pytest.mark.rule("P29")
def test_a_part_paints_inside_its_area_and_nowhere_else(painter: Painter) -> None:
    halves = (0, 0, 32, 64), (32, 0, 64, 64)
    left, right = (Image.new("L", (64, 64), 0) for _ in halves)
    left.paste(255, halves[0])
    right.paste(255, halves[1])
    ground = ", white background"
    text = f"white background:0 AND a red circle on the left{ground} AND a blue square on the right{ground}"
    for areas, own, other in (((left, right), *halves), ((right, left), *reversed(halves))):
        pictures = painter.paint(text, guidance=2.0, areas=areas)
        assert mean_share("red", pictures, other) < 0.02 and mean_share("blue", pictures, own) < 0.02
        assert mean_share("red", pictures, own) + mean_share("blue", pictures, other) > 0.2


@pytest.mark.rule("E60")
def test_distance_to_the_picture_grows_with_strength(painter: Painter) -> None:
    start = painter.paint("a red circle, white background", count=1)[0]
    far = [
        median(distance(picture, start) for picture in painter.paint("a blue star, yellow background", image=start, strength=strength))
        for strength in (0.0, 0.02, 0.1, 0.3, 0.5)
    ]
    assert far[0] < 2 and rises(far) and far[-1] > 60
    near = [
        median(distance(picture, start) for picture in painter.paint("a red circle, white background", guidance=1.0, image=start, strength=strength))
        for strength in (0.1, 0.3, 0.5, 0.7)
    ]
    assert rises(near)


@pytest.mark.rule("E65", "E66")
def test_a_new_thing_stands_inside_the_mask_and_old_pixels_outside(painter: Painter) -> None:
    start = painter.paint("a red circle on the left, white background", count=1)[0]
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (34, 16, 62, 48))
    pictures = painter.paint("a blue square on the right, white background", image=start, mask=mask, strength=1.0, mask_blur=0, mask_fill="noise")
    assert mean_share("blue", pictures, (34, 16, 62, 48)) > 0.1
    outside = np.asarray(mask) == 0
    for picture in pictures:
        assert np.array_equal(pixels(picture)[outside], pixels(start)[outside])


@pytest.mark.rule("E73")
def test_the_edges_of_a_tiled_picture_continue_each_other(painter: Painter) -> None:
    def seam(tiling: str) -> float:
        pictures = painter.paint("a big red circle on the left, blue background", count=12, tiling=tiling)
        return float(np.mean([np.abs(pixels(picture)[:, 0] - pixels(picture)[:, -1]).mean() for picture in pictures]))

    assert seam("x") < 0.7 * seam("none")


@pytest.mark.rule("E36")
def test_a_variation_moves_away_with_its_strength(painter: Painter) -> None:
    wide = {"count": 8, "guidance": 2.0}
    start = painter.paint("a star", count=1, guidance=2.0)[0]
    away = [
        median(distance(picture, start) for picture in painter.paint("a star", variation_strength=strength, variation_seed=5, **wide))
        for strength in (0.01, 0.1, 0.3, 0.6, 1.0)
    ]
    assert rises(away, slack=1.0) and away[-1] > 5 * away[0]


@pytest.mark.rule("E69")
def test_outpainting_continues_the_ground_and_leaves_the_old_picture(painter: Painter) -> None:
    start = painter.paint("a red circle, blue background", count=1)[0]
    pictures = painter.paint("a red circle, blue background", count=4, image=start, outpaint_right=32)
    assert {picture.size for picture in pictures} == {(96, 64)}
    assert mean_share("blue", pictures, (68, 4, 96, 60)) > 0.5
    for picture in pictures:
        assert np.array_equal(pixels(picture)[:, :40], pixels(start)[:, :40])


@pytest.mark.rule("E74", "E75")
def test_the_highres_pass_keeps_what_the_first_pass_decided(painter: Painter) -> None:
    small = painter.paint("a red circle, blue background", count=4)
    for upscaler in ("Lanczos", "Latent"):
        large = painter.paint("a red circle, blue background", count=4, hr_scale=1.5, hr_strength=0.3, hr_upscaler=upscaler)
        assert {picture.size for picture in large} == {(96, 96)}
        for before, after in zip(small, large, strict=True):
            assert share_of("red", after) == pytest.approx(share_of("red", before), abs=0.1)
            assert judge.background_of(after) == "blue"


@pytest.mark.rule("E71")
def test_loopback_goes_on_from_its_own_result(painter: Painter) -> None:
    start = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(start).ellipse((16, 16, 48, 48), fill=(222, 38, 42))
    once, often = (painter.paint("a red star, white background", image=start, strength=0.4, loops=loops, guidance=3.0, count=4) for loops in (1, 4))
    assert median(distance(picture, start) for picture in often) > median(distance(picture, start) for picture in once)
