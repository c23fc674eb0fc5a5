"""Installs what is missing with one call of pip, and a second for what comes without its dependencies, with its progress on the terminal.

A folder `wheels/` beside the program is asked first, and alone when offline. A download that fails is tried again after 2, 4 and 8 seconds; what can not
be mended by waiting (no such version, a full disk) is not.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.environment import lines_of
from launcher.folders import Folders, existing_parent
from launcher.process import run
from launcher.requirements import Requirements

DELAYS_S = (2.0, 4.0, 8.0)
# Standard output belongs to the program, which may be writing into a pipe.
STANDARD_ERROR = 2
# pip's own words for what another try does not change.
FINAL = re.compile(r"No matching distribution|ResolutionImpossible|No space left|requires a different Python|THESE PACKAGES DO NOT MATCH|Invalid requirement")
PIP_SOURCES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONFIG_FILE")


class InstallError(Exception):
    """The packages could not be installed; the message says which and why."""


@dataclass(frozen=True)
class Plan:
    """What to install and from where.

    Attributes:
        lines: requirement lines, as in a requirements file.
        wanted: where the index options come from.
        offline: whether the folder with wheels is the only source.
        space_mb: free space that must be there before anything is fetched.
    """

    lines: Sequence[str]
    wanted: Requirements
    offline: bool
    space_mb: int


def install(folders: Folders, plan: Plan, tell: Callable[[str], None], delays_s: Sequence[float] = DELAYS_S) -> None:
    """Install `plan.lines` into the environment.

    Raises:
        InstallError: too little free space, or pip failed for good.
    """
    check_space(folders.environment, plan.space_mb)
    if plan.offline and not folders.wheels.is_dir():
        raise InstallError(f"Offline, packages come from the folder {folders.wheels}, which does not exist; put the wheels there or leave --offline out.")
    alone = [line for line in plan.lines if line in plan.wanted.alone]
    for lines, options in (([line for line in plan.lines if line not in alone], ()), (alone, ("--no-deps",))):
        if lines:
            _install(folders, lines, options, plan, tell, delays_s)


def _install(folders: Folders, lines: Sequence[str], options: Sequence[str], plan: Plan, tell: Callable[[str], None], delays_s: Sequence[float]) -> None:
    """Install `lines` with these options of pip."""
    log = folders.environment / "install.log"
    with tempfile.TemporaryDirectory(prefix="sfumato-") as scratch:
        wanted = Path(scratch) / "requirements.txt"
        if folders.wheels.is_dir():
            _write(wanted, lines, ())
            status = _pip(folders, wanted, log, [*options, "--isolated", "--no-index", "--find-links", _as_url(folders.wheels)])
            if status == 0:
                return
            if plan.offline:
                raise InstallError(f"The folder {folders.wheels} does not hold everything that is needed: {reason(log)}")
            tell("The folder wheels/ does not hold everything that is needed; the network is asked for the rest.")
        _write(wanted, lines, (*plan.wanted.options, *spare_index(plan.wanted)))
        sources = [*options, *(["--find-links", _as_url(folders.wheels)] if folders.wheels.is_dir() else [])]
        for number, delay_s in enumerate((*delays_s, None), 1):
            if _pip(folders, wanted, log, sources) == 0:
                return
            why = reason(log)
            if delay_s is None or FINAL.search(why):
                raise InstallError(f"The packages could not be installed: {why} (the whole story is in {log}).")
            tell(f"Fetching the packages failed (try {number} of {len(delays_s) + 1}): {why} Trying again in {delay_s:g} s.")
            time.sleep(delay_s)


def check_space(environment: Path, needed_mb: int) -> None:
    """Raise `InstallError` if fewer than `needed_mb` MB are free where the environment is."""
    folder = existing_parent(environment)
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < needed_mb:
        raise InstallError(f"The packages need about {needed_mb} MB and {folder} has {free_mb} MB free; make room, or move the program to a larger disk.")


def spare_index(wanted: Requirements, timeout_s: float = 3.0) -> tuple[str, ...]:
    """The file's spare index as a pip option, on Linux, unless somebody told pip where to look; none if it does not answer in time."""
    if not wanted.spare_index or os.name != "posix" or os.uname().sysname != "Linux" or any(name in os.environ for name in PIP_SOURCES):
        return ()
    try:
        with urllib.request.urlopen(wanted.spare_index, timeout=timeout_s):
            return (f"--extra-index-url {wanted.spare_index}",)
    except (OSError, urllib.error.URLError, ValueError):
        return ()


def reason(log: Path) -> str:
    """The last error in pip's log, as one sentence."""
    errors = [line.partition("ERROR:")[2].strip() for line in lines_of(log) if "ERROR:" in line]
    errors = [error for error in errors if error and not error.startswith("Exception")]
    # pip's last line names the package; "Could not find a version" before it only lists what there is.
    return errors[-1] if errors else "pip ended without saying why."


def _pip(folders: Folders, wanted: Path, log: Path, sources: Sequence[str]) -> int:
    log.unlink(missing_ok=True)
    command = [str(folders.python), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    # PYTHONUTF8: pip reads the requirements and prints paths; both may hold any character.
    values = {**os.environ, "PYTHONUTF8": "1", "PIP_REQUIRE_VIRTUALENV": "0"}
    return run([*command, "--log", str(log), *sources, "--requirement", str(wanted)], values, stdout=STANDARD_ERROR)


def _as_url(folder: Path) -> str:
    # A path with blanks or `%` would be split or decoded by pip; a file URL is quoted once and for all.
    return folder.as_uri()


def _write(path: Path, lines: Sequence[str], options: Sequence[str]) -> None:
    path.write_text("\n".join((*options, *lines)) + "\n", encoding="utf-8")
