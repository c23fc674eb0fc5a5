"""The drawn world and its judge: what is drawn is what is said, and the judge reads it back."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "starter"))

import edges
import judge
import world


def test_the_world_has_ten_shapes_and_twelve_colours_and_a_seed_names_a_picture() -> None:
    assert (len(set(world.SHAPES)), len(world.COLOURS)) == (10, 12)
    first, again, other = (world.random_scene(random.Random(seed)) for seed in (5, 5, 6))
    assert first == again != other
    assert world.draw(first).tobytes() == world.draw(again).tobytes()


def test_a_caption_names_every_thing_and_a_named_background() -> None:
    for seed in range(300):
        scene = world.random_scene(random.Random(seed))
        for thing in scene.things:
            assert f"{thing.colour} {thing.shape}" in scene.caption
        assert "background" not in scene.caption or f"{scene.background} background" in scene.caption
        assert scene.background not in {thing.colour for thing in scene.things}


def test_the_judge_reads_the_colours_of_every_drawn_picture() -> None:
    for seed in range(120):
        rng = random.Random(seed)
        colour, background = rng.sample(list(world.COLOURS), 2)
        picture = world.draw(world.judged_scene(colour, world.SHAPES[seed % 10], background, rng))
        assert (judge.shape_colour_of(picture), judge.background_of(picture)) == (colour, background)
    assert judge.shape_colour_of(world.draw(world.Scene("blue", (), ""))) is None


def test_what_is_taught_later_is_not_of_the_world_and_the_judge_reads_it() -> None:
    assert not set(world.LATER_SHAPES) & set(world.SHAPES)
    for seed in range(110):
        rng = random.Random(seed)
        colour, background = rng.sample(list(world.COLOURS), 2)
        shape = [*world.SHAPES, "hourglass"][seed % 11]
        picture = world.draw(world.judged_scene(colour, shape, background, rng))
        assert judge.is_hourglass(picture) == (shape == "hourglass")
        assert judge.is_disc(picture) == (shape == "circle")


def test_an_edge_map_runs_around_what_is_covered() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        scene = world.judged_scene("red", world.SHAPES[seed % 10], "white", rng)
        covered = edges.coverage(scene)
        assert judge.overlap(world.draw(scene), covered) > 0.85
        inside, outside = (np.asarray(edges.outline(scene, inside=side)) > 0 for side in (True, False))
        assert covered[inside].all() and not covered[outside].any()
        near = np.asarray(Image.fromarray((inside | outside).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))) > 0
        assert near[edges.edge_map(scene, rng) > 0].all()


@pytest.mark.slow
def test_the_judge_learns_to_name_shapes() -> None:
    assert judge.accuracy(judge.shape_network(), 300) >= 0.98
