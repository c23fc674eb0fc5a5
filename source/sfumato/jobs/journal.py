"""What each job has said, kept for `Resume` and `fetch`: every event in order, bounded in bytes.

Old previews are the first to go (only the last progress of a job keeps its pictures), then whole ended jobs, the oldest of whoever keeps most, then the
oldest words of running ones. Of a job that was let go its name is remembered for a while, so that its owner hears why it is gone.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sfumato.jobs.clients import Client
from sfumato.jobs.seats import Seat
from sfumato.protocol.errors import Invalid, JobNotFound, Problem, SessionExpired, SfumatoError
from sfumato.protocol.messages import ENDINGS, Artifact, Event, Failed, JobEvent, Progress

LIMIT_BYTES = 256 << 20
LIMIT_JOBS = 10_000
# What an event takes besides its pictures.
EVENT_BYTES = 1024


def failure(job: str, seq: int, error: SfumatoError) -> Failed:
    """What is said of `error`."""
    return Failed(job=job, seq=seq, code=error.code, message=error.message, path=error.path, detail=error.detail)


@dataclass(eq=False)
class JobRecord:
    """One job's events, and who hears them: the client that sent it or last resumed it, where it sat then.

    `ended` once its one ending was said; `lost_seq` is the last that was let go of anything but progress, 0 if nothing was.
    """

    client: Client
    job: str
    seat: Seat[Event] | None = None
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    size_bytes: int = 0
    ended: bool = False
    lost_seq: int = 0
    last_seq: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.client.identity, self.job


class Journal:
    """Events by identity and job, in the order of submission."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES, limit_jobs: int = LIMIT_JOBS) -> None:
        self._records: OrderedDict[tuple[str, str], JobRecord] = OrderedDict()
        self._gone: OrderedDict[tuple[str, str], SfumatoError] = OrderedDict()
        self._taken: dict[str, int] = {}
        self._limit_bytes = limit_bytes
        self._limit_jobs = limit_jobs
        self._size_bytes = 0

    def open(self, client: Client, job: str) -> JobRecord:
        record = JobRecord(client, job)
        self._gone.pop(record.key, None)
        self._records[record.key] = record
        return record

    def get(self, identity: str, job: str) -> JobRecord | None:
        return self._records.get((identity, job))

    def why_gone(self, identity: str, job: str) -> SfumatoError:
        """Why nothing is kept of a job: it was let go not so long ago, or (of another's as of none) there is no such job."""
        return self._gone.get((identity, job)) or JobNotFound(job)

    def of(self, client: Client) -> list[JobRecord]:
        """The records of jobs that `client` sent or last resumed."""
        return [record for record in self._records.values() if record.client.name == client.name]

    def blob(self, identity: str, name: str) -> bytes:
        """The bytes of the artifact "<job>.<seq>"; raises `Invalid` for what is not there or another's, `SessionExpired` for what is no longer."""
        job, _, number = name.rpartition(".")
        record = self.get(identity, job)
        if record is not None:
            for event in record.events:
                if isinstance(event, Artifact) and str(event.seq) == number:
                    return event.data
        gone = self._gone.get((identity, job))
        if gone is not None:
            raise gone
        if record is not None and number.isascii() and number.isdigit() and 0 < int(number) <= record.lost_seq:
            raise SessionExpired(job)
        raise Invalid([Problem("blob", f"Nothing named '{name[:160]}' is kept here for you.")])

    def add(self, record: JobRecord, event: JobEvent) -> None:
        """Keep `event` as the next of its job."""
        events = record.events
        if isinstance(event, Progress) and events and isinstance(events[-1], Progress) and events[-1].preview:
            stale = events[-1]
            self._grow(record, -_size(stale))
            events[-1] = stale.model_copy(update={"preview": ()})
            self._grow(record, _size(events[-1]))
        events.append(event)
        record.last_seq = event.seq
        self._grow(record, _size(event))
        record.ended = record.ended or isinstance(event, ENDINGS)
        self._make_room()

    def let_go(self, record: JobRecord) -> None:
        """Keep nothing of a job but that there was one."""
        if self._records.get(record.key) is record:
            del self._records[record.key]
            self._grow(record, -record.size_bytes)
            self.note_gone(record.key, SessionExpired(record.job))

    def note_gone(self, key: tuple[str, str], why: SfumatoError) -> None:
        """Remember why there is nothing of a job."""
        self._gone[key] = why
        while len(self._gone) > self._limit_jobs:
            self._gone.popitem(last=False)

    def _grow(self, record: JobRecord, count: int) -> None:
        record.size_bytes += count
        self._size_bytes += count
        taken = self._taken.get(record.client.identity, 0) + count
        if taken > 0:
            self._taken[record.client.identity] = taken
        else:
            self._taken.pop(record.client.identity, None)

    def _make_room(self) -> None:
        while self._size_bytes > self._limit_bytes or len(self._records) > self._limit_jobs:
            taken = self._taken if self._size_bytes > self._limit_bytes else Counter(record.client.identity for record in self._records.values())
            oldest = self._next_to_go(taken)
            if oldest is not None:
                self.let_go(oldest)
            elif self._size_bytes <= self._limit_bytes or not self._shorten(max(self._records.values(), key=lambda record: record.size_bytes)):
                return

    def _next_to_go(self, taken: Mapping[str, int]) -> JobRecord | None:
        """The oldest ended job of whoever keeps most of what is scarce (`taken` by identity), so that nobody's flood costs another what was kept for it."""
        if len(taken) > 1:
            for identity in sorted(taken, key=lambda identity: -taken[identity]):
                for record in self._records.values():
                    if record.ended and record.client.identity == identity:
                        return record
        return next((record for record in self._records.values() if record.ended), None)

    def _shorten(self, record: JobRecord) -> bool:
        """Drop what a running job said before its last word: its progress, or where that was little, the older half of everything. False if nothing is left."""
        *earlier, last = record.events
        kept = [event for event in earlier if not isinstance(event, Progress)]
        if len(kept) > len(earlier) // 2:
            dropped = (len(kept) + 1) // 2
            record.lost_seq = kept[dropped - 1].seq
            kept = kept[dropped:]
        record.events[:] = [*kept, last]
        self._grow(record, sum(map(_size, record.events)) - record.size_bytes)
        return bool(earlier)


def _size(event: JobEvent) -> int:
    if isinstance(event, Artifact):
        return len(event.data) + EVENT_BYTES
    if isinstance(event, Progress):
        return sum(len(picture) for picture in event.preview) + EVENT_BYTES
    return EVENT_BYTES
