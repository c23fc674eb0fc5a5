"""A small surrounding for transfer jobs: what the handler is fed with is written down before, what it says is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sfumato.jobs.places import Places
from sfumato.protocol.errors import Stopped

T = TypeVar("T")


class Around:
    """Args: feeds: what `receive` yields; an exception in it is raised there. on_progress: called with each report's done."""

    def __init__(
        self,
        root: Path,
        *,
        identity: str = "owner",
        feeds: Sequence[bytes | BaseException] = (),
        models: Sequence[Path] | None = None,
        download_hosts: str = "",
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.identity = identity
        self.is_abandoned = False
        self.is_let_go = False
        self.places = Places(root / "data", root / "outputs", tuple(models or (root / "models",)), download_hosts=download_hosts)
        self.told: list[tuple[str, int, int, float | None]] = []
        self.artifacts: list[tuple[str, bytes, Mapping[str, Any]]] = []
        self.started_at: int | None = None
        self.stopped = threading.Event()
        self._feeds = feeds
        self._on_progress = on_progress

    @property
    def models(self) -> Path:
        return self.places.models[0]

    def progress(self, stage: str, done: int, total: int, rate: float | None = None) -> None:
        self.told.append((stage, done, total, rate))
        self._on_progress(done)

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        del media_type
        self.artifacts.append((name, data, info or {}))

    def check(self) -> None:
        if self.stopped.is_set():
            raise Stopped

    def cancel(self, *, is_abandoned: bool = False) -> None:
        self.is_abandoned = is_abandoned
        self.stopped.set()

    def shared(self, factory: Callable[[], T]) -> T:
        return factory()

    def receive(self, start: int = 0, silence_s: float | None = None) -> Iterator[bytes]:
        assert silence_s, "who says nothing more must not be waited for without end"
        self.started_at = start
        for part in self._feeds:
            self.check()
            if isinstance(part, BaseException):
                raise part
            yield part


def parts_of(data: bytes, size: int = 1000) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def files_under(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones as well."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
