"""Whole or not at all: names, crashes, full disks and folders without rights, all of them real."""

import os
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.imaging import writing
from sfumato.imaging.naming import DEFAULT_PATTERN, TRIES, free_names, highest_number, sanitised, save_named
from sfumato.imaging.naming_values import dated
from sfumato.imaging.writing import STEPS, is_temporary, make_folder, remove_stale, replace_file, save_new, write_new
from sfumato.protocol.errors import DiskFull, NotWritable

SOURCE = Path(writing.__file__).parents[2]
WHEN = datetime(2026, 11, 21, 2, 58)  # noqa: DTZ001  # local time, as names have it
DATA = b"picture" * 1000


def save_numbered(folder: Path, data: bytes, when: datetime, **options: Any) -> Path:
    return save_named(folder, data, DEFAULT_PATTERN, dated(when), **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.rule("M25")
def test_the_default_name_is_number_and_time(tmp_path: Path) -> None:
    assert save_numbered(tmp_path / "other", DATA, WHEN, known=41).name == "00000042-11210258.png"
    assert save_numbered(tmp_path / "new" / "folder", DATA, WHEN).name == "00000001-11210258.png"


@pytest.mark.rule("M28")
def test_the_next_number_is_one_above_the_highest_on_disk_or_in_the_index(tmp_path: Path) -> None:
    for name in ("00000007-01010000.png", "00000012-x.txt", "00000099", ".00000500-01010000.png.ab.tmp", "1234-5.png", "x00000800.png"):
        (tmp_path / name).write_bytes(b"")
    assert highest_number(tmp_path) == 99
    assert highest_number(tmp_path / "absent") == 0
    assert save_numbered(tmp_path, DATA, WHEN).name == "00000100-11210258.png"
    assert save_numbered(tmp_path, DATA, WHEN, known=4000).name == "00004001-11210258.png"


@pytest.mark.rule("M28")
def test_a_taken_name_is_left_alone_and_the_next_one_used(tmp_path: Path) -> None:
    tries = free_names(tmp_path, DEFAULT_PATTERN, dated(WHEN))
    (tmp_path / "00000001-11210258.png").write_bytes(b"other")
    assert save_new(tries, DATA).name == "00000002-11210258.png"
    assert (tmp_path / "00000001-11210258.png").read_bytes() == b"other"
    assert len(list(free_names(tmp_path, DEFAULT_PATTERN, dated(WHEN)))) == TRIES == 500
    with pytest.raises(FileExistsError):
        save_new(iter([tmp_path / "00000001-11210258.png"]), DATA)
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "00000001-11210258.png", DATA)
    assert names(tmp_path) == ["00000001-11210258.png", "00000002-11210258.png"]


WRITER = """
import sys
from datetime import datetime
from pathlib import Path
from sfumato.imaging.naming import DEFAULT_PATTERN, save_named
from sfumato.imaging.naming_values import dated
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    data = sys.argv[2].encode() * 50 + b"%d" % number
    print(save_named(Path(sys.argv[1]), data, DEFAULT_PATTERN, dated(datetime(2026, 11, 21))).name)
"""


@pytest.mark.rule("M28")
def test_two_processes_of_two_hundred_pictures_never_share_a_name(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), mark], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for mark in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    written = [writer.communicate()[0].split() for writer in writers]
    assert all(writer.returncode == 0 for writer in writers)
    assert sorted(written[0] + written[1]) == names(tmp_path)
    assert len(set(written[0] + written[1])) == 400
    for mark, mine in zip("ab", written, strict=True):
        assert [(tmp_path / name).read_bytes() for name in mine] == [mark.encode() * 50 + b"%d" % number for number in range(200)]


KILLED = """
import os, signal, sys
from pathlib import Path
from sfumato.imaging.writing import replace_file, write_new
write = {"new": write_new, "replace": replace_file}[sys.argv[1]]
write(Path(sys.argv[2]), b"new picture" * 1000, on_step=lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == sys.argv[3] else None)
"""


@pytest.mark.rule("M29")
@pytest.mark.parametrize("how", ["new", "replace"])
@pytest.mark.parametrize("step", STEPS)
def test_a_writer_killed_at_any_step_leaves_the_old_state_or_the_whole_picture(tmp_path: Path, how: str, step: str) -> None:
    target = tmp_path / "picture.png"
    if how == "replace":
        target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, how, str(target), step], env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=False)
    assert done.returncode == -signal.SIGKILL
    old = b"old" if how == "replace" else None
    assert (target.read_bytes() if target.exists() else None) == (b"new picture" * 1000 if step in STEPS[-2:] else old)
    assert all(is_temporary(path) for path in tmp_path.iterdir() if path != target)
    remove_stale(tmp_path, now=time.time() + 25 * 3600)
    assert names(tmp_path) == (["picture.png"] if target.exists() else [])


@pytest.mark.rule("M29")
def test_only_temporaries_of_ours_older_than_a_day_are_removed(tmp_path: Path) -> None:
    for name in (".a.png.12ab.tmp", "mine.tmp", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    assert remove_stale(tmp_path) == []
    assert [path.name for path in remove_stale(tmp_path, now=time.time() + 25 * 3600)] == [".a.png.12ab.tmp"]
    assert remove_stale(tmp_path / "absent") == []


@pytest.mark.rule("M29")
def test_a_reader_of_a_replaced_file_sees_old_or_new(tmp_path: Path) -> None:
    target = tmp_path / "settings.json"
    replace_file(target, b"one")
    seen = []
    replace_file(target, b"two", on_step=lambda step: seen.append((step, target.read_bytes())))
    assert [content for step, content in seen] == [b"one"] * (len(STEPS) - 2) + [b"two"] * 2
    assert names(tmp_path) == ["settings.json"]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a real disk of 256 KiB where this user may mount one; else one whose writes fail as on a full disk after as many bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False).returncode == 0
    if not mounted:
        left = [256 << 10]
        real = os.write

        def write(descriptor: int, data: memoryview) -> int:
            if len(data) > left[0]:
                raise OSError(28, os.strerror(28))
            left[0] -= len(data)
            return real(descriptor, data)

        monkeypatch.setattr(writing.os, "write", write)
        monkeypatch.setattr(writing, "free_bytes", lambda folder: left[0])
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.rule("M29", "M30", "E126")
def test_a_full_disk_is_one_sentence_with_both_numbers_and_loses_nothing(small_disk: Path) -> None:
    write_new(small_disk / "old.png", b"old")
    for write in (write_new, replace_file):
        with pytest.raises(DiskFull) as caught:
            write(small_disk / "new.png", bytes(2_000_000))
        assert "2 MB are needed" in caught.value.message
        assert "kB left" in caught.value.message
        assert str(small_disk) in caught.value.message
    with pytest.raises(DiskFull):
        save_numbered(small_disk, bytes(2_000_000), WHEN)
    assert names(small_disk) == ["old.png"]
    assert save_numbered(small_disk, b"small", WHEN).read_bytes() == b"small"


@pytest.mark.rule("M30", "E126")
def test_a_folder_without_rights_is_one_sentence_with_its_name(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/sys")  # where even root may not write
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    for write in (write_new, replace_file):
        with pytest.raises(NotWritable, match=f"'{folder}' cannot be written to"):
            write(folder / "new.png", DATA)
    with pytest.raises(NotWritable):
        make_folder(folder / "deeper" / "still")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWritable):
        save_numbered(tmp_path / "file" / "outputs", DATA, WHEN)
    with pytest.raises(NotWritable):
        write_new(tmp_path / "absent" / "new.png", DATA)


@pytest.mark.rule("M29")
def test_a_disk_without_hard_links_still_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(writing.os, "link", refuse)
    assert save_numbered(tmp_path, DATA, WHEN).read_bytes() == DATA
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "00000001-11210258.png", b"other")
    assert (tmp_path / "00000001-11210258.png").read_bytes() == DATA
    assert len(names(tmp_path)) == 1


@pytest.mark.rule("M27")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('a#<>:"/\\|?*b', "a__________b"), ("a\x00\n\x7fb", "a___b"), ("  x . .", "x"), ("..", "_"), ("../../x", ".._.._x"), ("", "_"), ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1", "_com1"), ("COM10", "COM10"), ("e\u0301", "é"), ("C:\\x", "C__x"), ("/etc", "_etc"), ("x" * 300, "x" * 128), ("x\ud800", "x_"),
    ],
)  # fmt: skip
def test_any_text_becomes_one_part_of_a_path(text: str, name: str) -> None:
    assert sanitised(text) == name


@pytest.mark.rule("M27")
@given(st.text(max_size=300))
@settings(deadline=None)
def test_a_part_is_short_normal_and_stays_in_its_folder(text: str) -> None:
    part = sanitised(text)
    assert 0 < len(part) <= 129
    assert len(part.encode()) <= 201
    assert part not in (".", "..")
    assert not set(part) & set('#<>:"/\\|?*\0\n')
    assert part == part.rstrip(". ").lstrip(" ")
    assert unicodedata.is_normalized("NFC", part)
