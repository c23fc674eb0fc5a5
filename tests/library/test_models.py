"""The models folders: what is found, how it is called, and what is refused with which sentence."""

import json
import os
import struct
import time
from pathlib import Path

import pytest

from sfumato.library import models
from sfumato.library.models import ModelEntry, checked, locate, resolve, scan
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused

PICKLE = b"\x80\x02}q\x00(X\x05\x00\x00\x00state"


def model(path: Path, data: int = 8) -> Path:
    """A whole safetensors file, or with less data a truncated one."""
    raw = json.dumps({"a.weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(data))
    return path


def diffusers(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    model(folder / "unet" / "diffusion_pytorch_model.safetensors")
    return folder


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tmp_path / "data" / "models", tmp_path / "program" / "models"]


def by_name(entries: list[ModelEntry]) -> dict[str, ModelEntry]:
    return {entry.name: entry for entry in entries}


@pytest.mark.rule("E9")
def test_parts_lie_in_folders_of_their_own(roots: list[Path]) -> None:
    first, second = roots
    model(first / "vae" / "mine.safetensors")
    model(second / "VAE" / "theirs.safetensors")
    model(first / "text_encoders" / "clip_l.safetensors")
    model(second / "clip" / "clip_g.safetensors")
    model(first / "unet" / "unet.safetensors")
    model(second / "diffusion_models" / "flux.safetensors")
    model(first / "checkpoints" / "whole.safetensors")
    assert [entry.name for entry in scan(roots, models.VAE)] == ["mine", "theirs"]
    assert [entry.name for entry in scan(roots, models.TEXT_ENCODER)] == ["clip_g", "clip_l"]
    assert [entry.name for entry in scan(roots)] == ["flux", "unet", "whole"]
    with pytest.raises(ModelNotFound, match="No VAE named 'whole'") as caught:
        locate(roots, "whole", models.VAE, "vae")
    assert caught.value.path == "vae"
    (first / "vae" / "old.pt").write_bytes(PICKLE + bytes(50))
    with pytest.raises(PickleRefused) as refused:
        locate(roots, "old", models.VAE, "vae")
    assert refused.value.path == "vae"


def test_a_folder_under_two_names_is_one_folder(roots: list[Path]) -> None:
    model(roots[0] / "vae" / "mine.safetensors")
    (roots[0] / "VAE").symlink_to(roots[0] / "vae", target_is_directory=True)
    assert [entry.name for entry in scan(roots, models.VAE)] == ["mine"]


@pytest.mark.rule("X2")
def test_files_are_what_their_first_bytes_say(roots: list[Path]) -> None:
    first, second = roots
    model(first / "checkpoints" / "whole.ckpt")
    (first / "checkpoints" / "lying.safetensors").write_bytes(PICKLE + bytes(50))
    (first / "checkpoints" / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(50))
    (first / "checkpoints" / "short.safetensors").write_bytes(b"\x01")
    (first / "checkpoints" / "noise.bin").write_bytes(b"hello world, no model")
    (first / "checkpoints" / "quantised.gguf").write_bytes(b"GGUF" + bytes(50))
    (first / "checkpoints" / "readme.txt").write_bytes(b"x")
    model(first / "checkpoints" / ".hidden.safetensors")
    diffusers(second / "Stable-diffusion" / "mine" / "folder-model")
    model(second / "SD" / "other.sft")
    model(second / "Lora" / "no-checkpoint.safetensors")
    found = by_name(scan(roots))
    assert {name: entry.kind for name, entry in found.items()} == {
        "folder-model": "diffusers", "lying": "pickle", "noise": "unknown", "old": "pickle", "other": "safetensors", "quantised": "unknown", "short": "damaged",
        "whole": "safetensors",
    }  # fmt: skip
    assert list(found) == sorted(found)
    assert {name for name, entry in found.items() if not entry.reason} == {"folder-model", "other", "whole"}
    reasons = [entry.reason for entry in found.values() if entry.reason]
    assert len(set(reasons)) == 5
    assert all(str(roots[0]) not in reason and reason.endswith(".") for reason in reasons)
    assert "Convert it" in found["lying"].reason
    assert "only 1 bytes" in found["short"].reason
    whole = found["whole"]
    assert (whole.size, whole.mtime_ns) == (whole.path.stat().st_size, whole.path.stat().st_mtime_ns)


@pytest.mark.rule("E10")
def test_a_truncated_file_is_found_damaged_by_its_header(roots: list[Path]) -> None:
    model(roots[0] / "checkpoints" / "cut.safetensors", data=3)
    (entry,) = scan(roots)
    assert (entry.kind, entry.reason) == ("safetensors", "")
    entry = checked(entry)
    assert entry.kind == "damaged"
    assert "tensor 'a.weight' ends behind the end of the file" in entry.reason
    whole = by_name(scan([model(roots[0] / "checkpoints" / "whole.safetensors").parents[1]]))["whole"]
    assert checked(whole) == whole


def test_the_name_is_the_shortest_end_of_the_path_that_tells_apart(roots: list[Path]) -> None:
    first, second = roots
    model(first / "checkpoints" / "alone.safetensors")
    model(first / "checkpoints" / "pair.safetensors")
    model(first / "checkpoints" / "pair.ckpt")
    model(first / "checkpoints" / "a" / "twin.safetensors")
    model(first / "checkpoints" / "b" / "twin.safetensors")
    model(first / "checkpoints" / "same.safetensors")
    model(second / "checkpoints" / "same.safetensors")
    names = [entry.name for entry in scan(roots)]
    assert names == ["a/twin", "alone", "b/twin", "data/models/checkpoints/same", "pair.ckpt", "pair.safetensors", "program/models/checkpoints/same"]
    for entry in scan(roots):
        assert locate(roots, entry.name) == entry.path


@pytest.mark.rule("E126")
def test_what_a_request_may_call_a_model(roots: list[Path]) -> None:
    path = model(roots[0] / "checkpoints" / "Sub" / "Dreams-v1.5.safetensors")
    folder = diffusers(roots[1] / "checkpoints" / "folder.model")
    for name in ("Dreams-v1.5", "Dreams-v1.5.safetensors", "Sub/Dreams-v1.5", "Sub\\Dreams-v1.5.safetensors", "dreams-V1.5", "sub/dreams-v1.5.SAFETENSORS"):
        assert locate(roots, name) == path, name
    assert locate(roots, "folder.model") == folder
    with pytest.raises(ModelNotFound, match=r"No checkpoint named 'Dream-v1' in the models folders\. Closest: 'Dreams-v1\.5'\."):
        locate(roots, "Dream-v1")
    for name in ("../checkpoints/Sub", "/etc/passwd", "nothing", "Sub/../../x", "a\0b"):
        with pytest.raises(ModelNotFound):
            locate(roots, name)


@pytest.mark.rule("E11", "E126")
def test_each_thing_that_is_no_model_has_its_own_sentence(roots: list[Path]) -> None:
    folder = roots[0] / "checkpoints"
    (folder / "just a folder").mkdir(parents=True)
    (folder / "old.ckpt").write_bytes(PICKLE)
    (folder / "short.safetensors").write_bytes(b"x")
    (folder / "noise.bin").write_bytes(b"hello world")
    for name, error, says in (
        ("just a folder", ModelUnsupported, "a folder without model_index.json"),
        ("old", PickleRefused, "'old.ckpt' is a pickle"),
        ("short", CorruptFile, "'short.safetensors' is damaged: it is only 1 bytes long"),
        ("noise", ModelUnsupported, "'noise.bin' looks like no model file"),
    ):
        with pytest.raises(error) as caught:
            resolve(roots, name)
        assert says in caught.value.message
        assert caught.value.path == "model"


def test_no_name_means_the_first_that_can_be_used(roots: list[Path]) -> None:
    with pytest.raises(ModelNotFound, match="There is no checkpoint in the models folders yet"):
        locate(roots, "")
    (roots[0] / "checkpoints").mkdir(parents=True)
    (roots[0] / "checkpoints" / "a.ckpt").write_bytes(PICKLE)
    model(roots[0] / "checkpoints" / "b.safetensors", data=2)
    path = model(roots[1] / "checkpoints" / "c.safetensors")
    assert locate(roots, "") == path


def test_links_are_followed_and_rounds_are_not(roots: list[Path], tmp_path: Path) -> None:
    path = model(tmp_path / "elsewhere" / "linked.safetensors")
    folder = roots[0] / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "elsewhere").symlink_to(path.parent)
    (folder / "round").symlink_to(folder)
    (folder / "gone.safetensors").symlink_to(tmp_path / "absent")
    roots[1].parent.mkdir(parents=True)
    roots[1].symlink_to(roots[0])
    found = by_name(scan(roots))
    assert {name: entry.kind for name, entry in found.items()} == {"gone": "damaged", "linked": "safetensors"}


@pytest.mark.rule("E10")
def test_five_thousand_models_are_listed_in_under_a_second(roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sample = model(roots[0] / "checkpoints" / "sample.safetensors")
    for number in range(5000):
        target = roots[0] / "checkpoints" / f"{number % 50}" / f"model {number // 2}.{'ckpt' if number % 2 else 'safetensors'}"
        target.parent.mkdir(exist_ok=True)
        os.link(sample, target)
    headers: list[Path] = []
    monkeypatch.setattr(models, "read_header", lambda path: headers.append(path))

    def seconds() -> float:
        begin = time.thread_time()  # what the work takes, whoever else is on the processor
        assert len(scan(roots)) == 5001
        return time.thread_time() - begin

    assert any(seconds() < 1 for _ in range(5))
    assert headers == []


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_a_pipe_among_the_models_is_listed_and_never_waited_for(roots: list[Path]) -> None:
    model(roots[0] / "checkpoints" / "good.safetensors")
    os.mkfifo(roots[0] / "checkpoints" / "pipe.safetensors")
    found = by_name(scan(roots))
    assert found["good"].reason == ""
    assert "no ordinary file" in found["pipe"].reason
    with pytest.raises(CorruptFile, match="no ordinary file"):
        locate(roots, "pipe")


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_name_that_is_no_text_is_listed_legibly_with_the_reason(roots: list[Path]) -> None:
    model(roots[0] / "checkpoints" / os.fsdecode(b"bad\xff.safetensors"))
    (entry,) = scan(roots)
    assert entry.name == "bad?"
    assert "not valid text" in entry.reason
    (entry.name + entry.reason).encode()
