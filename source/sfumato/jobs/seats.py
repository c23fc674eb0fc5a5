"""Where a client hears: one event at a time, in order, with no lock of the dispatcher held, and no client waiting for another.

A seat speaks from a thread of its own, so that a client that takes its time holds up nobody; the seat of the only client of a process does without: whoever
put something there also says it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


class Seat(Generic[T]):
    """Hands on what is put into it.

    Args:
        hear: called with one thing at a time.
        name: of the seat's thread; "" for a seat without one, whose things are said by `deliver`.
    """

    def __init__(self, hear: Callable[[T], None], name: str = "") -> None:
        self._hear: Callable[[T], None] | None = hear
        self._waiting: deque[T] = deque()
        self._is_speaking = False
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._speak, name=name, daemon=True) if name else None
        if self._thread is not None:
            self._thread.start()

    def put(self, thing: T) -> None:
        """Say `thing` after everything before it; never blocks."""
        with self._changed:
            if not self._is_closed:
                self._waiting.append(thing)
                self._changed.notify()

    def deliver(self) -> None:
        """Say what waits, unless another thread, or a caller of this one, is just doing so. For a seat without a thread."""
        if self._thread is None:
            while self._say_next():
                continue

    def close(self) -> None:
        """Say nothing more; what is just being said may still be heard."""
        with self._changed:
            self._is_closed = True
            # Records of jobs remember their seat for long, and must not keep what heard there: a connection with all that waited for it.
            self._hear = None
            self._waiting.clear()
            self._changed.notify()

    def _speak(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
            self._say_next()

    def _say_next(self) -> bool:
        with self._changed:
            hear = self._hear
            if self._is_speaking or not self._waiting or hear is None:
                return False
            self._is_speaking = True
            thing = self._waiting.popleft()
        try:
            hear(thing)
        except Exception:  # a client's mistake must not end the thread that keeps the engine
            log.exception("the client failed at %s", type(thing).__name__)
        finally:
            with self._changed:
                self._is_speaking = False
        return True
