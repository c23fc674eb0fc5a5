"""When the engine dies again and again, falls silent or does not obey: what is said of it, and what can be done about it."""

from __future__ import annotations

import os
import platform
import time
from collections import deque
from collections.abc import Callable

from PyQt5.QtCore import QObject, QTimer, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication

from sfumato import __version__
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell

DEATHS_ALLOWED = 3
DEATHS_WITHIN_S = 300.0
OBEYS_WITHIN_MS = 20_000
REPORT_LINES = 60
# Hides every graphics card from the engine's libraries.
WITHOUT_CARDS = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1", "ROCR_VISIBLE_DEVICES": "-1"}


class EngineHealth(QObject):
    """`studio.health`. `trouble` is "" or what is wrong: deaths, silent or stuck."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, clock: Callable[[], float] = time.monotonic, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._clock = clock
        self._deaths: deque[float] = deque(maxlen=DEATHS_ALLOWED)
        self._state = "starting"
        self._sentence = ""
        self._is_dying = False
        self._is_stuck = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(OBEYS_WITHIN_MS)
        self._patience.timeout.connect(self._not_obeyed)
        shell.engine.changed.connect(self._engine_changed)
        shell.jobs.changed.connect(self._jobs_changed)

    @pyqtProperty(str, notify=changed)
    def trouble(self) -> str:
        if self._is_dying:
            return "deaths"
        if self._state == "silent":
            return "silent"
        return "stuck" if self._is_stuck else ""

    @pyqtProperty(str, notify=changed)
    def sentence(self) -> str:
        """What is wrong, in words."""
        return {
            "deaths": tr("The engine stopped {count} times within five minutes. The queue is paused; nothing in it is lost.", count=DEATHS_ALLOWED),
            "silent": self._sentence,
            "stuck": tr("The running job has not ended {seconds} s after it was cancelled.", seconds=OBEYS_WITHIN_MS // 1000),
        }.get(self.property("trouble"), "")

    @pyqtProperty(bool, notify=changed)
    def canUseProcessor(self) -> bool:
        """Whether the engine runs on a card that it could do without."""
        return bool(self._shell.engine.property("device")) and not any(name in os.environ and not os.environ[name].strip("-1") for name in WITHOUT_CARDS)

    @pyqtSlot()
    def restart(self) -> None:
        """Start the engine anew; the queue goes on."""
        self._deaths.clear()
        self._is_dying = self._is_stuck = False
        self._shell.jobs.reload(True)
        self._shell.jobs.resume()
        self.changed.emit()

    @pyqtSlot()
    def restartOnProcessor(self) -> None:
        """Start the engine without any graphics card, until the window closes."""
        os.environ.update(WITHOUT_CARDS)
        self.restart()

    @pyqtSlot()
    def openLog(self) -> None:
        path = self._shell.places.logs / "engine.log"
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self._shell.notices.show(tr("No program opens logs here. The engine's log is {path}.", path=path), kind="note")

    @pyqtSlot()
    def copyReport(self) -> None:
        """Put what a person who helps needs to know on the clipboard."""
        engine = self._shell.engine
        facts = [f"Engine: {engine.property('sentence')}", f"Device: {engine.property('device') or 'not known'}"]
        self._shell.disk.run(lambda: self._report(facts), self._copied, self._shell.complain)

    def _copied(self, report: str) -> None:
        QGuiApplication.clipboard().setText(report)
        self._shell.notices.show(tr("The report is on the clipboard."), kind="note")

    def _report(self, facts: list[str]) -> str:
        try:
            lines = (self._shell.places.logs / "engine.log").read_text(encoding="utf-8", errors="replace").splitlines()[-REPORT_LINES:]
        except OSError as error:
            lines = [f"engine.log: {error.strerror}"]
        return "\n".join([f"Sfumato {__version__}, {platform.platform()}, Python {platform.python_version()}", *facts, "", *lines])

    def _engine_changed(self) -> None:
        state = str(self._shell.engine.property("state"))
        if state == self._state:
            return
        before, self._state = self._state, state
        self._sentence = str(self._shell.engine.property("sentence"))
        if state == "restarting" or (state == "failed" and self._deaths and before != "starting"):
            self._died()
        elif state == "ready":
            self._is_stuck = False
        self.changed.emit()

    def _died(self) -> None:
        now = self._clock()
        self._deaths.append(now)
        if len(self._deaths) == DEATHS_ALLOWED and now - self._deaths[0] < DEATHS_WITHIN_S:
            self._is_dying = True
            self._shell.jobs.pause_after_deaths()

    def _jobs_changed(self) -> None:
        if self._shell.jobs.property("cancelling"):
            if not self._patience.isActive() and not self._is_stuck:
                self._patience.start()
        elif self._patience.isActive() or self._is_stuck:
            self._patience.stop()
            self._is_stuck = False
            self.changed.emit()

    def _not_obeyed(self) -> None:
        self._is_stuck = True
        self.changed.emit()
