"""What can be undone on one canvas. A step holds what a change replaced; undoing exchanges it with what is there, so that undo and redo are exact (D68)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from PyQt5.QtCore import QRect

if TYPE_CHECKING:
    from sfumato.desktop.canvas.document import Canvas

STEPS_KEPT = 400
BYTES_KEPT = 256 * 2**20
# Steps that still wait to be packed may take this much beyond it for a moment.
SLACK_BYTES = 128 * 2**20

Background = Callable[[Callable[[], None]], None]


class Change(Protocol):
    """One part of a step."""

    def exchange(self, canvas: Canvas) -> QRect:
        """Put back what was replaced and hold what was there; the area that looks different now."""
        ...

    def pack(self) -> None: ...

    @property
    def size_bytes(self) -> int: ...


class Step:
    """Changes that are undone together, in words for the person."""

    def __init__(self, words: str, changes: Sequence[Change]) -> None:
        self.words = words
        self.changes = list(changes)
        self.size_bytes = 0
        self.count()

    def exchange(self, canvas: Canvas) -> QRect:
        area = QRect()
        for change in self.changes:
            area = area.united(change.exchange(canvas))
        self.changes.reverse()
        self.count()
        return area

    def pack(self) -> None:
        for change in tuple(self.changes):
            change.pack()
        self.count()

    def count(self) -> None:
        self.size_bytes = sum(change.size_bytes for change in self.changes)


def at_once(work: Callable[[], None]) -> None:
    work()


class History:
    """Two stacks of steps. `background(work)` runs packing away from the GUI thread; without one it is done at once."""

    def __init__(self, background: Background = at_once, steps: int = STEPS_KEPT, limit_bytes: int = BYTES_KEPT) -> None:
        self._background = background
        self._steps = steps
        self._limit_bytes = limit_bytes
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._lock = threading.Lock()

    def push(self, step: Step) -> None:
        """Remember a change that was just made; what was undone before it is gone."""
        with self._lock:
            self._undone.clear()
            self._done.append(step)
        self._trim(SLACK_BYTES)
        self._pack(step)

    def undo(self, canvas: Canvas) -> QRect:
        """Take the last step back; the area to draw again, empty if there was none."""
        return self._replay(canvas, self._done, self._undone)

    def redo(self, canvas: Canvas) -> QRect:
        return self._replay(canvas, self._undone, self._done)

    def _replay(self, canvas: Canvas, source: list[Step], target: list[Step]) -> QRect:
        with self._lock:
            if not source:
                return QRect()
            step = source.pop()
        area = step.exchange(canvas)
        with self._lock:
            target.append(step)
        self._pack(step)
        return area

    def _pack(self, step: Step) -> None:
        def work() -> None:
            step.pack()
            self._trim(0)

        self._background(work)

    def _trim(self, slack_bytes: int) -> None:
        """Forget the oldest steps; the last one always stays."""
        with self._lock:
            while len(self._done) > 1 and (len(self._done) > self._steps or self.size_bytes > self._limit_bytes + slack_bytes):
                self._done.pop(0)

    @property
    def size_bytes(self) -> int:
        return sum(step.size_bytes for step in (*self._done, *self._undone))

    @property
    def undo_words(self) -> str:
        """What undo would take back, "" for nothing."""
        return self._done[-1].words if self._done else ""

    @property
    def redo_words(self) -> str:
        return self._undone[-1].words if self._undone else ""

    def __len__(self) -> int:
        return len(self._done)
