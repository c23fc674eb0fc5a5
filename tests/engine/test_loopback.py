"""Loopback: results repainted with the next seed, more or less each time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from sfumato.engine.loopback import caption_of, strengths
from tests.support.studio import Studio, box_mask, gradient

PICTURE = gradient()
MASK = box_mask((16, 16, 48, 40))


@pytest.mark.rule("E71")
def test_strength_moves_along_its_curve() -> None:
    assert strengths(0.5, None, 3, "linear") == (0.5, 0.5, 0.5)
    assert strengths(0.4, 0.8, 1, "linear") == (0.4,)
    assert strengths(0.4, 0.8, 5, "linear") == pytest.approx((0.4, 0.5, 0.6, 0.7, 0.8))
    assert strengths(0.0, 1.0, 3, "aggressive") == pytest.approx((0, math.sin(math.pi / 4), 1))
    assert strengths(0.0, 1.0, 3, "lazy") == pytest.approx((0, 1 - math.cos(math.pi / 4), 1))


@pytest.mark.rule("E71")
def test_two_loops_are_two_jobs_with_the_next_seed(studio: Studio) -> None:
    first = Image.fromarray(studio.one(PICTURE, seed=5, strength=0.4))
    second = studio.one(first, seed=6, strength=0.8, prompt="a red circle, blue")
    looped = studio.one(PICTURE, seed=5, strength=0.4, loops=2, loop_strength=0.8, loop_caption="blue")
    assert np.array_equal(looped, second)
    assert studio.result.images[0].seed == 5
    assert [caption_of("a", "b", loop) for loop in (0, 1)] == ["a", "a, b"]
    assert caption_of("", "b", 1) == "b"


@pytest.mark.rule("E71", "E66")
@pytest.mark.parametrize("padding", [None, 8])
def test_masked_loops_repaint_what_is_there(studio: Studio, padding: int | None) -> None:
    fields = {"mask_padding": padding, "strength": 0.6}
    first = Image.fromarray(studio.one(PICTURE, MASK, seed=5, mask_fill="noise", **fields))
    second = studio.one(first, MASK, seed=6, mask_fill="original", **fields)
    looped = studio.one(PICTURE, MASK, seed=5, mask_fill="noise", loops=2, **fields)
    assert np.array_equal(looped, second)
    outside = (looped == np.asarray(PICTURE)).all(axis=2)
    assert outside[:4].all()


@pytest.mark.rule("E71", "E8")
def test_the_calls_of_all_loops_are_known_beforehand(studio: Studio) -> None:
    studio.one(PICTURE, steps=10, strength=0.2, loops=3, loop_strength=0.6, hr_scale=1.5, hr_steps=2)
    said = [entry for entry in studio.recording.progress_made if entry.stage == "denoise"]
    assert {entry.total for entry in said} == {3 + 5 + 7 + 2}
    assert [entry.done for entry in said] == list(range(18))
    decoded = [entry for entry in studio.recording.progress_made if entry.stage == "decode"]
    assert {entry.total for entry in decoded} == {4}
    assert decoded[-1].done == 4


@pytest.mark.rule("E71", "E69")
def test_outpainted_loops_keep_the_picture(studio: Studio) -> None:
    looped = studio.one(PICTURE, outpaint_right=16, loops=2)
    assert looped.shape == (64, 80, 3)
    assert np.array_equal(looped[:, :56], np.asarray(PICTURE)[:, :56])
