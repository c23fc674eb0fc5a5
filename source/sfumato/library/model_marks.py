"""What the user marked about models: favourites, and when each was last used. One small file in the data folder; losing the index loses nothing of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import NotWritable

FILE = "model_marks.json"


class Marks:
    """By path. Reading is cheap; `save` belongs away from the GUI thread."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE
        self._lock = threading.Lock()
        self._is_blind = False  # there is a file, and nobody knows what is in it
        self.favourites: set[str] = set()
        self.used: dict[str, float] = {}

    def load(self) -> None:
        """A damaged file says nothing, and is set aside; one that cannot be read is not written over."""
        try:
            values = json.loads(self._file.read_bytes())
            favourites = {path for path in values["favourites"] if isinstance(path, str)}
            used = {path: float(when) for path, when in values["used"].items()}
        except FileNotFoundError:
            return
        except OSError:
            self._is_blind = True
            return
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            try:
                self._file.replace(self._file.with_name(f"model_marks.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"))
            except OSError:
                self._is_blind = True
            return
        self.favourites |= favourites
        self.used |= used

    def save(self) -> None:
        """Raises `DiskFull`, `NotWritable`."""
        with self._lock:
            if self._is_blind:
                raise NotWritable(str(self._file), "it could not be read; favourites are not kept until the next start")
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
