"""Folders to choose pictures from: `studio.inputs.browser`, a list of the folders and pictures of one folder, read away from the GUI thread."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, QStandardPaths, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.inputs.bulk import is_picture, natural
from sfumato.desktop.language import tr
from sfumato.desktop.parameters.values import file_of
from sfumato.desktop.shell import Shell

ROLES = ("name", "path", "isFolder")
SHOWN_AT_MOST = 5000
Entry = tuple[str, str, bool]


class Browser(QAbstractListModel):
    """What is in `folder`: folders first, then pictures, in natural order."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._entries: list[Entry] = []
        self._folder = shell.session.restored("browsed", str, "")
        self._problem = ""
        self._asked = ""
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}
        shell.session.keep("browsed", lambda: self._folder)

    @pyqtProperty(str, notify=changed)
    def folder(self) -> str:
        return self._folder

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        """Why the folder cannot be shown, "" if it can."""
        return self._problem

    @pyqtProperty("QVariantList", constant=True)
    def places(self) -> list[dict[str, str]]:
        """Where pictures are likely to be."""
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        downloads = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        rows = ((tr("Outputs"), str(self._shell.places.outputs)), (tr("Pictures"), pictures), (tr("Downloads"), downloads), (tr("Home"), str(Path.home())))
        return [{"label": label, "path": path} for label, path in rows if path]

    @pyqtSlot(str)
    def open(self, text: str) -> None:
        """Show a folder, as typed or chosen; "" the one shown last."""
        path = file_of(text) or self._folder or str(self._shell.places.outputs)
        self._asked = path

        def done(found: tuple[list[Entry], str]) -> None:
            if path == self._asked:
                self._show(path, *found)

        self._shell.disk.run(partial(_entries, path), done, self._shell.complain)

    @pyqtSlot()
    def up(self) -> None:
        """Show the folder around this one."""
        self.open(str(Path(self._folder).parent))

    @pyqtSlot(int, result=str)
    def pathAt(self, index: int) -> str:
        return self._entries[index][1] if 0 <= index < len(self._entries) else ""

    @pyqtSlot(int, result=bool)
    def isFolderAt(self, index: int) -> bool:
        return 0 <= index < len(self._entries) and self._entries[index][2]

    @pyqtProperty(int, notify=changed)
    def pictures(self) -> int:
        """How many of the rows are pictures."""
        return sum(not folder for _, _, folder in self._entries)

    def _show(self, folder: str, entries: list[Entry], problem: str) -> None:
        self.beginResetModel()
        self._folder, self._entries, self._problem = folder, entries, problem
        self.endResetModel()
        self._shell.session.touch()
        self.changed.emit()

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in self._roles:
            return None
        return self._entries[index.row()][ROLES.index(self._roles[role])]


def _entries(folder: str) -> tuple[list[Entry], str]:
    """What is in a folder, and why it cannot be shown."""
    try:
        with os.scandir(folder) as found:
            seen = [(entry.name, entry.path, entry.is_dir()) for entry in found if not entry.name.startswith(".")]
    except OSError as error:
        return [], tr("'{folder}' cannot be opened: {reason}. Choose another folder.", folder=folder, reason=(error.strerror or str(error)).lower())
    shown = [entry for entry in seen if entry[2] or is_picture(entry[0])]
    return sorted(shown, key=lambda entry: (not entry[2], natural(entry[1])))[:SHOWN_AT_MOST], ""
