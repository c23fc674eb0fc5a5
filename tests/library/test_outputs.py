"""Pictures land numbered in the folder of their kind, and a failed write leaves nothing."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.picture import read_picture
from sfumato.imaging.saying import Facts
from sfumato.library.outputs import save_picture
from sfumato.protocol.errors import NotWritable
from sfumato.protocol.requests.generate import Generate


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


def made(form: str = "png") -> bytes:
    """A picture as the engine makes it."""
    request = Generate(prompt="a café", seed=5, steps=7)
    facts = Facts("Euler a", 64, 96, 5, prompt="a café")
    own = own_document("generate", request.model_dump(mode="json"), {"index": 0, "seed": 5}, datetime(2026, 11, 21, tzinfo=UTC), resolved={"prompt": "a café"})
    return encode(Image.new("RGB", (8, 8)), write_infotext("a café", "", pairs_of(request, facts)), own, form=form).data


@pytest.mark.rule("M25", "M26")
def test_a_pattern_and_the_format_of_the_picture_name_the_file(tmp_path: Path) -> None:
    assert (
        save_picture(tmp_path, "generate", made("webp"), pattern="[seed]/[number:4]-[prompt]-[steps]").relative_to(tmp_path).as_posix()
        == "txt2img/5/0001-a_café-7.webp"
    )
    assert save_picture(tmp_path, "", made("jpeg"), pattern="AUTOMATIC1111").name == "00001-5.jpg"
    assert save_picture(tmp_path, "", made("avif"), pattern="[mode]").name == f"{tmp_path.name}.avif"


@pytest.mark.rule("M3")
def test_texts_stand_beside_the_picture_if_the_setting_says_so(tmp_path: Path) -> None:
    data = made()
    path = save_picture(tmp_path, "generate", data, sidecars="both")
    assert path.with_suffix(".txt").read_text(encoding="utf-8") == f"{read_picture(data).text}\n"
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) == read_picture(data).own
    assert save_picture(tmp_path, "generate", data, sidecars="txt").with_suffix(".json").exists() is False
    assert len(list(path.parent.iterdir())) == 5
    # What did not fit into the picture is there whatever the setting says
    other = save_picture(tmp_path, "generate", encode(Image.new("RGB", (8, 8))).data, beside={".json": "{}"})
    assert other.with_suffix(".json").read_text() == "{}"
    assert read_picture(path).own == read_picture(data).own


@pytest.mark.rule("M15")
def test_the_texts_beside_a_picture_speak_for_it(tmp_path: Path) -> None:
    path = save_picture(tmp_path, "generate", made(), sidecars="both")
    path.write_bytes(encode(Image.new("RGB", (8, 8))).data)
    assert (read_picture(path).source, read_picture(path).fields["prompt"]) == ("sfumato", "a café")
    path.with_suffix(".json").unlink()
    assert (read_picture(path).own, read_picture(path).fields["steps"]) == (None, 7)
    path.with_suffix(".txt").unlink()
    assert read_picture(path).source == "none"
