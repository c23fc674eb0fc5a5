"""The clients of the relay as rows of the panel; rows stay where they are while their figures change, so that the focus does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal

from sfumato.desktop.language import tr

ROLES = ("session", "title", "address", "rights", "latency", "jobs")
_FIRST = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class ClientRow:
    """One who is connected: what it calls itself, where it comes from, what it may do, how far away and how busy it is."""

    session: str
    label: str
    address: str
    role: str
    latency_s: float | None = None
    waiting: int = 0
    running: int = 0

    def cell(self, role: str) -> str:
        """A role of the model, in words."""
        words = {
            "session": lambda: self.session,
            "title": lambda: self.label or self.address,
            "address": lambda: self.address if self.label else "",
            "rights": lambda: tr("Everything") if self.role == "owner" else tr("Read-only"),
            "latency": lambda: tr("{number} ms", number=round(self.latency_s * 1000)) if self.latency_s is not None else "",
            "jobs": self._jobs,
        }
        return words[role]()

    def _jobs(self) -> str:
        if not self.running and not self.waiting:
            return tr("No jobs")
        parts = [tr("{number} running", number=self.running)] if self.running else []
        return ", ".join([*parts, tr("{number} waiting", number=self.waiting)] if self.waiting else parts)


class ClientList(QAbstractListModel):
    """`studio.host.clients`."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ClientRow] = []

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._rows)

    def show(self, rows: Iterable[ClientRow]) -> None:
        """What is true now."""
        found = {row.session: row for row in rows}
        before = len(self._rows)
        for place in reversed(range(len(self._rows))):
            if self._rows[place].session not in found:
                self.beginRemoveRows(QModelIndex(), place, place)
                del self._rows[place]
                self.endRemoveRows()
        for place, row in enumerate(self._rows):
            new = found.pop(row.session)
            if new != row:
                self._rows[place] = new
                self.dataChanged.emit(self.index(place, 0), self.index(place, 0))
        if found:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(found) - 1)
            self._rows += found.values()
            self.endInsertRows()
        if len(self._rows) != before:
            self.changed.emit()

    def roleNames(self) -> dict[int, bytes]:
        return {_FIRST + place: name.encode() for place, name in enumerate(ROLES)}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or not _FIRST <= role < _FIRST + len(ROLES):
            return None
        return self._rows[index.row()].cell(ROLES[role - _FIRST])
