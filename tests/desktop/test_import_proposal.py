"""What an import would change, without a window."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sfumato.desktop.importing.proposal import Now, Proposal, Row, propose, renamed
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.picture import read_picture, read_text
from sfumato.library.hashes import Hashes
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs
from tests.support.painting import CHOICES

ROWS = {spec.name: spec for spec in specs(Generate)}
INFOTEXT = """a red fox, <lora:fur:0.8>
Negative prompt: blurry
Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 77, Size: 512x768, Model hash: {hash}, Model: {model}, Weird key: "a, b", Version: v1.10.1"""


def models(folder: Path, **files: bytes) -> Any:
    """Networks and checkpoints on disk, by category."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for name, data in files.items():
        category, _, title = name.partition("__")
        path = folder / f"{title}.safetensors"
        path.write_bytes(data)
        found.setdefault({"lora": "LoRA", "checkpoint": "checkpoint"}[category], []).append((title.replace("_", "-"), path))
    return lambda category: found.get(category, [])


def imported(text: str, tmp_path: Path, known: Any = lambda category: [], **values: Any) -> Proposal:
    return propose(read_text(text), Now(ROWS, values, CHOICES), known, Hashes(tmp_path))


def row(proposal: Proposal, name: str) -> Row:
    return next(row for row in proposal.rows if row.name == name)


@pytest.mark.rule("D151", "D152")
def test_each_value_stands_beside_the_one_of_now(tmp_path: Path) -> None:
    found = imported(INFOTEXT.format(hash="", model="landscape-v2"), tmp_path, steps=25, guidance=5.5, prompt="a cat", model="sfumato-starter")
    assert found.source == "AUTOMATIC1111"
    assert (row(found, "steps").words, row(found, "steps").current, row(found, "steps").chosen) == ("30", "25", True)
    assert (row(found, "prompt").words, row(found, "prompt").current) == ("a red fox, <lora:fur:0.8>", "a cat")
    assert (row(found, "guidance").same, row(found, "guidance").chosen) == (True, False)
    assert (row(found, "sampler").value, row(found, "schedule").value) == ("DPM++ 2M", "karras")
    assert found.unknown == (("Weird key", "a, b"),)
    assert "Weird key" in found.raw
    assert "Steps: 30" in found.parsed


@pytest.mark.rule("D154")
def test_a_model_is_found_by_checksum_then_name_then_the_closest_name(tmp_path: Path) -> None:
    known = models(tmp_path, checkpoint__landscape_v2=b"weights")
    hashes = Hashes(tmp_path)
    digest = hashes.compute(tmp_path / "landscape_v2.safetensors")
    assert digest == hashlib.sha256(b"weights").hexdigest()

    by_hash = row(imported(INFOTEXT.format(hash=digest[:10], model="renamed"), tmp_path, known), "model")
    assert (by_hash.value, by_hash.chosen) == ("landscape-v2", True)
    assert "checksum" in by_hash.note
    by_name = row(imported(INFOTEXT.format(hash="", model="Landscape-V2"), tmp_path, known), "model")
    assert (by_name.value, by_name.note) == ("landscape-v2", "")
    close = row(imported(INFOTEXT.format(hash="0123456789", model="landscape-v3"), tmp_path, known), "model")
    assert (close.value, close.note, close.chosen) == ("landscape-v2", "closest: landscape-v2", True)
    assert "landscape-v3" in close.words


@pytest.mark.rule("D154")
def test_no_match_leaves_the_value_alone_and_says_so(tmp_path: Path) -> None:
    model = row(imported(INFOTEXT.format(hash="0123456789", model="qqqq"), tmp_path), "model")
    assert (model.chosen, model.blocked) == (False, True)
    assert "not here" in model.note
    # What cannot be used is no match either, and of two equally close names neither is.
    assert row(imported(INFOTEXT.format(hash="", model="old-portrait"), tmp_path), "model").blocked
    rows = {"models": [{"value": "dream-1", "label": "dream-1"}, {"value": "dream-2", "label": "dream-2"}]}
    found = propose(read_text(INFOTEXT.format(hash="", model="dream-3")), Now(ROWS, {}, rows), lambda category: [], Hashes(tmp_path))
    assert row(found, "model").blocked
    # A sampler is no file: one that is not here has no closest.
    assert row(imported("x\nSteps: 5, Sampler: Euler b, Seed: 1", tmp_path), "sampler").blocked


@pytest.mark.rule("D154")
def test_networks_are_found_by_checksum_or_named_with_the_closest(tmp_path: Path) -> None:
    text = INFOTEXT.format(hash="", model="landscape-v2")
    assert imported(text, tmp_path).networks[0].note == "not here"
    close = imported(text, tmp_path, models(tmp_path, lora__furs=b"x")).networks[0]
    assert (close.found, close.closest) == ("", "furs")
    assert "closest: furs" in close.note
    here = imported(text, tmp_path, models(tmp_path, lora__fur=b"x")).networks[0]
    assert (here.found, here.note) == ("fur", "")
    assert renamed("a <lora:fur:1:2> b", [here]) == "a <lora:fur:1:2> b"

    hashes = Hashes(tmp_path)
    header = json.dumps({"__metadata__": {}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    known = models(tmp_path, lora__other=len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    digest = hashes.compute(tmp_path / "other.safetensors", behind_header=True)
    named = text.replace("Weird key", f'Lora hashes: "fur: {digest[:12]}", Weird key')
    found = imported(named, tmp_path, known)
    assert found.networks[0].found == "other"
    assert row(found, "prompt").value == "a red fox, <lora:other:0.8>"


@pytest.mark.rule("D153", "R67")
def test_our_own_record_gives_the_seed_of_the_very_picture_and_every_value(tmp_path: Path) -> None:
    request = Generate(prompt="a", steps=7, seed=100, batch_size=3, width=64, height=96, hr_scale=2.0, styles=("ink",), image="a" * 64, strength=0.3)
    inputs = [{"role": "image", "sha256": "a" * 64, "width": 640, "height": 480}]
    image = {"index": 2, "seed": 102, "width": 128, "height": 192}
    own = own_document("generate", request.model_dump(mode="json"), image, datetime(2026, 11, 21, tzinfo=UTC), inputs=inputs)
    data = encode(Image.new("RGB", (8, 8)), "a", own).data
    found = propose(read_picture(data), Now(ROWS, {}, {}), lambda category: [], Hashes(tmp_path))
    values = {each.name: each.value for each in found.rows}
    told = request.model_dump()
    assert values.pop("seed") == 102
    assert values == {name: told[name] for name in values}
    assert set(ROWS) - set(values) == {"image", "mask", "control", "areas", "seed"}
    assert [each.words for each in found.inputs] == ["Image 640 × 480"]
    # How this machine works is not taken over by itself (D53).
    assert not any(each.chosen for each in found.rows if each.group == "operation")


def test_a_text_that_is_no_parameters_is_a_prompt(tmp_path: Path) -> None:
    found = imported("just a fox: red, small", tmp_path)
    assert [(each.name, each.value) for each in found.rows] == [("prompt", "just a fox: red, small")]
    assert imported("  ", tmp_path).is_empty
