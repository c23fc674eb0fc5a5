"""A thread that thinks about prompts while they are typed. Of each kind of question only the newest is answered."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PyQt5.QtCore import QObject, Qt, pyqtSignal

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
# How long a thread that computes may keep the window's own from running Python; by default it is ten times as long, and a key calls Python several times.
SWITCH_S = 0.0005
Work = Callable[[], Any]
Done = Callable[[Any], None]


class Analyst(QObject):
    """`ask(subject, work, done)`: `work` on the thread, then `done(result)` on the GUI thread, unless the subject was asked about again."""

    _ended = pyqtSignal(str, int, object, object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked = threading.Condition()
        self._waiting: dict[str, tuple[int, Work, Done]] = {}
        self._newest: dict[str, int] = {}
        self._closed = False
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
        self._ended.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def ask(self, subject: str, work: Work, done: Done) -> None:
        """Answer a question; an earlier one about the same subject is forgotten, or its answer is dropped."""
        with self._asked:
            number = self._newest[subject] = self._newest.get(subject, 0) + 1
            self._waiting.pop(subject, None)
            self._waiting[subject] = number, work, done
            self._asked.notify()

    def forget(self, subject: str) -> None:
        """Drop what was asked about a subject."""
        with self._asked:
            self._newest[subject] = self._newest.get(subject, 0) + 1
            self._waiting.pop(subject, None)

    def close(self) -> None:
        """End the thread; questions that wait are dropped."""
        with self._asked:
            self._closed = True
            self._waiting.clear()
            self._asked.notify()
        self._thread.join(PATIENCE_S)

    @property
    def closing(self) -> bool:
        """Whether work should end early."""
        return self._closed

    def _serve(self) -> None:
        while True:
            with self._asked:
                while not self._waiting and not self._closed:
                    self._asked.wait()
                if self._closed:
                    return
                subject = next(iter(self._waiting))
                number, work, done = self._waiting.pop(subject)
            try:
                result = work()
            except Exception:
                log.exception("a question about a prompt could not be answered: %s", subject)
                number, result = -1, None
            with suppress(RuntimeError):  # the window is gone
                self._ended.emit(subject, number, done, result)

    def _tell(self, subject: str, number: int, done: Done, result: Any) -> None:
        if self._newest.get(subject) == number and not self._closed:
            done(result)
