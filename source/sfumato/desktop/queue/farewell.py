"""What the user wants when the last job has ended: nothing, a notification, a sound, or a command of their own. No shell is between."""

from __future__ import annotations

import array
import math
import shlex
import shutil
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QProcess, QUrl
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.language import tr

Say = Callable[[str, str], None]
RATE = 44100


class Farewell(QObject):
    """Does what the settings `queue_when_done` and `queue_command` say.

    Args:
        say: shows a sentence, with its kind.
        folder: where the sound is kept once it was made.
    """

    def __init__(self, setting: Callable[[str], Any], say: Say, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._setting = setting
        self._say = say
        self._folder = folder
        self._sound: Any = None

    def run(self, jobs: int) -> None:
        """The last of `jobs` jobs has ended."""
        act = {"notification": self._notify, "sound": self._chime, "command": self._command}.get(str(self._setting("queue_when_done")))
        if act is not None:
            act(tr("{count} jobs are done.", count=jobs) if jobs != 1 else tr("The job is done."))

    def _notify(self, sentence: str) -> None:
        for window in QGuiApplication.topLevelWindows():
            if window.isVisible():
                window.alert(0)
        program = shutil.which("notify-send") if sys.platform.startswith("linux") else None
        if program:
            self._start([program, "--app-name=Sfumato", "Sfumato", sentence])
        self._say(sentence, "note")

    def _chime(self, sentence: str) -> None:
        del sentence
        # Late: only those who want a sound pay for the module.
        from PyQt5.QtMultimedia import QSoundEffect

        if self._sound is None:
            path = self._folder / "done.wav"
            if not path.is_file():
                write_chime(path)
            self._sound = QSoundEffect(self)
            self._sound.setSource(QUrl.fromLocalFile(str(path)))
        self._sound.play()

    def _command(self, sentence: str) -> None:
        del sentence
        written = str(self._setting("queue_command")).strip()
        if not written:
            self._say(tr("The queue is done, but no command is set for it in the settings."), "error")
            return
        try:
            words = QProcess.splitCommand(written) if sys.platform == "win32" else shlex.split(written)
        except ValueError as error:  # quotes without an end
            self._say(tr("The command for the end of the queue cannot be read ({reason}): {command}", reason=str(error), command=written), "error")
            return
        if not words or not self._start(words):
            self._say(tr("The command for the end of the queue could not be started: {command}", command=written), "error")

    def _start(self, words: list[str]) -> bool:
        """Start a program that may outlive the window; False if that cannot be."""
        process = QProcess(self)
        process.setProgram(words[0])
        process.setArguments(words[1:])
        process.setStandardOutputFile(QProcess.nullDevice())
        process.setStandardErrorFile(QProcess.nullDevice())
        return process.startDetached()[0]


def write_chime(path: Path) -> None:
    """Two soft notes that fade, half a second."""
    samples = array.array("h")
    for index in range(RATE // 2):
        at = index / RATE
        note = math.sin(2 * math.pi * 659.3 * at) * math.exp(-9 * at)
        if at > 0.14:
            note += math.sin(2 * math.pi * 880.0 * at) * math.exp(-9 * (at - 0.14))
        samples.append(round(5000 * note * min(1.0, at * 200)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
