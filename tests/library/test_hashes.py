"""Checksums: computed once, remembered while the file stays as it was, never in the way."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from sfumato.library.hashes import BLOCK_BYTES, FILE_NAME, Hashes, embedding_hash, network_hash, old_hash, short_hash
from sfumato.protocol.errors import CorruptFile

CONTENT = b"weights" * 500_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.rule("M23")
def test_the_checksum_is_sha_256_and_its_first_ten_digits_are_the_short_one(model: Path, tmp_path: Path) -> None:
    digest = Hashes(tmp_path / "data").compute(model)
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert short_hash(digest) == digest[:10]


@pytest.mark.rule("M23")
def test_a_folder_counts_by_its_weight_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    lines = ""
    for name in ("unet/a.safetensors", "vae/b.bin"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(name.encode())
        lines += f"{name}, {hashlib.sha256(name.encode()).hexdigest()}\n"
    hashes = Hashes(tmp_path / "data")
    assert hashes.known(folder) is None
    (folder / "model_index.json").write_text("{}")
    assert hashes.compute(folder) == hashes.known(folder) == hashlib.sha256(lines.encode()).hexdigest()
    (folder / "model_index.json").write_text("{ }")
    assert hashes.known(folder) is not None
    (tmp_path / "empty").mkdir()
    assert hashes.known(tmp_path / "empty") is None
    with pytest.raises(CorruptFile, match="no weight files"):
        hashes.compute(tmp_path / "empty")


@pytest.mark.rule("M24")
def test_it_is_remembered_across_starts_until_the_file_changes(model: Path, tmp_path: Path) -> None:
    blocks = []
    digest = Hashes(tmp_path / "data").compute(model, lambda: blocks.append(1))
    assert len(blocks) == -(-len(CONTENT) // BLOCK_BYTES)
    later = Hashes(tmp_path / "data")
    assert later.known(model) == digest
    assert later.compute(model, lambda: pytest.fail("the file was read again")) == digest
    os.utime(model, ns=(1, 1))
    assert later.known(model) is None
    model.write_bytes(b"other")
    assert later.compute(model) == hashlib.sha256(b"other").hexdigest()
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE_NAME]


@pytest.mark.rule("M24")
def test_a_picture_never_waits_for_a_checksum_that_is_being_computed(model: Path, tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "data")
    reading, may_go_on = threading.Event(), threading.Event()

    def check() -> None:
        reading.set()
        assert may_go_on.wait(30)

    worker = threading.Thread(target=hashes.compute, args=(model, check))
    worker.start()
    assert reading.wait(30)
    assert hashes.known(model) is None  # answered while the worker stands in the middle of the file
    may_go_on.set()
    worker.join(30)
    assert hashes.known(model) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.rule("M24")
def test_two_processes_keep_what_the_other_found(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other")
    first, second = Hashes(tmp_path / "data"), Hashes(tmp_path / "data")
    assert (first.known(model), second.known(model)) == (None, None)
    first.compute(model)
    second.compute(other)
    third = Hashes(tmp_path / "data")
    assert None not in (third.known(model), third.known(other))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 2, "files": {}}', b'{"format": 1, "files": {"x": [1, 2]}}', b"\xff"])
def test_a_damaged_memory_is_forgotten_not_fatal(model: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    hashes = Hashes(tmp_path)
    assert hashes.known(model) is None
    assert hashes.compute(model) == Hashes(tmp_path).known(model) == hashlib.sha256(CONTENT).hexdigest()


def test_where_nothing_can_be_kept_the_checksum_is_still_computed(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert Hashes(tmp_path / "file" / "data").compute(model) == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_changes_or_vanishes_is_no_checksum(model: Path, tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "data")
    with pytest.raises(CorruptFile, match="changed while it was read"):
        hashes.compute(model, lambda: os.utime(model, ns=(5, 5)))
    with pytest.raises(CorruptFile, match="cannot be read"):
        hashes.compute(tmp_path / "absent.safetensors")
    assert hashes.known(model) is None


def safetensors(path: Path, metadata: dict[str, str], weights: bytes = b"\x01" * 8) -> Path:
    tensor = {"dtype": "U8", "shape": [len(weights)], "data_offsets": [0, len(weights)]}
    header = json.dumps({"__metadata__": metadata, "a": tensor}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + weights)
    return path


@pytest.mark.rule("M23")
def test_a_lora_is_known_by_its_weights_whatever_is_written_into_its_header(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "data")
    plain, edited = safetensors(tmp_path / "a.safetensors", {}), safetensors(tmp_path / "b.safetensors", {"note": "mine"})
    assert network_hash(plain, hashes) is None
    digest = hashlib.sha256(b"\x01" * 8).hexdigest()
    assert hashes.compute(plain, behind_header=True) == hashes.compute(edited, behind_header=True) == digest
    assert network_hash(plain, hashes) == network_hash(edited, hashes) == digest[:12]
    # Beside the checksum of the whole file, which differs
    assert hashes.compute(plain) != hashes.compute(edited)
    assert embedding_hash(plain, hashes) == hashlib.sha256(plain.read_bytes()).hexdigest()[:12]
    assert Hashes(tmp_path / "data").known(plain, behind_header=True) == digest


@pytest.mark.rule("M23")
def test_the_checksum_a_trainer_wrote_counts(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "data")
    assert network_hash(safetensors(tmp_path / "a.safetensors", {"sshs_model_hash": "AB" * 32}), hashes) == "ab" * 6
    assert network_hash(safetensors(tmp_path / "b.safetensors", {"sshs_model_hash": "nonsense"}), hashes) is None
    damaged = tmp_path / "c.safetensors"
    damaged.write_bytes(b"\xff" * 20)
    assert network_hash(damaged, hashes) is None
    with pytest.raises(CorruptFile, match="longer than the file"):
        hashes.compute(damaged, behind_header=True)


@pytest.mark.rule("M24")
def test_the_eight_digits_of_old_pictures(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    path.write_bytes(b"a" * 0x100000 + b"b" * 0x10000 + b"c" * 100)
    assert old_hash(path) == hashlib.sha256(b"b" * 0x10000).hexdigest()[:8]
    with pytest.raises(CorruptFile, match="cannot be read"):
        old_hash(tmp_path / "absent")
