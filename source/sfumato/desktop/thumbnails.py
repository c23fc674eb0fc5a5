"""Thumbnails for the scene, made on at most four threads and kept on disk.

QML asks for an address and gets it at once if it is known, else "" and later `ready`. Nothing here touches a file on the GUI thread: a folder in the
network that does not answer leaves gaps, and no window that stands.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path

from PyQt5.QtCore import QObject, Qt, pyqtSignal, pyqtSlot

from sfumato.desktop.images import address
from sfumato.library.thumbnails import Thumbnails
from sfumato.protocol.errors import SfumatoError

log = logging.getLogger(__name__)

THREADS = 4
WAITING_AT_MOST = 512
KNOWN_AT_MOST = 20_000
# So many of one folder at once, and none more of a folder that has kept one waiting for so long.
PER_FOLDER = 3
SLOW_S = 3.0
# A thread without work ends after this.
IDLE_S = 5.0


class ThumbnailPool(QObject):
    """The newest request is served first; `ready(path, url)` and `failed(path, sentence)` answer it on the GUI thread."""

    ready = pyqtSignal(str, str)
    failed = pyqtSignal(str, str)
    _ended = pyqtSignal(str, str, str)

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._known: OrderedDict[str, str] = OrderedDict()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, float] = {}
        self._threads = 0
        self._closed = False
        self._more = threading.Condition()
        self.made = 0  # pictures decoded so far
        self._ended.connect(self._end, Qt.ConnectionType.QueuedConnection)

    @pyqtSlot(str, result=str)
    def address(self, path: str) -> str:
        """The URL of a picture's thumbnail, or "" while it is being made."""
        if not path:
            return ""
        known = self._known.get(path)
        if known is not None:
            self._known.move_to_end(path)
            return known
        with self._more:
            if self._closed or path in self._running:
                return ""
            self._waiting[path] = None
            self._waiting.move_to_end(path)
            if len(self._waiting) > WAITING_AT_MOST:
                self._waiting.popitem(last=False)
            if self._threads < THREADS and self._threads < len(self._running) + len(self._waiting):
                self._threads += 1
                threading.Thread(target=self._serve, name="thumbnail", daemon=True).start()
            self._more.notify()
        return ""

    @pyqtSlot(str)
    def cancel(self, path: str) -> None:
        """Nobody looks at it any more: it is not made, unless it is being made already."""
        with self._more:
            self._waiting.pop(path, None)

    @pyqtSlot(str)
    def forget(self, path: str) -> None:
        """The file changed: what is known of it does not hold any more."""
        self._known.pop(path, None)

    def close(self) -> None:
        """Make nothing more."""
        with self._more:
            self._closed = True
            self._waiting.clear()
            self._more.notify_all()

    def _next(self) -> str | None:
        """The newest request that may be served now; None when there is none."""
        now = time.monotonic()
        folders: dict[str, list[float]] = {}
        for path, since in self._running.items():
            folders.setdefault(_folder(path), []).append(now - since)
        for path in reversed(self._waiting):
            ages = folders.get(_folder(path), [])
            if len(ages) < PER_FOLDER and all(age < SLOW_S for age in ages):
                return path
        return None

    def _serve(self) -> None:
        while True:
            with self._more:
                deadline = time.monotonic() + IDLE_S
                while (path := self._next()) is None and not self._closed and (left := deadline - time.monotonic()) > 0:
                    self._more.wait(left)
                if path is None or self._closed:
                    self._threads -= 1
                    return
                del self._waiting[path]
                self._running[path] = time.monotonic()
            url, problem = self._make(path)
            with self._more:
                del self._running[path]
                self._more.notify_all()
                if not self._closed:
                    self._ended.emit(path, url, problem)

    def _make(self, path: str) -> tuple[str, str]:
        try:
            place, is_new = self._thumbnails.get(Path(path))
        except SfumatoError as error:
            return "", error.message
        except Exception:
            log.exception("a thumbnail could not be made")
            return "", f"'{Path(path).name}' could not be shown."
        self.made += is_new
        return address(place), ""

    def _end(self, path: str, url: str, problem: str) -> None:
        if problem:
            self.failed.emit(path, problem)
            return
        self._known[path] = url
        if len(self._known) > KNOWN_AT_MOST:
            self._known.popitem(last=False)
        self.ready.emit(path, url)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
