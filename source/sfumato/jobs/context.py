"""All that a handler may ask of its surroundings: report, send results, receive uploads, notice a cancel, keep things between jobs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from sfumato.jobs.places import Places
from sfumato.protocol.errors import Stopped

T = TypeVar("T")


class Reporter(Protocol):
    """Where a running job's words go; the dispatcher gives them their `seq`."""

    def progress(self, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None: ...

    def artifact(self, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None: ...


@runtime_checkable
class Holder(Protocol):
    """A shared object that keeps things only to be quicker, and can let them go: when memory runs out, or when the user wants it back."""

    @property
    def nbytes(self) -> int: ...

    def clear(self) -> None: ...


class Kept:
    """Objects that outlive a job (loaded models, caches): one per factory and process, made at first use."""

    def __init__(self) -> None:
        self._held: dict[Hashable, Any] = {}

    def get(self, factory: Callable[[], T]) -> T:
        if factory not in self._held:
            self._held[factory] = factory()
        found: T = self._held[factory]
        return found

    def holders(self) -> tuple[Holder, ...]:
        """Those objects that can be emptied."""
        return tuple(held for held in self._held.values() if isinstance(held, Holder))


class JobContext:
    """Handed to `run(request, context)`; only the thread that runs the handler calls its methods, except `cancel` and `feed`."""

    def __init__(self, job: str, places: Places, reporter: Reporter, kept: Kept, blobs: Mapping[str, bytes]) -> None:
        self.job = job
        self.places = places
        self.blobs = blobs
        self._reporter = reporter
        self._kept = kept
        self._cancelled = threading.Event()
        self._parts: deque[bytes] = deque()
        self._complete = False
        self._arrival = threading.Condition()

    def progress(self, stage: str, done: int, total: int, rate: float | None = None, preview: tuple[bytes, ...] = (), note: str = "") -> None:
        """Report `done` of `total` units of `stage`, `rate` in units per second."""
        self._reporter.progress(stage=stage, done=done, total=total, rate=rate, preview=preview, note=note)

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        """Send one result."""
        self._reporter.artifact(name=name, media_type=media_type, data=data, info=info or {})

    def check(self) -> None:
        """Raise `Stopped` if the job was cancelled; called at every unit of work."""
        if self._cancelled.is_set():
            raise Stopped

    def shared(self, factory: Callable[[], T]) -> T:
        """One object per process, made by `factory` (a module-level function or class) when first asked for."""
        return self._kept.get(factory)

    def holders(self) -> tuple[Holder, ...]:
        """All that `shared` made in this process and that has `nbytes` and `clear`; nobody need register."""
        return self._kept.holders()

    def receive(self) -> Iterator[bytes]:
        """The uploaded parts, waiting for each, until the last; raises `Stopped` on cancel."""
        while True:
            with self._arrival:
                self._arrival.wait_for(lambda: self._parts or self._complete or self._cancelled.is_set())
                self.check()
                if not self._parts:
                    return
                part = self._parts.popleft()
            yield part

    def cancel(self) -> None:
        """Ask the job to stop; any thread."""
        with self._arrival:
            self._cancelled.set()
            self._arrival.notify_all()

    def feed(self, data: bytes, last: bool) -> None:
        """Add an uploaded part; any thread."""
        with self._arrival:
            if data:
                self._parts.append(data)
            self._complete = self._complete or last
            self._arrival.notify_all()
