"""Wildcard files: lists of lines that `__name__` in a prompt picks from. Rule: P50; what a line means is the prompt language's business.

A name is a path below one of the folders, with forward slashes and without the file's ending. Files are read when they are asked for, and again after a change.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from sfumato.prompts.names import Lines

SUFFIXES = (".txt", ".csv")
# More than any list people share; a larger one would hold the memory of every job that names it.
SIZE_LIMIT_BYTES = 64 << 20

_FOLDERS_DEEP = 8


class Wildcards:
    """The wildcard files of some folders. One instance serves all threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Look into nothing yet; folders need not exist."""
        self._folders = tuple(folders)
        self._lock = Lock()
        self._read: dict[Path, tuple[tuple[int, int], Lines | None]] = {}

    def files(self) -> dict[str, Path]:
        """All names there are now, sorted, with their files; of equal names in several folders the first folder's."""
        found: dict[str, Path] = {}
        for root in self._folders:
            for folder, folders, files in os.walk(root):
                below = Path(folder).relative_to(root)
                folders[:] = sorted(inner for inner in folders if not inner.startswith(".")) if len(below.parts) < _FOLDERS_DEEP else []
                for file in sorted(files):
                    path = Path(folder, file)
                    if path.suffix.lower() in SUFFIXES and not file.startswith("."):
                        found.setdefault((below / path.stem).as_posix(), path)
        return dict(sorted(found.items()))

    def lines(self, name: str, files: Mapping[str, Path] | None = None) -> Lines | None:
        """The lines that a name means, those of several files one after the other; None if there is none, or nothing in it.

        Args:
            name: as in `files`, without regard to case where no file is called exactly so; `*` stands for any characters but a slash.
            files: where to look; default what there is now.
        """
        files = self.files() if files is None else files
        wanted = name.strip().strip("/")
        if "*" in wanted:
            pattern = _pattern(wanted)
            chosen = [path for found, path in files.items() if pattern.fullmatch(found)]
        elif wanted in files:
            chosen = [files[wanted]]
        else:
            chosen = [path for found, path in files.items() if found.casefold() == wanted.casefold()][:1]
        parts = [lines for path in chosen if (lines := self._lines(path)) is not None]
        return Lines.joined(parts) if len(parts) > 1 else parts[0] if parts else None

    def _lines(self, path: Path) -> Lines | None:
        try:
            state = path.stat()
            version = state.st_mtime_ns, state.st_size
            with self._lock:
                known = self._read.get(path)
            if known is None or known[0] != version:
                text = path.read_text(encoding="utf-8-sig", errors="replace") if state.st_size <= SIZE_LIMIT_BYTES else ""
                known = version, Lines.read(text)
                with self._lock:
                    self._read[path] = known
            return known[1]
        except OSError:
            return None


def _pattern(name: str) -> re.Pattern[str]:
    """A name with asterisks as an expression; what lies between two of them is taken where it comes first, so that no name makes it try for long."""
    first, *middle, last = name.split("*")
    inner = "".join(f"(?>[^/]*?{re.escape(piece)})" for piece in middle)
    return re.compile(f"{re.escape(first)}{inner}[^/]*{re.escape(last)}", re.IGNORECASE)
