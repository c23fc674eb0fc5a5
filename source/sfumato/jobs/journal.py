"""What each job has said, kept for `Resume`: every event in order, bounded in bytes.

Old previews are the first to go (only the last progress of a job keeps its pictures), then whole ended jobs, oldest first, then the oldest words of
running ones: of a job that says more than fits, `Resume` replays the newest part, and the rising `seq` shows what is gone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from sfumato.protocol.messages import ENDINGS, Artifact, JobEvent, Progress

LIMIT_BYTES = 256 << 20
LIMIT_JOBS = 10_000
# What an event takes besides its pictures.
EVENT_BYTES = 1024


@dataclass
class JobRecord:
    """One job's owner and events; `ended` once its one ending was said."""

    client: str
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    size_bytes: int = 0
    ended: bool = False


class Journal:
    """Events by job, in the order of submission."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES, limit_jobs: int = LIMIT_JOBS) -> None:
        self._records: OrderedDict[str, JobRecord] = OrderedDict()
        self._limit_bytes = limit_bytes
        self._limit_jobs = limit_jobs
        self._size_bytes = 0

    def open(self, job: str, client: str) -> JobRecord:
        record = self._records[job] = JobRecord(client)
        return record

    def get(self, job: str) -> JobRecord | None:
        return self._records.get(job)

    def add(self, record: JobRecord, event: JobEvent) -> None:
        """Keep `event` as the next of its job."""
        events = record.events
        if isinstance(event, Progress) and events and isinstance(events[-1], Progress) and events[-1].preview:
            stale = events[-1]
            self._grow(record, -_size(stale))
            events[-1] = stale.model_copy(update={"preview": ()})
            self._grow(record, _size(events[-1]))
        events.append(event)
        self._grow(record, _size(event))
        record.ended = record.ended or isinstance(event, ENDINGS)
        self._forget()

    def _grow(self, record: JobRecord, count: int) -> None:
        record.size_bytes += count
        self._size_bytes += count

    def _forget(self) -> None:
        while self._size_bytes > self._limit_bytes or len(self._records) > self._limit_jobs:
            oldest = next((job for job, record in self._records.items() if record.ended), None)
            if oldest is not None:
                self._size_bytes -= self._records.pop(oldest).size_bytes
            elif self._size_bytes <= self._limit_bytes or not self._shorten(max(self._records.values(), key=lambda record: record.size_bytes)):
                return

    def _shorten(self, record: JobRecord) -> bool:
        """Drop what a running job said before its last word: its progress, or where that was little, the older half of everything. False if nothing is left."""
        *earlier, last = record.events
        kept = [event for event in earlier if not isinstance(event, Progress)]
        if len(kept) > len(earlier) // 2:
            kept = kept[(len(kept) + 1) // 2 :]
        record.events[:] = [*kept, last]
        self._grow(record, sum(map(_size, record.events)) - record.size_bytes)
        return bool(earlier)


def _size(event: JobEvent) -> int:
    if isinstance(event, Artifact):
        return len(event.data) + EVENT_BYTES
    if isinstance(event, Progress):
        return sum(len(picture) for picture in event.preview) + EVENT_BYTES
    return EVENT_BYTES
