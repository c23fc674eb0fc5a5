"""The cards that are shown, as QML reads them."""

from __future__ import annotations

from collections.abc import Collection as Group
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal

from sfumato.desktop.language import tr
from sfumato.desktop.models.browsing import fits
from sfumato.library.models_index import ModelRow

ROLES = ("path", "name", "folder", "kind", "family", "network", "precision", "size", "preview", "problem", "favourite", "active", "dim", "chosen", "badge")
ROLE = {name: Qt.ItemDataRole.UserRole + 1 + index for index, name in enumerate(ROLES)}


def size_in_words(count: int) -> str:
    """Bytes as people read them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size else f"{count / size:.0f} {unit}"
    return f"{count} B"


def problem_of(row: ModelRow) -> str:
    """Why a model cannot be used, "" if it may be."""
    if row.kind == "pickle":
        return tr("Needs conversion: a pickle can run code when it is opened. Convert makes a .safetensors file of it.")
    return row.reason or row.told.reason


class Shelf(QAbstractListModel):
    """Rows in their order. A list that differs in one place is changed in that place, so that the view stays where it is."""

    counted = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ModelRow] = []
        self._favourites: Group[str] = ()
        self._active: Group[str] = ()
        self._chosen: Group[str] = ()
        self._family = ""

    @property
    def rows(self) -> list[ModelRow]:
        return self._rows

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        return len(self._rows)

    def index_of(self, path: str) -> int:
        """The place of a model, -1 if it is not shown."""
        return next((index for index, row in enumerate(self._rows) if row.path == path), -1)

    def take(self, rows: list[ModelRow]) -> None:
        """Show these rows."""
        old = self._rows
        first = 0
        while first < min(len(old), len(rows)) and old[first].path == rows[first].path:
            first += 1
        last = 0
        while last < min(len(old), len(rows)) - first and old[-1 - last].path == rows[-1 - last].path:
            last += 1
        if len(old) - last > first:
            self.beginRemoveRows(QModelIndex(), first, len(old) - last - 1)
            self._rows = old[:first] + old[len(old) - last :]
            self.endRemoveRows()
        if len(rows) - last > first:
            self.beginInsertRows(QModelIndex(), first, len(rows) - last - 1)
            self._rows = rows
            self.endInsertRows()
        self._rows = rows
        if rows:
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
        self.counted.emit()

    def mark(self, role: str, paths: Group[str]) -> None:
        """Say which models are "favourite", "active" or "chosen"."""
        name = {"favourite": "_favourites", "active": "_active", "chosen": "_chosen"}[role]
        if getattr(self, name) != paths:
            setattr(self, name, paths)
            self._told(role)

    def compare(self, family: str) -> None:
        """Dim the models that are for another family than this."""
        if family != self._family:
            self._family = family
            self._told("dim")

    def _told(self, role: str) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), [ROLE[role]])

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for name, role in ROLE.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        number = role - ROLE["path"]
        if not index.isValid() or not 0 <= number < len(ROLES) or index.row() >= len(self._rows):
            return None
        return self._cell(self._rows[index.row()], ROLES[number])

    def _cell(self, row: ModelRow, role: str) -> Any:
        match role:
            case "path" | "folder" | "kind" | "preview":
                return getattr(row, role)
            case "name":
                return row.name
            case "family" | "network":
                return getattr(row.told, role)
            case "precision":
                return row.facts.precision
            case "size":
                return size_in_words(row.bytes)
            case "problem":
                return problem_of(row)
            case "favourite":
                return row.path in self._favourites
            case "active":
                return row.path in self._active
            case "chosen":
                return row.path in self._chosen
            case "dim":
                return not fits(row, self._family)
            case _:  # badge
                return tr("Pickle") if row.kind == "pickle" else tr("Unusable") if problem_of(row) else row.told.network or row.told.family
