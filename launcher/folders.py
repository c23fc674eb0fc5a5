"""Where the program, its data and its virtual environment are.

The same rule for the data folder as `sfumato.config`, written again because the launcher may import nothing of the program; what is found here
is handed on in SFUMATO_DATA, so the two can not disagree.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Absolute folders; only `program` is known to exist."""

    program: Path
    data: Path
    environment: Path

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def wheels(self) -> Path:
        """Wheels that somebody put beside the program; used before the network."""
        return self.program / "wheels"


def find(program: Path, data: str, environ: Mapping[str, str] = os.environ) -> Folders:
    """Apply the rules; creates nothing."""
    data_folder = find_data(program, data, environ)
    beside = program / ".venv"
    environment = beside if (beside.exists() or is_writable(program)) else data_folder / ".venv"
    return Folders(program, data_folder, environment)


def find_data(program: Path, data: str, environ: Mapping[str, str]) -> Path:
    """`--data`, else SFUMATO_DATA, else `data/` beside the program if it exists, else the per-user folder of the platform."""
    named = data or environ.get("SFUMATO_DATA", "")
    if named:
        return Path(named).expanduser().absolute()
    beside = program / "data"
    return beside if beside.is_dir() else user_data(environ)


def user_data(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder where this platform keeps the data of one user's programs."""
    home = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME") or Path.home())
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sfumato"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "sfumato"
    named = environ.get("XDG_DATA_HOME", "").strip()
    return (Path(named) if named else home / ".local" / "share") / "sfumato"


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in `folder`: tried, because permission bits do not tell about read-only mounts and Windows access lists."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def existing_parent(path: Path) -> Path:
    """`path` or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
