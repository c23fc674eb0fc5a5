"""What this user knows of other machines (the salt their password was right with, certificates they trust), and the questions that only they can answer.

The endpoint's thread recalls, remembers and asks; the question stands in the window until it is answered or its line is given up. Rules N14 and N15 of
remote.
"""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import told, tr
from sfumato.transport.known_file import KnownFile
from sfumato.transport.known_servers import Answer, Question, Remembered

TITLES = {
    "certificate": "Trust this certificate?",
    "certificate_changed": "The certificate has changed",
    "salt_changed": "This machine was set up anew",
}
AGREEMENTS = {"certificate": "Trust it", "certificate_changed": "Trust the new one", "salt_changed": "Try the password there"}


class Questions(QObject):
    """`studio.remote.questions`, and the `Known` of every line of the window. `data` is the data folder."""

    changed = pyqtSignal()
    _asked = pyqtSignal(object, object)

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = KnownFile(data)
        self._question: Question | None = None
        self._answer: Answer | None = None
        self._is_closed = False
        self._asked.connect(self._take, Qt.ConnectionType.QueuedConnection)

    # -- called by an endpoint, from a thread of its own -----------------------------------------

    def recall(self, server: str) -> Remembered:
        return self._file.recall(server)

    def remember(self, server: str, remembered: Remembered) -> None:
        self._file.remember(server, remembered)

    def ask(self, question: Question, answer: Answer) -> None:
        self._asked.emit(question, answer)

    # -- what QML reads and calls ----------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def isAsking(self) -> bool:
        return self._question is not None

    @pyqtProperty(str, notify=changed)
    def title(self) -> str:
        return tr(TITLES[self._question.kind]) if self._question else ""

    @pyqtProperty(str, notify=changed)
    def sentence(self) -> str:
        if self._question is None:
            return ""
        server, fingerprint = self._question.server, self._question.fingerprint
        shown = " SHA-256: " + ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()
        match self._question.kind:
            case "certificate":
                words = tr("No authority vouches for the certificate of {server}. Compare its fingerprint with the owner's before you trust it.", server=server)
                return words + shown
            case "certificate_changed":
                words = tr("The certificate of {server} is not the one that was confirmed before. Its owner can say whether that is right.", server=server)
                return words + shown
            case _:
                return told(self._question.sentence)

    @pyqtProperty(str, notify=changed)
    def agreement(self) -> str:
        """The word of the button that says yes."""
        return tr(AGREEMENTS[self._question.kind]) if self._question else ""

    @pyqtSlot()
    def agree(self) -> None:
        """Yes: the machine is trusted from now on."""
        self._end(True)

    @pyqtSlot()
    def refuse(self) -> None:
        """No: nothing is sent there."""
        self._end(False)

    def withdraw(self) -> None:
        """The line that asked is given up."""
        self._end(False)

    def close(self) -> None:
        self._is_closed = True
        self._end(False)

    # -- inside ----------------------------------------------------------------------------------

    def _take(self, question: Question, answer: Answer) -> None:
        self._end(False)
        if self._is_closed:
            answer(False)
            return
        self._question, self._answer = question, answer
        self.changed.emit()

    def _end(self, word: bool) -> None:
        answer, self._answer, self._question = self._answer, None, None
        if answer is not None:
            answer(word)
            self.changed.emit()
