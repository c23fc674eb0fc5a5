"""Libraries and programs of the operating system that Qt's window and the tests need, and the Debian packages that bring them.

What is absent is found by trying, which works on every distribution; installing is done on Debian and its relatives, and only as root.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from launcher.process import run

# Where servers are installed; on Debian not on everybody's PATH.
ADMINISTRATORS_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Need:
    """One row: a `library` by its soname, a `program` on PATH, a Python `module` or a `folder` with something in it; and who brings it on Debian."""

    kind: str
    name: str
    package: str


# What Qt 5.15's xcb platform plugin, its OpenGL integration and Qt Quick link to and the PyQt5 wheel does not bring (readelf -d on each).
WINDOW = (
    Need("library", "libGL.so.1", "libgl1"),
    Need("library", "libEGL.so.1", "libegl1"),
    Need("library", "libX11.so.6", "libx11-6"),
    Need("library", "libX11-xcb.so.1", "libx11-xcb1"),
    Need("library", "libXext.so.6", "libxext6"),
    Need("library", "libfontconfig.so.1", "libfontconfig1"),
    Need("library", "libfreetype.so.6", "libfreetype6"),
    Need("library", "libglib-2.0.so.0", "libglib2.0-0"),
    Need("library", "libdbus-1.so.3", "libdbus-1-3"),
    Need("library", "libxkbcommon.so.0", "libxkbcommon0"),
    Need("library", "libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    Need("library", "libxcb.so.1", "libxcb1"),
    Need("library", "libxcb-glx.so.0", "libxcb-glx0"),
    Need("library", "libxcb-icccm.so.4", "libxcb-icccm4"),
    Need("library", "libxcb-image.so.0", "libxcb-image0"),
    Need("library", "libxcb-keysyms.so.1", "libxcb-keysyms1"),
    Need("library", "libxcb-randr.so.0", "libxcb-randr0"),
    Need("library", "libxcb-render.so.0", "libxcb-render0"),
    Need("library", "libxcb-render-util.so.0", "libxcb-render-util0"),
    Need("library", "libxcb-shape.so.0", "libxcb-shape0"),
    Need("library", "libxcb-shm.so.0", "libxcb-shm0"),
    Need("library", "libxcb-sync.so.1", "libxcb-sync1"),
    Need("library", "libxcb-xfixes.so.0", "libxcb-xfixes0"),
    Need("library", "libxcb-xinerama.so.0", "libxcb-xinerama0"),
    Need("library", "libxcb-xkb.so.1", "libxcb-xkb1"),
    Need("folder", "/usr/share/X11/xkb", "xkb-data"),
    Need("folder", "/usr/share/fonts", "fonts-dejavu-core"),
)
# The tests open real windows on a virtual display, drawn by the software renderer of Mesa, press real keys there, and put a real web server before the relay.
TESTS = (
    *WINDOW,
    Need("program", "Xvfb", "xvfb"),
    Need("program", "xdotool", "xdotool"),
    Need("program", "nginx", "nginx"),
    Need("folder", "/usr/lib/*/dri", "libgl1-mesa-dri"),
)
# Debian splits `venv` from Python; without it no virtual environment can be made.
ENVIRONMENT = (Need("module", "ensurepip", f"python3.{sys.version_info.minor}-venv"),)


def missing(needs: Iterable[Need]) -> list[Need]:
    """The rows that are not there."""
    return [need for need in needs if not is_present(need)]


def is_present(need: Need) -> bool:
    if need.kind == "library":
        try:
            ctypes.CDLL(need.name)
        except OSError:
            return False
        return True
    if need.kind == "program":
        return any(shutil.which(need.name, path=path) is not None for path in (None, ADMINISTRATORS_PATH))
    if need.kind == "module":
        return importlib.util.find_spec(need.name) is not None
    return any(any(folder.iterdir()) for folder in Path("/").glob(need.name.lstrip("/")) if folder.is_dir())


def has_apt() -> bool:
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def command(packages: Iterable[str], as_root: bool) -> list[str]:
    """The command that installs Debian packages."""
    return [*([] if as_root else ["sudo"]), "apt-get", "install", "--yes", "--no-install-recommends", *packages]


def provide(needs: Iterable[Need], why: str, tell: Callable[[str], None], is_root: bool | None = None, offline: bool = False) -> bool:
    """See that everything in `needs` is there: install it as root on Debian, else tell what to type.

    Args:
        why: what it is for, as "The window"; starts the sentence.
        is_root: whether packages may be installed; asked of the system when None.
        offline: whether no network may be used.

    Returns:
        Whether everything is there now.
    """
    if not sys.platform.startswith("linux"):
        return True
    absent = missing(needs)
    if not absent:
        return True
    packages = list(dict.fromkeys(need.package for need in absent))
    root = os.geteuid() == 0 if is_root is None else is_root
    if not has_apt():
        names = ", ".join(need.name for need in absent)
        tell(f"{why} needs parts of the system that are not installed: {names}; install them with the system's package manager and start again.")
        return False
    if not root or offline:
        tell(f"{why} needs system packages that are not installed; install them with this command and start again:\n  {' '.join(command(packages, root))}")
        return False
    tell(f"Installing system packages: {' '.join(packages)}")
    if not _install(packages):
        tell(f"The system packages could not be installed; see the lines above, then run:\n  {' '.join(command(packages, True))}")
        return False
    still = missing(absent)
    if still:
        tell(f"{why} still lacks {', '.join(need.name for need in still)} after its packages were installed; look for a package that holds it.")
    return not still


def _install(packages: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The lists of an empty machine are empty, and those of an old one name files that are gone.
    run(["apt-get", "update", "--quiet"], environment, stdout=subprocess.DEVNULL)
    # Debconf's questions would otherwise be read from whatever stands in for a terminal.
    return run(command(packages, True), environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) == 0
