"""What evaluating a network told about its file, kept in the data folder by path, size and modification time, so that it is asked once. Rule: E24."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from sfumato.engine.family import Prediction
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import DiskFull, NotWritable

FILE_NAME = "findings.json"
_PREDICTIONS: tuple[Prediction, ...] = ("eps", "v")


class Findings:
    """The findings of one data folder, read when they are made."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE_NAME
        self._known = _load(self._file)

    def prediction(self, path: Path) -> Prediction | None:
        """What the network of this file was found to predict; None if nobody looked since the file was changed."""
        known = self._known.get(str(path))
        if known is None or known[:2] != _stamp(path):
            return None
        return next((prediction for prediction in _PREDICTIONS if prediction == known[2]), None)

    def keep(self, path: Path, prediction: Prediction) -> None:
        """Remember it; what cannot be written is found out again another day."""
        self._known[str(path)] = [*_stamp(path), prediction]
        with suppress(DiskFull, NotWritable):
            make_folder(self._file.parent)
            replace_file(self._file, json.dumps(self._known).encode())


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _load(file: Path) -> dict[str, list[object]]:
    """A file that is damaged or absent is an empty one."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {path: entry for path, entry in content.items() if isinstance(entry, list) and len(entry) == 3}
