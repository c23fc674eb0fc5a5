"""Hands over to the program: which command, with which environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

from launcher.arguments import Arguments
from launcher.display import qt_folders
from launcher.folders import Folders
from launcher.requirements import site_packages_of


def command(folders: Folders, arguments: Arguments, python: str) -> list[str]:
    """The tests, the window, or the command line."""
    if arguments.wants_tests:
        # pytest finds its configuration from its own folder, not from wherever the person is.
        return [python, "-m", "pytest", *(arguments.words[1:])]
    if arguments.wants_window:
        # What follows a link came with it from elsewhere and is no flag, whatever it looks like.
        words = ["--", *arguments.words] if arguments.words else []
        return [_without_console(python), str(folders.program / "source" / "main.py"), *words]
    # -P: a file called like a module, in the folder where the person happens to be, must not be imported instead of it.
    return [python, "-P", "-m", "sfumato", *arguments.words]


def environment(folders: Folders, arguments: Arguments, environ: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH rather than a `.pth` file: the folder can be moved, may be read-only, and its name may hold any character."""
    path = [str(folders.program / "source"), environ.get("PYTHONPATH", "")]
    values = {**environ, "PYTHONPATH": os.pathsep.join(part for part in path if part), "PYTHONUTF8": "1"}
    if not arguments.wants_tests:
        values["SFUMATO_DATA"] = str(folders.data)
        # A window that is restarted starts here again.
        values["SFUMATO_LAUNCHER"] = str(folders.program / "launcher")
    return {**qt_folders(site_packages_of(folders.environment)), **values}


def hand_over(folders: Folders, arguments: Arguments, python: str) -> NoReturn:
    """Become the program. Does not return."""
    words, values = command(folders, arguments, python), environment(folders, arguments, os.environ)
    folder = str(folders.program) if arguments.wants_tests else None
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        if folder:
            os.chdir(folder)
        os.execve(words[0], words, values)
    # Windows has no exec: a new process with the same console stands in for it.
    sys.exit(subprocess.run(words, env=values, cwd=folder, check=False).returncode)


def _without_console(python: str) -> str:
    # On Windows the window needs no console of its own beside it.
    windowless = python.removesuffix("python.exe") + "pythonw.exe"
    return windowless if os.name == "nt" and os.path.exists(windowless) else python
