"""What a client remembers of the machines it connects to, and the questions that only its user can answer.

Only types, and a memory that lasts as long as the process: who has a place on the disk and a dialog implements `Known`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Answer = Callable[[bool], None]


@dataclass(frozen=True)
class Remembered:
    """Of one server, by "host:port".

    Attributes:
        salt: with which the password was last tried and found right; empty if none was.
        fingerprint: SHA-256 of a certificate that nobody vouches for, which the user confirmed; 64 small hexadecimal digits or empty.
    """

    salt: bytes = b""
    fingerprint: str = ""


@dataclass(frozen=True)
class Question:
    """To be answered by yes or no, in the user's own time.

    Attributes:
        kind: "certificate": nobody vouches for the server's certificate. "certificate_changed": it is another than the confirmed one. "salt_changed": the
            server was set up anew, and the password would be tried on it.
        server: "host:port".
        sentence: what happened and what a yes means.
        fingerprint: of the certificate, 64 small hexadecimal digits.
    """

    kind: Literal["certificate", "certificate_changed", "salt_changed"]
    server: str
    sentence: str
    fingerprint: str = ""


class Known(Protocol):
    """The client's memory. Its methods are called from a thread of the endpoint's own and must return quickly."""

    def recall(self, server: str) -> Remembered:
        """What is remembered of `server`, "host:port"."""
        ...

    def remember(self, server: str, remembered: Remembered) -> None:
        """Keep this in place of what was known before."""
        ...

    def ask(self, question: Question, answer: Answer) -> None:
        """Have the user asked, and return at once; `answer` may be called from any thread, now or much later, and counts once."""
        ...


class InMemory:
    """Remembers until the process ends, and answers every question as `trusts` says."""

    def __init__(self, trusts: Callable[[Question], bool] = lambda question: False) -> None:
        self._servers: dict[str, Remembered] = {}
        self._trusts = trusts

    def recall(self, server: str) -> Remembered:
        return self._servers.get(server, Remembered())

    def remember(self, server: str, remembered: Remembered) -> None:
        self._servers[server] = remembered

    def ask(self, question: Question, answer: Answer) -> None:
        answer(self._trusts(question))


def certificate_question(server: str, fingerprint: str, confirmed: str) -> Question:
    """About a certificate that no authority vouches for; `confirmed` is the one that was trusted before, or empty."""
    shown = ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()
    if confirmed:
        sentence = f"The certificate of {server} is not the one that was confirmed before. Its owner can say whether that is right. SHA-256: {shown}"
        return Question("certificate_changed", server, sentence, fingerprint)
    sentence = f"No authority vouches for the certificate of {server}. Compare its fingerprint with the owner's before you trust it. SHA-256: {shown}"
    return Question("certificate", server, sentence, fingerprint)


def salt_question(server: str) -> Question:
    """About a server that is not the one where the password was right before."""
    sentence = f"{server} was set up anew since the last connection. Try the password there only if its owner did that."
    return Question("salt_changed", server, sentence)
