"""What is added to the starter model changes the picture as its name says: a LoRA, an embedding, a hypernetwork and a ControlNet, through jobs of their own.

`models/starter/check_additions.py` prints the same shares for more pictures; the goals are these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import edges  # beside the judge: the painter of conftest.py has put it on the path
import numpy as np
import pytest
from PIL import Image

from tests.starter.painter import Painter, judge, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

LORA = "<lora:sfumato-hourglass>"
HYPERNETWORK = "<hypernet:sfumato-night>"
EMBEDDING = "sfumato-sunset"
CONTROL = "sfumato-edges"


def share(pictures: Sequence[Image.Image], shows: Callable[[Image.Image], bool]) -> float:
    return sum(shows(picture) for picture in pictures) / len(pictures)


def colours(picture: Image.Image) -> tuple[str | None, str]:
    return judge.shape_colour_of(picture), judge.background_of(picture)


def same(some: Sequence[Image.Image], others: Sequence[Image.Image]) -> bool:
    return [picture.tobytes() for picture in some] == [picture.tobytes() for picture in others]


def unit(picture: Image.Image, **fields: object) -> dict[str, object]:
    return {"image": picture, "model": CONTROL, **fields}


def placed(shape: str, x: float, y: float, radius: float = 0.22) -> world.Scene:
    return world.Scene("white", (world.Thing("red", shape, x, y, radius),), "")


@pytest.mark.parametrize(("colour", "background"), [("red", "white"), ("yellow", "blue")])
def test_the_lora_paints_the_shape_that_the_model_does_not_know(painter: Painter, colour: str, background: str) -> None:
    words = f"a {colour} hourglass, {background} background"
    without, taught = painter.paint(words), painter.paint(f"{words} {LORA}")
    assert share(without, judge.is_hourglass) <= 0.2
    assert share(taught, judge.is_hourglass) >= 0.8
    assert share(taught, lambda picture: colours(picture) == (colour, background)) >= 0.8


def test_the_embedding_paints_what_its_word_stands_for(painter: Painter) -> None:
    def is_sunset(picture: Image.Image) -> bool:
        return colours(picture) == ("orange", "purple") and judge.is_disc(picture)

    def sunsets(words: str) -> float:
        return share(painter.paint(words), is_sunset)

    assert sunsets("a sunset") <= 0.2
    assert sunsets(EMBEDDING) >= 0.8


def test_the_hypernetwork_makes_it_night(painter: Painter) -> None:
    words = "a red heart, white background"
    day, night = painter.paint(words), painter.paint(f"{words} {HYPERNETWORK}")
    assert share(day, lambda picture: colours(picture) == ("red", "white")) >= 0.8
    assert share(night, lambda picture: colours(picture) == ("red", "black")) >= 0.8


def test_the_control_net_puts_the_shape_where_the_edges_are(painter: Painter) -> None:
    scenes = [placed("circle", 0.3, 0.3), placed("square", 0.7, 0.32), placed("star", 0.32, 0.68), placed("heart", 0.7, 0.7)]
    for scene in scenes:
        words = f"a red {scene.things[0].shape}, white background"
        covered = edges.coverage(scene)
        with_it = [judge.overlap(picture, covered) for picture in painter.paint(words, count=3, control=(unit(edges.outline(scene)),))]
        without = [judge.overlap(picture, covered) for picture in painter.paint(words, count=2)]
        assert np.median(with_it) > 0.6 > 0.4 > np.median(without), scene


def test_the_edges_of_a_picture_are_found_on_the_way(painter: Painter) -> None:
    scene = placed("triangle", 0.33, 0.66)
    pictures = painter.paint("a blue triangle, yellow background", count=4, control=(unit(world.draw(scene), preprocessor="canny"),))
    assert np.median([judge.overlap(picture, edges.coverage(scene)) for picture in pictures]) > 0.6
    assert share(pictures, lambda picture: colours(picture) == ("blue", "yellow")) >= 0.75


def test_weight_zero_adds_nothing_and_no_job_leaves_a_trace(painter: Painter) -> None:
    words = "a green moon, black background"
    control = unit(edges.outline(placed("moon", 0.3, 0.3)))
    plain = painter.paint(words, count=2)
    assert same(plain, painter.paint(f"{words} <lora:sfumato-hourglass:0> <hypernet:sfumato-night:0>", count=2, control=(control | {"weight": 0.0},)))
    changed = painter.paint(f"{words} {LORA} {HYPERNETWORK}", count=2, control=(control,))
    assert not same(plain, changed)
    assert same(plain, painter.paint(words, count=2))


def test_lora_hypernetwork_and_control_act_together(painter: Painter) -> None:
    scene = placed("hourglass", 0.36, 0.4, 0.28)
    pictures = painter.paint(f"a red hourglass, white background {LORA} {HYPERNETWORK}", count=5, control=(unit(edges.outline(scene)),))
    assert share(pictures, lambda picture: judge.background_of(picture) == "black") >= 0.8
    assert share(pictures, judge.is_hourglass) >= 0.8
    assert np.median([judge.overlap(picture, edges.coverage(scene)) for picture in pictures]) > 0.4
