"""The transfers that run: each is a thread of transport/, hears the engine's events, and is left alone when the window turns to another machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject, Qt, QTimer, pyqtSignal

from sfumato.desktop.engine_link import EngineLink
from sfumato.desktop.transfers.row import Row
from sfumato.protocol.messages import JobEvent
from sfumato.protocol.secret import Secret
from sfumato.transport.downloading import FileFetch
from sfumato.transport.transfers import News, OnNews, Send, Transfer
from sfumato.transport.uploading import FileUpload
from sfumato.transport.web_fetching import WebFetch

# How often the list changes on the screen, at most.
TELLING_MS = 100


@dataclass
class _Runner:
    row: Row
    transfer: Transfer
    turn: int


class Running(QObject):
    """`told(row, news)`, on the GUI thread, for each that runs here."""

    told = pyqtSignal(object, object)
    _woken = pyqtSignal()

    def __init__(self, engine: EngineLink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._runners: dict[str, _Runner] = {}
        self._news: dict[str, tuple[_Runner, News]] = {}
        self._lock = threading.Lock()
        self._was_lost = False
        self._timer = QTimer(self)
        self._timer.setInterval(TELLING_MS)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tell)
        self._woken.connect(self._wake, Qt.ConnectionType.QueuedConnection)
        engine.heard.connect(self._hear)
        engine.changed.connect(self._engine_changed)

    def __contains__(self, row: Row) -> bool:
        return row.key in self._runners

    def __len__(self) -> int:
        return len(self._runners)

    def start(self, row: Row, token: Secret | None) -> None:
        """Begin to move, or go on."""
        turn = self._engine.turn
        held: list[_Runner] = []

        def on_news(news: News) -> None:
            with self._lock:
                is_first = not self._news
                self._news[row.key] = (held[0], news)
            if is_first:
                self._woken.emit()

        runner = _Runner(row, made(row, partial(self._engine.send_in, turn), token, on_news), turn)
        held.append(runner)
        self._runners[row.key] = runner
        runner.transfer.start()

    def pause(self, row: Row) -> None:
        if (runner := self._runners.get(row.key)) is not None:
            runner.transfer.pause()

    def go_on(self, row: Row) -> None:
        if (runner := self._runners.get(row.key)) is not None:
            runner.transfer.go_on()

    def cancel(self, row: Row) -> None:
        if (runner := self._runners.get(row.key)) is not None:
            runner.transfer.cancel()

    def end(self, row: Row) -> None:
        """Forget one that has ended."""
        self._runners.pop(row.key, None)

    def leave(self) -> list[Row]:
        """Let all be as they are, for another time; those that ran."""
        rows = [runner.row for runner in self._runners.values()]
        for runner in self._runners.values():
            self._note_job(runner)
            runner.transfer.leave()
        self._runners = {}
        with self._lock:
            self._news = {}
        return rows

    def is_of_now(self) -> bool:
        """Whether all that run were started with the machine that the window works with now."""
        return all(runner.turn == self._engine.turn for runner in self._runners.values())

    def _hear(self, event: JobEvent) -> None:
        for runner in self._runners.values():
            if runner.transfer.hear(event):
                return

    def _engine_changed(self) -> None:
        is_lost = self._engine.condition.name in ("reconnecting", "connecting")
        if self._was_lost and not is_lost:
            for runner in self._runners.values():
                runner.transfer.reconnected()
        self._was_lost = is_lost

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _tell(self) -> None:
        with self._lock:
            news, self._news = self._news, {}
        for runner, said in news.values():
            if self._runners.get(runner.row.key) is runner:
                self._note_job(runner)
                self.told.emit(runner.row, said)

    def _note_job(self, runner: _Runner) -> None:
        if isinstance(runner.transfer, WebFetch):
            runner.row.job = runner.transfer.job


def made(row: Row, send: Send, token: Secret | None, on_news: OnNews) -> Transfer:
    """The transfer of a row."""
    if row.way == "upload":
        return FileUpload(send, Path(row.source), row.folder, row.name, on_news=on_news)
    if row.way == "fetch":
        return FileFetch(send, row.folder, row.source, Path(row.target), on_news=on_news)
    return WebFetch(send, row.source, row.folder, row.name, row.sha256, token, begun=row.job, on_news=on_news)
