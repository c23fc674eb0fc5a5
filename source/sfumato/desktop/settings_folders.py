"""The data folder on the Settings page: what lies in it, how large it is, and what can be cleaned; and walking through folders to choose one."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QUrl, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell

# Folder of the data folder -> what it is; the second says what is lost by cleaning it.
CLEANABLE = {
    "thumbnails": ("Thumbnails", "They are made again when they are looked at."),
    "logs": ("Logs", "What the program wrote down for finding errors."),
    "trash": ("Trash", "What was deleted in the program is then gone for good."),
}


class DataFolder(QObject):
    """`studio.dataFolder`."""

    changed = pyqtSignal()
    listed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._sizes: dict[str, int] = {}
        self._folder = ""
        self._inside: list[str] = []

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        """What can be cleaned: {id, title, words, size}; size "" until it was measured."""
        return [
            {
                "id": name,
                "title": tr(title),
                "words": tr(words),
                "size": _size(self._sizes[name]) if name in self._sizes else "",
                "empty": not self._sizes.get(name),
            }
            for name, (title, words) in CLEANABLE.items()
        ]

    @pyqtSlot()
    def measure(self) -> None:
        """Find out the sizes, away from the GUI thread."""
        self._shell.disk.run(partial(_measure, self._shell.places.data), self._measured, self._shell.complain)

    @pyqtSlot(str)
    def clean(self, name: str) -> None:
        """Empty one of the folders for good."""
        if name in CLEANABLE:
            self._shell.disk.run(partial(_clean, self._shell.places.data / name), lambda _: self.measure(), self._shell.complain)

    def _measured(self, sizes: dict[str, int]) -> None:
        self._sizes = sizes
        self.changed.emit()

    # -- choosing a folder -----------------------------------------------------------------------

    @pyqtProperty(str, notify=listed)
    def folder(self) -> str:
        """The folder that was looked into last."""
        return self._folder

    @pyqtProperty("QStringList", notify=listed)
    def inside(self) -> list[str]:
        """Names of the folders in it."""
        return self._inside

    @pyqtSlot(str)
    def look(self, folder: str) -> None:
        """Look into a folder, or into the nearest one above it that is there; "" is the home folder."""
        self._shell.disk.run(partial(_look, folder), self._seen, self._shell.complain)

    @pyqtSlot(str)
    def enter(self, name: str) -> None:
        """Look into a folder of the one that is shown; ".." is the one above."""
        self.look(str(Path(self._folder).parent if name == ".." else Path(self._folder) / name))

    @pyqtSlot(str, result=str)
    def dropped(self, url: str) -> str:
        """The path of what was dropped; "" if it is no folder here."""
        path = QUrl(url).toLocalFile()
        return path if path and Path(path).is_dir() else ""

    def _seen(self, found: tuple[str, list[str]]) -> None:
        self._folder, self._inside = found
        self.listed.emit()


def _measure(data: Path) -> dict[str, int]:
    sizes = dict.fromkeys(CLEANABLE, 0)
    for name in CLEANABLE:
        for folder, _, files in os.walk(data / name):
            for file in files:
                with contextlib.suppress(OSError):  # it went away meanwhile
                    sizes[name] += os.lstat(os.path.join(folder, file)).st_size
    return sizes


def _clean(folder: Path) -> None:
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in folder.iterdir():
        if path.name == "window.log":
            continue  # it is being written
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _look(folder: str) -> tuple[str, list[str]]:
    place = Path(folder).expanduser() if folder else Path.home()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        names = sorted((path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")), key=str.casefold)
    except OSError:
        names = []
    return str(place), names


def _size(size: int) -> str:
    amount, units = float(size), ["B", "KB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if amount >= 10 or amount == size else f"{amount:.1f} {units[0]}"
