"""The inspector: a header as a tree of which only what was opened is here; the rest stays in a process that answers questions. Rule: D119."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, QProcess, QProcessEnvironment, Qt, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.language import tr
from sfumato.library.inspection import PAGE

ROLES = ("key", "value", "depth", "count", "isOpen", "isMore", "isFound", "whole")
ROLE = {name: Qt.ItemDataRole.UserRole + 1 + index for index, name in enumerate(ROLES)}
SOURCE_FOLDER = Path(__file__).resolve().parents[3]
END_MS = 500

Answer = Callable[[Any], None]


@dataclass
class Line:
    """A line of the tree; `more` is the number of the next child where a long list goes on."""

    place: tuple[int, ...]
    key: str = ""
    value: str = ""
    count: int = 0
    whole: bool = True
    is_open: bool = False
    more: int = 0


class Inspector(QAbstractListModel):
    """`open(path)`, then lines; `jumped(index)` asks the view to show a line."""

    changed = pyqtSignal()
    jumped = pyqtSignal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = ""
        self._problem = ""
        self._busy = False
        self._lines: list[Line] = []
        self._tags: list[dict[str, Any]] = []
        self._found: list[tuple[int, ...]] = []
        self._at = -1
        self._process: QProcess | None = None
        self._waiting: dict[int, Answer] = {}
        self._number = 0
        self._read = b""

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def path(self) -> str:
        """The file that is open, "" for none."""
        return self._path

    @pyqtProperty(str, notify=changed)
    def name(self) -> str:
        return os.path.basename(self._path)

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        return self._problem

    @pyqtProperty(bool, notify=changed)
    def busy(self) -> bool:
        return self._busy

    @pyqtProperty("QVariantList", notify=changed)
    def tags(self) -> list[dict[str, Any]]:
        """Training tags, {tag, count}, the most frequent first."""
        return self._tags

    @pyqtProperty(int, notify=changed)
    def foundCount(self) -> int:
        return len(self._found)

    @pyqtProperty(int, notify=changed)
    def foundAt(self) -> int:
        """Which of the places found is shown, from 1; 0 for none."""
        return self._at + 1

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str)
    def open(self, path: str) -> None:
        """Show the header of a file."""
        self.close()
        self._path, self._busy = path, True
        process = self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONPATH", os.pathsep.join(part for part in (str(SOURCE_FOLDER), environment.value("PYTHONPATH")) if part))
        environment.insert("PYTHONUTF8", "1")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._hear)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._ended)
        process.start(sys.executable, ["-m", "sfumato.library.inspection", path])
        self._ask({"ask": "children", "place": [], "start": 0}, self._take_roots)
        self._ask({"ask": "tags"}, self._take_tags)
        self.changed.emit()

    @pyqtSlot()
    def close(self) -> None:
        """Forget the file and end its process."""
        process, self._process = self._process, None
        if process is not None:
            process.disconnect()
            process.closeWriteChannel()
            if not process.waitForFinished(0):
                process.kill()
                process.waitForFinished(END_MS)
            process.deleteLater()
        self._waiting.clear()
        self._read = b""
        self.beginResetModel()
        self._lines = []
        self.endResetModel()
        self._path, self._problem, self._busy, self._tags, self._found, self._at = "", "", False, [], [], -1
        self.changed.emit()

    @pyqtSlot(int)
    def toggle(self, index: int) -> None:
        """Open or close a node; the line after a long list brings more of it."""
        if not 0 <= index < len(self._lines):
            return
        line = self._lines[index]
        if line.more:
            self._bring(line.place, line.more, lambda: None)
        elif line.count and not line.is_open:
            self._bring(line.place, 0, lambda: None)
        elif line.is_open:
            last = index + 1
            while last < len(self._lines) and len(self._lines[last].place) > len(line.place):
                last += 1
            # A line that says "more" carries its parent's place.
            while last < len(self._lines) and self._lines[last].more and self._lines[last].place == line.place:
                last += 1
            self.beginRemoveRows(QModelIndex(), index + 1, last - 1)
            del self._lines[index + 1 : last]
            self.endRemoveRows()
            line.is_open = False
            self.dataChanged.emit(self.index(index), self.index(index))

    @pyqtSlot(str)
    def search(self, text: str) -> None:
        """Find a text in keys and values, and jump to the first place."""
        self._found, self._at = [], -1
        if text.strip():
            self._ask({"ask": "find", "text": text.strip()}, self._take_found)
        self.changed.emit()

    @pyqtSlot(int)
    def step(self, distance: int) -> None:
        """Jump to the next or the last place found."""
        if self._found:
            self._at = (self._at + distance) % len(self._found)
            self._reach(self._found[self._at], 1)
            self.changed.emit()

    @pyqtSlot(int)
    def copy(self, index: int) -> None:
        """Put a node, or with -1 everything, on the clipboard as JSON."""
        place = list(self._lines[index].place) if 0 <= index < len(self._lines) else []
        self._ask({"ask": "text", "place": place}, lambda text: QGuiApplication.clipboard().setText(text or ""))

    # -- the process -----------------------------------------------------------------------------

    def _ask(self, question: dict[str, Any], then: Answer) -> None:
        if self._process is None:
            return
        self._number += 1
        self._waiting[self._number] = then
        self._process.write(json.dumps(question | {"id": self._number}).encode() + b"\n")

    def _hear(self) -> None:
        if self._process is None:
            return
        self._read += bytes(self._process.readAllStandardOutput())
        *lines, self._read = self._read.split(b"\n")
        for line in lines:
            reply = json.loads(line)
            then = self._waiting.pop(reply["id"], None)
            if "problem" in reply:
                self._fail(reply["problem"])
            elif then is not None:
                then(reply["answer"])

    def _ended(self, *_: object) -> None:
        self._fail(tr("The file could not be read to its end. Try again."))

    def _fail(self, sentence: str) -> None:
        self._problem, self._busy = self._problem or sentence, False
        self.changed.emit()

    # -- answers ---------------------------------------------------------------------------------

    def _take_roots(self, nodes: list[dict[str, Any]]) -> None:
        self._busy = False
        self._insert(0, (), 0, nodes, len(nodes))
        self.changed.emit()
        if self._lines and self._lines[0].count:
            self.toggle(0)

    def _take_tags(self, tags: list[tuple[str, int]]) -> None:
        self._tags = [{"tag": tag, "count": count} for tag, count in tags]
        self.changed.emit()

    def _take_found(self, places: list[list[int]]) -> None:
        self._found = [tuple(place) for place in places]
        self._at = -1
        self.step(1)
        self.changed.emit()

    def _bring(self, place: tuple[int, ...], start: int, then: Callable[[], None]) -> None:
        self._ask({"ask": "children", "place": list(place), "start": start}, lambda nodes: self._opened(place, start, nodes or [], then))

    def _opened(self, place: tuple[int, ...], start: int, nodes: list[dict[str, Any]], then: Callable[[], None]) -> None:
        parent = self._index_of(place)
        if parent < 0 or (self._lines[parent].is_open and not start):
            then()
            return
        line = self._lines[parent]
        at = parent + 1
        if start:
            more = next((index for index, each in enumerate(self._lines) if each.more == start and each.place == place), -1)
            if more < 0:
                then()
                return
            self.beginRemoveRows(QModelIndex(), more, more)
            del self._lines[more]
            self.endRemoveRows()
            at = more
        line.is_open = True
        self._insert(at, place, start, nodes, line.count)
        self.dataChanged.emit(self.index(parent), self.index(parent))
        then()

    def _insert(self, at: int, place: tuple[int, ...], start: int, nodes: list[dict[str, Any]], total: int) -> None:
        lines = [Line((*place, start + index), node["key"], node["value"], node["count"], node["whole"]) for index, node in enumerate(nodes)]
        if start + len(nodes) < total and len(nodes) == PAGE:
            lines.append(Line(place, tr("{count} more", count=total - start - len(nodes)), more=start + len(nodes)))
        if lines:
            self.beginInsertRows(QModelIndex(), at, at + len(lines) - 1)
            self._lines[at:at] = lines
            self.endInsertRows()

    def _reach(self, place: tuple[int, ...], depth: int) -> None:
        """Open what leads to a place, one step after the other, and jump there."""
        if place not in self._found:
            return
        step = place[:depth]
        index = self._index_of(step)
        if index < 0:
            parent = step[:-1]
            more = next((line.more for line in self._lines if line.more and line.place == parent), 0)
            if more:
                self._bring(parent, more, lambda: self._reach(place, depth))
        elif depth < len(place):
            if self._lines[index].is_open:
                self._reach(place, depth + 1)
            else:
                self._bring(step, 0, lambda: self._reach(place, depth + 1))
        else:
            self.dataChanged.emit(self.index(0), self.index(len(self._lines) - 1), [ROLE["isFound"]])
            self.jumped.emit(index)

    def _index_of(self, place: tuple[int, ...]) -> int:
        return next((index for index, line in enumerate(self._lines) if line.place == place and not line.more), -1)

    # -- the model QML reads ---------------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for name, role in ROLE.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._lines)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        number = role - ROLE["key"]
        if not index.isValid() or not 0 <= number < len(ROLES):
            return None
        line = self._lines[index.row()]
        match ROLES[number]:
            case "key" | "value" | "count" | "whole" as name:
                return getattr(line, name)
            case "depth":
                return len(line.place) - (0 if line.more else 1)
            case "isOpen":
                return line.is_open
            case "isMore":
                return bool(line.more)
            case _:
                return self._at >= 0 and not line.more and line.place == self._found[self._at]
