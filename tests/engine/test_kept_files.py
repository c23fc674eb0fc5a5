"""What is kept of files: within its limit, used longest ago out first, and read anew when the file changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfumato.engine.kept_files import KeptFiles


@dataclass
class Content:
    nbytes: int


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in "abc"]
    for path in made:
        path.write_bytes(bytes(10))
    return made


class Reading:
    """Reads files as so many bytes each, and remembers which it read."""

    def __init__(self, nbytes: int = 40) -> None:
        self.nbytes = nbytes
        self.read: list[str] = []

    def __call__(self, path: Path) -> Content:
        self.read.append(path.name)
        return Content(self.nbytes)


@pytest.mark.rule("E112")
def test_what_was_used_longest_ago_goes_first(files: list[Path]) -> None:
    kept, reading = KeptFiles[Content](100), Reading()
    a, b, c = files
    for path in (a, b, a, c, a, b):
        kept.get(path, reading)
    assert "".join(reading.read) == "abcb"
    assert kept.nbytes == 80


@pytest.mark.rule("E112")
def test_what_was_read_last_stays_even_beyond_the_limit_and_growth_is_counted(files: list[Path]) -> None:
    kept = KeptFiles[Content](100)
    kept.get(files[0], Reading())
    grown = kept.get(files[1], Reading())
    grown.nbytes = 500
    kept.trim()
    assert (len(kept), kept.nbytes) == (1, 500)
    kept.clear()
    assert kept.nbytes == 0


@pytest.mark.rule("E112")
def test_a_file_that_changed_is_read_anew(files: list[Path]) -> None:
    kept, reading = KeptFiles[Content](100), Reading()
    kept.get(files[0], reading)
    os.utime(files[0], ns=(1, 1))
    kept.get(files[0], reading)
    assert "".join(reading.read) == "aa"
    assert kept.nbytes == 40
