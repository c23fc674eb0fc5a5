"""All that a handler may ask of its surroundings: report, send results, receive uploads, notice a cancel, keep things between jobs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from sfumato.jobs.places import Places
from sfumato.protocol.errors import Invalid, Problem, Stopped

T = TypeVar("T")
# What a client may upload before the job has read it.
AHEAD_LIMIT_BYTES = 8 << 20


def too_far_ahead() -> Invalid:
    """The end of a job whose client does not wait for it."""
    allowed = f"{AHEAD_LIMIT_BYTES >> 20} MiB"
    return Invalid([Problem("", f"More than {allowed} were uploaded ahead of what the job had read. Wait for its progress, then send the next part.")])


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
        self._lock = threading.RLock()

    def get(self, factory: Callable[[], T]) -> T:
        with self._lock:
            if factory not in self._held:
                self._held[factory] = factory()
            found: T = self._held[factory]
        return found

    def holders(self) -> tuple[Holder, ...]:
        """Those objects that can be emptied."""
        return tuple(held for held in self._held.values() if isinstance(held, Holder))


class JobContext:
    """Handed to `run(request, context)`; only the thread that runs the handler calls its methods, except `cancel` and `feed`.

    `job` names the job among all that run, whoever sent them; `identity` says whose it is; `is_abandoned`, once it is stopped, that nobody asked for that.
    """

    def __init__(self, job: str, places: Places, reporter: Reporter, kept: Kept, blobs: Mapping[str, bytes], identity: str = "local") -> None:
        self.job = job
        self.places = places
        self.blobs = blobs
        self.identity = identity
        self._reporter = reporter
        self._kept = kept
        self.is_abandoned = False
        self._cancelled = threading.Event()
        self._upload = _Upload()

    def progress(self, stage: str, done: int, total: int, rate: float | None = None, preview: tuple[bytes, ...] = (), note: str = "") -> None:
        """Report `done` of `total` units of `stage`, `rate` in units per second."""
        self._reporter.progress(stage=stage, done=done, total=total, rate=rate, preview=preview, note=note)

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        """Send one result."""
        self._reporter.artifact(name=name, media_type=media_type, data=data, info=info or {})

    def check(self) -> None:
        """Raise `Stopped` if the job was cancelled, `Invalid` if too much was uploaded ahead of it; called at every unit of work."""
        if self._cancelled.is_set():
            raise Stopped
        if self._upload.is_too_far_ahead:
            raise too_far_ahead()

    def shared(self, factory: Callable[[], T]) -> T:
        """One object per process, made by `factory` (a module-level function or class) when first asked for."""
        return self._kept.get(factory)

    def holders(self) -> tuple[Holder, ...]:
        """All that `shared` made in this process and that has `nbytes` and `clear`; nobody need register."""
        return self._kept.holders()

    def receive(self, start: int = 0, silence_s: float | None = None) -> Iterator[bytes]:
        """The uploaded bytes from `start` on, part by part, waiting for each, until the last, or none came for `silence_s`; raises what `check` raises.

        A part that was uploaded with its offset comes once, however often it was sent; one behind a gap does not come.
        """
        self._upload.begin(start)
        while True:
            part = self._upload.take(lambda: self._cancelled.is_set(), silence_s)
            self.check()
            if part is None:
                return
            yield part

    def cancel(self, *, is_abandoned: bool = False) -> None:
        """Ask the job to stop; any thread. `is_abandoned`: nobody asked for that, so what it has half done may be kept."""
        if not self._cancelled.is_set():
            self.is_abandoned = is_abandoned
        self._cancelled.set()
        self._upload.wake()

    @property
    def is_let_go(self) -> bool:
        """Whether the client ended its upload: one who sends nothing, as for a download, says so that it wants no more for now."""
        return self._upload.is_closed

    def feed(self, data: bytes, last: bool, offset: int | None = None) -> None:
        """Add an uploaded part; any thread."""
        self._upload.feed(data, last, offset)


class _Upload:
    """The parts on their way to a handler: put in their places, each byte once, and never more than `AHEAD_LIMIT_BYTES` of them."""

    def __init__(self) -> None:
        self.is_too_far_ahead = False
        # Before the handler has said where it begins, parts are kept as they came.
        self._early: list[tuple[bytes, bool, int | None]] | None = []
        self._parts: deque[bytes] = deque()
        self._unread_bytes = 0
        self._arrived = 0
        self._is_complete = False
        self._arrival = threading.Condition()

    def begin(self, start: int) -> None:
        with self._arrival:
            early, self._early = self._early, None
            if early is not None:
                self._arrived = start
                self._unread_bytes = 0
                for data, last, offset in early:
                    self._add(data, last, offset)

    def feed(self, data: bytes, last: bool, offset: int | None) -> None:
        with self._arrival:
            if self.is_too_far_ahead or not (data or last):
                return
            if self._early is not None:
                self._early.append((data, last, offset))
                self._unread_bytes += len(data)
            else:
                self._add(data, last, offset)
            if self._unread_bytes > AHEAD_LIMIT_BYTES:
                self.is_too_far_ahead = True
                self._early = None
                self._parts.clear()
            self._arrival.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether the last part is here, read or not."""
        with self._arrival:
            return self._is_complete or any(last for _, last, _ in self._early or ())

    def take(self, is_cancelled: Callable[[], bool], silence_s: float | None = None) -> bytes | None:
        """The next part, waited for; None after the last, after so long without one, or when there is no use in waiting."""
        with self._arrival:
            self._arrival.wait_for(lambda: self._parts or self._is_complete or self.is_too_far_ahead or is_cancelled(), silence_s)
            if not self._parts:
                return None
            part = self._parts.popleft()
            self._unread_bytes -= len(part)
            return part

    def wake(self) -> None:
        with self._arrival:
            self._arrival.notify_all()

    def _add(self, data: bytes, last: bool, offset: int | None) -> None:
        place = self._arrived if offset is None else offset
        if self._is_complete or place > self._arrived or place + len(data) < self._arrived:
            return  # after the end, behind a gap, or all of it was here before
        new = data[self._arrived - place :]
        if new:
            self._parts.append(new)
            self._arrived += len(new)
            self._unread_bytes += len(new)
        self._is_complete = last
