"""What went wrong or should be known: one non-modal notice at a time, repeated ones counted, each with details to copy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.language import told

KEPT = 50


@dataclass(frozen=True)
class Notice:
    """`kind` is "error" or "note"; `detail` holds numbers and traces, never the headline; `action` is an action id of shortcuts.py or ""."""

    kind: str
    sentence: str
    detail: str = ""
    action: str = ""
    count: int = 1


class Notices(QObject):
    """The newest notice is shown; dismissing it shows the one before."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notices: list[Notice] = []

    def show(self, sentence: str, detail: str = "", kind: str = "error", action: str = "") -> None:
        """Show a sentence; the same one again raises its count instead of stacking."""
        sentence = told(sentence)
        for index, notice in enumerate(self._notices):
            if (notice.kind, notice.sentence) == (kind, sentence):
                self._notices.append(replace(self._notices.pop(index), detail=detail or notice.detail, count=notice.count + 1))
                break
        else:
            self._notices.append(Notice(kind, sentence, detail, action))
            del self._notices[:-KEPT]
        self.changed.emit()

    def withdraw(self, action: str) -> None:
        """Drop the notices that offer `action`, because what they were about is over."""
        left = [notice for notice in self._notices if notice.action != action]
        if len(left) < len(self._notices):
            self._notices = left
            self.changed.emit()

    @property
    def current(self) -> Notice | None:
        return self._notices[-1] if self._notices else None

    @pyqtProperty(bool, notify=changed)
    def present(self) -> bool:
        return bool(self._notices)

    @pyqtProperty(str, notify=changed)
    def kind(self) -> str:
        return self.current.kind if self.current else ""

    @pyqtProperty(str, notify=changed)
    def sentence(self) -> str:
        return self.current.sentence if self.current else ""

    @pyqtProperty(str, notify=changed)
    def detail(self) -> str:
        return self.current.detail if self.current else ""

    @pyqtProperty(str, notify=changed)
    def action(self) -> str:
        return self.current.action if self.current else ""

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return self.current.count if self.current else 0

    @pyqtSlot()
    def dismiss(self) -> None:
        if self._notices:
            self._notices.pop()
            self.changed.emit()

    @pyqtSlot()
    def copyDetails(self) -> None:
        """Put sentence and details of the current notice on the clipboard."""
        if self.current:
            QGuiApplication.clipboard().setText("\n\n".join(part for part in (self.current.sentence, self.current.detail) if part))
