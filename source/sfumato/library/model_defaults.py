"""What a person last used with each checkpoint, by the checkpoint's SHA-256: a renamed or moved file keeps it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.writing import make_folder, replace_file

FILE_NAME = "model_defaults.json"


class ModelDefaults:
    """One file in the data folder; one object serves all threads."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE_NAME
        self._lock = threading.Lock()
        self._kept: dict[str, Any] | None = None

    def of(self, digest: str) -> dict[str, Any]:
        """Parameter -> value of a checkpoint, empty where nothing is remembered."""
        with self._lock:
            values = self._load().get(digest)
            return dict(values) if isinstance(values, dict) else {}

    def remember(self, digest: str, values: Mapping[str, Any]) -> None:
        """Keep `values` for a checkpoint, instead of what was kept. Raises `DiskFull` or `NotWritable`."""
        with self._lock:
            kept = self._load()
            if kept.get(digest, {}) == dict(values):
                return
            if values:
                kept[digest] = dict(values)
            else:
                kept.pop(digest, None)
            make_folder(self._file.parent)
            replace_file(self._file, json.dumps(kept, ensure_ascii=False, indent=1).encode())

    def _load(self) -> dict[str, Any]:
        if self._kept is None:
            try:
                self._kept = read_object(self._file.read_text(encoding="utf-8", errors="replace"))
            except (OSError, NotJson):
                self._kept = {}
        return self._kept
