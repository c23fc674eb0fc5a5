"""The list of transfers as QML shows it, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal

from sfumato.desktop.transfers.row import Row

ROLES = ("key", "name", "way", "between", "words", "fraction", "condition", "paused", "ended", "isMoving", "nameTaken", "tokenAsked")
_FIRST = Qt.ItemDataRole.UserRole + 1
_OF: dict[str, Callable[[Row], Any]] = {
    "key": lambda row: row.key,
    "name": lambda row: row.title,
    "way": lambda row: row.way,
    "between": Row.between,
    "fraction": lambda row: row.fraction,
    "condition": lambda row: row.news.state,
    "paused": lambda row: row.is_paused and not row.has_ended,
    "ended": lambda row: row.has_ended,
    "isMoving": lambda row: row.is_moving and not row.is_paused,
    "nameTaken": lambda row: row.is_name_taken,
    "tokenAsked": lambda row: row.asks_for_token,
}


class TransferRows(QAbstractListModel):
    """`is_here` says whether the window works with the machine of a row."""

    counted = pyqtSignal()

    def __init__(self, is_here: Callable[[Row], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._is_here = is_here

    def all(self) -> list[Row]:
        """Every row, the newest first."""
        return list(self._rows)

    def find(self, key: str) -> Row | None:
        return next((row for row in self._rows if row.key == key), None)

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Put rows on top, the last of them first."""
        for row in rows:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._rows.insert(0, row)
            self.endInsertRows()
        self.counted.emit()

    def restore(self, rows: Iterable[Row]) -> None:
        """Put what an earlier start left behind what came since."""
        for row in rows:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows))
            self._rows.append(row)
            self.endInsertRows()
        self.counted.emit()

    def remove(self, rows: Iterable[Row]) -> None:
        for row in rows:
            place = self._rows.index(row)
            self.beginRemoveRows(QModelIndex(), place, place)
            del self._rows[place]
            self.endRemoveRows()
        self.counted.emit()

    def tell(self, rows: Iterable[Row]) -> None:
        """These rows changed."""
        for row in rows:
            if row in self._rows:
                index = self.index(self._rows.index(row))
                self.dataChanged.emit(index, index)

    def roleNames(self) -> dict[int, bytes]:
        return {_FIRST + index: name.encode() for index, name in enumerate(ROLES)}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or not _FIRST <= role < _FIRST + len(ROLES):
            return None
        row, name = self._rows[index.row()], ROLES[role - _FIRST]
        return row.state_in_words(self._is_here(row)) if name == "words" else _OF[name](row)
