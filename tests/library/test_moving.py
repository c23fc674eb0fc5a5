"""Rename renames and move moves: the bytes stay, and what belongs to a model follows it."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from sfumato.library.model_marks import Marks
from sfumato.library.moving import back, is_being_written, move, own_companions, rename
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import FileBusy, NameTaken, UnsafeName
from tests.support.model_files import write_model


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = write_model(tmp_path / "loras" / "a.b.safetensors", metadata={"ss_tag_frequency": "{}", "note": "kept"})
    for ending in (".preview.png", ".json", ".civitai.info", ".txt"):
        (file.parent / f"a.b{ending}").write_text(ending, encoding="utf-8")
    (file.parent / "a.txt").write_text("another's", encoding="utf-8")
    return file


@pytest.mark.rule("R52", "R53", "D114")
def test_R52_R53_a_rename_keeps_every_byte_and_takes_along_what_stands_beside(model: Path) -> None:
    before, header = digest(model), read_header(model)
    moved = rename(model, "new name.v2")
    new = model.parent / "new name.v2.safetensors"
    assert moved.model == (model, new)
    assert digest(new) == before and read_header(new) == header
    assert sorted(os.listdir(model.parent)) == [
        "a.txt", "new name.v2.civitai.info", "new name.v2.json", "new name.v2.preview.png", "new name.v2.safetensors", "new name.v2.txt",
    ]  # fmt: skip
    back(moved)
    assert digest(model) == before and (model.parent / "a.b.civitai.info").exists()


@pytest.mark.rule("D114")
def test_a_move_makes_the_folder_and_comes_back(model: Path) -> None:
    target = model.parent / "deep" / "er"
    moved = move(model, target)
    assert (target / model.name).exists() and (target / "a.b.preview.png").exists() and not model.exists()
    back(moved)
    assert model.exists() and os.listdir(target) == []


def test_nothing_happens_when_any_name_is_taken_or_unsafe(model: Path) -> None:
    (model.parent / "taken.json").write_text("{}", encoding="utf-8")
    before = sorted(os.listdir(model.parent))
    for name, error in (("taken", NameTaken), ("../up", UnsafeName), ("con", UnsafeName), ("", UnsafeName), ("a/b", UnsafeName), ("x\0", UnsafeName)):
        if name:
            with pytest.raises(error):
                rename(model, name)
    assert sorted(os.listdir(model.parent)) == before


def test_a_companion_that_two_models_need_is_copied(model: Path) -> None:
    model.with_suffix(".ckpt").write_bytes(b"\x80\x02")
    assert own_companions(model) == []
    moved = rename(model, "c")
    assert (model.parent / "a.b.json").exists() and (model.parent / "c.json").exists()
    back(moved)
    assert not (model.parent / "c.json").exists() and model.exists()


@pytest.mark.rule("D114")
@pytest.mark.skipif(sys.platform != "linux", reason="Windows refuses the rename itself")
def test_a_file_that_is_being_written_is_refused(model: Path) -> None:
    with model.open("r+b"):
        assert is_being_written(model)
        with pytest.raises(FileBusy):
            rename(model, "c")
    assert not is_being_written(model)
    assert model.exists()


def test_marks_follow_a_model(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.favourites, marks.used = {"/a", "/b"}, {"/a": 5.0}
    marks.follow([("/a", "/c")])
    marks.save()
    again = Marks(tmp_path)
    again.load()
    assert again.favourites == {"/b", "/c"} and again.used == {"/c": 5.0}
    (tmp_path / "model_marks.json").write_text("[]", encoding="utf-8")
    Marks(tmp_path).load()
