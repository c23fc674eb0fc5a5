"""Networks kept in memory between jobs, least recently used out, limited by bytes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

_FALLBACK_BYTES = 8 << 30
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class LoadedPart:
    """One network with what belongs to it. `unused`: weights of its part of the file that it has no place for."""

    module: nn.Module
    projection: torch.Tensor | None = None
    unused: int = 0

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.module.parameters(), *self.module.buffers()))


def half_of_memory() -> int:
    """Half of the bytes that this machine, or the container around the process, has."""
    total = _FALLBACK_BYTES
    if hasattr(os, "sysconf"):
        with suppress(ValueError, OSError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    elif (found := _windows_memory()) is not None:
        total = found
    with suppress(OSError, ValueError):  # "max" is no number: no limit
        total = min(total, int(_CONTAINER_LIMIT.read_text()))
    return total // 2


def _windows_memory() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")))

    status = Status(length=ctypes.sizeof(Status))
    windows = getattr(ctypes, "windll", None)
    return status.total if windows is not None and windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


class KeptParts:
    """What is held, by keys that are complete: the files' identity, the construction and the number format."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, LoadedPart] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], LoadedPart]) -> LoadedPart:
        """What is held under `key`, else what `make` makes, held from now on."""
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = make()
        self._held.move_to_end(key)
        return found

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._held))

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self._held.values())

    def make_room(self, needed_bytes: int, spared: Collection[Hashable]) -> set[Hashable]:
        """Let go of what was used longest ago until `needed_bytes` more fit, but of nothing in `spared`; returns what went."""
        gone: set[Hashable] = set()
        for key in list(self._held):
            if self.nbytes + needed_bytes <= self._limit_bytes:
                break
            if key not in spared:
                del self._held[key]
                gone.add(key)
        return gone

    def drop(self, keys: Collection[Hashable]) -> None:
        for key in keys:
            self._held.pop(key, None)

    def move(self, key: Hashable, device: torch.device) -> None:
        """Take a held network to a device; weights change their place, not their values."""
        part = self._held[key]
        if next(part.module.parameters()).device != device:
            part.module.to(device)
        self._held.move_to_end(key)

    def on(self, device: torch.device) -> list[Hashable]:
        """The keys of networks on a device, least recently used first."""
        return [key for key, part in self._held.items() if next(part.module.parameters()).device == device]

    def clear(self) -> None:
        self._held.clear()
