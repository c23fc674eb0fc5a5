"""Checksums are read beside the jobs: never while one runs, and there for the next picture."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from sfumato.engine.hashing import IdleHashing
from sfumato.library.hashes import BLOCK_BYTES, Hashes


@pytest.mark.rule("M24")
def test_nothing_is_read_while_a_job_runs_and_reading_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "big.safetensors"
    file.write_bytes(bytes(range(256)) * (4 * BLOCK_BYTES // 256))
    hashing, hashes = IdleHashing(), Hashes(tmp_path)
    asked = threading.Event()
    check = hashing._check
    monkeypatch.setattr(hashing, "_check", lambda: (asked.set(), check()))
    with hashing.paused():
        hashing.want(file, hashes)
        assert asked.wait(10)
        assert not hashing.join(0.05)
        assert hashes.known(file) is None
    assert hashing.join(10)
    assert hashes.known(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_file_that_went_away_is_no_trouble_and_others_follow(tmp_path: Path) -> None:
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"x")
    hashing, hashes = IdleHashing(), Hashes(tmp_path)
    with hashing.paused():
        hashing.want(tmp_path / "gone.safetensors", hashes)
        hashing.want(there, hashes)
    assert hashing.join(10)
    assert hashes.known(there) == hashlib.sha256(b"x").hexdigest()


def test_what_is_known_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"x")
    hashes = Hashes(tmp_path)
    hashes.compute(file)
    hashing = IdleHashing()
    with hashing.paused():
        hashing.want(file, hashes)
        assert hashing.join(0)
