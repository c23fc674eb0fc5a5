"""What the user marked about models: favourites, and when each was last used. One small file in the data folder; losing the index loses nothing of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from sfumato.imaging.writing import make_folder, replace_file

FILE = "model_marks.json"


class Marks:
    """By path. Reading is cheap; `save` belongs away from the GUI thread."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE
        self._lock = threading.Lock()
        self.favourites: set[str] = set()
        self.used: dict[str, float] = {}

    def load(self) -> None:
        """A damaged file says nothing, and is replaced at the next change."""
        try:
            values = json.loads(self._file.read_bytes())
            favourites = {path for path in values["favourites"] if isinstance(path, str)}
            used = {path: float(when) for path, when in values["used"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        self.favourites |= favourites
        self.used |= used

    def save(self) -> None:
        """Raises `DiskFull`, `NotWritable`."""
        with self._lock:
            values = {"favourites": sorted(self.favourites.copy()), "used": self.used.copy()}
            make_folder(self._file.parent)
            replace_file(self._file, json.dumps(values, ensure_ascii=False, indent=1).encode())

    def follow(self, moves: Iterable[tuple[str, str]]) -> None:
        """Keep the marks of models that have another path now."""
        for old, new in moves:
            if old in self.favourites:
                self.favourites.discard(old)
                self.favourites.add(new)
            if old in self.used:
                self.used[new] = self.used.pop(old)
