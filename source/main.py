"""The desktop entry: splash first, everything else after it.

Only the standard library and Qt's core are imported before the splash is on screen; the rest is imported on a thread while it spins.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

STARTED = time.time()
PROGRAM = Path(__file__).resolve().parents[1]
NO_DISPLAY = (
    "There is no display to open the window on. Start Sfumato from a desktop session, set DISPLAY, or use the command line: python -m sfumato generate --help"
)
OWN_SCREEN = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sfumato", description="Sfumato, a desktop studio for Stable Diffusion.")
    parser.add_argument("--data", metavar="DIR", help="folder for settings, session, logs and pictures")
    parser.add_argument("--first-frame", action="store_true", help="print the milliseconds from process start to splash and window as JSON, then quit")
    return parser.parse_args(arguments)


def has_display() -> bool:
    """False only where Qt would abort for the lack of one."""
    if not sys.platform.startswith("linux"):
        return True
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    return platform.startswith(OWN_SCREEN) or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def process_start() -> float:
    """When this process began, in seconds since the epoch; the interpreter's own start counts."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return STARTED
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    if not has_display():
        print(NO_DISPLAY, file=sys.stderr)
        return 2
    sys.path.insert(0, str(PROGRAM / "source"))
    try:
        from sfumato.desktop.launch import Launch  # late: without a display nothing of Qt may load

        return Launch(PROGRAM, chosen.data).run(process_start() if chosen.first_frame else None, lambda report: print(json.dumps(report), flush=True))
    except Exception as error:  # noqa: BLE001  # the program's root
        from sfumato.desktop.last_words import say  # late: only needed when all else failed

        return say(error, chosen.data, with_dialog=not chosen.first_frame)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
