"""Artifacts that came as names and are fetched in the background, part by part, while the line does other things.

No input or output: events in, events to tell and jobs to submit out. What follows such an artifact in its job waits until it is there and its hash is right, so
that a job's events keep their order and its ending comes last. Parts that are on their way when a line is lost are asked for again on the next one.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sfumato.protocol.errors import ChecksumDiffers, SfumatoError, retold
from sfumato.protocol.messages import ENDINGS, Artifact, Failed, Finished, JobEvent, Progress, Submit

# How many are fetched at once: the line is never idle between two parts, and the first is not late because of many.
AT_ONCE = 2
LONGEST_BYTES = 256 << 20
# Key of `info` under which an artifact that is only named says its size and hash.
DESCRIBED = "blob"
FETCH_STAGE = "fetch"


@dataclass(frozen=True)
class Transfer:
    """How far one artifact has come, in bytes."""

    job: str
    name: str
    done: int
    total: int


OnTransfer = Callable[[Transfer], None]


@dataclass(eq=False)
class _Expected:
    """An artifact on its way, in its place among the events of its job."""

    event: Artifact
    total: int
    sha256: str
    fetch: str = ""
    is_retried: bool = False
    is_there: bool = False
    data: bytearray = field(default_factory=bytearray)
    hash: Any = field(default_factory=hashlib.sha256)
    lost: SfumatoError | None = None


@dataclass
class _Job:
    """What was heard of one job from its first missing artifact on; `lost`: why its ending is a failure."""

    waiting: deque[JobEvent | _Expected] = field(default_factory=deque["JobEvent | _Expected"])
    lost: SfumatoError | None = None


@dataclass(frozen=True)
class Step:
    """What follows: events to tell in this order, fetches to submit."""

    tell: tuple[JobEvent, ...] = ()
    submit: tuple[Submit, ...] = ()


class Arriving:
    """All artifacts of one client that are on their way."""

    def __init__(self, on_transfer: OnTransfer | None = None) -> None:
        self._on_transfer = on_transfer
        self._jobs: dict[str, _Job] = {}
        self._queue: deque[_Expected] = deque()
        self._fetching: dict[str, _Expected] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._jobs

    def is_fetch(self, job: str) -> bool:
        """Whether a job is one of those that fetch."""
        return job in self._fetching

    def take(self, event: JobEvent) -> Step:
        """An event of a job, in order: told at once, or kept behind an artifact that is missing."""
        job = self._jobs.get(event.job)
        if isinstance(event, Artifact) and event.blob and not event.data:
            job = self._jobs.setdefault(event.job, _Job())
            expected = _expected(event)
            job.waiting.append(expected)
            if expected.lost is None:
                self._queue.append(expected)
            return Step(self._ready(event.job), self._next())
        if job is None:
            return Step((event,))
        last = job.waiting[-1] if job.waiting else None
        if isinstance(event, Progress) and isinstance(last, Progress) and last.preview:
            job.waiting[-1] = last.model_copy(update={"preview": ()})  # of what waits, only the newest pictures are worth their memory
        job.waiting.append(event)
        return Step(self._ready(event.job))

    def hear(self, event: JobEvent) -> Step:
        """An event of a fetch."""
        expected = self._fetching[event.job]
        if isinstance(event, Artifact):
            if len(expected.data) + len(event.data) > expected.total:
                return self._lose(event.job, ChecksumDiffers(expected.event.name))
            expected.data += event.data
            expected.hash.update(event.data)
            self._tell_progress(expected)
            return Step()
        if not isinstance(event, ENDINGS):
            return Step()
        if isinstance(event, Finished):
            return self._part_is_there(event.job, expected)
        error = retold(event.code, event.message, event.path, event.detail) if isinstance(event, Failed) else retold("cancelled", "It was cancelled.")
        return self._lose(event.job, error)

    def on_line(self) -> tuple[Submit, ...]:
        """The fetches to submit on a new line: those that were under way begin again behind what arrived."""
        under_way = list(self._fetching.values())
        self._fetching.clear()
        return tuple(self._fetch(expected) for expected in under_way) + self._next()

    def forget(self, job: str) -> None:
        """Let go of a job's events: it is told anew."""
        self._jobs.pop(job, None)
        self._queue = deque(expected for expected in self._queue if expected.event.job != job)

    def _part_is_there(self, fetch: str, expected: _Expected) -> Step:
        del self._fetching[fetch]
        if len(expected.data) < expected.total:
            if fetch == expected.fetch and not expected.data:
                expected.lost = ChecksumDiffers(expected.event.name)  # a part without bytes: there will never be more
                return self._settled(expected)
            return Step(submit=(self._fetch(expected),))
        if expected.hash.hexdigest() == expected.sha256:
            expected.is_there = True
            return self._settled(expected)
        if not expected.is_retried:
            expected.is_retried = True
            expected.data, expected.hash = bytearray(), hashlib.sha256()
            return Step(submit=(self._fetch(expected),))
        expected.lost = ChecksumDiffers(expected.event.name)
        return self._settled(expected)

    def _lose(self, fetch: str, error: SfumatoError) -> Step:
        expected = self._fetching.pop(fetch)
        expected.lost = error
        return self._settled(expected)

    def _settled(self, expected: _Expected) -> Step:
        return Step(self._ready(expected.event.job), self._next())

    def _next(self) -> tuple[Submit, ...]:
        begun: list[Submit] = []
        while self._queue and len(self._fetching) < AT_ONCE:
            begun.append(self._fetch(self._queue.popleft()))
        return tuple(begun)

    def _fetch(self, expected: _Expected) -> Submit:
        expected.fetch = f"fetch-{uuid.uuid4().hex}"
        self._fetching[expected.fetch] = expected
        return Submit(job=expected.fetch, kind="fetch", params={"blob": expected.event.blob, "offset": len(expected.data)})

    def _ready(self, name: str) -> tuple[JobEvent, ...]:
        """The events of a job up to the next missing artifact."""
        job = self._jobs.get(name)
        told: list[JobEvent] = []
        while job is not None and job.waiting:
            first = job.waiting[0]
            if isinstance(first, _Expected):
                if first.lost is not None:
                    job.lost = job.lost or first.lost
                    first = _instead(first)
                elif first.is_there:
                    first = _whole(first)
                else:
                    break
            job.waiting.popleft()
            if job.lost is not None and isinstance(first, Finished):
                first = Failed(job=name, seq=first.seq, code=job.lost.code, message=job.lost.message, path=job.lost.path, detail=job.lost.detail)
            told.append(first)
            if isinstance(first, ENDINGS):
                del self._jobs[name]
                return tuple(told)
        if job is not None and not job.waiting and job.lost is None:
            del self._jobs[name]
        return tuple(told)

    def _tell_progress(self, expected: _Expected) -> None:
        if self._on_transfer is not None:
            self._on_transfer(Transfer(expected.event.job, expected.event.name, len(expected.data), expected.total))


def _expected(event: Artifact) -> _Expected:
    """What the server says of an artifact that it did not send."""
    described = event.info.get(DESCRIBED)
    if not isinstance(described, dict):
        described = {}
    size, sha256 = described.get("size"), described.get("sha256")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(size, int) or not 0 < size <= LONGEST_BYTES or not isinstance(sha256, str):
        return _Expected(event, 0, "", lost=ChecksumDiffers(event.name))
    return _Expected(event, size, sha256.lower())


def _whole(expected: _Expected) -> Artifact:
    """The artifact as it would have come at once."""
    info = {key: value for key, value in expected.event.info.items() if key != DESCRIBED}
    return expected.event.model_copy(update={"data": bytes(expected.data), "blob": "", "info": info})


def _instead(expected: _Expected) -> Progress:
    """What is told in the place of an artifact that could not be fetched."""
    assert expected.lost is not None
    event = expected.event
    return Progress(job=event.job, seq=event.seq, stage=FETCH_STAGE, done=0, total=expected.total, note=expected.lost.message)
