"""Controls in an infotext: as the ControlNet extension writes them, read back from its old and new forms; in our record exactly."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from sfumato.imaging.controls import key_of
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import read_infotext, write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.picture import Reading, read_picture
from sfumato.imaging.saying import Facts
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate

FACTS = Facts("Euler a", 64, 64, 7, names={"control.0": "control_v11p_sd15_canny"}, hashes={"control.0": "d14c016b11"})
UNITS = (
    ControlUnit(image="0" * 64, preprocessor="canny", model="sub/canny, new", weight=0.8, threshold_a=0.2, threshold_b=0.6, start=0.1, end=0.9),
    ControlUnit(preprocessor="tile", model="t:x", resolution=640, mode="control", resize_mode="fill", guess=True, threshold_a=2.5, union_type="tile"),
    ControlUnit(preprocessor="pose", model="p", face=False, mode="prompt", resize_mode="stretch"),
    ControlUnit(preprocessor="shuffle", model="s", seed=77),
    ControlUnit(model="face", encoder="clip-vit-h", block_weights="1 0.5 0", together="join"),
)


def written(*units: ControlUnit) -> str:
    return write_infotext("a", "", pairs_of(Generate(control=units), FACTS))


def told(reading: Reading) -> list[dict[str, Any]]:
    return [{name: value for name, value in unit.items() if value != ControlUnit.model_fields[name].default} for unit in reading.fields["control"]]


def read(line: str) -> Reading:
    return read_picture(encode(Image.new("RGB", (8, 8)), f"a\nSteps: 20, Seed: 1, Size: 64x64, {line}").data)


@pytest.mark.rule("M10")
def test_a_control_is_written_as_the_extension_writes_it() -> None:
    pairs = read_infotext(written(*UNITS)).pairs
    assert pairs["ControlNet 0"] == (
        "Module: canny, Model: control_v11p_sd15_canny [d14c016b11], Weight: 0.8, Resize Mode: Crop and Resize, Threshold A: 51, Threshold B: 153, "
        "Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: True, Control Mode: Balanced"
    )
    assert pairs["ControlNet 1"] == (
        "Module: tile_resample, Model: tx, Weight: 1, Resize Mode: Resize and Fill, Processor Res: 640, Threshold A: 2.5, Guidance Start: 0, Guidance End: 1, "
        "Pixel Perfect: False, Control Mode: ControlNet is more important, Guess: True, Union Control Type: tile"
    )
    # The extension reads a value by parting it at commas, then at ": ".
    for number in range(len(UNITS)):
        assert all(len(pair.split(": ")) == 2 for pair in str(pairs[key_of(number)]).split(","))
    assert "ControlNet" not in written() and "0000" not in written(*UNITS)


@pytest.mark.rule("M10", "M14")
def test_what_was_written_is_read_but_for_the_pictures() -> None:
    reading = read_picture(encode(Image.new("RGB", (8, 8)), written(*UNITS)).data)
    assert (reading.unknown, reading.warnings) == ({}, ())
    names = ("control_v11p_sd15_canny", "tx", "p", "s", "face")
    plain = [unit.model_copy(update={"image": "", "model": model}) for unit, model in zip(UNITS, names, strict=True)]
    assert reading.request().control == tuple(plain)
    assert reading.hashes["control.0"] == "d14c016b11"


@pytest.mark.rule("M14")
@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (("Module: canny, Model: a [0123abcd], Weight: 0.5, Resize Mode: Just Resize, Processor Res: 512, Threshold A: 102, Threshold B: 204, "
         "Guidance Start: 0.25, Guidance End: 1, Pixel Perfect: False, Control Mode: My prompt is more important"),
         {"preprocessor": "canny", "model": "a", "weight": 0.5, "resize_mode": "stretch", "resolution": 512, "threshold_a": 0.4, "threshold_b": 0.8,
          "start": 0.25, "mode": "prompt"}),
        ("Module: invert (from white bg & black line), Model: None, Processor Res: -1, Threshold A: -1, Threshold B: -1, Pixel Perfect: True",
         {"preprocessor": "invert"}),
        ("Module: openpose_hand, Model: b, Low Vram: True, Hr Option: Both", {"preprocessor": "openpose", "model": "b", "face": False}),
        ("Module: something_new, Model: c, Processor Res: 4096", {"preprocessor": "something_new", "model": "c", "resolution": 2048}),
        (("preprocessor: canny, model: d [0123abcd], weight: 1, starting/ending: (0.1, 0.5), resize mode: Envelope (Outer Fit), pixel perfect: False, "
         "control mode: ControlNet is more important, preprocessor params: (640, 51, 153)"),
         {"preprocessor": "canny", "model": "d", "start": 0.1, "end": 0.5, "resize_mode": "fill", "mode": "control", "resolution": 640, "threshold_a": 0.2,
          "threshold_b": 0.6}),
    ],
)  # fmt: skip
def test_the_extensions_own_texts_are_read(value: str, unit: dict[str, Any]) -> None:
    reading = read(f'ControlNet 0: "{value}", Version: v1.10.1')
    assert told(reading) == [unit]
    assert (reading.source, reading.unknown) == ("automatic1111", {})


@pytest.mark.rule("M14", "M15")
def test_controls_that_cannot_be_are_left_out_with_a_sentence_and_kept_in_view() -> None:
    heavy = read('ControlNet 0: "Module: canny, Model: a, Weight: 7"')
    assert "control" not in heavy.fields and any("Control 1: weight must be between 0 and 2." in warning for warning in heavy.warnings)
    strange = read("ControlNet 0: 5, ControlNet 1: Module")
    assert set(strange.unknown) == {"ControlNet 0", "ControlNet 1"}
    numberless = read('ControlNet 0: "Module: canny, Threshold A: lots, Weight: nan"')
    assert "control" not in numberless.fields and numberless.warnings


@pytest.mark.rule("X11")
def test_a_strangers_record_names_no_file() -> None:
    from datetime import UTC, datetime

    from sfumato.imaging.document import own_document

    request = Generate(control=UNITS).model_dump(mode="json")
    own = own_document("generate", request, {}, datetime.now(UTC))
    whole = read_picture(encode(Image.new("RGB", (8, 8)), own=own).data)
    assert whole.request().control == UNITS
    request["control"][0]["image"] = "/home/somebody/secret.png"
    request["control"][1]["colour"] = "of a newer version"
    told = read_picture(encode(Image.new("RGB", (8, 8)), own=own_document("generate", request, {}, datetime.now(UTC))).data)
    assert "control" not in told.fields and any("SHA-256" in warning for warning in told.warnings)
