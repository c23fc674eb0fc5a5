"""From a picture and settings to a map: sizes, masks, refusals, and that nothing is computed twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators import PREPROCESSORS, Map, Maps, Workshop, annotate, problems_of
from sfumato.engine.annotators.edges import canny
from sfumato.engine.checks import problems_of as problems_of_request
from sfumato.engine.inputs.resizing import resized
from sfumato.protocol.errors import ImageUnreadable, Invalid, Stopped
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate
from tests.engine.annotators.conftest import png

FILTERS = [name for name, row in PREPROCESSORS.items() if not row.files and row.reads != "pose"]


@pytest.mark.rule("E84")
@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_makes_a_map_of_the_size_that_is_painted(name: str, disc: NDArray[np.uint8], workshop: Workshop) -> None:
    mask = Image.new("L", (80, 60), 255)
    for size in ((64, 96), (33, 7), (1, 1)):
        made = annotate(ControlUnit(preprocessor=name), png(disc), size, workshop, mask)
        assert made.pixels.shape == (size[1], size[0], 3) and made.pixels.dtype == np.uint8
        assert made.picture().size == size and made.source == (80, 60)
        values = made.values()
        assert values.min() >= -1 and values.max() <= 1


@pytest.mark.rule("E62", "E84")
def test_without_a_resolution_the_picture_is_looked_at_as_it_is_painted(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    source = png(disc)
    for mode in ("stretch", "crop", "fill"):
        made = annotate(ControlUnit(preprocessor="canny", resize_mode=mode), source, (48, 64), workshop)  # type: ignore[arg-type]  one of the words
        shown = np.asarray(resized(Image.fromarray(disc), (48, 64), mode))
        assert np.array_equal(made.pixels[..., 0], canny(shown, 0.4, 0.8))
    coarse = annotate(ControlUnit(preprocessor="none", resolution=64), source, (600, 400), workshop)
    fine = annotate(ControlUnit(preprocessor="none"), source, (600, 400), workshop)
    assert coarse.pixels.shape == fine.pixels.shape and not np.array_equal(coarse.pixels, fine.pixels)
    assert annotate(ControlUnit(preprocessor="none", resolution=120), source, None, workshop).pixels.shape == (120, 160, 3)
    assert annotate(ControlUnit(preprocessor="none"), source, None, workshop).pixels.shape == (60, 80, 3)


@pytest.mark.rule("E85", "D62")
def test_the_same_question_is_answered_from_memory_and_each_difference_asks_anew(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    source = png(disc)
    unit = ControlUnit(preprocessor="canny", threshold_a=0.2, weight=1.0)
    first = annotate(unit, source, (64, 64), workshop)
    # The weight, the model and settings that the preprocessor does not read change nothing of its map; unset is its own value.
    for same in (unit, unit.model_copy(update={"weight": 0.5, "model": "x", "seed": 9, "hands": False}), unit.model_copy(update={"threshold_b": 0.8})):
        assert annotate(same, source, (64, 64), workshop) is first
    assert annotate(unit, Image.fromarray(disc), (64, 64), workshop) is not first
    others = [
        annotate(unit.model_copy(update={"threshold_a": 0.3}), source, (64, 64), workshop),
        annotate(unit.model_copy(update={"resolution": 64}), source, (64, 64), workshop),
        annotate(unit.model_copy(update={"resize_mode": "fill"}), source, (64, 64), workshop),
        annotate(unit, source, (64, 32), workshop),
        annotate(unit, png(255 - disc), (64, 64), workshop),
    ]
    assert len({id(made) for made in (first, *others)}) == 6
    shuffled = [annotate(ControlUnit(preprocessor="shuffle", seed=seed), source, None, workshop) for seed in (1, 1, 2)]
    assert shuffled[0] is shuffled[1] is not shuffled[2]


def test_maps_are_kept_within_their_bytes() -> None:
    maps = Maps(limit_bytes=250)
    made = [maps.get(number, lambda: Map(np.zeros((5, 5, 3), np.uint8))) for number in range(4)]
    assert maps.nbytes == 225 and maps.get(3, lambda: made[0]) is made[3] and maps.get(0, lambda: made[1]) is made[1]
    maps.get("large", lambda: Map(np.zeros((20, 20, 3), np.uint8)))
    assert maps.nbytes == 1200
    maps.clear()
    assert maps.nbytes == 0


@pytest.mark.rule("E84")
def test_inpainting_hides_the_mask_or_what_is_transparent_and_needs_one(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    unit = ControlUnit(preprocessor="inpaint")
    mask = Image.new("L", (80, 60), 0)
    mask.paste(255, (0, 0, 40, 60))
    hidden = annotate(unit, png(disc), (80, 60), workshop, mask).hidden
    assert hidden is not None and hidden[:, :40].all() and not hidden[:, 40:].any()
    alpha = np.where(np.arange(80) < 40, 0, 255).astype(np.uint8) * np.ones((60, 1), np.uint8)
    clear = annotate(unit, png(np.dstack([disc, alpha])), (80, 60), workshop).hidden
    assert clear is not None and np.array_equal(clear, hidden)
    wide = annotate(unit.model_copy(update={"resolution": 64}), png(disc), (160, 120), workshop, mask).hidden
    assert wide is not None and wide[:, :78].all() and not wide[:, 82:].any()
    with pytest.raises(Invalid, match=r"Inpaint needs a mask") as caught:
        annotate(unit, png(disc), (80, 60), workshop, path="control.2.")
    assert caught.value.path == "control.2.mask"


@pytest.mark.rule("E84")
@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"preprocessor": "cany"}, "preprocessor", "Closest: 'canny'"),
        ({"preprocessor": "canny", "threshold_a": 2.0}, "threshold_a", "Low threshold of canny must be between 0 and 1."),
        ({"preprocessor": "tile", "threshold_b": 2.0}, "threshold_b", "The preprocessor tile does not use 'threshold_b'; leave it out."),
        ({"preprocessor": "blur", "resolution": 8}, "resolution", "Resolution must be 0, or between 64 and 2048."),
    ],
)
def test_settings_that_cannot_be_are_named(changes: dict[str, object], path: str, words: str, disc: NDArray[np.uint8], workshop: Workshop) -> None:
    unit = ControlUnit(**changes)  # type: ignore[arg-type]  values of its fields
    (problem,) = problems_of(unit, "control.1.")
    assert problem.path == f"control.1.{path}" and words in problem.sentence
    with pytest.raises(Invalid):
        annotate(unit, png(disc), None, workshop)


@pytest.mark.rule("E84")
def test_every_setting_of_every_preprocessor_changes_its_map(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    draw = np.random.default_rng(0)
    source = png((disc * 0.8 + draw.integers(0, 60, disc.shape)).clip(0, 255).astype(np.uint8))
    for name in FILTERS:
        row = PREPROCESSORS[name]
        for setting in row.settings:
            assert setting.minimum <= setting.default <= setting.maximum and setting.step > 0
            maps = [
                annotate(ControlUnit(preprocessor=name, **{setting.field: value}), source, None, workshop).pixels  # type: ignore[arg-type]  a threshold
                for value in (setting.default, setting.maximum, setting.minimum)
            ]
            assert not np.array_equal(maps[0], maps[1]) or not np.array_equal(maps[0], maps[2]), (name, setting.field)


def test_a_damaged_picture_is_said_of_its_control_and_a_cancel_is_heard(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        annotate(ControlUnit(preprocessor="canny"), b"none", (8, 8), workshop, path="control.0.")
    assert caught.value.path == "control.0.image"

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        annotate(ControlUnit(preprocessor="canny"), png(disc), (8, 8), replace(workshop, check=stop))
    assert workshop.maps.nbytes == 0


@pytest.mark.rule("E81")
def test_controls_that_cannot_be_are_refused_before_anything_is_read() -> None:
    request = Generate(
        control=(  # type: ignore[arg-type]  as a client sends it
            {"preprocessor": "canny"},
            {"image": "a", "model": "m", "start": 0.5, "end": 0.2, "preprocessor": "no"},
            {"image": "a", "mask": "b", "model": "m", "preprocessor": "pose"},
        )
    )
    found = {problem.path: problem.sentence for problem in problems_of_request(request, {"a": b""})}
    assert set(found) == {"control.0.image", "control.0.model", "control.1.preprocessor", "control.1.start", "control.2.mask"}
    assert all(sentence.startswith(f"Control {int(path[8]) + 1}") or path == "control.2.mask" for path, sentence in found.items())
    (problem,) = problems_of_request(Generate(image="a", control=({"model": "m", "preprocessor": "pose"},)), {"a": b""})  # type: ignore[arg-type]  as above
    assert problem.path == "control.0.image" and "keypoints" in problem.sentence
