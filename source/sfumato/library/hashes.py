"""Checksums of model files, remembered between starts: SHA-256, of which other programs show the first ten digits. Rules: M23, M24 of metadata.

`known` answers at once or not at all, so that no picture waits; `compute` reads the whole file and belongs on a worker thread.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import CorruptFile, DiskFull, NotWritable

SHORT_DIGITS = 10
BLOCK_BYTES = 1 << 20
FILE_NAME = "hashes.json"

_WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin"})
_FORMAT = 1


class Hashes:
    """The checksums this computer knows; one object serves all threads, one file several processes."""

    def __init__(self, data: Path) -> None:
        """Args: data: the data folder; `hashes.json` in it is read when first needed, and written whenever a checksum was computed."""
        self._file = data / FILE_NAME
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] | None = None

    def known(self, path: Path) -> str | None:
        """The SHA-256 of a file or diffusers folder as 64 hex digits if it is known and the file has not changed since; never reads the file."""
        files = _weight_files(path)
        digests = [self._remembered(file) for file in files]
        if not digests or None in digests:
            return None
        return _combined(path, files, [digest for digest in digests if digest])

    def compute(self, path: Path, check: Callable[[], None] = lambda: None) -> str:
        """The SHA-256 of a file or diffusers folder, read where it is not known, and remembered.

        Args:
            path: a file, or a folder of which the weight files count.
            check: called before each block of 1 MiB; what it raises stops the reading.

        Raises:
            CorruptFile: a file cannot be read, changes while it is read, or the folder has no weights.
        """
        files = _weight_files(path)
        if not files:
            raise CorruptFile(path.name, "it has no weight files")
        return _combined(path, files, [self._remembered(file) or self._read(file, check) for file in files])

    def _read(self, file: Path, check: Callable[[], None]) -> str:
        digest = hashlib.sha256()
        try:
            with file.open("rb", buffering=0) as opened:
                before = _stamp(os.fstat(opened.fileno()))
                while block := opened.read(BLOCK_BYTES):
                    check()
                    digest.update(block)
                after = _stamp(os.fstat(opened.fileno()))
        except OSError as error:
            raise CorruptFile(file.name, f"it cannot be read ({error.strerror})") from error
        if before != after:
            raise CorruptFile(file.name, "it was changed while it was read")
        self._remember(file, before, digest.hexdigest())
        return digest.hexdigest()

    def _remembered(self, file: Path) -> str | None:
        try:
            stamp = _stamp(file.stat())
        except OSError:
            return None
        with self._lock:
            if self._known is None:
                self._known = self._load()
            found = self._known.get(str(file.absolute()))
        return found[2] if found and tuple(found[:2]) == stamp else None

    def _remember(self, file: Path, stamp: tuple[int, int], digest: str) -> None:
        with self._lock:
            # Another process may have written meanwhile: what it found is kept.
            self._known = {**(self._known or {}), **self._load(), str(file.absolute()): [*stamp, digest]}
            content = json.dumps({"format": _FORMAT, "files": self._known}, indent=1).encode()
            with suppress(DiskFull, NotWritable):  # a checksum that cannot be kept is computed again another day
                make_folder(self._file.parent)
                replace_file(self._file, content)

    def _load(self) -> dict[str, list[Any]]:
        """The file's content; a damaged or absent file is an empty one, since everything in it can be computed again."""
        try:
            content = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict) or content.get("format") != _FORMAT or not isinstance(content.get("files"), dict):
            return {}
        return {path: entry for path, entry in content["files"].items() if _is_entry(entry)}


def short_hash(digest: str) -> str:
    """The digits by which other programs know a checkpoint."""
    return digest[:SHORT_DIGITS]


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and [type(item) for item in entry] == [int, int, str] and len(entry[2]) == 64


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _weight_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in _WEIGHT_SUFFIXES and file.is_file())


def _combined(path: Path, files: list[Path], digests: list[str]) -> str:
    """A file's own checksum; of a folder, that of its sorted lines `relative path, SHA-256`."""
    if files == [path]:
        return digests[0]
    lines = sorted(f"{file.relative_to(path).as_posix()}, {digest}\n" for file, digest in zip(files, digests, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
