"""The trash of the system as Qt knows it: Windows, macOS, and the desktops of Linux."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from PyQt5.QtCore import QFile, QStandardPaths


def system_trash(path: Path) -> Path | None:
    """Move a file or folder there and say where it lies, None if it stayed: some volumes have no trash. For `library.trash.to_trash`; not on the GUI thread."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):  # Qt makes the trash itself, but not the folder it lies in
            Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)).mkdir(parents=True, exist_ok=True)
    done, place = QFile.moveToTrash(str(path))
    return Path(place) if done and place else None
