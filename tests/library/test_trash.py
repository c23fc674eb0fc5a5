"""Deleting into the trash and back: identical bytes, nothing replaced, nothing lost when it fails."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from sfumato.library import carrying
from sfumato.library.trash import FOLDER, Receipt, restore, to_trash

DATA = bytes(range(256)) * 300


def made(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.rule("R54", "D115")
def test_R54_a_deleted_model_is_in_the_trash_and_comes_back_identical(tmp_path: Path) -> None:
    model = made(tmp_path / "models" / "loras" / "grün $x.safetensors")
    stamp = model.stat().st_mtime_ns
    receipt = to_trash([model], tmp_path / "data")
    assert not model.exists()
    assert Path(receipt.items[0].place).is_relative_to(tmp_path / "data" / FOLDER)
    # Also after a restart, when only what was written down is left.
    assert restore(Receipt.from_json(json.loads(json.dumps(receipt.to_json())))) == ()
    assert hashlib.sha256(model.read_bytes()).digest() == hashlib.sha256(DATA).digest()
    assert model.stat().st_mtime_ns == stamp
    assert list((tmp_path / "data" / FOLDER).iterdir()) == []


def test_several_files_and_a_folder_go_together(tmp_path: Path) -> None:
    folder = made(tmp_path / "models" / "wide" / "model_index.json").parent
    picture = made(tmp_path / "a.png", b"picture")
    receipt = to_trash([folder, picture, tmp_path / "was never there"], tmp_path / "data")
    assert len(receipt.items) == 2 and not receipt.sentences
    assert not folder.exists() and not picture.exists()
    restore(receipt)
    assert (folder / "model_index.json").read_bytes() == DATA and picture.read_bytes() == b"picture"


def test_the_trash_of_the_system_comes_first_and_the_data_folder_second(tmp_path: Path) -> None:
    place = tmp_path / "Trash" / "files" / "a.png"
    note = made(tmp_path / "Trash" / "info" / "a.png.trashinfo", b"[Trash Info]")

    def system(path: Path) -> Path | None:
        if path.name != "a.png":
            return None
        place.parent.mkdir(parents=True)
        path.rename(place)
        return place

    first, second = made(tmp_path / "a.png"), made(tmp_path / "b.png")
    receipt = to_trash([first, second], tmp_path / "data", system)
    assert receipt.items[0].place == str(place)
    assert FOLDER in receipt.items[1].place
    assert restore(receipt) == ()
    assert first.exists() and second.exists() and not note.exists()


@pytest.mark.rule("R68")
def test_R68_a_trash_that_fails_leaves_the_file_and_says_so(tmp_path: Path) -> None:
    picture = made(tmp_path / "a.png")
    made(tmp_path / "data" / FOLDER, b"a file where the folder should be")
    receipt = to_trash([picture], tmp_path / "data", lambda path: None)
    assert picture.read_bytes() == DATA
    assert receipt.items == ()
    assert receipt.sentences[0].startswith("'a.png' was not deleted: ")


def test_nothing_that_is_there_now_is_replaced(tmp_path: Path) -> None:
    picture = made(tmp_path / "a.png")
    receipt = to_trash([picture], tmp_path / "data")
    made(picture, b"another")
    sentences = restore(receipt)
    assert "There is a 'a.png'" in sentences[0]
    assert picture.read_bytes() == b"another"
    assert Path(receipt.items[0].place).read_bytes() == DATA


@pytest.mark.rule("D114")
def test_across_volumes_the_copy_is_checked_before_the_source_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two folders that the system takes for two volumes
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(carrying, "_rename", refuse)
    source, target = made(tmp_path / "here" / "m.safetensors"), tmp_path / "there" / "m.safetensors"
    stamp = source.stat().st_mtime_ns
    # When it is carried
    carrying.carry(source, target)
    # Then the bytes and the time are the same, and nothing else is left
    assert target.read_bytes() == DATA and target.stat().st_mtime_ns == stamp
    assert not source.exists() and os.listdir(target.parent) == ["m.safetensors"]

    # Given a disk that writes something else
    original = carrying._copy_file

    def faulty(source: Path, target: Path) -> None:
        original(source, target)
        raise carrying.CorruptFile(source.name, "its copy differs from it")

    monkeypatch.setattr(carrying, "_copy_file", faulty)
    with pytest.raises(carrying.CorruptFile):
        carrying.carry(target, source)
    assert target.read_bytes() == DATA and os.listdir(source.parent) == []


def test_a_folder_crosses_volumes_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    made(tmp_path / "m" / "unet" / "w.safetensors")
    monkeypatch.setattr(carrying, "_rename", refuse)
    carrying.carry(tmp_path / "m", tmp_path / "n" / "m")
    assert (tmp_path / "n" / "m" / "unet" / "w.safetensors").read_bytes() == DATA
    assert not (tmp_path / "m").exists()
