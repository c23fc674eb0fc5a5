"""Keeps the index like the folders: each root is looked through on a thread of its own, then watched, so that one that does not answer holds up no other."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable

from PyQt5.QtCore import QFileSystemWatcher, QObject, Qt, QTimer, pyqtSignal

from sfumato.library.history.index import Index
from sfumato.library.history.scanning import Scanner, folders_of

log = logging.getLogger(__name__)

# More folders than that are looked through at each visit, and not watched.
WATCHED_AT_MOST = 2000
# Changes that come in a row are looked at together.
GATHER_MS = 120
PATIENCE_S = 1.0


class Root:
    """One folder with all inside it, and the thread that reads it."""

    def __init__(
        self, path: str, index: Index, tell: Callable[[Root, list[str], list[str], list[str]], None], settled: Callable[[Root, list[str]], None]
    ) -> None:
        self.path = path
        self.scanner = Scanner(index)
        self.busy = False
        self._tell = tell
        self._settled = settled
        self._ended = threading.Event()
        self._asked: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="history", daemon=True)
        self._thread.start()

    def look(self, folder: str = "") -> None:
        """Look through everything, or through one folder inside."""
        self.busy = True
        self._asked.put(lambda: self._look(folder))

    def take(self, path: str) -> None:
        """A file that is known to be new."""
        self._asked.put(lambda: self._take(path))

    def close(self) -> None:
        """End after the work in hand; a folder that does not answer is not waited for."""
        self._ended.set()
        self._asked.put(None)

    def join(self) -> bool:
        """Whether the thread has ended."""
        self._thread.join(PATIENCE_S)
        return not self._thread.is_alive()

    def _look(self, folder: str) -> None:
        target, deep = folder or self.path, not folder
        if folder and not os.path.isdir(folder):
            # It was removed: what was inside it is gone as well.
            target, deep = folder.rpartition("/")[0], True
        change = self.scanner.look(target, deep, self._some)
        if change.gone or change.back:
            self._tell(self, [], change.gone, change.back)
        self._settled(self, folders_of(target, WATCHED_AT_MOST))

    def _some(self, done: list[str]) -> bool:
        if done and not self._ended.is_set():
            self._tell(self, done, [], [])
        return not self._ended.is_set()

    def _take(self, path: str) -> None:
        if self.scanner.put(path) is not None:
            self._some([path])

    def _serve(self) -> None:
        while (work := self._asked.get()) is not None:
            if self._ended.is_set():
                continue
            try:
                work()
            except Exception:
                log.exception("a folder of pictures could not be followed")
                self._settled(self, [])


class Follower(QObject):
    """`changed(put, gone, back)` gives the paths on the GUI thread; `working` says whether a look is in hand."""

    changed = pyqtSignal(list, list, list)
    working_changed = pyqtSignal()
    _told = pyqtSignal(object, list, list, list)
    _looked = pyqtSignal(object, list)

    def __init__(self, index: Index, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._index = index
        self._roots: dict[str, Root] = {}
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._notice)
        self._noticed: dict[str, None] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(self._look_noticed)
        self._told.connect(lambda root, put, gone, back: self.changed.emit(put, gone, back), Qt.ConnectionType.QueuedConnection)
        self._looked.connect(self._settle, Qt.ConnectionType.QueuedConnection)

    @property
    def working(self) -> bool:
        return any(root.busy for root in self._roots.values())

    @property
    def opened(self) -> int:
        """Files read so far."""
        return sum(root.scanner.opened for root in self._roots.values())

    def follow(self, paths: list[str]) -> None:
        """Follow these folders, and no others, from now on."""
        for path in [path for path in self._roots if path not in paths]:
            self._roots.pop(path).close()
        for path in paths:
            if path not in self._roots:
                self._roots[path] = Root(path, self._index, self._told.emit, self._looked.emit)
        self.look()

    def look(self) -> None:
        """Look through everything again."""
        for root in self._roots.values():
            if not root.busy:
                root.look()
        self.working_changed.emit()

    def take(self, path: str) -> None:
        """A new picture of our own: its folder need not be looked through."""
        root = self._root_of(path)
        if root is not None:
            root.take(path)

    def close(self) -> bool:
        """Follow nothing; False if a folder did not let go in time."""
        for root in self._roots.values():
            root.close()
        return all(root.join() for root in list(self._roots.values()))

    def _root_of(self, path: str) -> Root | None:
        return next((root for root in self._roots.values() if path == root.path or path.startswith(root.path.rstrip("/") + "/")), None)

    def _notice(self, folder: str) -> None:
        self._noticed[folder] = None
        if not self._timer.isActive():
            self._timer.start()

    def _look_noticed(self) -> None:
        noticed, self._noticed = self._noticed, {}
        for folder in noticed:
            root = self._root_of(folder)
            if root is not None:
                root.look(folder)
        self.working_changed.emit()

    def _settle(self, root: Root, folders: list[str]) -> None:
        root.busy = False
        watched = set(self._watcher.directories())
        wanted = [folder for folder in folders if folder not in watched][: max(0, WATCHED_AT_MOST - len(watched))]
        if wanted:
            self._watcher.addPaths(wanted)
            # A folder that is new may have got pictures before it was watched.
            for folder in wanted if watched else ():
                root.look(folder)
        self.working_changed.emit()
