"""What was read of files that users add to a model, kept between jobs under a limit of bytes; a file that changed is read anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that tells what it takes."""

    @property
    def nbytes(self) -> int: ...


Content = TypeVar("Content", bound=Sized)


class KeptFiles(Generic[Content]):
    """Contents by path, size and modification time; those used longest ago go first. The one read last always stays.

    Args:
        limit_bytes: of all contents together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Path, tuple[tuple[int, int], Content]] = OrderedDict()

    def get(self, path: Path, make: Callable[[Path], Content]) -> Content:
        """What is held of a file, else what `make` reads of it. Raises `OSError` for a file that is gone, and what `make` raises."""
        status = path.stat()
        version = status.st_size, status.st_mtime_ns
        held = self._held.get(path)
        if held is not None and held[0] == version:
            self._held.move_to_end(path)
            return held[1]
        self._held.pop(path, None)
        made = make(path)
        self._held[path] = version, made
        self.trim()
        return made

    def trim(self) -> None:
        """Let go of what was used longest ago until the rest is within the limit; after a content has grown."""
        while self.nbytes > self._limit_bytes and len(self._held) > 1:
            self._held.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """What all contents take."""
        return sum(content.nbytes for _, content in self._held.values())

    def clear(self) -> None:
        """Let everything go."""
        self._held.clear()

    def __len__(self) -> int:
        return len(self._held)
