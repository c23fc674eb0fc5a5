"""The desktop entry: splash first, everything else after it.

Only the standard library and Qt's core are imported before the splash is on screen; the rest is imported on a thread while it spins.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import sysconfig
import time
from pathlib import Path

STARTED = time.time()
PROGRAM = Path(__file__).resolve().parents[1]


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sfumato", description="Sfumato, a desktop studio for Stable Diffusion.")
    parser.add_argument("--data", metavar="DIR", help="folder for settings, session, logs and pictures")
    parser.add_argument("--register", action="store_true", help="have links that begin with sfumato: open in this program, for this user, and quit")
    parser.add_argument("--unregister", action="store_true", help="take that back, and quit")
    parser.add_argument("address", nargs="*", help="an address sfumato:... that was opened; a window that is open takes it over")
    parser.add_argument("--first-frame", action="store_true", help="print the milliseconds from process start to splash and window as JSON, then quit")
    return parser.parse_args(arguments)


def process_start() -> float:
    """When this process began, in seconds since the epoch; the interpreter's own start counts."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return STARTED
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def change_links(register: bool, data: str) -> int:
    """Register or unregister this program for links of this user; needs no display."""
    from launcher import scheme  # late: the path leads there only now, and hardly a start asks for it
    from launcher.folders import find_data

    try:
        print(scheme.change(register, PROGRAM, find_data(PROGRAM, data, os.environ)))
    except scheme.NotSupported as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"What opens links could not be written ({error.strerror or error}); look at the rights of your own folders.", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    sys.path[:0] = [str(PROGRAM / "source"), str(PROGRAM)]
    if len(chosen.address) > 1:
        # Not named: a password may be among them.
        print("sfumato: one address can be opened at a time, and no flags behind it", file=sys.stderr)
        return 2
    if chosen.register or chosen.unregister:
        return change_links(chosen.register, chosen.data)
    from launcher.display import obstacle, qt_folders  # late: the path above leads there

    if reason := obstacle():
        print(reason, file=sys.stderr)
        return 2
    for name, value in qt_folders([Path(sysconfig.get_paths()["purelib"])]).items():
        os.environ.setdefault(name, value)
    try:
        from sfumato.desktop.launch import Launch  # late: without a display nothing of Qt may load

        began = process_start() if chosen.first_frame else None
        return Launch(PROGRAM, chosen.data).run(began, lambda report: print(json.dumps(report), flush=True), "".join(chosen.address))
    except Exception as error:  # noqa: BLE001  # the program's root
        from sfumato.desktop.last_words import say  # late: only needed when all else failed

        return say(error, chosen.data, with_dialog=not chosen.first_frame)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
