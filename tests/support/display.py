"""A virtual display of our own, so that tests of the window need no desktop and touch nobody's."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

SCREEN = "2600x1500x24"


@contextmanager
def virtual_display() -> Iterator[str]:
    """Start Xvfb on a free number; gives its name for DISPLAY."""
    program = shutil.which("Xvfb")
    assert program, "Xvfb is not installed; ./start_linux.sh test installs it or says how (Debian: apt-get install xvfb)."
    reader, writer = os.pipe()
    # -noreset: else the server starts over when its last client leaves, and refuses whoever comes in that moment; xdotool comes and goes all the time.
    command = [program, "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()


@cache
def display_of_this_process() -> str:
    """One display for every window this process opens, until it ends and not a moment less: Qt ends a process whose display goes away."""
    stack = ExitStack()
    atexit.register(stack.close)
    name = stack.enter_context(virtual_display())
    os.environ.update(DISPLAY=name, QT_QPA_PLATFORM="xcb", QT_QUICK_BACKEND="software")
    return name
