"""The secrets file: private from its first byte, refused when it is not, whole or as it was, and never holding a password."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfumato.imaging import writing
from sfumato.library.identities import FILE, MOST, PSK_BYTES, Entry, Identities, load, save
from sfumato.protocol.errors import Invalid, SecretsUnusable

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
PSK = bytes(range(PSK_BYTES))


@posix
@pytest.mark.rule("X50", "N10", "N11")
def test_the_first_start_writes_a_salt_into_a_private_file_and_later_ones_keep_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        first = load(folder)
    finally:
        os.umask(before)
    assert (len(first.salt), first.n, first.r, first.p, first.entries) == (16, 1 << 17, 8, 1, ())
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert load(folder) == first
    assert load(tmp_path / "another").salt != first.salt


@posix
@pytest.mark.rule("X16", "X50")
def test_it_is_private_before_anything_is_written_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    write_all = writing._write_all  # pyright: ignore[reportPrivateUsage]

    def watched(descriptor: int, data: bytes) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        write_all(descriptor, data)

    monkeypatch.setattr(writing, "_write_all", watched)
    before = os.umask(0)
    try:
        save(tmp_path, Identities(b"s" * 16).having("owner", "owner", PSK))
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@posix
@pytest.mark.rule("X50")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610, 0o666])
def test_a_file_that_others_may_open_is_refused_and_left_alone(tmp_path: Path, mode: int) -> None:
    load(tmp_path)
    (tmp_path / FILE).chmod(mode)
    text = (tmp_path / FILE).read_bytes()
    with pytest.raises(SecretsUnusable, match=rf"mode {mode:04o}.*chmod 600"):
        load(tmp_path)
    assert (tmp_path / FILE).read_bytes() == text


@posix
@pytest.mark.rule("X50", "X17")
def test_links_pipes_and_folders_in_its_place_are_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    load(elsewhere)
    for make in (
        lambda path: path.symlink_to(elsewhere / FILE),
        lambda path: os.mkfifo(path, 0o600),
        lambda path: path.mkdir(mode=0o700),
    ):
        folder = tmp_path / f"data-{make.__code__.co_firstlineno}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        make(folder / FILE)
        with pytest.raises(SecretsUnusable):
            load(folder)


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no object": lambda values: [values],
    "another version": lambda values: values | {"version": 2},
    "short salt": lambda values: values | {"salt": "00"},
    "no hex": lambda values: values | {"salt": "z" * 32},
    "number as salt": lambda values: values | {"salt": 7},
    "no cost": lambda values: values | {"scrypt": {"n": 1 << 17, "r": 8}},
    "cost as text": lambda values: values | {"scrypt": {"n": "8", "r": 8, "p": 1}},
    "short key": lambda values: values | {"identities": [values["identities"][0] | {"psk": "AAAA"}]},
    "no such role": lambda values: values | {"identities": [values["identities"][0] | {"role": "root"}]},
    "list as label": lambda values: values | {"identities": [values["identities"][0] | {"label": ["a"]}]},
    "control codes": lambda values: values | {"identities": [values["identities"][0] | {"label": "\x1b[2J"}]},
    "path as name": lambda values: values | {"identities": [values["identities"][0] | {"name": "../x"}]},
    "twice the same": lambda values: values | {"identities": values["identities"] * 2},
    "number for a row": lambda values: values | {"identities": [5]},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence_and_stays(tmp_path: Path, damage: str) -> None:
    save(tmp_path, load(tmp_path).having("owner", "owner", PSK))
    path = tmp_path / FILE
    path.write_text(json.dumps(DAMAGES[damage](json.loads(path.read_text()))))
    text = path.read_bytes()
    with pytest.raises(SecretsUnusable, match="it is damaged"):
        load(tmp_path)
    assert path.read_bytes() == text


def test_bytes_and_sizes_that_are_no_such_file_are_refused(tmp_path: Path) -> None:
    load(tmp_path)
    for content in (b"", b"\xff\xfe", b"{" * 60_000, b" " * 100_000):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(SecretsUnusable):
            load(tmp_path)


@pytest.mark.rule("N11")
def test_identities_keep_their_name_when_their_secret_changes_and_there_are_sixteen_at_most(tmp_path: Path) -> None:
    identities = load(tmp_path)
    for number in range(MOST):
        identities = identities.having(f"guest {number}", "guest", bytes([number]) * PSK_BYTES)
    save(tmp_path, identities)
    held = load(tmp_path)
    assert held == identities
    assert len({entry.name for entry in held.entries}) == MOST
    renewed = held.having("guest 3", "owner", PSK)
    found, before = renewed.find("guest 3"), held.find("guest 3")
    assert found is not None
    assert before is not None
    assert found == Entry("guest 3", "owner", PSK, before.name)
    with pytest.raises(Invalid, match="16 identities already"):
        held.having("one more", "guest", PSK)
    assert held.without("guest 3").having("one more", "guest", PSK).find("guest 3") is None
    for label in ("", " x", "a\nb", "x" * 81):
        with pytest.raises(Invalid, match="printable characters"):
            held.without("guest 3").having(label, "guest", PSK)


@pytest.mark.rule("X51", "X52")
def test_an_entry_does_not_print_its_key() -> None:
    identities = Identities(b"s" * 16).having("owner", "owner", PSK)
    assert repr(PSK)[2:-1] not in repr(identities)
    assert "psk" not in repr(identities)
