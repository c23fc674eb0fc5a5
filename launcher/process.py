"""Runs a program to its end, and takes it down, with its children, when the launcher itself is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

GRACE_S = 1.5
NOT_STARTED = 127


class Ended(BaseException):
    """The launcher was asked to end (SIGTERM); a BaseException so that nothing on the way takes it for an error."""


def end_politely() -> None:
    """From now on SIGTERM ends what runs through `run` before it ends the launcher."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise Ended

    signal.signal(signal.SIGTERM, on_signal)


def run(command: Sequence[str], environ: Mapping[str, str] | None = None, **options: Any) -> int:
    """Run `command` and return its exit status; 127 if it can not be started. Ctrl+C or SIGTERM ends it within two seconds."""
    if os.name == "posix":
        # Its own group, so that what it starts in turn can be ended with it.
        options["start_new_session"] = True
    child: subprocess.Popen[Any] | None = None
    try:
        with _later(signal.SIGTERM, signal.SIGINT):
            child = subprocess.Popen(command, env=dict(environ) if environ is not None else None, **options)
        return child.wait()
    except OSError:
        return NOT_STARTED
    except BaseException:
        if child is not None:
            end(child)
        raise


@contextlib.contextmanager
def _later(*numbers: signal.Signals) -> Iterator[None]:
    """Let these signals wait for the end of the block: one that came while a child was being started would leave it running, known to nobody."""
    arrived: list[int] = []
    before = {number: signal.signal(number, lambda came, frame: arrived.append(came)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for number in arrived:
            signal.raise_signal(number)


def end(child: subprocess.Popen[Any]) -> None:
    """End a child and its group: politely first, then for certain."""
    for last in (False, True):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(child.pid, signal.SIGKILL if last else signal.SIGTERM)
            elif last:
                child.kill()
            else:
                child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
            return
