"""The models of all folders, kept up to date on a thread of its own: the index is read at once, the folders are looked through behind it, and watched.

A file that is still growing is looked at again every second until it rests, because a folder says when a file comes, not when it is whole (D122).
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from PyQt5.QtCore import QFileSystemWatcher, QObject, Qt, QTimer, pyqtSignal

from sfumato.desktop.models.browsing import Stock, View
from sfumato.jobs.places import Places
from sfumato.library.models_index import ModelRow, ModelsIndex, Told, told_of
from sfumato.protocol.errors import SfumatoError, Stopped

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
DEBOUNCE_MS = 300
GROWING_MS = 1000
# Where the system cannot watch all folders.
POLL_MS = 20_000
RECENT_S = 5.0

Choices = Mapping[str, list[dict[str, Any]]]


class Collection(QObject):
    """`listed` answers `ask`; `changed` comes whenever there are other rows; `busy_changed` around a scan."""

    listed = pyqtSignal(object)  # Listing
    changed = pyqtSignal(object, bool)  # rows, whether files came, changed or went since the last look
    busy_changed = pyqtSignal()
    failed = pyqtSignal(object)
    _scanned = pyqtSignal(object, object)  # folders, whether a file is still growing

    def __init__(self, places: Places, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._index = ModelsIndex(places.data, places.models)
        self._stock = Stock([])
        self._view = View()
        self._asked = 0
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._scans = 0
        self.looked = False  # whether the folders were looked through once
        self.busy = False
        self._watcher = QFileSystemWatcher(self)
        self._watched: set[str] = set()
        self._debounce = self._timer(DEBOUNCE_MS, self.rescan)
        self._growth = self._timer(GROWING_MS, self.rescan)
        self._poll = self._timer(POLL_MS, self.rescan)
        self._watcher.directoryChanged.connect(self._debounce_start)
        self._scanned.connect(self._watch, Qt.ConnectionType.QueuedConnection)

    def open(self) -> None:
        """Read the index and look through the folders; once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="models", daemon=True)
            self._thread.start()
            self._work.put(self._read)
            self.rescan()

    @property
    def is_open(self) -> bool:
        return self._thread is not None

    def row(self, path: str) -> ModelRow | None:
        return self._stock.by_path.get(path)

    @property
    def rows(self) -> list[ModelRow]:
        return self._stock.rows

    def ask(self, view: View) -> None:
        """Have the rows of a view listed; only the last one asked for is answered."""
        self._view = view
        self._asked += 1
        number = self._asked
        self._work.put(lambda: self._list(number))

    def rescan(self) -> None:
        """Look through the folders soon; looks that were asked for and have not begun are one."""
        if self._scans or not self.is_open:
            return
        self._scans += 1
        self._work.put(self._scan)

    def tell(self, choices: Choices) -> None:
        """Take what the engine says of models."""
        self._work.put(lambda: self._tell(choices))

    def close(self) -> None:
        self._closing = True
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(PATIENCE_S)

    # -- on the thread ---------------------------------------------------------------------------

    def _serve(self) -> None:
        while (work := self._work.get()) is not None and not self._closing:
            try:
                work()
            except Stopped:
                break
            except SfumatoError as error:
                self.failed.emit(error)
            except Exception:
                log.exception("the models could not be listed")
        self._index.close()

    def _read(self, *, came: bool = False) -> None:
        self._stock = Stock(self._index.rows())
        self.changed.emit(self._stock.rows, came)
        self._list(self._asked)

    def _list(self, number: int) -> None:
        if number == self._asked:
            self.listed.emit(self._stock.listing(self._view))

    def _scan(self) -> None:
        self._scans = 0
        self._set_busy(True)
        try:
            found = self._index.rescan(self._check, self._read)
            if found:
                self._read(came=self.looked)
            self.looked = True
            self._list(self._asked)
            self._scanned.emit([str(folder) for folder in self._index.folders()], self._still_growing())
        finally:
            self._set_busy(False)

    def _tell(self, choices: Choices) -> None:
        told: dict[str, Told] = told_of(choices, self._stock.rows)
        if self._index.tell(told):
            self._read()

    def _check(self) -> None:
        if self._closing:
            raise Stopped
        time.sleep(0)  # the window comes first

    def _still_growing(self) -> bool:
        """Whether a file changed so lately that more of it may come."""
        now = time.time()
        return any(abs(now - row.mtime_ns / 1e9) < RECENT_S and row.kind in ("damaged", "unknown") for row in self._stock.rows)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.busy_changed.emit()

    # -- on the GUI thread -----------------------------------------------------------------------

    def _timer(self, interval: int, then: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(then)
        return timer

    def _debounce_start(self, folder: str) -> None:
        del folder
        if not self._debounce.isActive():
            self._debounce.start()

    def _watch(self, folders: list[str], is_growing: bool) -> None:
        wanted = set(folders)
        gone = self._watched - wanted
        if gone:
            self._watcher.removePaths(sorted(gone))
        new = sorted(wanted - self._watched)
        failed = set(self._watcher.addPaths(new)) if new else set()
        self._watched = wanted - failed
        if failed:
            self._poll.start()
        if is_growing:
            self._growth.start()
