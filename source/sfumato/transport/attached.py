"""Inputs of a job that are too long for one command: they travel before it, in parts, and are put back at the other end.

A command has at most two MiB; a picture to start from may have more. The client says `Attach` for each part, then `Submit` without them; what was attached over
one connection belongs to the next `Submit` of that job on it, and is gone with the connection.
"""

from __future__ import annotations

from collections.abc import Iterator

from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import Cancel, Feed, Resume, Submit
from sfumato.transport.relay_words import ATTACH_BYTES, Attach

# Above this the inputs of one job are attached.
INLINE_BYTES = 1 << 20
# What one connection may have attached to jobs that it has not submitted yet; the same as a command may have where nothing is attached.
WAITING_BYTES = 64 << 20
INPUTS = 64


def has_to_attach(submit: Submit) -> bool:
    """Whether the inputs are too long to go with the command."""
    return sum(map(len, submit.blobs.values())) > INLINE_BYTES


def parts_of(submit: Submit) -> Iterator[Attach]:
    """What is said before the command without its inputs."""
    for name, data in submit.blobs.items():
        for start in range(0, max(1, len(data)), ATTACH_BYTES):
            yield Attach(job=submit.job, name=name, data=data[start : start + ATTACH_BYTES])


JobCommand = Submit | Cancel | Feed | Resume


class InTurn:
    """The client's side, for one connection: the inputs of one job begin to travel when those of another are through.

    So no more than one job's inputs ever wait at the server for their command. What else is said of a job whose inputs wait here waits behind them.
    """

    def __init__(self) -> None:
        self._is_busy = False
        self._held: dict[str, list[JobCommand]] = {}

    def may_go(self, command: JobCommand) -> bool:
        """Whether a command may travel now; otherwise it is kept until its turn."""
        if command.job in self._held:
            self._held[command.job].append(command)
            return False
        if isinstance(command, Submit) and has_to_attach(command):
            if self._is_busy:
                self._held[command.job] = [command]
                return False
            self._is_busy = True
        return True

    def next(self) -> tuple[JobCommand, ...]:
        """A job's inputs are through, and its command with them: what may travel now."""
        self._is_busy = False
        return tuple(self._held.pop(next(iter(self._held)))) if self._held else ()


class Attached:
    """The server's side, for one connection."""

    def __init__(self, limit_bytes: int = WAITING_BYTES) -> None:
        self._limit = limit_bytes
        self._held: dict[str, dict[str, bytearray]] = {}
        self._bytes = 0

    def take(self, part: Attach) -> None:
        """Keep one more part; raises `BadFrame` where it is too much."""
        inputs = self._held.setdefault(part.job, {})
        if len(self._held) > INPUTS or len(inputs) > INPUTS or self._bytes + len(part.data) > self._limit:
            raise BadFrame("more is attached than one connection may have waiting")
        inputs.setdefault(part.name, bytearray()).extend(part.data)
        self._bytes += len(part.data)

    def whole(self, submit: Submit) -> Submit:
        """The command with what was attached to its job."""
        inputs = self._held.pop(submit.job, None)
        if inputs is None:
            return submit
        self._bytes -= sum(map(len, inputs.values()))
        return submit.model_copy(update={"blobs": {**{name: bytes(data) for name, data in inputs.items()}, **submit.blobs}})
