"""Checksums of models, computed while nothing is painted, one after the other, and remembered; what the user asks for comes first. Rule: D118."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from sfumato.library.hashes import Hashes
from sfumato.protocol.errors import SfumatoError, Stopped

LOWEST_PRIORITY = 19


class IdleHashes(QObject):
    """`found(path, digest)`, or `failed(path, sentence)`; on the GUI thread, as signals between threads are."""

    found = pyqtSignal(str, str)
    failed = pyqtSignal(str, str)

    def __init__(self, hashes: Hashes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hashes = hashes
        self._wanted: deque[str] = deque()
        self._urgent: deque[str] = deque()
        self._more = threading.Condition()
        self._idle = threading.Event()
        self._idle.set()
        self._closing = False
        self._thread: threading.Thread | None = None

    def known(self, path: str) -> str:
        """The SHA-256 if it is known and the file has not changed, else ""; asks for the file's time."""
        return self._hashes.known(Path(path)) or ""

    def want(self, paths: Iterable[str]) -> None:
        """Compute these when there is nothing else to do, in this order."""
        with self._more:
            self._wanted = deque(paths)
            self._wake()

    def ask(self, path: str) -> None:
        """Compute this one now, also beside a running job."""
        with self._more:
            self._urgent.append(path)
            self._wake()

    def pause(self, paused: bool) -> None:
        """A job begins, or the last one ended."""
        if paused:
            self._idle.clear()
        else:
            self._idle.set()

    def cancel(self) -> None:
        """Forget what is wanted; what was asked for goes on."""
        with self._more:
            self._wanted.clear()

    def close(self) -> None:
        self._closing = True
        self._idle.set()
        with self._more:
            self._more.notify_all()
        if self._thread is not None:
            self._thread.join(5.0)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="checksums", daemon=True)
            self._thread.start()
        self._more.notify_all()

    def _serve(self) -> None:
        if sys.platform == "linux":
            import os

            with suppress(OSError):  # of this thread alone
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        while not self._closing:
            with self._more:
                while not self._wanted and not self._urgent and not self._closing:
                    self._more.wait()
                if self._closing:
                    return
                is_urgent = bool(self._urgent)
                path = self._urgent.popleft() if is_urgent else self._wanted.popleft()
            self._compute(path, self._never if is_urgent else self._wait)

    def _compute(self, path: str, check: Callable[[], None]) -> None:
        try:
            check()
            digest = self._hashes.compute(Path(path), check)
        except Stopped:
            with self._more:
                self._wanted.append(path)
        except SfumatoError as error:
            self.failed.emit(path, error.message)
        else:
            self.found.emit(path, digest)

    def _wait(self) -> None:
        """Hold on while a job runs; give way to what was asked for, and to the end."""
        self._idle.wait()
        if self._closing or self._urgent:
            raise Stopped

    def _never(self) -> None:
        if self._closing:
            raise Stopped
