"""Runs a program to its end, and takes it down, with its children, when the launcher itself is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

GRACE_S = 1.5


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
    try:
        child = subprocess.Popen(command, env=dict(environ) if environ is not None else None, **options)
    except OSError:
        return 127
    try:
        return child.wait()
    except BaseException:
        end(child)
        raise


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
