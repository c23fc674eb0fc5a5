"""Uploads: kept until they are whole, checked before they get a name, never over another file and never outside."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sfumato.library.models import CHECKPOINT, scan
from sfumato.library.transfers import upload
from sfumato.library.transfers.placing import CATEGORY_OF, FOLDER_OF, place
from sfumato.library.transfers.quarantine import KEPT_S, Part, Quarantine, Quotas
from sfumato.protocol.errors import (
    CorruptFile,
    DiskFull,
    FileBusy,
    Invalid,
    ModelUnsupported,
    NameTaken,
    PickleRefused,
    QuotaExceeded,
    SfumatoError,
    Stopped,
    TransferDamaged,
    TransferIncomplete,
    UnsafeName,
)
from sfumato.protocol.params.transfers import AUTOMATIC, FolderName
from sfumato.protocol.requests.upload import Stored, Upload
from sfumato.protocol.specs import specs, validate
from tests.support.hostile_names import HOSTILE_MODELS, Canary
from tests.support.model_files import header_bytes, write_model
from tests.support.transfer_context import Around, files_under, parts_of

MODEL = header_bytes({f"model.diffusion_model.input_blocks.0.{n}.weight": ("F16", (64, 8)) for n in range(8)})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def request(data: bytes = MODEL, name: str = "mix.safetensors", folder: FolderName = "checkpoints", **changes: Any) -> Upload:
    return Upload(**{"folder": folder, "name": name, "size": len(data), "sha256": sha256(data), **changes})


def send(root: Path, data: bytes = MODEL, asked: Upload | None = None, **around: Any) -> Stored:
    return upload.run(asked or request(data), Around(root, feeds=parts_of(data), **around))


def test_the_folders_of_the_protocol_are_those_of_the_library() -> None:
    rows = {spec.name: spec for spec in specs(Upload)}
    assert rows["folder"].choices == (AUTOMATIC, *FOLDER_OF.values())
    assert CATEGORY_OF["loras"] == "LoRA"


@pytest.mark.rule("N51")
def test_a_file_arrives_whole_with_its_checksum_and_is_listed(tmp_path: Path) -> None:
    around = Around(tmp_path, feeds=parts_of(MODEL))
    stored = upload.run(request(), around)
    assert stored == Stored(folder="checkpoints", name="mix.safetensors", size=len(MODEL), sha256=sha256(MODEL), kind="safetensors")
    assert files_under(around.models) == ["checkpoints/mix.safetensors"]
    assert (around.models / "checkpoints/mix.safetensors").read_bytes() == MODEL
    assert around.told[0] == ("upload", 0, len(MODEL), None)
    assert around.told[-1][:3] == ("upload", len(MODEL), len(MODEL))
    assert [entry.name for entry in scan([around.models], CHECKPOINT)] == ["mix"]


@pytest.mark.rule("N51")
def test_what_is_reported_never_leaves_a_client_waiting_with_a_full_window(tmp_path: Path) -> None:
    data = header_bytes({"model.diffusion_model.input_blocks.0.0.weight": ("F32", (1024, 1024, 6))})
    around = Around(tmp_path, feeds=parts_of(data, 1 << 20))
    upload.run(request(data), around)
    done = [row[1] for row in around.told]
    assert max(later - earlier for earlier, later in itertools.pairwise(done)) <= 4 << 20
    assert done == sorted(done)


@pytest.mark.rule("N52")
def test_an_upload_that_broke_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    with pytest.raises(TransferIncomplete, match=f"3000 of {len(MODEL)}"):
        upload.run(request(), Around(tmp_path, feeds=parts_of(MODEL)[:3]))
    around = Around(tmp_path, feeds=parts_of(MODEL[3000:]))
    assert upload.run(request(), around).sha256 == sha256(MODEL)
    assert around.started_at == 3000
    assert around.told[0][1] == 3000
    assert files_under(around.models) == ["checkpoints/mix.safetensors"]


@pytest.mark.rule("N52")
def test_a_cancel_removes_the_part_and_an_end_that_nobody_asked_for_keeps_it(tmp_path: Path) -> None:
    for abandoned in (True, False):
        around = Around(tmp_path, feeds=[*parts_of(MODEL)[:2], Stopped()])
        around.is_abandoned = abandoned
        with pytest.raises(Stopped):
            upload.run(request(), around)
        assert len(files_under(around.models)) == abandoned


@pytest.mark.rule("N52")
def test_parts_are_swept_after_a_day_and_never_while_somebody_writes(tmp_path: Path) -> None:
    around = Around(tmp_path)
    quarantine = Quarantine(around.models, "owner")
    with quarantine.part("a" * 64, 100, "x") as part:
        part.write(b"12345")
        assert quarantine.sweep(time.time() + 2 * KEPT_S) == []
    assert quarantine.sweep(time.time() + KEPT_S - 60) == []
    old = part.path
    os.utime(old, (1, 1))
    with Quarantine(around.models, "somebody else").part("b" * 64, 100, "y"):
        assert not old.exists()


@pytest.mark.rule("N51", "R124")
def test_a_file_that_is_there_by_its_bytes_is_not_sent_again(tmp_path: Path) -> None:
    there = tmp_path / "models" / "checkpoints" / "old" / "other name.safetensors"
    there.parent.mkdir(parents=True)
    there.write_bytes(MODEL)
    write_model(tmp_path / "models" / "checkpoints" / "same name.safetensors")
    for name in ("mix.safetensors", "same name.safetensors", "old/other name.safetensors"):
        around = Around(tmp_path)
        stored = upload.run(request(name=name), around)
        assert (stored.already, stored.folder, stored.name) == (True, "checkpoints", "old/other name.safetensors")
        assert around.started_at is None
    assert len(files_under(tmp_path / "models")) == 2


@pytest.mark.rule("N51", "D121")
@pytest.mark.parametrize("there", ["mix.safetensors", "MIX.safetensors", "mix.SafeTensors"])
def test_no_file_is_ever_replaced(tmp_path: Path, there: str) -> None:
    kept = write_model(tmp_path / "models" / "checkpoints" / there)
    before = kept.read_bytes()
    with pytest.raises(NameTaken, match=there):
        send(tmp_path)
    assert kept.read_bytes() == before


def test_a_name_is_taken_also_in_the_other_normal_form(tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "checkpoints" / "f\u00fcr.safetensors")
    with pytest.raises(NameTaken):
        send(tmp_path, asked=request(name="fu\u0308r.safetensors"))


@pytest.mark.rule("N51")
def test_of_two_uploads_to_one_name_the_second_to_finish_is_refused(tmp_path: Path) -> None:
    other = MODEL[:-4] + b"abcd"
    second = Around(tmp_path, feeds=parts_of(other))
    first = Around(tmp_path, identity="another", feeds=[*parts_of(MODEL)])
    half = threading.Event()

    def interrupt(done: int) -> None:
        if done and not half.is_set():
            half.set()
            upload.run(request(other), second)

    first._on_progress = interrupt
    with pytest.raises(NameTaken):
        upload.run(request(), first)
    assert (first.models / "checkpoints" / "mix.safetensors").read_bytes() == other


def test_one_part_has_one_writer(tmp_path: Path) -> None:
    with Quarantine(tmp_path, "owner").part(sha256(MODEL), len(MODEL), "mix.safetensors"):
        with pytest.raises(FileBusy), Quarantine(tmp_path, "owner").part(sha256(MODEL), len(MODEL), "mix.safetensors"):
            pass
        with Quarantine(tmp_path, "another").part(sha256(MODEL), len(MODEL), "mix.safetensors") as part:
            assert part.done == 0


@pytest.mark.rule("N51", "X13")
def test_the_room_is_looked_at_before_a_byte_comes(tmp_path: Path) -> None:
    def make(free: int) -> Quarantine:
        return Quarantine(tmp_path, "owner", free=lambda folder: free)

    with pytest.raises(DiskFull, match="Free some space"), make(1 << 30).part("a" * 64, 1 << 30, "x"):
        pass
    assert files_under(tmp_path) == []
    with make(2 << 30).part("a" * 64, 1 << 30, "x") as part:
        part.write(b"1")
        # What was promised to the first is not free for the second, whoever that is.
        with pytest.raises(DiskFull), Quarantine(tmp_path, "another", free=lambda folder: 2 << 30).part("b" * 64, 1 << 30, "y"):
            pass


@pytest.mark.rule("N52", "R114")
def test_quotas_count_for_each_identity_in_parts_and_in_bytes(tmp_path: Path) -> None:
    quotas = Quotas(parts=2, bytes=1000)

    def put(identity: str, key: str, size: int) -> None:
        with Quarantine(tmp_path, identity, quotas).part(key * 64, size, "x") as part:
            part.write(b"1")

    put("one", "a", 400)
    with pytest.raises(QuotaExceeded, match="MiB"):
        put("one", "b", 700)
    put("one", "b", 600)
    with pytest.raises(QuotaExceeded, match="2 files"):
        put("one", "c", 1)
    put("one", "a", 400)
    put("another", "c", 1000)


@pytest.mark.rule("N51", "X2")
def test_fewer_more_and_other_bytes_than_announced_are_refused(tmp_path: Path) -> None:
    longer = MODEL + b"more"
    for feeds, error in (
        (parts_of(MODEL)[:-1], TransferIncomplete),
        (parts_of(longer), TransferDamaged),
        ([longer], TransferDamaged),
        (parts_of(MODEL[:-1] + b"\xff"), TransferDamaged),
    ):
        around = Around(tmp_path, feeds=feeds)
        with pytest.raises(error):
            upload.run(request(), around)
        assert len(files_under(around.models)) == (error is TransferIncomplete)
        for path in around.models.rglob("*.part"):
            path.unlink()


def gguf() -> bytes:
    from tests.library.test_gguf_header import gguf_bytes

    return gguf_bytes()


@pytest.mark.rule("X2", "X3", "R114")
@pytest.mark.parametrize(
    ("name", "data", "error", "words"),
    [
        ("mix.safetensors", pickle.dumps({"a": 1}, 2) + bytes(100), PickleRefused, "sfumato convert"),
        ("mix.safetensors", b"PK\x03\x04" + bytes(100), PickleRefused, "sfumato convert"),
        ("mix.gguf", pickle.dumps({"a": 1}, 4) + bytes(100), PickleRefused, "sfumato convert"),
        ("mix.safetensors", b"#!/bin/sh\necho\n", ModelUnsupported, "no model file"),
        ("mix.gguf", MODEL, ModelUnsupported, ".gguf"),
        ("mix.ckpt", MODEL, ModelUnsupported, "safetensors"),
        ("mix.safetensors", b"GGUF" + bytes(60), ModelUnsupported, "GGUF"),
        ("mix.gguf", b"GGUF" + bytes(60), CorruptFile, "version"),
        ("mix.safetensors", MODEL[:-1], CorruptFile, "ends behind"),
        ("mix.safetensors", (1 << 40).to_bytes(8, "little") + b"{}" + bytes(60), ModelUnsupported, "no model file"),
        ("mix.safetensors", (90 << 20).to_bytes(8, "little") + b"{}" + bytes(60), CorruptFile, "only"),
        ("mix.safetensors", b"12", ModelUnsupported, "mix"),
    ],
    ids=range(12),
)
def test_what_is_no_model_or_calls_itself_another_is_refused_and_gone(tmp_path: Path, name: str, data: bytes, error: type[SfumatoError], words: str) -> None:
    if name == "mix.safetensors" and data == b"12":
        error = CorruptFile
    with pytest.raises(error, match=words):
        send(tmp_path, data, request(data, name))
    assert files_under(tmp_path / "models") == []


def test_a_pickle_is_refused_as_soon_as_its_first_bytes_are_there(tmp_path: Path) -> None:
    around = Around(tmp_path, feeds=[pickle.dumps({}, 2) + bytes(100), AssertionError("it was waited for")])
    with pytest.raises(PickleRefused):
        upload.run(request(size=1 << 20), around)


def test_a_pickle_that_says_so_is_kept_unopened(tmp_path: Path) -> None:
    data = pickle.dumps({"a": 1}, 2) + bytes(10)
    stored = send(tmp_path, data, request(data, "4x.pth", "upscalers"))
    assert (stored.kind, stored.folder) == ("pickle", "upscalers")


def test_the_folder_is_found_by_what_the_file_is(tmp_path: Path) -> None:
    lora = header_bytes({"lora_unet_down.lora_up.weight": ("F16", (4, 4))})
    assert send(tmp_path, lora, request(lora, "style/one.safetensors", "auto")).folder == "loras"
    assert send(tmp_path, MODEL, request(folder="auto")).folder == "checkpoints"
    assert send(tmp_path, gguf(), request(gguf(), "flux.gguf", "auto")).folder == "checkpoints"
    nothing = header_bytes({"something.counter": ("I64", (3,)), "something.other": ("I64", (2, 2))})
    with pytest.raises(Invalid, match="choose its folder"):
        send(tmp_path, nothing, request(nothing, "what.safetensors", "auto"))
    # It need not be sent again.
    around = Around(tmp_path)
    assert upload.run(request(nothing, "what.safetensors", "vae"), around).folder == "vae"
    assert around.started_at is None
    assert files_under(tmp_path / "models") == [
        "checkpoints/flux.gguf",
        "checkpoints/mix.safetensors",
        "loras/style/one.safetensors",
        "vae/what.safetensors",
    ]


@pytest.mark.rule("X15", "X17", "N51")
def test_no_hostile_name_touches_anything(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "models"
    root.mkdir(parents=True)
    canary = Canary(tmp_path, root, root.parent / "data")
    for name in HOSTILE_MODELS:
        for folder in ("checkpoints", "auto"):
            around = Around(tmp_path / "deep", feeds=parts_of(MODEL))
            with pytest.raises((UnsafeName, Invalid)):
                upload.run(validate(Upload, {"folder": folder, "name": name, "size": len(MODEL), "sha256": sha256(MODEL)}), around)
            assert around.started_at is None, name
    assert files_under(root) == []
    canary.assert_untouched()


@pytest.mark.rule("X15", "X17")
def test_links_out_of_the_folder_are_not_followed_also_when_they_come_late(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "models" / "checkpoints"
    (folder / "good").mkdir(parents=True)
    (folder / "out").symlink_to(outside)
    with pytest.raises(UnsafeName):
        send(tmp_path, asked=request(name="out/mix.safetensors"))

    def exchange(done: int) -> None:
        if done == len(MODEL) and not (folder / "good").is_symlink():
            (folder / "good").rmdir()
            (folder / "good").symlink_to(outside)

    with pytest.raises(UnsafeName):
        send(tmp_path, asked=request(name="good/mix.safetensors"), on_progress=exchange)
    assert list(outside.iterdir()) == []
    # A name that is a link already, even one that leads nowhere, is taken.
    (folder / "mix.safetensors").symlink_to(outside / "nowhere.safetensors")
    with pytest.raises((NameTaken, UnsafeName)):
        send(tmp_path)
    assert list(outside.iterdir()) == []


@pytest.mark.rule("X15")
def test_a_folder_exchanged_between_check_and_use_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.library.transfers import placing

    outside = tmp_path / "outside"
    outside.mkdir()
    inner = tmp_path / "models" / "checkpoints" / "inner"
    inner.mkdir(parents=True)
    part = tmp_path / "part"
    part.write_bytes(MODEL)
    real = os.open

    def late(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if path == "inner":
            inner.rmdir()
            inner.symlink_to(outside)
        return real(path, flags, *arguments, **named)

    monkeypatch.setattr(placing.os, "open", late)
    with pytest.raises(UnsafeName):
        place(part, tmp_path / "models", "checkpoints", "inner/mix.safetensors")
    assert list(outside.iterdir()) == []
    assert part.exists()


@pytest.mark.rule("X16")
def test_a_quarantine_that_is_a_link_or_holds_other_things_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    models = tmp_path / "models"
    models.mkdir()
    (models / ".incoming").symlink_to(outside)
    with pytest.raises(SfumatoError):
        send(tmp_path)
    assert list(outside.iterdir()) == []
    (models / ".incoming").unlink()
    quarantine = Quarantine(models, "owner")
    with quarantine.part("a" * 64, 10, "x") as part:
        path = part.path
    path.symlink_to(outside / "x")
    with pytest.raises(SfumatoError), quarantine.part("a" * 64, 10, "x"):
        pass
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SfumatoError), quarantine.part("a" * 64, 10, "x"):
        pass
    assert list(outside.iterdir()) == []


@pytest.mark.rule("X16")
def test_what_lies_in_quarantine_is_private_and_no_scan_sees_it(tmp_path: Path) -> None:
    with pytest.raises(TransferIncomplete):
        upload.run(request(), Around(tmp_path, feeds=parts_of(MODEL)[:-1]))
    models = tmp_path / "models"
    (part,) = models.rglob("*.part")
    assert part.stat().st_mode & 0o777 == 0o600
    assert part.name.startswith(sha256(MODEL))
    assert all(scan([models], category) == [] for category in CATEGORY_OF.values())


@pytest.mark.rule("X13")
def test_a_disk_that_fills_up_is_said_and_the_part_stays_readable(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_RDWR) if Path("/dev/full").exists() else -1
    if full < 0:
        pytest.skip("this system has no /dev/full")
    with os.fdopen(full, "r+b", buffering=0) as file, pytest.raises(DiskFull):
        Part(tmp_path / "part", file).write(b"x" * 100)
