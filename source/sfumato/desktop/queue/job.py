"""One job of the queue and how far it is."""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sfumato.desktop.engine_link import FETCH
from sfumato.jobs.queue_rest import Run, expected_pictures, run_of
from sfumato.jobs.queue_store import StoredJob
from sfumato.protocol.messages import Progress

SMOOTHING = 0.3
PENDING = ("waiting", "interrupted")


@dataclass(eq=False)
class Job:
    """A job and how far it is; `owner` is the part of the window it works for ("" = the strip of outputs).

    `done` of `total` units of `stage`, `painted` steps of all, `pictures` made of `expected`; `rate` in steps per second. A job may be sent more than
    once, after an interruption: `wire` is its name at the engine this time, `run` what is sent, `pass_over` how many of its pictures are there already.
    """

    id: str
    kind: str
    params: dict[str, Any]
    blobs: dict[str, bytes] = field(default_factory=dict)
    owner: str = ""
    state: str = "waiting"
    stage: str = ""
    note: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    painted: tuple[int, int] = (0, 0)
    pictures: int = 0
    marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=8))
    created: float = field(default_factory=time.time)
    lasting: bool = True  # kept on disk and listed when it has ended
    is_stored: bool = False
    is_urgent: bool = False  # put in front: no other order comes before it
    is_held: bool = False  # its parameters are being edited: it does not start
    place: int = 0
    position: int = 0  # jobs of others before it at a shared endpoint
    deaths: int = 0
    runs: int = 0
    message: str = ""
    ended: float = 0.0
    run: Run | None = None
    pass_over: int = 0
    sent_at: float = 0.0
    begun_at: float = 0.0
    run_from: int = 0
    source: str = ""
    stored: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""  # the machine it is for; "" is this computer
    heard: int = 0  # the number of the last event of this run
    is_away: bool = False  # it was left at another machine, which keeps what it says
    is_asked_for: bool = False  # it was not sent but asked for: another machine may have it from before
    coming: int = 0  # pictures that are painted and on their way
    fetched: tuple[int, int] = (0, 0)  # bytes of what is on its way, and of how many

    @staticmethod
    def restored(row: StoredJob) -> Job:
        """A job of an earlier session."""
        return Job(
            row.id, row.kind, row.params, {}, row.owner, row.state, pictures=row.pictures, created=row.created, is_stored=True,
            deaths=row.deaths, runs=row.runs, message=row.message, ended=row.ended, stored=row.blobs, endpoint=row.endpoint,
        )  # fmt: skip

    def for_store(self) -> StoredJob:
        return StoredJob(self.id, self.kind, dict(self.params), {}, self.owner, self.state, self.created, self.pictures, endpoint=self.endpoint)

    @property
    def wire(self) -> str:
        """The id it was last sent under: a run of its own is a job of its own to the engine."""
        return self.id if self.runs <= 1 else f"{self.id}.{self.runs}"

    @property
    def model(self) -> str:
        return str(self.params.get("model") or "")

    @property
    def batch_size(self) -> int:
        return int(self.params.get("batch_size", 1))

    @property
    def expected(self) -> int:
        return expected_pictures(self.params)

    @property
    def is_complete(self) -> bool:
        """Whether all it asks for is there: it was cut short behind its last picture."""
        return 0 < self.expected <= self.pictures

    @property
    def fraction(self) -> float:
        """0..1 of the whole job; denoising, counted over all batches, is taken for all of its time. While its last pictures travel, 0..1 of their bytes."""
        if self.state == "finished":
            return 1.0
        if self.state == "fetching" and self.fetched[1]:
            return min(1.0, self.fetched[0] / self.fetched[1])
        if not self.painted[1]:
            return min(1.0, self.pictures / self.expected) if self.expected else 0.0
        share = self.painted[0] / self.painted[1]
        if self.run is None or not self.run_from:
            return share
        before = 0 if self.run.passed_over else self.run_from
        return min(1.0, (before + share * (self.run.pictures + self.run.passed_over)) / self.expected)

    @property
    def seconds_left(self) -> float | None:
        """None until the speed is known."""
        return (self.painted[1] - self.painted[0]) / self.rate if self.rate and self.painted[1] else None

    def begin(self) -> Run:
        """Get ready to be sent, for the pictures that are not made yet."""
        self.heard, self.is_away, self.is_asked_for, self.coming, self.fetched = 0, False, False, 0, (0, 0)
        self.state, self.stage, self.note, self.message = "running", "", "", ""
        self.done = self.total = 0
        self.painted, self.rate, self.position = (0, 0), 0.0, 0
        self.marks.clear()
        self.runs += 1
        self.run_from = self.pictures
        self.run = run_of(self.kind, self.params, self.pictures)
        self.pass_over = self.run.passed_over
        self.sent_at = self.begun_at = 0.0
        return self.run

    def go_on(self) -> None:
        """Get ready to hear the rest of what was left at another machine."""
        self.state, self.is_away, self.message = "running", False, ""

    @property
    def can_be_asked_for(self) -> bool:
        """Whether another machine may still have what this job was sent for in an earlier session: only of its first run is known where that began."""
        return self.endpoint != "" and self.state == "interrupted" and self.runs == 1 and not self.is_away

    def ask_for(self) -> None:
        """Get ready to hear the first run from its beginning; pictures that are safe are passed over."""
        pictures, self.pictures, self.runs = self.pictures, 0, 0
        self.begin()
        self.pictures = self.pass_over = pictures

    @property
    def is_painted(self) -> bool:
        """Whether every picture of this run is made, here or on its way."""
        return 0 < self.expected <= self.pictures + self.coming - self.pass_over

    def again(self) -> Job:
        """A job of its own that asks for the same."""
        return Job(uuid.uuid4().hex, self.kind, dict(self.params), dict(self.blobs), self.owner, stored=dict(self.stored), endpoint=self.endpoint)

    def take(self, event: Progress, now: float) -> None:
        """Note a progress event; `now` in seconds."""
        if event.stage == FETCH:
            self.coming += event.done == 0
            self.fetched = (event.done, event.total)
            if not self.is_painted:
                return  # it paints on meanwhile
        if event.stage != self.stage or event.done < self.done:
            self.marks.clear()
        self.stage, self.done, self.total, self.note = event.stage, event.done, event.total, event.note
        if event.stage != "denoise":
            return
        self.begun_at = self.begun_at or now
        self.painted = (event.done, event.total)
        self.marks.append((now, event.done))
        if event.rate:
            self.rate = event.rate
        elif len(self.marks) > 1 and self.marks[-1][0] > self.marks[0][0]:
            measured = (self.marks[-1][1] - self.marks[0][1]) / (self.marks[-1][0] - self.marks[0][0])
            self.rate = measured if not self.rate else self.rate + SMOOTHING * (measured - self.rate)


def duration(seconds: float) -> str:
    """A time to wait, in the two units a person reads."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
