"""The guide of the Help menu: the page docs/window.md with its pictures, read when it is first opened. It needs no network."""

from __future__ import annotations

from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal

from sfumato.config import PROGRAM_FOLDER
from sfumato.desktop.images import address
from sfumato.desktop.shell import Shell
from sfumato.library.guide import HEADING, Block, read_guide

PAGE = PROGRAM_FOLDER / "docs" / "window.md"


class Guide(QObject):
    """Rows of the guide for a list, and where its headings are."""

    changed = pyqtSignal()
    openAsked = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._rows: list[dict[str, Any]] = []
        shell.register({"guide": self._open})

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        """The page in order: {kind, text, level, source}."""
        return self._rows

    @pyqtProperty("QVariantList", notify=changed)
    def headings(self) -> list[dict[str, Any]]:
        """The sections: {text, place}, the place being a row."""
        return [{"text": row["text"], "place": place} for place, row in enumerate(self._rows) if row["kind"] == HEADING and row["level"] == 2]

    def _open(self) -> None:
        if self._rows:
            self.openAsked.emit()
        else:
            self._shell.disk.run(partial(read_guide, PAGE), self._show, self._shell.complain)

    def _show(self, found: list[Block]) -> None:
        self._rows = [{"kind": block.kind, "text": block.text, "level": block.level, "source": address(block.path) if block.path else ""} for block in found]
        self.changed.emit()
        self.openAsked.emit()
