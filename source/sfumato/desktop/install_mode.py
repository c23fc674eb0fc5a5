"""Changing what the program is installed for: the install screen comes up beside the window, and what was installed acts after a restart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PyQt5.QtCore import QObject, QProcess

from sfumato.config import Settings
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Condition, Shell

SCREEN = "choose.py"


class InstallMode(QObject):
    """Runs the launcher's install screen; closing that without installing changes nothing."""

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        launcher = os.environ.get("SFUMATO_LAUNCHER", "")
        # Only a program that the launcher started has an environment that the launcher may change.
        self._screen = Path(launcher) / SCREEN if launcher else None
        self._process = QProcess(self)
        self._process.finished.connect(self._finished)
        shell.register({"change_mode": self.open})
        shell.describe({"change_mode": Condition(can=lambda: self._screen is not None and self._process.state() == QProcess.ProcessState.NotRunning)})

    def open(self) -> None:
        """Show the install screen with the mode in force chosen."""
        if self._screen is None:
            self._shell.notices.show(tr("The mode is changed where the program was started by its start script."), kind="note")
            return
        mode = self._shell.settings["mode"] or "cpu"
        self._process.start(sys.executable, [str(self._screen), "--preselect", mode, "--data", str(self._shell.places.data)])

    def close(self) -> None:
        """End the screen with the window."""
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.terminate()
            self._process.waitForFinished(3000)

    def _finished(self, status: int, how: QProcess.ExitStatus) -> None:
        if status != 0 or how != QProcess.ExitStatus.NormalExit:
            return
        # The launcher wrote it; the settings in memory would write the old one over it.
        mode = Settings.load(self._shell.places.data)["mode"]
        self._shell.set("mode", mode)
        self._shell.notices.show(tr("The mode is '{mode}' after a restart: File, Restart.", mode=mode), kind="note")
