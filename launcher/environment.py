"""The virtual environment, and the stamp in it that says what is known to be complete.

The stamp is what makes a second start quick: where its digest equals that of the requirements files, the mode and the interpreter, nothing is
looked for and nothing is run.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from launcher.folders import Folders
from launcher.process import run
from launcher.requirements import site_packages_of
from launcher.settings import read, write_atomically

STAMP = "sfumato.json"


class NotMade(Exception):
    """The virtual environment can not be made; the message says why and what to do."""


def exists(folders: Folders) -> bool:
    """Whether there is an environment whose interpreter is still there (its own files may outlive the Python they were made with)."""
    return folders.python.exists() and (folders.environment / "pyvenv.cfg").is_file()


def create(folders: Folders) -> None:
    """Make the environment with the Python that runs the launcher; a broken one is made anew.

    Raises:
        NotMade: it could not be made.
    """
    if exists(folders):
        return
    folders.environment.parent.mkdir(parents=True, exist_ok=True)
    # The base interpreter, so that an environment made from within another does not depend on that one.
    python = getattr(sys, "_base_executable", None) or sys.executable
    status = run([python, "-I", "-m", "venv", "--clear", str(folders.environment)])
    if status != 0 or not exists(folders):
        raise NotMade(f"The virtual environment {folders.environment} could not be made (python -m venv ended with {status}); see the lines above.")


def digest(folders: Folders, requirements_text: str, mode: str) -> str:
    """What the stamp must say for these requirements in this mode with this interpreter."""
    # A package that was removed or added by hand changes the time of the folder it lies in, and is noticed at the cost of one stat.
    changed = [str(folder.stat().st_mtime_ns) for folder in site_packages_of(folders.environment)]
    interpreter = "\n".join(lines_of(folders.environment / "pyvenv.cfg"))
    return hashlib.sha256("\0".join((mode, requirements_text, interpreter, *changed)).encode()).hexdigest()


def is_stamped(folders: Folders, name: str, value: str) -> bool:
    """Whether the step `name` was finished for exactly `value`."""
    return folders.python.exists() and read(folders.environment / STAMP, lambda sentence: None).get(name) == value


def stamp(folders: Folders, names: Iterable[str], value: str) -> None:
    """Write down that the steps were finished. Unwritable is no error: the next start merely looks again."""
    path = folders.environment / STAMP
    known = read(path, lambda sentence: None)
    known.update(dict.fromkeys(names, value))
    try:
        write_atomically(path, json.dumps(known, indent=2) + "\n")
    except OSError:
        return


def clear_stamp(folders: Folders) -> None:
    """Forget everything, so that an interrupted installation is not taken for a complete one."""
    try:
        (folders.environment / STAMP).unlink(missing_ok=True)
    except OSError:
        return


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, or none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
