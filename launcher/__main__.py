"""The order of events: read the flags, find the environment, install what is missing, become the program.

Started as `python -m launcher` from the program's folder or as `python launcher` from anywhere; `start_linux.sh` and `start_win.bat` do the latter.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):
    sys.path[0] = str(PROGRAM)


from launcher.arguments import USAGE, UsageError, parse  # noqa: E402 - the path has to be set first
from launcher.session import Failure, Session  # noqa: E402


def main(words: list[str]) -> int:
    """Run the launcher; returns an exit status only where it does not become the program."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can not show a character of a path must not end the launcher.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text streams
    try:
        arguments = parse(words)
    except UsageError as error:
        print(f"{error}\n\n{USAGE}", file=sys.stderr, end="")
        return 2
    if arguments.help:
        print(USAGE, end="")
        return 0
    try:
        return Session(PROGRAM, arguments).run()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        print("Stopped; the next start goes on with what is missing.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
