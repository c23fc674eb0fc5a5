"""Whether the window's thread answers: a second thread sends it a beat every few milliseconds and measures how long the answer takes.

While an answer is late, the stack of the window's thread is read from outside, so that what held it is named. Runs with the setting "Detailed log", in tests
and in benchmarks; otherwise not at all, since a window at rest should not be woken.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass

from PyQt5.QtCore import QObject, Qt, pyqtSignal

log = logging.getLogger(__name__)

BEAT_S = 0.02
# What a person notices.
LIMIT_S = 0.1
# Some minutes of beats; what is older is forgotten.
_KEPT = 20_000


@dataclass(frozen=True)
class Beat:
    """How long one beat waited for its answer, and how much of that time the window's thread itself had a processor, both in seconds."""

    waited: float
    worked: float
    where: str = ""  # the innermost lines of the window's Python, if the answer was late


class Watchdog(QObject):
    """Measures the thread that made it. `limit_s` is from when on an answer is late: it is then logged with what held the thread."""

    _sent = pyqtSignal(float)

    def __init__(self, parent: QObject | None = None, limit_s: float = LIMIT_S, beat_s: float = BEAT_S) -> None:
        super().__init__(parent)
        self._limit_s, self._beat_s = limit_s, beat_s
        self._watched = threading.get_ident()
        self._ended, self._answered = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._spent = 0.0
        self._where = ""
        self.beats: deque[Beat] = deque(maxlen=_KEPT)
        self._sent.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    @property
    def late(self) -> list[Beat]:
        """The beats that waited longer than the limit."""
        return [beat for beat in self.beats if beat.waited > self._limit_s]

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Begin to measure; nothing if it does already."""
        if self._thread is not None:
            return
        self._ended.clear()
        self._spent = time.thread_time()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Measure no more; what was measured stays."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None

    # -- on the window's thread ------------------------------------------------------------------

    def _answer(self, sent: float) -> None:
        waited, spent = time.perf_counter() - sent, time.thread_time()
        beat = Beat(waited, min(waited, spent - self._spent), self._where if waited > self._limit_s else "")
        self._spent, self._where = spent, ""
        self.beats.append(beat)
        if waited > self._limit_s:
            log.warning(
                "the window stood still for %.0f ms, of which it worked %.0f ms%s", beat.waited * 1000, beat.worked * 1000, beat.where and ":\n" + beat.where
            )
        self._answered.set()

    # -- beside it -------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._ended.wait(self._beat_s):
            self._answered.clear()
            self._sent.emit(time.perf_counter())
            if not self._answered.wait(self._limit_s / 2):
                # In the middle of what takes too long, not after it.
                self._where = stack_of(self._watched)
                while not self._answered.wait(self._limit_s) and not self._ended.is_set():
                    pass


def stack_of(thread: int, depth: int = 6) -> str:
    """The innermost `depth` lines of a thread's Python: file, line and function. Empty if there is no such thread; its caller if Qt itself works."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return ""
    return "\n".join(f"  {line.filename}:{line.lineno} {line.name}" for line in traceback.extract_stack(frame)[-depth:])
