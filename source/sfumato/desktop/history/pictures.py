"""The list of pictures found: all their numbers at once, what a grid shows of them a window at a time, and which are chosen."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.library.history.index import Cell

ROLES = ("path", "fileName", "rating", "favourite", "gone", "chosen", "prompt", "pictureWidth", "pictureHeight")
# Rows fetched around those that were asked for, and rows kept.
AROUND = 60
KEPT = 4000

Fetch = Callable[[list[int], Callable[[dict[int, Cell]], None]], None]


class PictureList(QAbstractListModel):
    """Rows are fetched by `fetch(numbers, done)`, away from the GUI thread; `done` is called on it."""

    changed = pyqtSignal()  # how many, which is current, which are chosen
    arrived = pyqtSignal()  # cells of rows that were not known

    def __init__(self, fetch: Fetch, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._fetch = fetch
        self._numbers: array[int] = array("q")
        self._cells: OrderedDict[int, Cell] = OrderedDict()
        self._asked: set[int] = set()
        self._rows: dict[int, int] = {}  # where a picture was when the scene last asked for it
        self._wanted: set[int] = set()
        self._chosen: set[int] = set()
        self._current = -1  # a number, not a row
        self._anchor = -1
        self._roles = {Qt.ItemDataRole.UserRole + 1 + place: name for place, name in enumerate(ROLES)}
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(0)
        self._gather.timeout.connect(self._ask)

    # -- what is shown ---------------------------------------------------------------------------

    def show(self, numbers: array[int], cells: dict[int, Cell] | None = None) -> None:
        """Show other pictures: from the top."""
        self.beginResetModel()
        self._numbers = numbers
        self._asked.clear()
        self._rows.clear()
        self._take(cells or {})
        self.endResetModel()
        self._keep_chosen()

    def follow(self, numbers: array[int]) -> None:
        """Show what became of the same pictures: rows come and go where they are, and nothing jumps."""
        old, new = self._numbers, numbers
        head = _same(old, new, min(len(old), len(new)))
        tail = _same(old[head:][::-1], new[head:][::-1], min(len(old), len(new)) - head)
        if len(old) > head + tail:
            self.beginRemoveRows(QModelIndex(), head, len(old) - tail - 1)
            self._numbers = old[:head] + old[len(old) - tail :]
            self.endRemoveRows()
        if len(new) > head + tail:
            self.beginInsertRows(QModelIndex(), head, len(new) - tail - 1)
            self._numbers = new
            self.endInsertRows()
        self._keep_chosen()

    def refresh(self, numbers: Iterable[int]) -> None:
        """Something about these pictures changed: fetch them again where they are known."""
        known = [number for number in numbers if number in self._cells]
        if known:
            self._fetch(known, self._arrive)

    @property
    def numbers(self) -> array[int]:
        return self._numbers

    def cell(self, number: int) -> Cell | None:
        return self._cells.get(number)

    def _keep_chosen(self) -> None:
        if self._chosen:
            self._chosen &= set(self._numbers)
        if self._current != -1 and self._current not in self._numbers:
            self._current = self._anchor = -1
        self.changed.emit()

    # -- a window at a time ----------------------------------------------------------------------

    def _ask(self) -> None:
        rows, self._wanted = self._wanted, set()
        if not rows:
            return
        first, last = max(0, min(rows) - AROUND), min(len(self._numbers), max(rows) + AROUND + 1)
        if last - first > 20 * AROUND:  # asked from places far apart
            numbers = [self._numbers[row] for row in rows if row < len(self._numbers)]
        else:
            numbers = list(self._numbers[first:last])
        numbers = [number for number in numbers if number not in self._cells and number not in self._asked]
        if numbers:
            self._asked.update(numbers)
            self._fetch(numbers, self._arrive)

    def _arrive(self, cells: dict[int, Cell]) -> None:
        self._take(cells)
        self._tell(cells)
        self.arrived.emit()

    def _take(self, cells: dict[int, Cell]) -> None:
        for number, cell in cells.items():
            self._cells[number] = cell
            self._cells.move_to_end(number)
            self._asked.discard(number)
        while len(self._cells) > KEPT:
            self._cells.popitem(last=False)

    def _tell(self, numbers: Iterable[int], roles: Sequence[int] = ()) -> None:
        """Rows changed; one signal from the first to the last of them, the scene asks only for those it shows."""
        # The scene knows nothing of rows it never asked for.
        rows = [self.row_of(number) for number in numbers if number in self._rows]
        rows = [row for row in rows if row >= 0]
        if rows:
            self.dataChanged.emit(self.index(min(rows)), self.index(max(rows)), list(roles))

    def row_of(self, number: int) -> int:
        """The place of a picture, -1 if it is not shown."""
        row = self._rows.get(number, -1)
        if 0 <= row < len(self._numbers) and self._numbers[row] == number:
            return row
        try:
            row = self._rows[number] = self._numbers.index(number)
        except ValueError:
            self._rows.pop(number, None)
            return -1
        return row

    # -- which are chosen ------------------------------------------------------------------------

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._numbers)

    @pyqtProperty(int, notify=changed)
    def current(self) -> int:
        """The row with the frame, -1 for none."""
        return self.row_of(self._current) if self._current != -1 else -1

    @pyqtProperty(int, notify=changed)
    def chosenCount(self) -> int:
        return len(self._chosen)

    @property
    def current_number(self) -> int:
        return self._current

    @property
    def chosen(self) -> list[int]:
        """Numbers of the chosen pictures, in the order of the rows."""
        return [number for number in self._numbers if number in self._chosen] if self._chosen else []

    @pyqtSlot(int, bool, bool)
    def press(self, row: int, adds: bool, ranges: bool) -> None:
        """Choose a row: alone, added to the others or taken from them, or all from the last one on."""
        if not 0 <= row < len(self._numbers):
            return
        number = self._numbers[row]
        before = set(self._chosen)
        if ranges and self._anchor != -1 and (anchor := self.row_of(self._anchor)) >= 0:
            inside = set(self._numbers[min(anchor, row) : max(anchor, row) + 1])
            self._chosen = self._chosen | inside if adds else inside
        elif adds:
            self._chosen = self._chosen ^ {number}
            self._anchor = number
        else:
            self._chosen = {number}
            self._anchor = number
        self._current = number
        self._told_chosen(before)

    @pyqtSlot(int, bool, bool)
    def move(self, row: int, adds: bool, ranges: bool) -> None:
        """Go to a row with the keys: what is passed stays chosen with `adds`, everything between is with `ranges`."""
        row = max(0, min(len(self._numbers) - 1, row))
        if adds and not ranges and self._numbers:
            before = set(self._chosen)
            self._current = self._anchor = self._numbers[row]
            self._chosen = self._chosen | {self._current}
            self._told_chosen(before)
        else:
            self.press(row, adds, ranges)

    @pyqtSlot()
    def chooseAll(self) -> None:
        before = set(self._chosen)
        self._chosen = set(self._numbers)
        if self._current == -1 and self._numbers:
            self._current = self._anchor = self._numbers[0]
        self._told_chosen(before)

    def choose(self, numbers: Iterable[int]) -> None:
        """Choose these and no others."""
        before = set(self._chosen)
        self._chosen = {number for number in numbers if number in self._numbers}
        self._told_chosen(before)

    def _told_chosen(self, before: set[int]) -> None:
        differing = before ^ self._chosen
        chosen_role = next(role for role, name in self._roles.items() if name == "chosen")
        if len(differing) > 200:
            self.dataChanged.emit(self.index(0), self.index(len(self._numbers) - 1), [chosen_role])
        else:
            for number in differing & self._rows.keys():
                self._tell((number,), [chosen_role])
        self.changed.emit()

    # -- the model QML reads ---------------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._numbers)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        row = index.row()
        if role not in self._roles or not 0 <= row < len(self._numbers):
            return None
        number, name = self._numbers[row], self._roles[role]
        self._rows[number] = row
        if name == "chosen":
            return number in self._chosen
        cell = self._cells.get(number)
        if cell is None:
            self._wanted.add(row)
            if not self._gather.isActive():
                self._gather.start()
            return _UNKNOWN[name]
        return _value(cell, name)


_UNKNOWN: dict[str, Any] = {
    "path": "",
    "fileName": "",
    "rating": 0,
    "favourite": False,
    "gone": False,
    "prompt": "",
    "pictureWidth": 0,
    "pictureHeight": 0,
}


def _value(cell: Cell, name: str) -> Any:
    match name:
        case "fileName":
            return cell.name
        case "pictureWidth":
            return cell.width
        case "pictureHeight":
            return cell.height
        case _:
            return getattr(cell, name)


def _same(one: array[int], other: array[int], most: int) -> int:
    """How many of the first `most` numbers agree."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
