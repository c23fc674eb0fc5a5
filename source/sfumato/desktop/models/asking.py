"""One question at a time, asked in the page itself: words, and answers of which the first is the one that is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot


@dataclass(frozen=True)
class Answer:
    """`is_first`: Enter gives it."""

    words: str
    then: Callable[[], Any]
    is_first: bool = False


class Asking(QObject):
    """`studio.models.asking`; no answer is always one, and changes nothing."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self._answers: Sequence[Answer] = ()

    def ask(self, words: str, answers: Sequence[Answer]) -> None:
        """Ask; a question that is open is dropped."""
        self._words, self._answers = words, answers
        self.changed.emit()

    @pyqtProperty(str, notify=changed)
    def words(self) -> str:
        return self._words

    @pyqtProperty("QVariantList", notify=changed)
    def answers(self) -> list[dict[str, Any]]:
        return [{"words": answer.words, "isFirst": answer.is_first} for answer in self._answers]

    @pyqtSlot(int)
    def give(self, index: int) -> None:
        """Give an answer; -1 for none."""
        answers, self._answers, self._words = self._answers, (), ""
        self.changed.emit()
        if 0 <= index < len(answers):
            answers[index].then()
