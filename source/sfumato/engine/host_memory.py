"""What memory the machine, or the container around this process, still has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_MEMBERSHIP = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")
# Limit and use of one level, in both generations of control groups.
_FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
# The names by which each generation counts cached file contents that the system gives back when asked for memory.
_RECLAIMABLE = ("inactive_file", "total_inactive_file")


def free_host_bytes() -> int:
    """What can be had without swapping: of the machine, and of every container level around this process."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_containers(_membership(), _ROOT)]))


def _membership() -> str:
    with suppress(OSError):
        return _MEMBERSHIP.read_text()
    return ""


def _left_in_containers(membership: str, root: Path) -> Iterator[int]:
    """What each limited level leaves.

    Args:
        membership: lines "number:controllers:/path", as the kernel tells them of a process.
    """
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        # Inside a container the path may be told as seen from outside; then only the top is there.
        for level in (base / path.lstrip("/"), *(base / path.lstrip("/")).parents):
            yield from _left(level)
            if level == base:
                break


def _left(level: Path) -> Iterator[int]:
    for limit, use in _FILES:
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            yield int((level / limit).read_text()) - int((level / use).read_text()) + _reclaimable(level)


def _reclaimable(level: Path) -> int:
    with suppress(OSError, ValueError):
        told = dict(line.split() for line in (level / "memory.stat").read_text().splitlines())
        return max((int(told[name]) for name in _RECLAIMABLE if name in told), default=0)
    return 0
