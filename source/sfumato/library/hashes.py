"""Checksums of model files, remembered between starts: SHA-256, of which other programs show the first digits. Rules: M23, M24 of metadata.

A checkpoint or VAE is known by its file, a LoRA by the weights behind its header (so that its metadata may be edited), an embedding by its file.

`known` answers at once or not at all, so that no picture waits; `compute` reads the whole file and belongs on a worker thread.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, DiskFull, NotWritable, SfumatoError

SHORT_DIGITS = 10
NETWORK_DIGITS = 12
BLOCK_BYTES = 1 << 20
FILE_NAME = "hashes.json"

# The checksum of before 2023: 64 KiB from the first mebibyte on. Read, never written.
OLD_DIGITS = 8
_OLD_OFFSET_BYTES = 0x100000
_OLD_BYTES = 0x10000

_BEHIND_HEADER = "#behind header"
_WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin"})
_FORMAT = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Hashes:
    """The checksums this computer knows; one object serves all threads, one file several processes."""

    def __init__(self, data: Path) -> None:
        """Args: data: the data folder; `hashes.json` in it is read when first needed, and written whenever a checksum was computed."""
        self._file = data / FILE_NAME
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] | None = None

    def known(self, path: Path, *, behind_header: bool = False) -> str | None:
        """The SHA-256 of a file or diffusers folder as 64 hex digits if it is known and the file has not changed since; never reads the file.

        Args:
            behind_header: of the weights of a .safetensors file alone.
        """
        files = _weight_files(path)
        digests = [self._remembered(file, behind_header) for file in files]
        if not digests or None in digests:
            return None
        return _combined(path, files, [digest for digest in digests if digest])

    def compute(self, path: Path, check: Callable[[], None] = lambda: None, *, behind_header: bool = False) -> str:
        """The SHA-256 of a file or diffusers folder, read where it is not known, and remembered.

        Args:
            path: a file, or a folder of which the weight files count.
            check: called before each block of 1 MiB; what it raises stops the reading.
            behind_header: of the weights of a .safetensors file alone.

        Raises:
            CorruptFile: a file cannot be read, changes while it is read, or the folder has no weights.
        """
        files = _weight_files(path)
        if not files:
            raise CorruptFile(path.name, "it has no weight files")
        return _combined(path, files, [self._remembered(file, behind_header) or self._read(file, check, behind_header) for file in files])

    def learn(self, path: Path, digest: str) -> None:
        """Remember the SHA-256 of a file that was just written from bytes whose checksum was computed on the way."""
        with suppress(OSError):
            self._remember(_key(path, False), _stamp(path.stat()), digest)

    def moved(self, old: Path, new: Path) -> None:
        """A file has another path now and is the same; what is known of it stays known, and is written with the next checksum."""
        with self._lock:
            if self._known is None:
                self._known = self._load()
            for behind_header in (False, True):
                if (entry := self._known.pop(_key(old, behind_header), None)) is not None:
                    self._known[_key(new, behind_header)] = entry

    def _read(self, file: Path, check: Callable[[], None], behind_header: bool) -> str:
        digest = hashlib.sha256()
        try:
            with file.open("rb", buffering=0) as opened:
                before = _stamp(os.fstat(opened.fileno()))
                if behind_header:
                    opened.seek(_header_bytes(opened.read(8), before[0], file))
                while block := opened.read(BLOCK_BYTES):
                    check()
                    digest.update(block)
                after = _stamp(os.fstat(opened.fileno()))
        except OSError as error:
            raise CorruptFile(file.name, f"it cannot be read ({error.strerror})") from error
        if before != after:
            raise CorruptFile(file.name, "it was changed while it was read")
        self._remember(_key(file, behind_header), before, digest.hexdigest())
        return digest.hexdigest()

    def _remembered(self, file: Path, behind_header: bool) -> str | None:
        try:
            stamp = _stamp(file.stat())
        except OSError:
            return None
        with self._lock:
            if self._known is None:
                self._known = self._load()
            found = self._known.get(_key(file, behind_header))
        return found[2] if found and tuple(found[:2]) == stamp else None

    def _remember(self, key: str, stamp: tuple[int, int], digest: str) -> None:
        with self._lock:
            # Another process may have written meanwhile: what it found is kept.
            self._known = {**(self._known or {}), **self._load(), key: [*stamp, digest]}
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


def network_hash(path: Path, hashes: Hashes) -> str | None:
    """The twelve digits by which other programs know a LoRA: the checksum its trainer wrote, else that of its weights if it is known; never reads these."""
    try:
        written = _written_hash(path, _stamp(path.stat()))
    except OSError:
        return None
    digest = written if _DIGEST.fullmatch(written) else hashes.known(path, behind_header=True)
    return digest[:NETWORK_DIGITS] if digest else None


@lru_cache(maxsize=1024)
def _written_hash(path: Path, stamp: tuple[int, int]) -> str:
    """What the trainer wrote into the header of the file of this size and time; empty if nothing."""
    try:
        return read_header(path).metadata.get("sshs_model_hash", "").lower()
    except SfumatoError:
        return ""


def embedding_hash(path: Path, hashes: Hashes) -> str | None:
    """The twelve digits of an embedding, if its checksum is known."""
    digest = hashes.known(path)
    return digest[:NETWORK_DIGITS] if digest else None


def old_hash(path: Path) -> str:
    """The eight digits by which checkpoints were known before 2023; a file too short for them has those of nothing. Raises `CorruptFile`."""
    try:
        with path.open("rb") as opened:
            opened.seek(_OLD_OFFSET_BYTES)
            return hashlib.sha256(opened.read(_OLD_BYTES)).hexdigest()[:OLD_DIGITS]
    except OSError as error:
        raise CorruptFile(path.name, f"it cannot be read ({error.strerror})") from error


def _key(file: Path, behind_header: bool) -> str:
    return str(file.absolute()) + (_BEHIND_HEADER if behind_header else "")


def _header_bytes(first: bytes, size: int, file: Path) -> int:
    """Where the weights of a .safetensors file begin."""
    begin = 8 + int.from_bytes(first, "little")
    if len(first) < 8 or begin > size:
        raise CorruptFile(file.name, "its header is longer than the file")
    return begin


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
