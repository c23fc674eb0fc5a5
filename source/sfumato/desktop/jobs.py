"""The queue of the window: first in, first out, one job at the engine at a time, each frozen when it is queued and on the disk before it is sent.

A job belongs to the machine it was queued for, and waits while the window works with another. The next one starts while the last one's pictures travel.
Knows how far the running job is and how long it will take; pictures go to outputs.py, sentences to notices.py, rows to queue/rows.py, files to
queue/keeping.py. What a person does with rows is queue/desk.py's.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.engine_link import FETCH, EngineLink
from sfumato.desktop.inputs.modes import OF_INPUTS, of_job
from sfumato.desktop.language import tr
from sfumato.desktop.outputs_rows import is_extra
from sfumato.desktop.queue.job import PENDING, Job, duration
from sfumato.desktop.queue.keeping import Keeper
from sfumato.desktop.queue.rows import QueueRows
from sfumato.jobs.queue_order import next_of
from sfumato.jobs.queue_pace import Pace
from sfumato.jobs.queue_store import Restored
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Failed, Finished, JobEvent, Progress, Resume, Submit

__all__ = ["DEATHS_FORGIVEN", "STAGES", "Job", "JobQueue", "duration"]

STAGES = {"load": "Loading model", "encode": "Reading prompt", "denoise": "Painting", "decode": "Decoding", "save": "Finishing", FETCH: "Fetching"}
# A job that killed the engine so often never runs again by itself.
DEATHS_FORGIVEN = 1
# Jobs whose pictures may be on their way at once; the next one waits for them.
FETCHING_AT_MOST = 8
# A picture above this size is announced before it travels.
ANNOUNCED_ABOVE_BYTES = 64 << 10
# Another machine knows nothing of a job that was left there, or let go of it: it is sent anew.
FORGOTTEN = ("job_not_found", "session_expired")
MODES = {"convert": "Converting"}


def mode_of(job: Job) -> str:
    """What a job does, in the words that stand over the parameters (D44)."""
    return of_job(job.kind, job.params) if job.kind in OF_INPUTS else tr(MODES.get(job.kind, job.kind.replace("_", " ").capitalize()))


class JobQueue(QObject):
    """Jobs of this window, in order.

    Args:
        keeper: keeps them on the disk.
        setting: gives the value of a setting by its name.
    """

    changed = pyqtSignal()
    started = pyqtSignal(object)  # Job
    given = pyqtSignal(object, object)  # Job, the pictures that are sent with it, by their names
    previewed = pyqtSignal(object, object)  # Job, tuple of JPEG bytes
    announced = pyqtSignal(object, object)  # Job, a small JPEG of a finished picture that is on its way
    arriving = pyqtSignal(object)  # Job of which a part of a picture has come
    pictured = pyqtSignal(object, object)  # Job, Artifact
    ended = pyqtSignal(object, object)  # Job, the ending event
    putBack = pyqtSignal(object)  # Job that ran, and waits again
    died = pyqtSignal(object, object, bool)  # Job, Failed, whether it runs once more
    restored = pyqtSignal(int)  # how many jobs of the last session wait
    complained = pyqtSignal(str)

    def __init__(self, link: EngineLink, keeper: Keeper, setting: Callable[[str], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._keeper = keeper
        self._setting = setting
        self._pace = Pace()
        self._rows = QueueRows(self._pace, mode_of, self)
        self._cancelling = False
        self._putting_back = False
        self._sent = False
        self._pause = "loading"  # "", "loading", "user", "restart" or "deaths"
        self._reload = ""  # "", "after" the running job, or "now"
        self._endpoint = ""  # the machine that the window works with, "" for this computer
        link.heard.connect(self._take)
        link.greeted.connect(self._engine_settled)
        link.changed.connect(self._engine_changed)
        keeper.load(self._take_restored, self._not_restored)

    # -- what the window asks --------------------------------------------------------------------

    def submit(
        self, kind: str, params: Mapping[str, Any], blobs: Mapping[str, bytes] | None = None, owner: str = "", front: bool = False, lasting: bool | None = None
    ) -> Job:
        """Queue a job at the end; `blobs` are the pictures its parameters name.

        Args:
            front: before all that wait.
            lasting: whether it outlives the window and is listed when it has ended; by default the jobs of the strip and of grids. Others are short
                requests of a part of the window: they go before the rest and do not mind a pause.
        """
        lasting = (owner == "" or owner.startswith("grid")) if lasting is None else lasting
        job = Job(uuid.uuid4().hex, kind, dict(params), dict(blobs or {}), owner, lasting=lasting, is_urgent=front or not lasting, endpoint=self._endpoint)
        waiting = self._rows.waiting
        at = next((place for place, other in enumerate(waiting) if front or other.lasting), len(waiting)) if job.is_urgent else len(waiting)
        self._enqueue([job], at)
        return job

    def submit_all(self, kind: str, entries: Sequence[tuple[Mapping[str, Any], str]], blobs: Mapping[str, bytes]) -> list[Job]:
        """Queue many lasting jobs at the end at once: the parameters and the owner of each; all are given the same pictures."""
        jobs = [Job(uuid.uuid4().hex, kind, dict(params), dict(blobs), owner, endpoint=self._endpoint) for params, owner in entries]
        if jobs:
            self._enqueue(jobs, len(self._rows.waiting))
        return jobs

    def _enqueue(self, jobs: Sequence[Job], at: int) -> None:
        waiting = self._rows.waiting
        before = waiting[at - 1].place if at else (waiting[0].place - len(jobs) - 1 if waiting else 0)
        for offset, job in enumerate(jobs, 1):
            job.place = before + offset
        self._rows.insert(list(jobs), at)
        following = waiting[at + len(jobs) :]
        if following and following[0].place <= jobs[-1].place:
            for offset, job in enumerate(following, 1):
                job.place = jobs[-1].place + offset
            self._keeper.place([job for job in following if job.lasting])
        for job in jobs:
            if job.lasting:
                self._keeper.add(job, self._stored)
            else:
                job.is_stored = True
        self._advance()

    def duplicate(self, jobs: Sequence[Job]) -> None:
        """Queue jobs that ask for the same, each list behind the last of the originals, or at the end."""
        waiting = self._rows.waiting
        places = [waiting.index(job) for job in jobs if job in waiting]

        def filled(copy: Job, pictures: dict[str, bytes]) -> None:
            copy.blobs = pictures
            self._enqueue([copy], min(at, len(self._rows.waiting)))

        at = max(places) + 1 if places else len(waiting)
        for job in reversed(jobs):
            copy = job.again()
            if copy.stored and not copy.blobs:
                self._keeper.pictures_of(job, lambda pictures, copy=copy: filled(copy, pictures))
            else:
                self._enqueue([copy], at)

    def reorder(self, waiting: list[Job]) -> None:
        """Give the waiting jobs another order; the first is urgent if it was moved there."""
        if waiting and self._rows.waiting and waiting[0] is not self._rows.waiting[0]:
            waiting[0].is_urgent = True
        self._rows.reorder(waiting)
        lowest = min((job.place for job in waiting), default=0)
        for offset, job in enumerate(waiting):
            job.place = lowest + offset
        self._keeper.place([job for job in waiting if job.lasting])
        self.changed.emit()

    def edit(self, job: Job, params: Mapping[str, Any]) -> None:
        """Give a waiting job other parameters; it keeps its place."""
        job.params, job.pictures = dict(params), 0
        self._keeper.edit(job)
        self._rows.relearn()
        self._rows.tell(job)
        self.changed.emit()

    def hold(self, jobs: Sequence[Job], held: bool) -> None:
        """Let waiting jobs wait while others go on, or let them go on too."""
        for job in jobs:
            job.is_held = held
            self._rows.tell(job)
        self._advance()

    def remove(self, jobs: Sequence[Job]) -> None:
        """Forget jobs that do not run."""
        gone = [job for job in jobs if job is not self.running and job not in self._rows.fetching]
        self._rows.remove(gone)
        self._keeper.remove([job for job in gone if job.lasting])
        self.changed.emit()

    def retry(self, jobs: Sequence[Job]) -> None:
        """Let ended jobs run again, with what they asked for; what is made of them stays made."""
        for job in [job for job in jobs if job.state in ("failed", "cancelled")]:
            self._rows.remove([job])
            job.state, job.message, job.deaths, job.ended = "waiting", "", 0, 0.0
            job.pictures = 0 if job.is_complete else job.pictures
            waiting = self._rows.waiting
            job.place = waiting[-1].place + 1 if waiting else 0
            self._rows.insert([job], len(waiting))
            self._keeper.retry(job)
        self._advance()

    @pyqtSlot()
    def cancel(self) -> None:
        """Cancel the running job; the waiting ones go on."""
        self._putting_back = False
        self._stop_running()

    def _stop_running(self) -> None:
        job = self.running
        if job is not None and not self._cancelling:
            self._cancelling = True
            if self._sent:
                self._link.send(Cancel(job=job.wire))
            self.changed.emit()

    def stop_fetching(self, jobs: Sequence[Job]) -> None:
        """Give up the pictures of these jobs that have not come yet."""
        for job in [job for job in jobs if job in self._rows.fetching]:
            self._link.send(Cancel(job=job.wire))
            self._close_job(job, Cancelled(job=job.wire, seq=1))
        self._advance()

    def cancel_waiting(self, jobs: Sequence[Job]) -> None:
        """Cancel jobs that wait; they can be retried."""
        gone = [job for job in jobs if job.state in PENDING]
        self._rows.remove(gone)
        for job in gone:
            job.state, job.ended = "cancelled", time.time()
            self.ended.emit(job, Cancelled(job=job.wire, seq=1))
        kept = [job for job in gone if job.lasting]
        self._keeper.end(kept, "cancelled")
        self._rows.list_ended(kept)
        self.changed.emit()

    @pyqtSlot()
    def cancelAll(self) -> None:
        """Cancel what runs and all that waits."""
        self.cancel_waiting(list(self._rows.waiting))
        self.stop_fetching(list(self._rows.fetching))
        self.cancel()
        if self._pause == "restart":
            self._set_pause("")

    @pyqtSlot(bool)
    def reload(self, now: bool) -> None:
        """Restart the engine, at once or after the running job; a job that is interrupted by it runs again first."""
        self._reload = "now" if now or self.running is None else "after"
        if self._reload == "now":
            self._link.restart()
        self.changed.emit()

    @pyqtSlot()
    def pause(self) -> None:
        """Let the running job finish and hold the rest."""
        self._set_pause("user")

    @pyqtSlot()
    def pauseNow(self) -> None:
        """Stop the running job as well; it is the first to go on, from the pictures it has made."""
        self._set_pause("user")
        if self.running is not None and not self._cancelling:
            self._putting_back = True
            self._stop_running()

    def pause_after_deaths(self) -> None:
        """Hold everything: the engine dies again and again."""
        self._set_pause("deaths")

    @pyqtSlot()
    def resume(self) -> None:
        """Go on."""
        self._set_pause("")

    def _set_pause(self, why: str) -> None:
        if self._pause != "loading":
            self._pause = why
            self._advance()

    # -- machines --------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """The machine that the window works with, "" for this computer."""
        return self._endpoint

    def turn_to(self, endpoint: str) -> None:
        """Belong to another machine from now on; the link is switched next, and the queue goes on from there.

        What is at work waits for the machine it was sent to; another computer keeps what it says meanwhile.
        """
        was_sent = self._sent
        for job in [*self._rows.fetching, *([self.running] if self.running else [])]:
            is_running = job is self.running
            if not job.lasting or (is_running and self._cancelling and not self._putting_back):
                self._close_job(job, Cancelled(job=job.wire, seq=1))
            else:
                job.is_away = job.endpoint != "" and (not is_running or was_sent)
                self._put_back(job)
        self._cancelling = self._putting_back = self._sent = False
        self._reload = ""
        # Short requests of a part of the window: nobody waits for them at another machine.
        for job in [job for job in self._rows.waiting if not job.lasting]:
            self._rows.remove([job])
            job.state = "cancelled"
            self.ended.emit(job, Cancelled(job=job.wire, seq=1))
        self._endpoint = endpoint
        self._rows.settle(endpoint)
        self.changed.emit()

    def move_here(self, jobs: Sequence[Job]) -> None:
        """Let waiting jobs run at the machine that the window works with, whatever they were queued for."""
        moved = [job for job in jobs if job.state in PENDING and job.endpoint != self._endpoint]
        for job in moved:
            job.endpoint, job.is_away, job.state = self._endpoint, False, "waiting"
            self._rows.tell(job)
        self._keeper.move([job for job in moved if job.lasting])
        self._rows.stale()
        self._advance()

    # -- what an earlier session left ------------------------------------------------------------

    def _take_restored(self, found: Restored) -> None:
        jobs = [Job.restored(row) for row in found.jobs]
        pending = [job for job in jobs if job.state in PENDING]
        for place, job in enumerate(pending, -len(pending)):
            job.place = place
        self._pace.samples |= found.paces
        self._rows.restore(pending, [job for job in jobs if job.state not in PENDING])
        if found.complaint:
            self.complained.emit(found.complaint)
        self._pause = "restart" if pending else ""
        if pending:
            self._keeper.place(pending)
            self.restored.emit(len(pending))
        self._advance()

    def _not_restored(self, error: SfumatoError) -> None:
        self._pause = ""
        self.complained.emit(tr("The queue is not kept: {reason}", reason=error.message))
        self._advance()

    # -- the job at the engine -------------------------------------------------------------------

    def _stored(self, job: Job) -> None:
        job.is_stored = True
        self._advance()

    def _next(self) -> Job | None:
        if not self._link.takes_jobs or len(self._rows.fetching) >= FETCHING_AT_MOST:
            return None
        if self._pause:
            return next((job for job in self._rows.waiting if not job.lasting), None) if self._pause in ("user", "restart") else None
        free = [job for job in self._rows.waiting if not job.is_held and job.endpoint == self._endpoint]
        return next_of(free, self._rows.loaded_model, bool(self._setting("queue_model_first")))

    def advance(self) -> None:
        """Send the next job, if there is one that may go."""
        self._advance()

    def _advance(self) -> None:
        job = self._next() if self.running is None and not self._reload else None
        if job is not None and job.is_stored:
            self._rows.take(job)
            if job.is_complete:
                self._close_job(job, Finished(job=job.wire, seq=1))
                self._advance()
                return
            self._cancelling = self._putting_back = self._sent = False
            self._send(job)
            self._rows.tell(job)
            self.started.emit(job)
        self.changed.emit()

    def _send(self, job: Job) -> None:
        if job.can_be_asked_for:
            job.ask_for()
            after: int | None = 0
        elif job.is_away:
            job.go_on()
            after = job.heard
        else:
            job.begin()
            after = None
        self._sent = False
        run = job.run
        assert run is not None

        def ready(pictures: Mapping[str, bytes]) -> None:
            if self.running is not job or job.run is not run:
                return
            if self._cancelling:
                self._end(job, Cancelled(job=job.wire, seq=1))
                return
            self._sent = True
            job.sent_at = time.monotonic()
            self.given.emit(job, pictures)
            if after is not None:
                job.is_asked_for = True
                self._link.send(Resume(job=job.wire, after=after))
                return
            self._link.send(Submit(job=job.wire, kind=job.kind, params=run.params, blobs=dict(pictures)))

        def failed(error: SfumatoError) -> None:
            if self.running is job:
                self._end(job, Failed(job=job.wire, seq=1, code=error.code, message=error.message, detail=error.detail))

        if job.lasting:
            self._keeper.begin(job, ready, failed)
        else:
            ready(job.blobs)

    def _engine_settled(self) -> None:
        if self._reload == "now":
            self._reload = ""
        self._advance()

    def _engine_changed(self) -> None:
        # An engine that cannot start says no Hello; what waits is then sent, and told why it fails.
        if self._link.property("state") == "failed":
            self._engine_settled()
        elif self.running is None and self._link.takes_jobs:
            self._advance()
        self.changed.emit()

    def _take(self, event: JobEvent) -> None:
        job = self._at_work(event)
        if job is None:
            return
        job.heard = max(job.heard, event.seq)
        if isinstance(event, Progress):
            job.take(event, time.monotonic())
            self._rows.tell(job, "progress", "estimate")
            if event.stage == FETCH:
                self._take_fetching(job, event)
            elif event.preview:
                self.previewed.emit(job, event.preview)
        elif isinstance(event, Artifact):
            self._take_artifact(job, event)
        elif isinstance(event, Finished | Failed | Cancelled):
            self._end(job, event)
            return
        elif isinstance(event, Accepted):
            job.position = event.position
        self.changed.emit()

    def _at_work(self, event: JobEvent) -> Job | None:
        """The job an event is about, None where it is over here."""
        if self.running is not None and event.job == self.running.wire:
            return self.running if self._sent else None
        return next((job for job in self._rows.fetching if job.wire == event.job), None)

    def _take_fetching(self, job: Job, event: Progress) -> None:
        """A finished picture is announced; behind the last one the engine is free for the next job."""
        if event.done == 0 and job.coming > job.pass_over:
            self.announced.emit(job, event.preview[0] if event.preview else b"")
        if job is self.running and job.is_painted and not self._cancelling and not self._reload:
            self._learn(job)
            job.state, self._sent = "fetching", False
            self._rows.fetch(job)
            self._advance()

    def arrive(self, name: str, done: int, total: int) -> None:
        """So many bytes of a picture of the job that was sent under this name have come."""
        job = next((job for job in (self.running, *self._rows.fetching) if job is not None and job.wire == name), None)
        if job is not None:
            job.fetched = (done, total)
            self._rows.tell(job, "progress", "estimate")
            self.arriving.emit(job)

    def _take_artifact(self, job: Job, event: Artifact) -> None:
        if is_extra(job.kind, event.name):
            self.pictured.emit(job, event)
            return
        if event.media_type.startswith("image/"):
            job.coming = max(0, job.coming - (len(event.data) > ANNOUNCED_ABOVE_BYTES))
            if job.pass_over:
                job.pass_over -= 1
                return
        job.pictures += 1
        self.pictured.emit(job, event)
        if job.lasting:
            self._keeper.pictured(job)
        self._rows.tell(job)

    def _end(self, job: Job, event: JobEvent) -> None:
        died = isinstance(event, Failed) and event.code == "worker_died"
        is_fetching = job in self._rows.fetching
        is_forgotten = isinstance(event, Cancelled) or (isinstance(event, Failed) and event.code in FORGOTTEN)
        if is_forgotten and job.is_asked_for and not self._cancelling:
            job.is_asked_for = False
            if is_fetching:
                self._put_back(job)
            else:
                self._send(job)
            return
        if is_fetching:
            self._close_job(job, event)
            self._advance()
            return
        if isinstance(event, Finished):
            self._learn(job)
            if job.run is not None and job.run_from and job.pictures == job.run_from + job.run.pictures < job.expected and not self._cancelling:
                self._send(job)
                return
        if died and self._reload != "now" and job.lasting and not self._cancelling:
            job.deaths += 1
            again = job.deaths <= DEATHS_FORGIVEN and bool(self._setting("queue_retry"))
            self.died.emit(job, event, again)
        else:
            again = (died and self._reload == "now" and not self._cancelling) or (self._putting_back and isinstance(event, Cancelled | Failed))
        if again:
            self._put_back(job)
        else:
            self._close_job(job, event)
        if self._reload == "after":
            self._reload = "now"
            self._link.restart()
        self._advance()

    def _put_back(self, job: Job) -> None:
        job.state, job.is_urgent, job.painted = "waiting", True, (0, 0)
        waiting = self._rows.waiting
        job.place = min(job.place, waiting[0].place - 1) if waiting else job.place
        self._rows.put_back(job)
        if job.lasting:
            self._keeper.put_back(job)
        self.putBack.emit(job)

    def _close_job(self, job: Job, event: JobEvent) -> None:
        job.painted = (0, 0)
        job.state = event.type  # type: ignore[attr-defined]  # endings carry their type as a word
        job.message = event.message if isinstance(event, Failed) else ""
        job.ended = time.time()
        self._rows.end(job)
        if job.lasting:
            self._keeper.end([job], job.state, job.message)
        self.ended.emit(job, event)

    def _learn(self, job: Job) -> None:
        """Take the measured speed of a run."""
        now = time.monotonic()
        if job.run is None or not job.sent_at or not job.begun_at:
            return
        measured = self._pace.learn(job.kind, job.params, job.run.pictures + job.run.passed_over, now - job.begun_at)
        measured |= self._pace.learn_start(job.model, job.model != self._rows.loaded_model, job.begun_at - job.sent_at)
        self._rows.loaded_model = job.model
        self._rows.relearn()
        self._keeper.learn(measured)
        job.sent_at = 0.0  # once for each run

    def close(self) -> None:
        """Finish writing; the last call, after the thread that writes pictures has ended."""
        self._keeper.close()

    # -- what QML reads --------------------------------------------------------------------------

    @property
    def running(self) -> Job | None:
        return self._rows.running

    @property
    def is_loaded(self) -> bool:
        """Whether what an earlier session left is known."""
        return self._pause != "loading"

    @pyqtProperty(QObject, constant=True)
    def rows(self) -> QueueRows:
        return self._rows

    @pyqtProperty(bool, notify=changed)
    def busy(self) -> bool:
        return self.running is not None or bool(self._rows.fetching) or any(job.endpoint == self._endpoint for job in self._rows.waiting)

    @pyqtProperty(bool, notify=changed)
    def runs(self) -> bool:
        """Whether a job is at the engine."""
        return self.running is not None

    @pyqtProperty(bool, notify=changed)
    def paused(self) -> bool:
        return self._pause not in ("", "loading")

    @pyqtProperty(str, notify=changed)
    def pausedBy(self) -> str:
        """ "" (it runs), user, restart or deaths."""
        return "" if self._pause == "loading" else self._pause

    @pyqtProperty(bool, notify=changed)
    def cancelling(self) -> bool:
        return self._cancelling and self.running is not None

    @pyqtProperty(int, notify=changed)
    def waiting(self) -> int:
        return len(self._rows.waiting)

    @pyqtProperty(float, notify=changed)
    def fraction(self) -> float:
        return self.running.fraction if self.running else 0.0

    @pyqtProperty(str, notify=changed)
    def stage(self) -> str:
        """What the running job does, in words, or ""."""
        job = self.running
        if job is None and self._rows.fetching:
            return tr(STAGES[FETCH])
        if job is None:
            return tr("Paused") if self.property("paused") and self._rows.waiting else ""
        if self._cancelling:
            return tr("Stopping") if self._putting_back else tr("Cancelling")
        if not job.stage:
            return tr("Waiting for the engine") if self._link.property("state") == "ready" else tr("Starting engine")
        return job.note or tr(STAGES.get(job.stage, job.stage.capitalize()))

    @pyqtProperty(str, notify=changed)
    def steps(self) -> str:
        """ "12 / 25" while denoising, else ""."""
        job = self.running
        return f"{job.done} / {job.total}" if job and job.stage == "denoise" and job.total else ""

    @pyqtProperty(str, notify=changed)
    def rate(self) -> str:
        job = self.running
        if job is None or job.stage != "denoise" or not job.rate:
            return ""
        return f"{job.rate:.1f} it/s" if job.rate >= 1 else f"{1 / job.rate:.1f} s/it"

    @pyqtProperty(str, notify=changed)
    def timeLeft(self) -> str:
        """Of the running job."""
        left = self._rows.seconds_left() if self.running else None
        return duration(left) if left is not None and left >= 0.5 else ""

    @pyqtProperty(str, notify=changed)
    def allTimeLeft(self) -> str:
        """Of everything that waits, "" where it is not known."""
        left = self._rows.total_seconds() if self._rows.waiting else None
        return "" if left is None else duration(left)
