"""The queue of the window: first in, first out, one job at the engine at a time, each frozen when it is queued.

Knows how far the running job is and how long it will take; pictures go to outputs.py, sentences to notices.py.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.engine_link import EngineLink
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Failed, Finished, JobEvent, Progress, Submit

STAGES = {"load": "Loading model", "encode": "Reading prompt", "denoise": "Painting", "decode": "Decoding", "save": "Finishing"}
SMOOTHING = 0.3


@dataclass
class Job:
    """A job and how far it is; `owner` is the part of the window it works for ("" = the strip of outputs).

    `done` of `total` units of `stage`, `painted` steps of all, `pictures` of `expected`; `rate` in steps per second.
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

    @property
    def batch_size(self) -> int:
        return int(self.params.get("batch_size", 1))

    @property
    def expected(self) -> int:
        return self.batch_size * int(self.params.get("batch_count", 1))

    @property
    def fraction(self) -> float:
        """0..1 of the whole job; denoising, counted over all batches, is taken for all of its time."""
        return self.painted[0] / self.painted[1] if self.painted[1] else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None until the speed is known."""
        return (self.painted[1] - self.painted[0]) / self.rate if self.rate and self.painted[1] else None

    def take(self, event: Progress, now: float) -> None:
        """Note a progress event; `now` in seconds."""
        if event.stage != self.stage or event.done < self.done:
            self.marks.clear()
        self.stage, self.done, self.total, self.note = event.stage, event.done, event.total, event.note
        if event.stage != "denoise":
            return
        self.painted = (event.done, event.total)
        self.marks.append((now, event.done))
        if event.rate:
            self.rate = event.rate
        elif len(self.marks) > 1 and self.marks[-1][0] > self.marks[0][0]:
            measured = (self.marks[-1][1] - self.marks[0][1]) / (self.marks[-1][0] - self.marks[0][0])
            self.rate = measured if not self.rate else self.rate + SMOOTHING * (measured - self.rate)


class JobQueue(QObject):
    """Jobs of this window, in order."""

    changed = pyqtSignal()
    started = pyqtSignal(object)  # Job
    previewed = pyqtSignal(object, object)  # Job, tuple of JPEG bytes
    pictured = pyqtSignal(object, object)  # Job, Artifact
    ended = pyqtSignal(object, object)  # Job, the ending event

    def __init__(self, link: EngineLink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._cancelling = False
        self._reload = ""  # "", "after" the running job, or "now"
        link.heard.connect(self._take)
        link.greeted.connect(self._engine_settled)
        link.changed.connect(self._engine_changed)

    # -- what the window asks --------------------------------------------------------------------

    def submit(self, kind: str, params: dict[str, Any], blobs: dict[str, bytes] | None = None, owner: str = "") -> Job:
        """Queue a job at the end; `blobs` are the pictures its parameters name."""
        job = Job(uuid.uuid4().hex, kind, dict(params), dict(blobs or {}), owner)
        self._waiting.append(job)
        self._advance()
        return job

    @pyqtSlot()
    def cancel(self) -> None:
        """Cancel the running job; the waiting ones go on."""
        if self._running is not None and not self._cancelling:
            self._cancelling = True
            self._link.send(Cancel(job=self._running.id))
            self.changed.emit()

    @pyqtSlot()
    def cancelAll(self) -> None:
        self._waiting.clear()
        self.cancel()
        self.changed.emit()

    @pyqtSlot(bool)
    def reload(self, now: bool) -> None:
        """Restart the engine, at once or after the running job; a job that is interrupted by it runs again first."""
        self._reload = "now" if now or self._running is None else "after"
        if self._reload == "now":
            self._link.restart()
        self.changed.emit()

    # -- events ----------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._running is None and self._waiting and not self._reload:
            job = self._running = self._waiting.popleft()
            self._cancelling = False
            job.state = "running"
            self._link.send(Submit(job=job.id, kind=job.kind, params=job.params, blobs=job.blobs))
            self.started.emit(job)
        self.changed.emit()

    def _engine_settled(self) -> None:
        if self._reload == "now":
            self._reload = ""
        self._advance()

    def _engine_changed(self) -> None:
        # An engine that cannot start says no Hello; what waits is then sent, and told why it fails.
        if self._link.property("state") == "failed":
            self._engine_settled()
        self.changed.emit()

    def _take(self, event: JobEvent) -> None:
        job = self._running
        if job is None or event.job != job.id:
            return
        if isinstance(event, Progress):
            job.take(event, time.monotonic())
            if event.preview:
                self.previewed.emit(job, event.preview)
        elif isinstance(event, Artifact):
            job.pictures += 1
            self.pictured.emit(job, event)
        elif isinstance(event, Finished | Failed | Cancelled):
            self._end(job, event)
            return
        elif isinstance(event, Accepted):
            pass  # the window keeps the order itself; a place in a shared queue is shown by the window of that issue
        self.changed.emit()

    def _end(self, job: Job, event: JobEvent) -> None:
        self._running = None
        interrupted = self._reload == "now" and isinstance(event, Failed) and event.code == "worker_died"
        if interrupted and not self._cancelling:
            self._waiting.appendleft(Job(uuid.uuid4().hex, job.kind, job.params, job.blobs, job.owner))
            event = Cancelled(job=event.job, seq=event.seq)
        job.state = event.type  # type: ignore[attr-defined]  # endings carry their type as a word
        self.ended.emit(job, event)
        if self._reload == "after":
            self._reload = "now"
            self._link.restart()
        self._advance()

    # -- what QML reads --------------------------------------------------------------------------

    @property
    def running(self) -> Job | None:
        return self._running

    @pyqtProperty(bool, notify=changed)
    def busy(self) -> bool:
        return self._running is not None or bool(self._waiting)

    @pyqtProperty(bool, notify=changed)
    def cancelling(self) -> bool:
        return self._cancelling and self._running is not None

    @pyqtProperty(int, notify=changed)
    def waiting(self) -> int:
        return len(self._waiting)

    @pyqtProperty(float, notify=changed)
    def fraction(self) -> float:
        return self._running.fraction if self._running else 0.0

    @pyqtProperty(str, notify=changed)
    def stage(self) -> str:
        """What the running job does, in words, or ""."""
        job = self._running
        if job is None:
            return ""
        if self._cancelling:
            return "Cancelling"
        if not job.stage:
            return "Waiting for the engine" if self._link.property("state") == "ready" else "Starting engine"
        return job.note or STAGES.get(job.stage, job.stage.capitalize())

    @pyqtProperty(str, notify=changed)
    def steps(self) -> str:
        """ "12 / 25" while denoising, else ""."""
        job = self._running
        return f"{job.done} / {job.total}" if job and job.stage == "denoise" and job.total else ""

    @pyqtProperty(str, notify=changed)
    def rate(self) -> str:
        job = self._running
        if job is None or job.stage != "denoise" or not job.rate:
            return ""
        return f"{job.rate:.1f} it/s" if job.rate >= 1 else f"{1 / job.rate:.1f} s/it"

    @pyqtProperty(str, notify=changed)
    def timeLeft(self) -> str:
        left = self._running.seconds_left if self._running else None
        return "" if left is None else duration(left)


def duration(seconds: float) -> str:
    """A time to wait, in the two units a person reads."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
