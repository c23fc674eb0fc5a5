"""What the window was like: prompts, parameters, pictures on the strip, geometry. Saved within 2 s of a change, atomically, with one older copy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from PyQt5.QtCore import QObject, QTimer

from sfumato.desktop.disk import Disk
from sfumato.protocol.errors import SfumatoError

FILE = "session.json"
OLDER = "session.old.json"
DELAY_MS = 1000
VERSION = 1

T = TypeVar("T")

# What a new picture is asked for with, and the pictures of the last one.
ASKED = frozenset({"prompt", "negative", "parameters", "aspect", "last_seed", "styles", "networks_off", "upscale"})
PICTURES = frozenset({"inputs", "outputs", "grid"})
# Setting "restore_session" -> the keys that do not come back. How the window is laid out, and what a person keeps in it (saved searches, folders), always does.
LEFT_OUT: Mapping[str, frozenset[str]] = {"everything": frozenset(), "parameters": PICTURES, "nothing": ASKED | PICTURES}


def chosen(values: Mapping[str, Any], restore: str) -> dict[str, Any]:
    """What of a session comes back, by the setting."""
    return {name: value for name, value in values.items() if name not in LEFT_OUT[restore]}


def load(folder: Path) -> tuple[dict[str, Any], str]:
    """The last session and "" , or what can be had and a sentence about the damaged file, which is set aside."""
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        return values, ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"The last session could not be read ({error.strerror}); the window starts empty."
    except (ValueError, RecursionError):
        aside = f"session.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"
        try:
            path.replace(folder / aside)
        except OSError:
            aside = FILE
    try:
        older = json.loads((folder / OLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        older = None
    if isinstance(older, dict):
        return older, f"The last session was damaged and is kept as {aside}; the one before it was restored."
    return {}, f"The last session was damaged and is kept as {aside}; the window starts empty."


def save(folder: Path, values: dict[str, Any]) -> None:
    """Write the session; the one before becomes the older copy. Raises `DiskFull` or `NotWritable`."""
    from sfumato.imaging.writing import replace_file  # late: reading a session at start-up needs no image code

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    text = json.dumps(values, ensure_ascii=False, indent=1).encode()
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = None
    if before == text:
        return
    if before is not None:
        replace_file(folder / OLDER, before)
    replace_file(path, text)


class Session(QObject):
    """What the parts want back after a restart. Each keeps its own key of the file; keys nobody keeps are written back as they were."""

    def __init__(self, folder: Path, restored: dict[str, Any], disk: Disk, complain: Callable[[str], None]) -> None:
        super().__init__()
        self._folder = folder
        self._restored = restored
        self._collectors: dict[str, Callable[[], Any]] = {}
        self._disk = disk
        self._complain = complain
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.save_now)

    def keep(self, name: str, collect: Callable[[], Any]) -> None:
        """Save what `collect()` returns (plain data) under `name` from now on."""
        self._collectors[name] = collect

    def restored(self, name: str, kind: type[T], otherwise: T) -> T:
        """What the last session kept under `name`, if it is of that kind."""
        value = self._restored.get(name)
        return value if isinstance(value, kind) else otherwise

    def touch(self) -> None:
        """Something changed; a running delay is not prolonged, so that steady typing is saved too."""
        if not self._timer.isActive():
            self._timer.start()

    def save_now(self) -> None:
        self._timer.stop()
        values = self._restored | {name: collect() for name, collect in self._collectors.items()} | {"version": VERSION}
        self._disk.run(lambda: save(self._folder, values), lambda _: None, self._failed)

    def _failed(self, error: SfumatoError) -> None:
        self._complain(f"The session could not be saved: {error.message}")
