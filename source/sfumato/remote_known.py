"""What the command line knows of other machines, and how it asks about new ones: on the terminal, or not at all."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from sfumato.transport.known_file import KnownFile
from sfumato.transport.known_servers import Answer, Question, Remembered


class Asking:
    """The `Known` of a command.

    Args:
        data: the data folder.
        can_ask: whether somebody sits at a terminal; None looks.
    """

    def __init__(self, data: Path, can_ask: bool | None = None) -> None:
        self._file = KnownFile(data)
        self._can_ask = (sys.stdin.isatty() and sys.stderr.isatty()) if can_ask is None else can_ask

    def recall(self, server: str) -> Remembered:
        return self._file.recall(server)

    def remember(self, server: str, remembered: Remembered) -> None:
        self._file.remember(server, remembered)

    def ask(self, question: Question, answer: Answer) -> None:
        if not self._can_ask:
            answer(False)
            return
        threading.Thread(target=self._ask, args=(question, answer), name="question", daemon=True).start()

    def _ask(self, question: Question, answer: Answer) -> None:
        print(f"{question.sentence}\nGo on? Type yes: ", end="", file=sys.stderr, flush=True)
        answer(sys.stdin.readline().strip().lower() in ("yes", "y"))
