"""Keys and windows of another process, by xdotool on a display of our own."""

from __future__ import annotations

import os
import shutil
import subprocess


def xdotool(display: str, *arguments: str) -> str:
    program = shutil.which("xdotool")
    assert program, "xdotool is not installed (Debian: apt-get install xdotool)."
    done = subprocess.run([program, *arguments], env={**os.environ, "DISPLAY": display}, capture_output=True, text=True, timeout=30)
    return done.stdout


def window_of(display: str) -> str:
    """The id of the studio's window once it is on the screen; the splash is too small to be it."""
    for number in xdotool(display, "search", "--onlyvisible", "--name", "Sfumato$").split():
        if "WIDTH=" in (shape := xdotool(display, "getwindowgeometry", "--shell", number)):
            width = int(shape.split("WIDTH=")[1].split()[0])
            if width >= 1024:
                return number
    return ""
