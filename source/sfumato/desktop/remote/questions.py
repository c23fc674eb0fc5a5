"""What this user knows of other machines (the salt their password was right with, certificates they trust), and the questions that only they can answer.

The endpoint's thread recalls, remembers and asks; the question stands in the window until it is answered or its line is given up. Rules N14 and N15 of
remote.
"""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import told, tr
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import SfumatoError
from sfumato.transport.known_servers import Answer, Question, Remembered

log = logging.getLogger(__name__)

FILE = "known.json"
TITLES = {
    "certificate": "Trust this certificate?",
    "certificate_changed": "The certificate has changed",
    "salt_changed": "This machine was set up anew",
}
AGREEMENTS = {"certificate": "Trust it", "certificate_changed": "Trust the new one", "salt_changed": "Try the password there"}


class Questions(QObject):
    """`studio.remote.questions`, and the `Known` of every line of the window."""

    changed = pyqtSignal()
    _asked = pyqtSignal(object, object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._servers: dict[str, Remembered] | None = None
        self._question: Question | None = None
        self._answer: Answer | None = None
        self._is_closed = False
        self._asked.connect(self._take, Qt.ConnectionType.QueuedConnection)

    # -- called by an endpoint, from a thread of its own -----------------------------------------

    def recall(self, server: str) -> Remembered:
        with self._lock:
            return self._known().get(server, Remembered())

    def remember(self, server: str, remembered: Remembered) -> None:
        with self._lock:
            known = self._known()
            if known.get(server) == remembered:
                return
            known[server] = remembered
            held = {name: {"salt": row.salt.hex(), "fingerprint": row.fingerprint} for name, row in known.items()}
            try:
                make_folder(self._path.parent)
                replace_file(self._path, json.dumps(held, indent=1).encode() + b"\n", private=True)
            except SfumatoError as error:
                log.warning("what is known of other machines could not be kept: %s", error.message)

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

    def _known(self) -> dict[str, Remembered]:
        if self._servers is None:
            self._servers = _read(self._path)
        return self._servers


def _read(path: Path) -> dict[str, Remembered]:
    """What the file holds; what cannot be understood is asked anew."""
    try:
        held: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Remembered(bytes.fromhex(row["salt"]), str(row["fingerprint"])) for name, row in held.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("%s cannot be understood; other machines are asked about anew", path.name)
        return {}
