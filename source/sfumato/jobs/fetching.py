"""The lane "journal": jobs that are answered at once from what was kept of earlier ones, and of which nothing is kept themselves; and its handler `fetch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sfumato.jobs.journal import Journal, failure
from sfumato.jobs.registry import JobKind, resolve
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Accepted, Artifact, Finished, JobEvent, Submit
from sfumato.protocol.requests.fetch import PART_BYTES, Fetch, FetchResult
from sfumato.protocol.specs import validate


class Keeper(Protocol):
    """What a handler of this lane may ask for: the kept artifacts of whoever sent the job."""

    def blob(self, name: str) -> bytes: ...

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None: ...


def run(request: Fetch, keeper: Keeper) -> FetchResult:
    data = keeper.blob(request.blob)
    part = data[request.offset : request.offset + PART_BYTES]
    keeper.artifact(request.blob, "application/octet-stream", part, {"offset": request.offset, "size": len(data)})
    return FetchResult(size=len(data), next=min(request.offset + len(part), len(data)))


def answer(kind: JobKind, submit: Submit, identity: str, journal: Journal) -> list[JobEvent]:
    """All that a job of this lane says."""
    reply = _Reply(submit.job, identity, journal)
    try:
        result = resolve(kind.handler)(validate(kind.request, submit.params), reply)
        reply.events.append(Finished(job=submit.job, seq=reply.next_seq, result=result.model_dump(mode="python")))
    except SfumatoError as error:
        reply.events.append(failure(submit.job, reply.next_seq, error))
    return reply.events


class _Reply:
    def __init__(self, job: str, identity: str, journal: Journal) -> None:
        self.events: list[JobEvent] = [Accepted(job=job, seq=1)]
        self._job = job
        self._identity = identity
        self._journal = journal

    @property
    def next_seq(self) -> int:
        return len(self.events) + 1

    def blob(self, name: str) -> bytes:
        return self._journal.blob(self._identity, name)

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        self.events.append(Artifact(job=self._job, seq=self.next_seq, name=name, media_type=media_type, data=data, info=dict(info or {})))
