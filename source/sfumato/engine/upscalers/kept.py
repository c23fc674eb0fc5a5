"""Networks for pictures kept between jobs, least recently used out, limited by bytes; one per process, by `context.shared(KeptImageNetworks)`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Protocol, TypeVar

from sfumato.engine.checkpoint import identity_of
from sfumato.engine.device import Device, free_caches
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.reading import open_network

# A face detector, two restorers and two upscalers.
_LIMIT_BYTES = 1536 << 20


class Weighed(Protocol):
    """What can be kept: it knows how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


W = TypeVar("W", bound=Weighed)


class KeptImageNetworks:
    """Networks by file (path, size and time of change), device and number format.

    Args:
        limit_bytes: of all that are kept; the one in use may be larger alone.
    """

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, Weighed] = OrderedDict()
        self._devices: set[Device] = set()

    def network(self, path: Path, device: Device, check: Callable[[], None]) -> ImageNetwork:
        """The upscaler or face restorer in a file, read if it is not held; errors as of `open_network`."""
        return self.get(path, device, lambda: open_network(path, device, check))

    def get(self, path: Path, device: Device, read: Callable[[], W]) -> W:
        """What was made of a file, made by `read` if it is not held."""
        key = (identity_of([path]) if path.exists() else str(path), device)
        found = self._held.get(key)
        if found is None:
            found = read()
            self._devices.add(device)
            self._make_room(found.nbytes)
            self._held[key] = found
        self._held.move_to_end(key)
        return found  # type: ignore[return-value]  # a file is asked for as one kind of thing

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in self._held.values())

    def clear(self) -> None:
        """Let everything go and give the memory back."""
        self._held.clear()
        for device in self._devices:
            free_caches(device.torch)
        self._devices.clear()

    def _make_room(self, needed_bytes: int) -> None:
        while self._held and self.nbytes + needed_bytes > self._limit_bytes:
            self._held.popitem(last=False)
