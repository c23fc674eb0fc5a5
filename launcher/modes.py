"""The four ways to install Sfumato, and which one the hardware suggests."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mode:
    """One row: `disk_mb` is what the installed packages occupy, `download_mb` what has to be fetched, both rounded up."""

    name: str
    title: str
    sentence: str
    download_mb: int
    disk_mb: int

    @property
    def requirements_file(self) -> str:
        return f"requirements_{self.name}.txt"


# Sizes: remote and cpu measured on Linux x86-64, rounded up; nvidia and amd are estimates on the safe side.
ROWS = (
    Mode("nvidia", "Nvidia", "Pictures are made on an Nvidia graphics card, best with 4 GB or more.", 3500, 8000),
    Mode("amd", "AMD", "Pictures are made on an AMD graphics card, through ROCm on Linux.", 4500, 16000),
    Mode("cpu", "CPU", "Pictures are made on the processor: works everywhere, slowly.", 500, 2000),
    Mode("remote", "Remote", "Pictures are made on another machine; this one only shows them.", 150, 450),
)
BY_NAME = {row.name: row for row in ROWS}


def offered(platform: str = sys.platform) -> tuple[Mode, ...]:
    """The modes that exist on this platform: macOS has no CUDA and no ROCm."""
    return tuple(row for row in ROWS if platform != "darwin" or row.name in ("cpu", "remote"))


def detect() -> str:
    """`nvidia` if its driver library can be loaded, `amd` if the ROCm kernel driver or its tool is there, else `cpu`."""
    if sys.platform == "darwin":
        return "cpu"
    if _loads("nvcuda.dll" if os.name == "nt" else "libcuda.so.1") or Path("/usr/lib/wsl/lib/libcuda.so.1").exists():
        return "nvidia"
    if os.name == "posix" and (Path("/dev/kfd").exists() or shutil.which("rocminfo")):
        return "amd"
    return "cpu"


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
