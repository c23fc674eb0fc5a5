"""One thread for files, so that no write or read of the window's own happens on the GUI thread. Work is done in the order it was given."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, Qt, pyqtSignal

from sfumato.protocol.errors import Internal, SfumatoError

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
Work = Callable[[], Any]


class Disk(QObject):
    """`run(work, done, failed)`: `work` on the thread, then `done(result)` or `failed(SfumatoError)` on the GUI thread."""

    _ended = pyqtSignal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: queue.SimpleQueue[tuple[Work, Callable[[Any], None], Callable[[SfumatoError], None]] | None] = queue.SimpleQueue()
        self._ended.connect(self._call, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)
        self._thread.start()

    def run(self, work: Work, done: Callable[[Any], None], failed: Callable[[SfumatoError], None]) -> None:
        self._queue.put((work, done, failed))

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Finish what was given, then end; what takes longer than `patience_s` is left behind."""
        self._queue.put(None)
        self._thread.join(patience_s)

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            work, done, failed = item
            try:
                result = work()
            except SfumatoError as error:
                self._ended.emit(failed, error)
            except Exception as error:
                log.exception("a file could not be read or written")
                self._ended.emit(failed, Internal(detail=f"{type(error).__name__}: {error}"))
            else:
                self._ended.emit(done, result)

    def _call(self, function: Callable[[Any], None], value: Any) -> None:
        function(value)
