"""Pictures that jobs were given, each stored once as a file named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sfumato.imaging.writing import is_temporary, make_folder, remove_stale, write_new

_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The files of one folder, which is made when the first is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """Force a picture to the disk, unless it is there; its name. Raises `DiskFull` or `NotWritable`."""
        name = hashlib.sha256(data).hexdigest()
        path = self._folder / name
        if not path.is_file():
            make_folder(self._folder)
            with suppress(FileExistsError):
                write_new(path, data)
        return name

    def read(self, name: str) -> bytes:
        """Raises `FileNotFoundError` if there is no such picture, ValueError for what `keep` never said."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no stored picture")
        return (self._folder / name).read_bytes()

    def sweep(self, needed: Collection[str]) -> int:
        """Remove every picture that is not `needed`; how many went."""
        removed = 0
        if not self._folder.is_dir():
            return removed
        remove_stale(self._folder)
        for path in self._folder.iterdir():
            if path.name not in needed and not is_temporary(path):
                with suppress(OSError):
                    path.unlink()
                    removed += 1
        return removed
