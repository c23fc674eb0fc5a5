"""A picture's own record, sent again, makes this very picture: modes, batches, choices and sources alike."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pytest

from sfumato.imaging.picture import Reading, read_picture
from tests.support.studio import Studio, box_mask, encoded, gradient

IMAGE, MASK = encoded(gradient()), encoded(box_mask((16, 16, 48, 48)))
SENT = {hashlib.sha256(data).hexdigest(): data for data in (IMAGE, MASK)}
NAMES = dict(zip(("image", "mask"), SENT, strict=True))
IMAGE_ONLY = {"image": NAMES["image"]}


def files(studio: Studio) -> list[bytes]:
    return [data for _, _, data, _ in studio.recording.artifacts]


@pytest.mark.slow
@pytest.mark.rule("M20", "R66", "E117")
@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "a {red|blue|green} {star|circle} # note", "batch_size": 2, "sampler": "DPM++ SDE", "eta": 0.5},
        {"variation_strength": 0.3, "variation_seed": 8, "batch_size": 2, "sampler": "Euler a", "rng": "nv", "ensd": 31337},
        {**IMAGE_ONLY, "strength": 0.6, "sampler": "DPM++ 2M SDE", "schedule": "karras", "extra_noise": 0.1, "noise_multiplier": 0.9},
        {**NAMES, "strength": 0.7, "mask_fill": "noise", "mask_padding": 8, "mask_mode": "soft", "sampler": "DDIM", "eta_ddim": 0.4},
        {"hr_scale": 1.5, "hr_upscaler": "Latent", "hr_strength": 0.6, "hr_steps": 2, "hr_prompt": "a {big|small} star", "batch_size": 2, "tiling": "x"},
    ],
    ids=["choices", "variations", "image", "mask", "highres"],
)
def test_the_record_of_each_picture_makes_it_again(studio: Studio, fields: dict[str, Any]) -> None:
    # Given the pictures of a job
    blobs = {name: SENT[name] for name in fields.values() if name in SENT}
    painted = studio.paint(blobs=blobs, deterministic=True, **fields)
    readings = [read_picture(data) for data in files(studio)]
    for pixels, reading in zip(painted, readings, strict=True):
        # When the record of one is sent again, its sources found by their checksums
        again = studio.paint(blobs=blobs, **reading.repeated().model_dump())
        # Then it is this very picture, and says so
        assert len(again) == 1
        assert np.array_equal(again[0], pixels)
        assert said(read_picture(files(studio)[0])) == said(reading)


@pytest.mark.rule("M20", "P56")
def test_a_picture_of_all_combinations_is_made_again_alone(studio: Studio) -> None:
    painted = studio.paint(prompt="a {red|blue} star", negative="{x|y}", all_combinations=True, batch_size=3, steps=2)
    again = read_picture(files(studio)[2]).repeated()
    assert (again.prompt, again.negative, again.batch_size) == ("a blue star", "x", 1)
    assert np.abs(studio.one(**again.model_dump()).astype(int) - painted[2].astype(int)).max() <= 1


def said(reading: Reading) -> dict[str, Any]:
    """What a picture tells of how it looks: not of its place in a batch, nor of a checksum that became known meanwhile."""
    own = reading.own or {}
    text = re.sub(r"Model hash: [0-9a-f]{10}, ", "", reading.text)
    return {"resolved": own["resolved"], "models": own["models"][0]["name"], "inputs": own["inputs"], "text": text, "seed": own["image"]["seed"]}


@pytest.mark.rule("M20", "P55")
def test_the_request_is_recorded_as_it_was_sent_and_the_texts_as_they_were_chosen(studio: Studio) -> None:
    studio.paint(prompt="a {red|blue} star # note", negative="bad", batch_size=2, seed=3, metadata="full")
    readings = [read_picture(data) for data in files(studio)]
    for index, reading in enumerate(readings):
        assert reading.request().prompt == "a {red|blue} star # note"
        assert (reading.own or {})["resolved"]["prompt"].strip() in ("a red star", "a blue star")
        assert reading.text.startswith((reading.own or {})["resolved"]["prompt"])
        assert (reading.own or {})["image"]["seed"] == 3 + index


@pytest.mark.rule("M4")
def test_a_record_without_prompts_tells_the_rest(studio: Studio) -> None:
    studio.paint(prompt="secret words", metadata="prompt_free", format="webp")
    (data,) = files(studio)
    reading = read_picture(data)
    assert (reading.format, reading.fields["steps"], len(reading.fields["prompt"])) == ("webp", 3, 64)
    assert "secret" not in reading.text + str(reading.own)
