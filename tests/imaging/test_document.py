"""Our own record: its form, its limits, its versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.imaging import document
from sfumato.imaging.document import NotOurs, grid_of, own_document, read_document, staged, unpacked, written, written_ascii, written_packed
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import VERSION
from sfumato.imaging.picture import read_picture
from sfumato.protocol.requests.generate import Generate
from tests.imaging.test_picture import own, picture

WHEN = datetime(2026, 11, 21, 2, 58, tzinfo=UTC)


@pytest.mark.rule("M19")
def test_the_own_record_has_its_shape() -> None:
    record = own_document("generate", {"steps": 3}, {"seed": 1}, WHEN, models=[{"role": "checkpoint", "name": "x"}], engine={"rng": "cpu"})
    assert record == {
        "format": 1, "app": VERSION, "kind": "generate", "request": {"steps": 3}, "image": {"seed": 1}, "resolved": {},
        "models": [{"role": "checkpoint", "name": "x"}], "inputs": [], "engine": {"rng": "cpu"}, "warnings": [], "created": "2026-11-21T02:58:00+00:00",
    }  # fmt: skip
    with pytest.raises(ValueError, match="zone"):
        own_document("generate", {}, {}, WHEN.replace(tzinfo=None))


@pytest.mark.rule("M5")
def test_grids_stages_and_sources_are_told() -> None:
    grid = grid_of([("steps", [5, 10]), ("sampler", ["Euler", "DDIM"])], (64, 96))
    assert grid == {"axes": [{"name": "steps", "values": [5, 10]}, {"name": "sampler", "values": ["Euler", "DDIM"]}], "cell": {"width": 64, "height": 96}}
    record = own_document("grid", {}, {}, WHEN, grid=grid, source={"format": 1})
    assert (record["grid"], record["source"]) == (grid, {"format": 1})
    before = own(prompt="x")
    first = staged(before, "first", (32, 48))
    assert first["image"] == {**before["image"], "stage": "first", "width": 32, "height": 48}
    assert first["request"] == before["request"]
    reading = read_picture(encode(picture(), "", {**record, "request": {"prompt": "x"}}).data)
    assert (reading.own or {})["grid"] == grid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), lambda inner: st.lists(inner, max_size=4)
)


@pytest.mark.rule("M21")
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON.filter(lambda value: "\\ud" not in json.dumps(value)), max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_record_comes_back_bit_for_bit(request: dict[str, Any]) -> None:
    record = own(**{"prompt": "", **request})
    for text in (written(record), unpacked(written_ascii(record)), unpacked(written_packed(record))):
        assert read_document(text) == (record, [])


@pytest.mark.rule("M20")
def test_older_formats_are_brought_to_todays_and_newer_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a format 2 in which "steps" has another name
    monkeypatch.setattr(document, "FORMAT", 2)
    monkeypatch.setitem(document.MIGRATIONS, 1, lambda old: {**old, "format": 2, "request": {"count": old["request"]["steps"]}})
    old = {**own(), "request": {"steps": 3}, "format": 1}
    assert read_document(json.dumps(old))[0]["request"] == {"count": 3}
    with pytest.raises(NotOurs, match="newer version"):
        read_document(json.dumps({**old, "format": 3}))


@pytest.mark.rule("M20")
def test_there_is_a_migration_from_every_older_format() -> None:
    assert set(document.MIGRATIONS) == set(range(1, document.FORMAT))


@pytest.mark.rule("M20")
def test_keys_of_a_newer_minor_version_are_named_and_ignored() -> None:
    reading = read_picture(encode(picture(), "", {**own(prompt="x", sparkle=3), "mood": "good"}).data)
    assert reading.request() == Generate(prompt="x")
    assert reading.unknown == {"sparkle": 3}
    assert ["mood" in sentence for sentence in reading.warnings] == [True, False]
    assert "sparkle" in reading.warnings[1]


@pytest.mark.rule("M15", "M18")
@pytest.mark.parametrize(
    "text", ["", "nonsense", "[1]", "{}", '{"format": 1}', '{"format": true, "request": {}}', '{"format": 0, "request": {}}', "[" * 100_000, "9" * 99]
)
def test_what_is_no_record_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NotOurs, match="its infotext is used"):
        read_document(text)


@pytest.mark.rule("M18")
def test_a_packed_record_cannot_grow_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = written_packed(own(prompt="a" * 5000))
    monkeypatch.setattr(document, "LENGTH_LIMIT", 1000)
    with pytest.raises(NotOurs, match="too long"):
        unpacked(packed)
    for damaged in ("sfumato;z:%%%", "sfumato;z:AAAA", packed[:-40]):
        with pytest.raises(NotOurs):
            unpacked(damaged)
    assert unpacked("something else") == ""


@pytest.mark.rule("M21")
def test_the_schema_of_the_request_is_published() -> None:
    schema = Generate.model_json_schema()
    assert set(schema["properties"]) == set(Generate.model_fields)
    assert schema["additionalProperties"] is False
