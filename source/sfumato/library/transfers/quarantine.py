"""Where files lie that have not arrived yet: `<models>/.incoming/<whose>/<key>.<bytes>.part`, on the volume they will live on.

The key is the checksum a file must have, or one of where it comes from. A part outlives whoever wrote it, for a day; its announced bytes are in its name, so
that quotas and free space are known after any restart. One writer at a time, also among processes. Scans of models leave hidden folders alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sfumato.imaging.writing import free_bytes, make_folder, replace_file
from sfumato.protocol.errors import DiskFull, FileBusy, NotWritable, QuotaExceeded

FOLDER = ".incoming"
KEPT_S = 24 * 3600.0
PARTS_LIMIT = 16
BYTES_LIMIT = 256 << 30
# What every transfer leaves free: a system whose disk is full does not work.
RESERVE_BYTES = 256 << 20

_BLOCK_BYTES = 1 << 20
_PART = re.compile(r"^[0-9a-f]{64}\.(\d{1,16})\.part$")
_NOTE = ".json"
_LOCKED_BYTE = 1 << 50


@dataclass(frozen=True)
class Quotas:
    """What one identity may have lying here unfinished."""

    parts: int = PARTS_LIMIT
    bytes: int = BYTES_LIMIT


class Part:
    """One unfinished file, open for appending; use in `with Quarantine.part(...)`.

    Attributes:
        path: of the file.
        done: bytes it has.
        digest: SHA-256 of these bytes.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.done = 0
        self.digest = hashlib.sha256()
        self._file = file

    def read_again(self, check: Callable[[], None], limit_bytes: int) -> None:
        """Take up what an earlier writer left; more than `limit_bytes` is cut off."""
        self._file.seek(0)
        while self.done < limit_bytes and (block := self._file.read(min(_BLOCK_BYTES, limit_bytes - self.done))):
            check()
            self.digest.update(block)
            self.done += len(block)
        self._file.truncate(self.done)
        self._file.seek(self.done)

    def write(self, data: bytes) -> None:
        """Append. Raises `DiskFull` or `NotWritable`; what was there stays."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self.done)
                self._file.seek(self.done)
            raise _as_sentence(self.path, error, len(data)) from error
        self.digest.update(data)
        self.done += len(data)

    def first(self, count: int) -> bytes:
        """The first bytes, at most so many."""
        self._file.seek(0)
        data = self._file.read(min(count, self.done))
        self._file.seek(self.done)
        return data

    def restart(self) -> None:
        """Empty the file."""
        self._file.seek(0)
        self._file.truncate(0)
        self.done = 0
        self.digest = hashlib.sha256()

    def settle(self) -> None:
        """Force the bytes to the disk."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _as_sentence(self.path, error, 0) from error

    def release(self) -> None:
        """Let go of the file, on systems that name no file while it is open."""
        if os.name == "nt":
            self._file.close()

    def remove(self) -> None:
        """Away with it and its note; a file that has its name elsewhere by now stays there."""
        for path in (self.path, self.path.with_suffix(_NOTE)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def note(self) -> bytes:
        """What an earlier writer noted about where the bytes come from; b"" if nothing."""
        try:
            return self.path.with_suffix(_NOTE).read_bytes()[:_BLOCK_BYTES]
        except OSError:
            return b""

    def write_note(self, data: bytes) -> None:
        """Note it for the next writer."""
        replace_file(self.path.with_suffix(_NOTE), data)


class Quarantine:
    """The parts of one models folder.

    Args:
        models: the folder.
        identity: whose parts are meant.
        quotas: what it may have.
        free: the bytes that a folder's disk has left, 0 if nobody knows.
    """

    def __init__(self, models: Path, identity: str, quotas: Quotas | None = None, free: Callable[[Path], int] = free_bytes) -> None:
        self._root = models / FOLDER
        self._folder = self._root / hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._quotas = quotas or Quotas()
        self._free = free

    @contextlib.contextmanager
    def part(self, key: str, size: int, name: str, check: Callable[[], None] = lambda: None) -> Iterator[Part]:
        """A part with what it has, to be appended to; it stays when the block is left, unless it is empty or was removed.

        Args:
            key: 64 hexadecimal digits.
            size: bytes it will have; 0 if that is not known.
            name: what the file is called in errors.
            check: called before each block that is read again; what it raises ends that.

        Raises:
            FileBusy: somebody is writing it.
            QuotaExceeded, DiskFull, NotWritable: there is no room for it.
        """
        self._make()
        self.sweep()
        path = self._folder / f"{key}.{size}.part"
        with _taken(path, name) as file:
            part = Part(path, file)
            held = os.fstat(file.fileno()).st_size
            try:
                self._check_room(path, held, size)
            except (QuotaExceeded, DiskFull):
                if not held:
                    part.remove()
                raise
            part.read_again(check, size or sys.maxsize)
            try:
                yield part
            finally:
                if not part.done:
                    part.remove()

    def room(self, done: int) -> int:
        """Bytes that may still be written to a part of unknown size that has `done`."""
        free = self._free(self._root)
        return min(self._quotas.bytes - done, free - RESERVE_BYTES if free else self._quotas.bytes)

    def sweep(self, now: float | None = None) -> list[Path]:
        """Remove parts of everybody that nobody has written to for a day; those that went."""
        limit = (time.time() if now is None else now) - KEPT_S
        gone: list[Path] = []
        for path in self._root.glob("*/*"):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < limit and not _is_held(path):
                    # A note goes after its part, which may have been written to long after it.
                    if path.suffix == _NOTE and path.with_suffix(".part").exists():
                        continue
                    path.unlink()
                    gone.append(path)
        return gone

    def _make(self) -> None:
        """The folder, for its owner alone, and no link that leads elsewhere."""
        for folder in (self._root, self._folder):
            make_folder(folder)
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise NotWritable(folder.name, "it is a link")
            with contextlib.suppress(OSError):
                folder.chmod(0o700)

    def _check_room(self, path: Path, held: int, size: int) -> None:
        others = [other for other in _parts(self._folder) if other[0] != path]
        if len(others) >= self._quotas.parts:
            raise QuotaExceeded(f"{self._quotas.parts} files")
        if sum(max(announced, there) for _, announced, there in others) + max(size, held) > self._quotas.bytes:
            raise QuotaExceeded(f"{self._quotas.bytes >> 20} MiB")
        free = self._free(self._root)
        # What the others have been promised is not free.
        promised = sum(max(0, announced - there) for folder in self._root.glob("*") for other, announced, there in _parts(folder) if other != path)
        needed = max(0, size - held) + promised + RESERVE_BYTES
        if free and free < needed:
            raise DiskFull("models", free, needed)


def _parts(folder: Path) -> list[tuple[Path, int, int]]:
    """(path, bytes announced, bytes there) of the parts of a folder."""
    found: list[tuple[Path, int, int]] = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if match := _PART.match(path.name):
                with contextlib.suppress(OSError):
                    found.append((path, int(match[1]), path.lstat().st_size))
    return found


def _opened(path: Path) -> BinaryIO:
    """The file, made for its owner alone if it is not there; never through a link, and nothing but an ordinary file."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _as_sentence(path, error, 0) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotWritable(path.parent.name, "it holds something that is no file")
    return os.fdopen(descriptor, "r+b", buffering=0)


def _taken(path: Path, name: str) -> BinaryIO:
    """The file, opened and locked. Raises `FileBusy`."""
    file = _opened(path)
    if not _lock(file) or not _is_at(path, file):
        file.close()
        raise FileBusy(name, path="name")
    if os.fstat(file.fileno()).st_nlink == 1:
        return file
    # Its writer was killed between giving it its name in a models folder and taking this one away: the bytes are a finished model's, not to be changed here.
    with file:
        path.unlink(missing_ok=True)
    return _taken(path, name)


def _lock(file: BinaryIO) -> bool:
    """Take the file for this writer; gone with the file's closing, however that comes."""
    if sys.platform == "win32":
        import msvcrt  # exists on Windows only

        try:
            file.seek(_LOCKED_BYTE)  # a byte that no file has: a locked one could not be read by others
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True
    import fcntl  # exists everywhere else

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a network folder without locks
    return True


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether an open file is still the one of that name: whoever finished it a moment ago took the name away."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _is_held(path: Path) -> bool:
    """Whether somebody writes to a part."""
    if not _PART.match(path.name):
        return False
    try:
        with path.open("r+b") as file:
            return not _lock(file)
    except OSError:
        return False


def _as_sentence(path: Path, error: OSError, needed: int) -> DiskFull | NotWritable:

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("models", free_bytes(path.parent), needed)
    return NotWritable("models", error.strerror or type(error).__name__)
