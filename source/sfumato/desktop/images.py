"""Where QML reads pictures from: always a file, so that Qt decodes on its own thread.

Not an image provider: Qt calls a provider from its image thread while it holds a lock, a provider in Python then waits for the interpreter, and the
GUI thread, which holds the interpreter, waits for that lock. Previews and pictures not yet saved are therefore files of a temporary folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PyQt5.QtCore import QUrl
from PyQt5.QtGui import QGuiApplication, QWindow

# The scene may still be reading the frame before the last one.
FRAMES_KEPT = 3


def address(path: Path) -> str:
    """The URL of a file, every odd character escaped."""
    return bytes(QUrl.fromLocalFile(str(path)).toEncoded()).decode()


def is_seen() -> bool:
    """Whether any window of the program is open and not minimised: otherwise nothing need be decoded."""
    return any(window.isVisible() and window.visibility() != QWindow.Visibility.Minimized for window in QGuiApplication.topLevelWindows())


class Frames:
    """A temporary folder of frames, gone when the window closes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sfumato-", ignore_cleanup_errors=True)

    def write(self, key: str, revision: int, data: bytes) -> Path:
        """Write one frame of the picture `key` and drop the ones nobody looks at any more."""
        path = self._path(key, revision)
        path.write_bytes(data)
        self._path(key, revision - FRAMES_KEPT).unlink(missing_ok=True)
        return path

    def drop(self, key: str, revision: int) -> None:
        """Remove what is left of a picture."""
        for number in range(max(0, revision - FRAMES_KEPT), revision + 1):
            self._path(key, number).unlink(missing_ok=True)

    def keep(self, name: str, data: bytes) -> Path:
        """Write a picture that stays until the window closes; the same name is written once."""
        path = Path(self._folder.name) / name
        if not path.exists():
            path.write_bytes(data)
        return path

    def close(self) -> None:
        self._folder.cleanup()

    def _path(self, key: str, revision: int) -> Path:
        # Qt tells formats by their content, the ending is for people.
        return Path(self._folder.name) / f"{key}-{revision}.frame"
