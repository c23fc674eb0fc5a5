"""The values of a proposal as the rows of a list, each with its check box."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.importing.proposal import Row
from sfumato.desktop.language import tr
from sfumato.protocol.params import GROUPS

ROLES = ("name", "title", "section", "words", "now", "same", "chosen", "note", "blocked")


class ImportRows(QAbstractListModel):
    """Rows that would change something first of all; those that are as they are now are shown when asked for."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Row, ...] = ()
        self._shown: list[Row] = []
        self._chosen: set[str] = set()
        self._with_same = False
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}

    def fill(self, rows: tuple[Row, ...]) -> None:
        """Take the rows of a proposal, boxes as it proposes."""
        self._all = rows
        self._chosen = {row.name for row in rows if row.chosen}
        self._with_same = False
        self._show()

    @property
    def chosen(self) -> dict[str, Any]:
        """What is to be taken over: values by parameter."""
        return {row.name: row.value for row in self._all if row.name in self._chosen}

    def _show(self) -> None:
        self.beginResetModel()
        self._shown = [row for row in self._all if self._with_same or not row.same]
        self.endResetModel()
        self.changed.emit()

    # -- what QML reads and calls ----------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in self._roles:
            return None
        row = self._shown[index.row()]
        match self._roles[role]:
            case "section":
                return tr(GROUPS.get(row.group, row.group))
            case "now":
                return row.current
            case "chosen":
                return row.name in self._chosen
            case name:
                return getattr(row, name)

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        """Values that are taken over."""
        return len(self._chosen)

    @pyqtProperty(int, notify=changed)
    def same(self) -> int:
        """Values that are as they are now."""
        return sum(row.same for row in self._all)

    def _get_with_same(self) -> bool:
        return self._with_same

    def _set_with_same(self, shown: bool) -> None:
        if shown != self._with_same:
            self._with_same = shown
            self._show()

    withSame = pyqtProperty(bool, _get_with_same, _set_with_same, notify=changed)

    @pyqtSlot(int, bool)
    def choose(self, index: int, chosen: bool) -> None:
        """Check or clear one box; a value that nothing here is like keeps its box empty."""
        if 0 <= index < len(self._shown) and not self._shown[index].blocked:
            self._mark([self._shown[index]], chosen)

    @pyqtSlot(int)
    def toggle(self, index: int) -> None:
        if 0 <= index < len(self._shown):
            self.choose(index, self._shown[index].name not in self._chosen)

    @pyqtSlot(bool)
    def chooseAll(self, chosen: bool) -> None:
        """Check every box that can be, or none."""
        self._mark([row for row in self._shown if not row.blocked], chosen)

    def _mark(self, rows: list[Row], chosen: bool) -> None:
        names = {row.name for row in rows}
        self._chosen = self._chosen | names if chosen else self._chosen - names
        if self._shown:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown) - 1))
        self.changed.emit()
