"""Whether a window can be shown, and where Qt finds its parts. Asked before Qt is, because Qt ends the whole process where the answer is no."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

HINT = 'start it from a desktop session, or use the command line, for example: ./start_linux.sh generate "a red circle" -o out.png'


def obstacle(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """One sentence that says why no window can be shown, or empty."""
    if not platform.startswith("linux") or environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in ("offscreen", "minimal", "vnc", "eglfs", "linuxfb"):
        return ""
    wayland, display = environ.get("WAYLAND_DISPLAY", ""), environ.get("DISPLAY", "")
    if not wayland and not display:
        return f"The window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set; {HINT}"
    if (wayland and _wayland_answers(wayland, environ)) or (display and _x_answers(display)):
        return ""
    return f"The window needs a display, and nothing answers at {display or wayland}; {HINT}"


def qt_folders(site_packages: Iterable[Path]) -> dict[str, str]:
    """Where Qt's plugins and QML modules are, for a path beyond Latin-1; empty for any other.

    WORKAROUND(PyQt5 5.15): it tells Qt its own place through a configuration text in Latin-1, so in a folder with, say, Chinese characters Qt finds no platform
    plugin and ends the process. The two variables are read in the system's own encoding. Can go with PyQt6.
    """
    for folder in site_packages:
        qt = folder / "PyQt5" / "Qt5"
        try:
            str(qt).encode("latin-1")
        except UnicodeEncodeError:
            return {"QT_PLUGIN_PATH": str(qt / "plugins"), "QML2_IMPORT_PATH": str(qt / "qml")}
    return {}


def _wayland_answers(name: str, environ: Mapping[str, str]) -> bool:
    path = Path(environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / name
    return _connects(socket.AF_UNIX, str(path))


def _x_answers(display: str) -> bool:
    """Connect as Xlib does: `:N` is a local socket (named or, on Linux, abstract), `host:N` the TCP port 6000 + N."""
    match = re.fullmatch(r"(?:unix|(?P<host>.*?))/?:(?P<number>\d+)(?:\.\d+)?", display)
    if match is None:
        # launchd on macOS and some containers name a socket by its path; let Qt judge what we do not know.
        return True
    number = int(match["number"])
    if match["host"]:
        return _connects(socket.AF_INET, (match["host"], 6000 + number)) or _connects(socket.AF_INET6, (match["host"], 6000 + number))
    path = f"/tmp/.X11-unix/X{number}"
    return _connects(socket.AF_UNIX, path) or _connects(socket.AF_UNIX, f"\0{path}")


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            probe.connect(address)
            return True
    except OSError:
        return False
