"""What stands beside a model belongs to it by its exact name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sfumato.library.descriptions import is_web_address, shown
from sfumato.library.model_notes import companions, preview_of, put_back, read_notes, write_notes
from sfumato.protocol.errors import CorruptFile


def beside(path: Path) -> list[str]:
    return companions(path, os.listdir(path.parent))


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.mark.rule("R57", "D110")
def test_R57_mix_never_shows_the_picture_of_supermix(tmp_path: Path) -> None:
    touched(tmp_path, "mix.safetensors", "supermix.safetensors", "supermix.png", "supermix.preview.png", "mix.safetensors.png", "mix .png")
    assert preview_of(tmp_path / "mix.safetensors", beside(tmp_path / "mix.safetensors")) is None
    assert preview_of(tmp_path / "supermix.safetensors", beside(tmp_path / "supermix.safetensors")) == tmp_path / "supermix.preview.png"


@pytest.mark.rule("R56", "D110")
def test_R56_models_that_differ_after_the_first_dot_keep_separate_notes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.b.safetensors", tmp_path / "a.c.safetensors"
    touched(tmp_path, first.name, second.name, "a.b.png", "a.png")
    write_notes(first, description="First", words=["one"], tags=[], weight=0.7)
    write_notes(second, description="Second", words=[], tags=["x"], weight=None)
    assert read_notes(first, beside(first)).description == "First" and read_notes(first, beside(first)).weight == 0.7
    assert read_notes(second, beside(second)).description == "Second" and read_notes(second, beside(second)).tags == ("x",)
    assert preview_of(second, beside(second)) is None


@pytest.mark.rule("D110")
def test_the_longer_ending_comes_first(tmp_path: Path) -> None:
    touched(tmp_path, "m.webp", "m.png", "m.preview.webp")
    assert preview_of(tmp_path / "m.safetensors", beside(tmp_path / "m.safetensors")) == tmp_path / "m.preview.webp"


def test_texts_of_other_programs_are_understood(tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    info = {"description": "<p>Nice</p>", "trainedWords": ["ink, wash", "brush"], "baseModel": "SD 1.5", "model": {"tags": ["style"]}}
    (tmp_path / "m.civitai.info").write_text(json.dumps(info), encoding="utf-8")
    notes = read_notes(model, beside(model))
    assert (notes.description, notes.is_html, notes.words, notes.tags, notes.base) == ("<p>Nice</p>", True, ("ink", "wash", "brush"), ("style",), "SD 1.5")
    (tmp_path / "m.json").write_text(json.dumps({"activation text": "wet ink", "preferred weight": "0.8"}), encoding="utf-8")
    assert read_notes(model, beside(model)).words == ("wet ink",) and read_notes(model, beside(model)).weight == 0.8
    (tmp_path / "m.json").write_text("[" * 5000, encoding="utf-8")
    (tmp_path / "m.civitai.info").write_bytes(b"\xff\xfe damaged")
    assert read_notes(model, beside(model)).description == ""


@pytest.mark.rule("D113")
def test_an_edit_keeps_what_other_programs_wrote_and_can_be_taken_back(tmp_path: Path) -> None:
    model, file = tmp_path / "m.safetensors", tmp_path / "m.json"
    file.write_text(json.dumps({"sd version": "SD1", "notes": "keep me", "description": "old"}), encoding="utf-8")
    before = write_notes(model, description="new", words=["a", "b"], tags=["t"], weight=None)
    held = json.loads(file.read_text(encoding="utf-8"))
    assert held["notes"] == "keep me" and held["description"] == "new" and held["activation text"] == "a, b"
    put_back(file, before)
    assert json.loads(file.read_text(encoding="utf-8"))["description"] == "old"
    file.write_text("no JSON", encoding="utf-8")
    with pytest.raises(CorruptFile):
        write_notes(model, description="new", words=[], tags=[], weight=None)
    assert file.read_text(encoding="utf-8") == "no JSON"


@pytest.mark.rule("R112", "D110")
def test_R112_descriptions_hold_no_pictures_no_scripts_and_links_to_pages_alone() -> None:
    hostile = (
        '<p onclick="x()">Fine <b>bold</b></p><script>alert(1)</script><img src="http://evil/x.png"><a href="javascript:x()">one</a>'
        '<a href="file:///etc/passwd">two</a><a href=" HTTPS://good.example/p?a=1&b=2 ">three</a><style>p{background:url(http://e)}</style>'
        '<iframe src="http://evil"></iframe><a href="sfumato:?endpoint=x">four</a><object data="x">five</object><p style="background:url(x)">last'
    )
    text = shown(hostile, True)
    for word in ("script", "img", "javascript", "file:", "iframe", "style", "onclick", "sfumato:", "object", "evil", "alert"):
        assert word not in text
    assert '<a href="HTTPS://good.example/p?a=1&amp;b=2">three</a>' in text
    assert "<b>bold</b>" in text and "one" in text and "last" in text
    assert shown("a <b & c\nsee https://example.org/x.") == 'a &lt;b &amp; c<br>see <a href="https://example.org/x">https://example.org/x</a>.'
    assert shown("[page](https://example.org) [bad](javascript:x)") == '<a href="https://example.org">page</a> [bad](javascript:x)'
    for address in ("file:///x", "javascript:alert(1)", "data:text/html,x", "//x", "ftp://x", "https://x y", 'http://x"y', ""):
        assert not is_web_address(address)
