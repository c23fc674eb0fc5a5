"""Cells of finished sheets: which one was clicked, and its parameters for the next picture."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import KIND
from sfumato.desktop.shell import Shell
from sfumato.imaging.document import own_document, written
from sfumato.imaging.picture import read_picture
from sfumato.jobs.grid_sheets import cell_at
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate


class GridCells(QObject):
    """`studio.grid.cells`.

    Args:
        offer: shows what a text tells and lets a person choose what of it is taken.
    """

    changed = pyqtSignal()

    def __init__(self, shell: Shell, offer: Callable[[str], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell, self._offer = shell, offer
        self._path, self._words = "", ""
        self._params: dict[str, Any] = {}

    @pyqtProperty(str, notify=changed)
    def path(self) -> str:
        """The file of the sheet of which a cell is chosen, "" for none."""
        return self._path

    @pyqtProperty(str, notify=changed)
    def words(self) -> str:
        """The labels of the chosen cell."""
        return self._words

    @pyqtSlot(str, float, float)
    def look(self, path: str, x: float, y: float) -> None:
        """Choose the cell at a place of a sheet, in its pixels; beside the cells none."""
        self._shell.disk.run(lambda: _cell(Path(path), x, y), partial(self._take, path), self._shell.complain)

    def _take(self, path: str, found: tuple[dict[str, Any], str] | None) -> None:
        self._path, self._params, self._words = (path, *found) if found else ("", {}, "")
        self.changed.emit()

    @pyqtSlot()
    def leave(self) -> None:
        """Choose none."""
        self._take("", None)

    @pyqtSlot()
    def use(self) -> None:
        """Offer the parameters of the chosen cell."""
        if self._params:
            params = self._params
            self._shell.disk.run(lambda: _told(params), self._offer, self._shell.complain)


def _cell(path: Path, x: float, y: float) -> tuple[dict[str, Any], str] | None:
    own = read_picture(path).own
    grid = own.get("grid") if own else None
    return cell_at(grid, x, y) if isinstance(grid, dict) else None


def _told(params: dict[str, Any]) -> str:
    """The record of a picture that such a job makes. Raises `Invalid` where the sheet is from a program with other parameters."""
    request = validate(Generate, params).model_dump(mode="json")
    image = {"index": 0, "seed": request["seed"], "width": request["width"] or 0, "height": request["height"] or 0}
    return written(own_document(KIND, request, image, datetime.now().astimezone()))
