"""Renaming and moving models: the bytes stay, and what stands beside a model comes along. Rules: D114 of the window; R52, R53, R56.

A companion that another model of the same full name needs as well (a pickle beside the file it was converted to) is copied, not taken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sfumato.library.carrying import carry, copy
from sfumato.library.model_notes import companion, companions, full_name
from sfumato.library.models import SUFFIXES
from sfumato.protocol.errors import FileBusy, NameTaken, SfumatoError, UnsafeName
from sfumato.protocol.paths import contain


@dataclass
class Moved:
    """What one rename or move did: (old, new) of everything carried, the model first, and the files that were copied."""

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)

    @property
    def model(self) -> tuple[Path, Path]:
        return self.pairs[0]


def rename(path: Path, name: str) -> Moved:
    """Give a model another full name; its ending stays.

    Raises:
        UnsafeName: it is no name of a file.
        NameTaken, FileBusy, NotWritable, DiskFull: nothing was changed.
    """
    if "/" in name:
        raise UnsafeName(name[:80], "it holds a slash; use Move for another folder")
    ending = path.suffix if path.suffix.lower() in SUFFIXES else ""
    return _relocate(path, contain(path.parent, name + ending))


def move(path: Path, folder: Path) -> Moved:
    """Put a model into another folder, which is made if need be. Errors as `rename`."""
    return _relocate(path, folder / path.name)


def back(moved: Moved) -> None:
    """Take a rename or move back. Raises as `rename`; what could not be carried stays where it is."""
    for old, new in reversed(moved.pairs):
        if os.path.lexists(new):
            carry(new, old)
    for file in moved.copies:
        with suppress(OSError):
            file.unlink()


def beside(path: Path) -> list[Path]:
    """The companions of a model."""
    return [companion(path, ending) for ending in companions(path, _names_in(path.parent))]


def own_companions(path: Path) -> list[Path]:
    """The companions that no other model needs: they go with it into the trash."""
    return [] if any(_sharers(path, _names_in(path.parent))) else beside(path)


def is_being_written(path: Path) -> bool:
    """Whether some program has the file open for writing, as far as the system tells (Linux does; Windows refuses the rename itself)."""
    if sys.platform != "linux" or path.is_dir():
        return False
    import fcntl  # only there

    try:
        with path.open("rb") as file:
            fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without leases, or a file that is not ours: nothing tells
    return False


def _relocate(path: Path, target: Path) -> Moved:
    if is_being_written(path):
        raise FileBusy(path.name)
    there = _names_in(path.parent)
    ends = [(companion(path, ending), companion(target, ending)) for ending in companions(path, there)]
    in_target = _names_in(target.parent)
    taken = next((new for old, new in ends if new.name in in_target and not _is_one(old, new)), None)
    if taken is not None:
        raise NameTaken(taken.name, taken.parent.name)
    is_shared = any(_sharers(path, there))
    moved = Moved()
    try:
        carry(path, target)
        moved.pairs.append((path, target))
        for old, new in ends:
            if is_shared:
                copy(old, new)
                moved.copies.append(new)
            else:
                carry(old, new)
                moved.pairs.append((old, new))
    except SfumatoError:
        with suppress(SfumatoError):
            back(moved)
        raise
    return moved


def _sharers(path: Path, there: set[str]) -> Iterator[str]:
    """Other models of the same full name."""
    name = full_name(path)
    return (other for suffix in SUFFIXES if (other := name + suffix) in there and other != path.name)


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _is_one(old: Path, new: Path) -> bool:
    with suppress(OSError):
        return os.path.samefile(old, new)
    return False
