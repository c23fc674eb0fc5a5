"""Runs handlers, one job at a time or a few, on threads of its own; turns whatever they do into words for a `Listener`.

An exception of one job never ends the process: known ones become their code and sentence, unknown ones `internal` with the trace in `detail`.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.jobs.registry import Lane, Registry, resolve
from sfumato.protocol.errors import Internal, SfumatoError, Stopped
from sfumato.protocol.specs import validate

log = logging.getLogger(__name__)

# Handlers that are cancelled get so long to clear up, all together.
CLOSE_WAIT_S = 10.0


@dataclass(frozen=True)
class Work:
    """A job as an executor gets it; `job` is its name among all that run, whoever sent them, and `identity` says who did."""

    job: str
    kind: str
    params: dict[str, Any]
    blobs: Mapping[str, bytes]
    identity: str = "local"


class Listener(Protocol):
    """Hears what the running job says; called from any thread, exactly one ending per job."""

    def progress(self, job: str, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None: ...

    def artifact(self, job: str, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None: ...

    def finished(self, job: str, result: dict[str, Any]) -> None: ...

    def failed(self, job: str, error: SfumatoError) -> None: ...

    def cancelled(self, job: str) -> None: ...


class Executor(Protocol):
    """Something that runs jobs: threads here, or a child process. No method waits for a job."""

    def start(self, work: Work) -> None: ...

    def cancel(self, job: str, *, is_abandoned: bool = False) -> None: ...

    def feed(self, job: str, data: bytes, last: bool, offset: int | None = None) -> None: ...

    def close(self) -> None: ...


class _JobReporter:
    def __init__(self, job: str, listener: Listener) -> None:
        self._job = job
        self._listener = listener

    def progress(self, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        self._listener.progress(self._job, stage=stage, done=done, total=total, rate=rate, preview=preview, note=note)

    def artifact(self, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        self._listener.artifact(self._job, name=name, media_type=media_type, data=data, info=info)


class ThreadExecutor:
    """Runs handlers of one lane in this process, in the order given, on up to `threads` threads, each made when it is first needed."""

    def __init__(self, registry: Registry, places: Places, listener: Listener, threads: int = 1, lane: Lane = "engine") -> None:
        self._registry = registry
        self._places = places
        self._listener = listener
        self._lane = lane
        self._limit = threads
        self._kept = Kept()
        self._waiting: SimpleQueue[tuple[Work, JobContext] | None] = SimpleQueue()
        self._contexts: dict[str, JobContext] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads: list[threading.Thread] = []

    def start(self, work: Work) -> None:
        context = JobContext(work.job, self._places, _JobReporter(work.job, self._listener), self._kept, work.blobs, work.identity)
        with self._lock:
            if self._is_closed:
                return
            self._contexts[work.job] = context
            if len(self._threads) < min(len(self._contexts), self._limit):
                thread = threading.Thread(target=self._loop, name=f"{self._lane}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._waiting.put((work, context))

    def cancel(self, job: str, *, is_abandoned: bool = False) -> None:
        with self._lock:
            context = self._contexts.get(job)
        if context is not None:
            context.cancel(is_abandoned=is_abandoned)

    def feed(self, job: str, data: bytes, last: bool, offset: int | None = None) -> None:
        with self._lock:
            context = self._contexts.get(job)
        if context is not None:
            context.feed(data, last, offset)

    def close(self) -> None:
        """Cancel what runs and end the threads."""
        with self._lock:
            self._is_closed = True
            threads = tuple(self._threads)
            for context in self._contexts.values():
                context.cancel(is_abandoned=True)
        for _ in threads:
            self._waiting.put(None)
        deadline = time.monotonic() + CLOSE_WAIT_S
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _loop(self) -> None:
        while (item := self._waiting.get()) is not None:
            work, context = item
            self._run(work, context)

    def _run(self, work: Work, context: JobContext) -> None:
        result: dict[str, Any] | None = None
        failure: SfumatoError | None = None
        try:
            kind = self._registry.kind(work.kind)
            if kind.lane != self._lane:
                raise Internal(detail=f"'{kind.name}' belongs into the lane '{kind.lane}', not '{self._lane}'")
            request = validate(kind.request, work.params)
            context.check()
            result = resolve(kind.handler)(request, context).model_dump(mode="python")
        except Stopped:
            log.info("job %s cancelled", work.job)
        except SfumatoError as error:
            log.info("job %s failed: %s %s", work.job, error.code, error.message)
            failure = error
        except Exception:
            log.exception("job %s failed inside", work.job)
            failure = Internal(detail=traceback.format_exc())
        finally:
            with self._lock:
                self._contexts.pop(work.job, None)
        if failure is not None:
            self._listener.failed(work.job, failure)
        elif result is not None:
            self._listener.finished(work.job, result)
        else:
            self._listener.cancelled(work.job)
