"""What is known of other machines: shared by programs of one user, private, and asked anew where it cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfumato.transport.known_file import FILE, KnownFile
from sfumato.transport.known_servers import Remembered

ONE, OTHER = Remembered(b"a" * 16, ""), Remembered(b"b" * 16, "0" * 64)


@pytest.mark.rule("N14")
def test_two_programs_lose_nothing_of_each_other(tmp_path: Path) -> None:
    window, command = KnownFile(tmp_path), KnownFile(tmp_path)
    assert window.recall("one:1") == Remembered()
    command.remember("other:1", OTHER)
    window.remember("one:1", ONE)
    for program in (window, command):
        assert (program.recall("one:1"), program.recall("other:1")) == (ONE, OTHER)
    assert os.name == "nt" or (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"one:1": 3}', b'{"one:1": {"salt": "x", "fingerprint": ""}}'])
def test_what_cannot_be_understood_is_asked_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(content)
    known = KnownFile(tmp_path)
    assert known.recall("one:1") == Remembered()
    known.remember("one:1", ONE)
    assert known.recall("one:1") == ONE
