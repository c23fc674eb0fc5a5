"""Keeps the contract between clients and an executor, whatever carries the messages.

Commands come in with their client's name; events go out through `emit(client, event)`. Here and nowhere else: the same Submit twice is one job, seq
rises by one, one ending per job and nothing after it, Resume replays, Cancel is idempotent, bad requests are answered naming every bad field.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sfumato.jobs.journal import JobRecord, Journal
from sfumato.jobs.registry import Registry
from sfumato.jobs.runner import Executor, Work
from sfumato.protocol.errors import Invalid, JobNotFound, Problem, SfumatoError, WorkerDied
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Command, Event, Failed, Feed, Finished, JobEvent, Progress, Resume, Submit
from sfumato.protocol.specs import validate

Emit = Callable[[str, Event], None]
LOCAL = "local"
EARLY_FEED_LIMIT_BYTES = 8 << 20


class Dispatcher:
    """A queue in order of priority and arrival before one executor, and the journal of what was said.

    It is a `Listener` of its executor. All methods may be called from any thread. Events are emitted under a lock, so `emit` hears them in order
    and must only hand them on.
    """

    def __init__(self, registry: Registry, emit: Emit, journal: Journal | None = None) -> None:
        self._registry = registry
        self._emit = emit
        self._journal = journal or Journal()
        self._executor: Executor | None = None
        self._waiting: list[tuple[int, int, Submit]] = []
        self._early_feeds: dict[str, list[Feed]] = {}
        self._arrivals = itertools.count()
        self._running: str | None = None
        self._stage = ""
        self._lock = threading.RLock()

    def attach(self, executor: Executor | None) -> None:
        """Give jobs to `executor` from now on; None holds them back until another comes."""
        with self._lock:
            self._executor = executor
            self._start_next()

    def handle(self, command: Command, client: str = LOCAL) -> None:
        """Obey one command."""
        with self._lock:
            if isinstance(command, Submit):
                self._submit(command, client)
            elif isinstance(command, Resume):
                self._resume(command, client)
            elif isinstance(command, Cancel):
                self._cancel(command.job, client)
            elif isinstance(command, Feed):
                self._feed(command, client)

    def announce(self, event: Event, client: str = LOCAL) -> None:
        """Emit an event that belongs to no job, in order with the others."""
        with self._lock:
            self._emit(client, event)

    def executor_lost(self, cause: str, detail: str = "") -> None:
        """The executor died: end the running job; waiting ones stay for the next executor."""
        with self._lock:
            self._executor = None
            if self._running is not None:
                self.failed(self._running, WorkerDied(self._stage, cause, detail=detail))

    def fail_waiting(self, error: SfumatoError) -> None:
        """End every waiting job with `error`, when no executor will come."""
        with self._lock:
            for _, _, submit in self._waiting[:]:
                self.failed(submit.job, error)

    def _submit(self, command: Submit, client: str) -> None:
        known = self._journal.get(command.job)
        if known is not None:
            return  # the same Submit again, or somebody else's id: one job, and no word to a stranger
        record = self._journal.open(command.job, client)
        ahead = sum(1 for priority, _, _ in self._waiting if priority <= -command.priority) + (self._running is not None)
        self._say(record, Accepted(job=command.job, seq=self._next(record), position=ahead))
        try:
            validate(self._registry.kind(command.kind).request, command.params)
        except SfumatoError as error:
            self._end_failed(record, command.job, error)
            return
        if record.ended:  # cancelled by whoever heard Accepted
            return
        self._waiting.append((-command.priority, next(self._arrivals), command))
        self._waiting.sort(key=lambda item: item[:2])
        self._start_next()

    def _start_next(self) -> None:
        if self._running is not None or self._executor is None or not self._waiting:
            return
        _, _, submit = self._waiting.pop(0)
        self._running, self._stage = submit.job, ""
        self._executor.start(Work(submit.job, submit.kind, submit.params, submit.blobs))
        for feed in self._early_feeds.pop(submit.job, []):
            self._executor.feed(feed.job, feed.data, feed.last)

    def _forget_waiting(self, job: str) -> None:
        self._waiting = [item for item in self._waiting if item[2].job != job]
        self._early_feeds.pop(job, None)

    def _owned(self, job: str, client: str) -> JobRecord | None:
        record = self._journal.get(job)
        return record if record is not None and record.client == client else None

    def _resume(self, command: Resume, client: str) -> None:
        record = self._owned(command.job, client)
        if record is None:
            error = JobNotFound(command.job)
            self._emit(client, Failed(job=command.job, seq=1, code=error.code, message=error.message))
            return
        for event in record.events:
            if event.seq > command.after:
                self._emit(client, event)

    def _cancel(self, job: str, client: str) -> None:
        record = self._owned(job, client)
        if record is None or record.ended:
            return
        if job == self._running:
            if self._executor is not None:
                self._executor.cancel(job)
            return
        self._forget_waiting(job)
        self._say(record, Cancelled(job=job, seq=self._next(record)))

    def _feed(self, command: Feed, client: str) -> None:
        if self._owned(command.job, client) is None:
            return
        if command.job == self._running and self._executor is not None:
            self._executor.feed(command.job, command.data, command.last)
        elif any(item[2].job == command.job for item in self._waiting):
            early = self._early_feeds.setdefault(command.job, [])
            early.append(command)
            if sum(len(feed.data) for feed in early) > EARLY_FEED_LIMIT_BYTES:
                self.failed(command.job, Invalid([Problem("", "Too much was uploaded before the job began; wait for its first progress.")]))

    # -- Listener: what the executor's job says --------------------------------------------------

    def progress(self, job: str, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        with self._lock:
            if job == self._running:
                self._stage = stage
                record = self._open_record(job)
                self._say(record, Progress(job=job, seq=self._next(record), stage=stage, done=done, total=total, rate=rate, preview=preview, note=note))

    def artifact(self, job: str, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        with self._lock:
            if job == self._running:
                record = self._open_record(job)
                self._say(record, Artifact(job=job, seq=self._next(record), name=name, media_type=media_type, data=data, info=dict(info)))

    def finished(self, job: str, result: dict[str, Any]) -> None:
        with self._lock:
            if job == self._running:
                record = self._open_record(job)
                self._say(record, Finished(job=job, seq=self._next(record), result=result))
                self._after_ending()

    def failed(self, job: str, error: SfumatoError) -> None:
        with self._lock:
            record = self._journal.get(job)
            if record is None or record.ended:
                return
            self._forget_waiting(job)
            self._end_failed(record, job, error)
            if job == self._running:
                self._after_ending()

    def cancelled(self, job: str) -> None:
        with self._lock:
            if job == self._running:
                record = self._open_record(job)
                self._say(record, Cancelled(job=job, seq=self._next(record)))
                self._after_ending()

    # -- one event -------------------------------------------------------------------------------

    def _after_ending(self) -> None:
        self._running, self._stage = None, ""
        self._start_next()

    def _end_failed(self, record: JobRecord, job: str, error: SfumatoError) -> None:
        self._say(record, Failed(job=job, seq=self._next(record), code=error.code, message=error.message, path=error.path, detail=error.detail))

    def _open_record(self, job: str) -> JobRecord:
        record = self._journal.get(job)
        assert record is not None, "a running job is always in the journal"
        return record

    def _next(self, record: JobRecord) -> int:
        return record.events[-1].seq + 1 if record.events else 1

    def _say(self, record: JobRecord, event: JobEvent) -> None:
        self._journal.add(record, event)
        self._emit(record.client, event)
