"""The way to a first model: the folder where models belong, and the models of another program, used where they are."""

from __future__ import annotations

import os
from pathlib import Path

from PyQt5.QtCore import QObject, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices

from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.imaging.writing import make_folder
from sfumato.library.foreign_models import joined, model_folders
from sfumato.protocol.errors import SfumatoError

CHECKPOINTS = "checkpoints"


class FirstModels(QObject):
    """What stands in place of the pictures while there is no model."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._problem = ""
        self._added = ""

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        """Why the last folder was not taken, or ""."""
        return self._problem

    @pyqtProperty(str, notify=changed)
    def added(self) -> str:
        """What was taken, in words, or "": it is searched after a restart."""
        return self._added

    @pyqtSlot()
    def openFolder(self) -> None:
        """Show the folder where checkpoints belong; it is made if need be."""
        folder = self._shell.places.models[0] / CHECKPOINTS
        self._shell.disk.run(lambda: make_folder(folder), lambda _: self._show(folder), self._shell.complain)

    def _show(self, folder: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._shell.notices.show(tr("No program opens folders here. Models belong into {folder}.", folder=folder), kind="note")

    @pyqtSlot(str)
    def addFolder(self, typed: str) -> None:
        """Search the models of another program's folder from the next start on; typed, pasted or dropped."""
        typed = typed.strip().strip("\"'")
        path = Path(QUrl(typed).toLocalFile() if typed.startswith("file:") else os.path.expanduser(typed))

        def taken(folders: list[Path]) -> None:
            self._shell.set("models_more", joined(self._shell.settings["models_more"], folders))
            self._problem, self._added = "", tr("The models in {folders} are searched from the next start on.", folders=", ".join(map(str, folders)))
            self.changed.emit()

        self._shell.disk.run(lambda: model_folders(path), taken, self._refuse)

    def _refuse(self, error: SfumatoError) -> None:
        self._problem = error.message
        self.changed.emit()
