"""What can be undone: changes of parameters, cards, imports and the like, a stack of 100 steps for each tab. Text boxes and the canvas have their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr

STEPS_KEPT = 100
Change = Callable[[], None]


@dataclass
class Step:
    """One change in words ("Change Steps"), how it is taken back and how it is made again. Steps of one `key` in a row are one step."""

    words: str
    undo: Change
    redo: Change
    key: str = ""


@dataclass
class Stack:
    done: deque[Step] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))
    undone: list[Step] = field(default_factory=list)


def _each(changes: Sequence[Change]) -> None:
    for change in changes:
        change()


class Edits(QObject):
    """The stacks; `tab` says on which one undo and redo act."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stacks: dict[str, Stack] = {}
        self._tab = "generate"
        self._replaying = False
        self._together: list[Step] | None = None

    def push(self, words: str, undo: Change, redo: Change, key: str = "", tab: str = "generate") -> None:
        """Remember a change that has just been made. While an undo or redo runs nothing is remembered."""
        if self._replaying:
            return
        if self._together is not None:
            self._together.append(Step(words, undo, redo))
            return
        stack = self._stack(tab)
        stack.undone.clear()
        last = stack.done[-1] if stack.done else None
        if key and last is not None and last.key == key:
            stack.done[-1] = Step(words, last.undo, redo, key)
        else:
            stack.done.append(Step(words, undo, redo, key))
        self.changed.emit()

    @contextmanager
    def together(self, words: str, tab: str = "generate") -> Iterator[None]:
        """Everything pushed meanwhile is one step called `words`; nothing pushed, no step."""
        outer, self._together = self._together, []
        try:
            yield
        finally:
            steps, self._together = self._together, outer
            if steps:
                self.push(words, partial(_each, [step.undo for step in reversed(steps)]), partial(_each, [step.redo for step in steps]), tab=tab)

    def show(self, tab: str) -> None:
        """Undo and redo act on this tab from now on."""
        self._tab = tab
        self.changed.emit()

    @pyqtSlot()
    def undo(self) -> None:
        stack = self._stack(self._tab)
        if stack.done:
            step = stack.done.pop()
            stack.undone.append(step)
            self._replay(step.undo)

    @pyqtSlot()
    def redo(self) -> None:
        stack = self._stack(self._tab)
        if stack.undone:
            step = stack.undone.pop()
            stack.done.append(step)
            self._replay(step.redo)

    @pyqtProperty(str, notify=changed)
    def undoWords(self) -> str:
        """What undo would take back, "" for nothing."""
        done = self._stack(self._tab).done
        return done[-1].words if done else ""

    @pyqtProperty(str, notify=changed)
    def redoWords(self) -> str:
        undone = self._stack(self._tab).undone
        return undone[-1].words if undone else ""

    def title(self, action: str) -> str:
        """The menu's words for "undo" or "redo", with what it is about."""
        if action == "undo":
            return tr("Undo {step}", step=self.undoWords) if self.undoWords else tr("Undo")
        return tr("Redo {step}", step=self.redoWords) if self.redoWords else tr("Redo")

    def _replay(self, change: Change) -> None:
        self._replaying = True
        try:
            change()
        finally:
            self._replaying = False
            self.changed.emit()

    def _stack(self, tab: str) -> Stack:
        return self._stacks.setdefault(tab, Stack())
