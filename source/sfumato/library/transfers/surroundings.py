"""What the handlers of this room ask of the place they run in; a job's context is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Folders(Protocol):
    """The folders and hosts of an installation."""

    @property
    def data(self) -> Path: ...

    @property
    def models(self) -> tuple[Path, ...]: ...

    @property
    def download_hosts(self) -> str: ...


class Surroundings(Protocol):
    """A running transfer job. `identity`: whose it is. `is_abandoned`: it was ended without its owner having asked for that. `is_let_go`: paused."""

    @property
    def identity(self) -> str: ...

    @property
    def is_abandoned(self) -> bool: ...

    @property
    def is_let_go(self) -> bool: ...

    @property
    def places(self) -> Folders: ...

    def progress(self, stage: str, done: int, total: int, rate: float | None = None) -> None: ...

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None: ...

    def check(self) -> None: ...

    def cancel(self, *, is_abandoned: bool = False) -> None: ...

    def shared(self, factory: Callable[[], T]) -> T: ...

    def receive(self, start: int = 0, silence_s: float | None = None) -> Iterator[bytes]: ...
