"""Models handed out: part by part, each with the checksum of the whole, and nothing that is not a model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sfumato.library.transfers import fetch_model
from sfumato.protocol.errors import Invalid, ModelNotFound, SfumatoError, UnsafeName
from sfumato.protocol.params.transfers import PART_LIMIT_BYTES
from sfumato.protocol.requests.fetch_model import FetchModel
from sfumato.protocol.specs import validate
from tests.support.hostile_names import HOSTILE_MODELS, Canary
from tests.support.model_files import header_bytes, write_model
from tests.support.transfer_context import Around

MODEL = header_bytes({"x.weight": ("F32", (1024, 1024, 2))})


@pytest.fixture
def around(tmp_path: Path) -> Around:
    made = Around(tmp_path)
    path = made.models / "Stable-diffusion" / "sub" / "mix.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(MODEL)
    return made


@pytest.mark.rule("N53")
def test_the_parts_make_the_file_and_each_tells_the_checksum_of_the_whole(around: Around) -> None:
    offset, whole = 0, b""
    while True:
        result = fetch_model.run(FetchModel(name="sub/mix.safetensors", offset=offset), around)
        name, data, info = around.artifacts[-1]
        assert name == "part"
        assert len(data) <= PART_LIMIT_BYTES
        assert info == {"offset": offset, "size": len(MODEL), "sha256": hashlib.sha256(MODEL).hexdigest()}
        whole += data
        offset = result.next
        if offset == result.size:
            break
    assert whole == MODEL
    assert len(around.artifacts) == 3


def test_any_folder_and_the_end_of_the_file(around: Around) -> None:
    assert fetch_model.run(FetchModel(name="sub/mix.safetensors", folder="auto", offset=len(MODEL)), around).next == len(MODEL)
    assert around.artifacts[-1][1] == b""
    with pytest.raises(Invalid, match="behind the end"):
        fetch_model.run(FetchModel(name="sub/mix.safetensors", offset=len(MODEL) + 1), around)
    with pytest.raises(ModelNotFound):
        fetch_model.run(FetchModel(name="sub/mix.safetensors", folder="loras"), around)


@pytest.mark.rule("X15", "X17", "N53")
def test_nothing_but_models_of_the_folders_is_handed_out(around: Around, tmp_path: Path) -> None:
    canary = Canary(tmp_path, around.models, around.places.data)
    folder = around.models / "checkpoints"
    folder.mkdir()
    (folder / "secret.txt").write_text("x")
    (folder / "folder.safetensors").mkdir()
    (folder / "out.safetensors").symlink_to(tmp_path / "x.safetensors")
    (folder / "out").symlink_to(tmp_path / "beside")
    os.mkfifo(folder / "pipe.safetensors")
    write_model(around.models / "elsewhere" / "mix.safetensors")
    names = (*HOSTILE_MODELS, "secret.txt", "folder.safetensors", "out.safetensors", "out/x.safetensors", "pipe.safetensors", "../elsewhere/mix.safetensors")
    for name in names:
        with pytest.raises((UnsafeName, ModelNotFound, Invalid)):
            fetch_model.run(validate(FetchModel, {"name": name}), around)
    assert around.artifacts == []
    canary.assert_untouched()


def test_a_file_that_changes_between_two_parts_has_another_checksum(around: Around) -> None:
    fetch_model.run(FetchModel(name="sub/mix.safetensors"), around)
    path = around.models / "Stable-diffusion" / "sub" / "mix.safetensors"
    path.write_bytes(MODEL[:-1] + b"\x01")
    os.utime(path, ns=(1, 1))
    fetch_model.run(FetchModel(name="sub/mix.safetensors", offset=10), around)
    assert around.artifacts[0][2]["sha256"] != around.artifacts[1][2]["sha256"]


def test_a_file_that_is_gone_is_said(around: Around) -> None:
    (around.models / "Stable-diffusion" / "sub" / "mix.safetensors").unlink()
    with pytest.raises(SfumatoError):
        fetch_model.run(FetchModel(name="sub/mix.safetensors"), around)


def test_a_name_as_lists_say_it_is_found_in_the_folders_inside(around: Around) -> None:
    assert fetch_model.run(FetchModel(name="mix.safetensors"), around).size == len(MODEL)
    with pytest.raises(ModelNotFound):
        fetch_model.run(FetchModel(name="ix.safetensors"), around)
