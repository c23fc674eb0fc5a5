"""Pictures land numbered in the folder of their kind, and a failed write leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfumato.library.outputs import save_picture
from sfumato.protocol.errors import NotWritable


@pytest.mark.rule("D97", "R50")
def test_pictures_are_numbered_in_the_folder_of_their_kind(tmp_path: Path) -> None:
    paths = [save_picture(tmp_path / "outputs", "generate", bytes([n])) for n in range(3)]
    assert [path.parent for path in paths] == [tmp_path / "outputs" / "txt2img"] * 3
    assert [path.name[:9] for path in paths] == ["00000001-", "00000002-", "00000003-"]
    assert [path.read_bytes() for path in paths] == [b"\x00", b"\x01", b"\x02"]


@pytest.mark.rule("D79")
def test_a_folder_that_is_a_file_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")
    with pytest.raises(NotWritable, match="outputs"):
        save_picture(tmp_path / "outputs", "generate", b"x")
    assert (tmp_path / "outputs").read_text() == "mine"


@pytest.mark.rule("M28")
def test_what_a_writer_that_died_left_is_removed_once(tmp_path: Path) -> None:
    folder = tmp_path / "txt2img"
    folder.mkdir()
    old, young = folder / ".00000001.png.aa.tmp", folder / ".00000002.png.bb.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    save_picture(tmp_path, "generate", b"x")
    assert [old.exists(), young.exists()] == [False, True]
