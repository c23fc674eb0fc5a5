"""Requirements files, and what of them is absent from a virtual environment.

Absence is read off the names of the `.dist-info` folders, so nothing is imported and a scan takes milliseconds. Another version counts as present, because
people bring their own builds of torch, unless versions are enforced.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PLATFORM = re.compile(r"sys_platform\s*(==|!=)\s*['\"](\w+)['\"]")
SPARE_INDEX = "# spare index for linux:"
# A comment, so that pip alone, which knows no such thing, passes over it.
ALONE = "# without its dependencies:"


class RequirementsError(Exception):
    """A requirements file is absent or says something the launcher does not understand; the message names file and line."""


@dataclass(frozen=True)
class Requirements:
    """What the files say.

    Attributes:
        lines: one line per distribution, in the order of the files, without markers of other platforms.
        options: index options such as `--extra-index-url URL`, as pip takes them in a file.
        spare_index: an index that is asked on Linux only where nobody configured pip and it answers; or empty.
        text: all that was read, to tell when something changed.
        alone: requirements that are installed without what they ask for themselves, because the program brings it.
    """

    lines: tuple[str, ...]
    options: tuple[str, ...]
    spare_index: str
    text: str
    alone: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every requirement, however it is installed."""
        return (*self.lines, *self.alone)


def normalise(name: str) -> str:
    """A distribution's name as indexes compare it: lower case, runs of `-_.` are one dash (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(line: str) -> str:
    """The normalised name at the start of a requirement line."""
    match = NAME.match(line)
    if match is None:
        raise RequirementsError(f"'{line}' does not start with the name of a package.")
    return normalise(match.group())


def read(paths: Iterable[Path], platform: str = sys.platform) -> Requirements:
    """Read the files and, through `-r`, the files they name; each file once.

    Raises:
        RequirementsError: a file can not be read, or a line is not understood.
    """
    lines: dict[str, str] = {}
    options: dict[str, None] = {}
    spare_index = ""
    texts: list[str] = []
    alone: dict[str, str] = {}
    waiting, seen = [path.resolve() for path in paths], set[Path]()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequirementsError(f"The requirements file {path} could not be read ({type(error).__name__}); get a complete copy of the program.") from error
        texts.append(f"{path.name}\n{text}")
        for number, raw in enumerate(text.splitlines(), 1):
            if raw.startswith(SPARE_INDEX):
                spare_index = raw.removeprefix(SPARE_INDEX).strip()
            if raw.startswith(ALONE):
                requirement = raw.removeprefix(ALONE).strip()
                alone.setdefault(name_of(requirement), requirement)
            line = re.sub(r"(^|\s)#.*", "", raw).strip()
            if line.startswith("-r "):
                waiting.append((path.parent / line[3:].strip()).resolve())
            elif line.startswith("--"):
                options[line] = None
            elif line:
                requirement, _, marker = (part.strip() for part in line.partition(";"))
                if not NAME.match(requirement):
                    raise RequirementsError(f"{path.name}, line {number}: '{line}' does not start with the name of a package.")
                if not marker or _applies(marker, platform, f"{path.name}, line {number}"):
                    lines.setdefault(name_of(requirement), requirement)
    return Requirements(tuple(lines.values()), tuple(options), spare_index, "\n".join(texts), tuple(alone.values()))


def _applies(marker: str, platform: str, place: str) -> bool:
    """Whether a marker is true here. Only comparisons of `sys_platform`, joined by `and`, are known: the files need no others."""
    for part in marker.split(" and "):
        match = PLATFORM.fullmatch(part.strip())
        if match is None:
            raise RequirementsError(f"{place}: the condition '{marker}' is not understood; only sys_platform == or != is.")
        if (match.group(2) == platform) != (match.group(1) == "=="):
            return False
    return True


def installed(site_packages: Iterable[Path]) -> dict[str, str]:
    """Normalised name -> version of the distributions in these folders; folders that do not exist hold none."""
    found: dict[str, str] = {}
    for folder in site_packages:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            stem, dot, kind = entry.rpartition(".")
            # WORKAROUND(pip): what pip was replacing when it was killed stays behind as "~ame-1.0.dist-info"; that is not an installed package.
            if dot and kind in ("dist-info", "egg-info") and not stem.startswith("~"):
                name, _, rest = stem.partition("-")
                found[normalise(name)] = rest.partition("-")[0]
    return found


def fits(line: str, version: str) -> bool:
    """Whether a version is one that a requirement line allows. Only releases are compared; a version that is no release, or unknown, fits."""
    release = _release(version)
    if release is None:
        return True
    for comparison, wanted in re.findall(r"(==|>=|<=|!=|<|>)\s*([0-9][0-9A-Za-z.+]*)", line):
        other = _release(wanted)
        if other is None:
            continue
        width = max(len(release), len(other))
        mine, theirs = (numbers + (0,) * (width - len(numbers)) for numbers in (release, other))
        if not {"==": mine == theirs, "!=": mine != theirs, ">=": mine >= theirs, "<=": mine <= theirs, ">": mine > theirs, "<": mine < theirs}[comparison]:
            return False
    return True


def _release(version: str) -> tuple[int, ...] | None:
    """The numbers of a version without its local part ("2.13.0+cpu" is 2, 13, 0); None if it does not start with one."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else None


@dataclass(frozen=True)
class Package:
    """One requirement and what there is of it: `state` is "present", "other version" or "missing"."""

    name: str
    line: str
    version: str
    state: str


def packages(wanted: Requirements, site_packages: Iterable[Path]) -> list[Package]:
    """Every requirement with its state, in the order of the files."""
    found = installed(site_packages)
    rows = []
    for line in wanted.all:
        name = name_of(line)
        state = "missing" if name not in found else "present" if fits(line, found[name]) else "other version"
        rows.append(Package(name, line, found.get(name, ""), state))
    return rows


def missing(wanted: Requirements, site_packages: Iterable[Path], *, enforce: bool = False) -> list[str]:
    """The requirement lines whose distribution is absent; with `enforce` those of another version, too."""
    counts = ("missing", "other version") if enforce else ("missing",)
    return [package.line for package in packages(wanted, site_packages) if package.state in counts]


def site_packages_of(environment: Path) -> list[Path]:
    """Where a virtual environment keeps its packages; there may be a `lib64` that is no link."""
    if os.name == "nt":
        return [environment / "Lib" / "site-packages"]
    return sorted(environment.glob("lib*/python3.*/site-packages"))
