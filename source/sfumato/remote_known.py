"""What the command line knows of other machines, in the file that the window keeps as well, and how it asks about new ones: on the terminal, or not at all."""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import SfumatoError
from sfumato.transport.known_servers import Answer, Question, Remembered

log = logging.getLogger(__name__)

FILE = Path("remote") / "known.json"


class Asking:
    """The `Known` of a command.

    Args:
        data: the data folder.
        can_ask: whether somebody sits at a terminal; None looks.
    """

    def __init__(self, data: Path, can_ask: bool | None = None) -> None:
        self._path = data / FILE
        self._can_ask = (sys.stdin.isatty() and sys.stderr.isatty()) if can_ask is None else can_ask
        self._lock = threading.Lock()

    def recall(self, server: str) -> Remembered:
        with self._lock:
            return _remembered(self._read().get(server))

    def remember(self, server: str, remembered: Remembered) -> None:
        """Write it down; what cannot be written is asked about anew next time."""
        with self._lock:
            held = self._read()
            row = {"salt": remembered.salt.hex(), "fingerprint": remembered.fingerprint}
            if held.get(server) == row:
                return
            try:
                make_folder(self._path.parent)
                replace_file(self._path, json.dumps(held | {server: row}, indent=1).encode() + b"\n", private=True)
            except SfumatoError as error:
                log.warning("what is known of other machines could not be kept: %s", error.message)

    def ask(self, question: Question, answer: Answer) -> None:
        if not self._can_ask:
            answer(False)
            return
        threading.Thread(target=self._ask, args=(question, answer), name="question", daemon=True).start()

    def _ask(self, question: Question, answer: Answer) -> None:
        print(f"{question.sentence}\nGo on? Type yes: ", end="", file=sys.stderr, flush=True)
        answer(sys.stdin.readline().strip().lower() in ("yes", "y"))

    def _read(self) -> dict[str, Any]:
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return held if isinstance(held, dict) else {}


def _remembered(row: Any) -> Remembered:
    try:
        return Remembered(bytes.fromhex(row["salt"]), str(row["fingerprint"]))
    except (ValueError, KeyError, TypeError):
        return Remembered()
