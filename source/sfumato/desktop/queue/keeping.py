"""The queue's file seen from the window: changes go to a thread of their own, in order; new jobs that come together are kept together.

A picture counts as made, and a job as ended, only behind the disk thread that writes the pictures: whatever kills the window, no job is done whose
pictures are not there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject

from sfumato.desktop.disk import Disk
from sfumato.desktop.queue.job import Job
from sfumato.jobs.queue_store import QueueStore, Restored, StoredJob
from sfumato.protocol.errors import SfumatoError

Entry = tuple[StoredJob, dict[str, bytes], int]


class Keeper(QObject):
    """Keeps jobs; `complain` is told what the disk refuses, and the jobs then live in memory alone."""

    def __init__(self, folder: Path, pictures: Disk, complain: Callable[[SfumatoError], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = QueueStore(folder)
        self._pictures = pictures
        self._complain = complain
        self._disk = Disk(self)
        self._new: list[Entry] = []
        self._refused: dict[str, SfumatoError] = {}  # job -> why the batch it came with could not be kept; of the keeper's own thread
        self._lock = threading.Lock()

    def load(self, done: Callable[[Restored], None], failed: Callable[[SfumatoError], None]) -> None:
        self._disk.run(self._store.load, done, failed)

    def add(self, job: Job, done: Callable[[Job], None]) -> None:
        """Keep a new job; `done(job)` when it is safe, or when it cannot be."""
        row = job.for_store()
        with self._lock:
            self._new.append((row, dict(job.blobs), job.place))

        def kept(_: Any) -> None:
            job.blobs, job.stored = {}, row.blobs
            done(job)

        def failed(error: SfumatoError) -> None:
            self._complain(error)
            done(job)

        self._disk.run(partial(self._add_new, job.id), kept, failed)

    def _add_new(self, job: str) -> None:
        with self._lock:
            new, self._new = self._new, []
        try:
            if new:
                self._store.add(new)
        except SfumatoError as error:
            self._refused |= {row.id: error for row, _, _ in new}
        # Every job of the batch is asked for once, also those that an earlier call took along.
        if error := self._refused.pop(job, None):
            raise error

    def begin(self, job: Job, done: Callable[[dict[str, bytes]], None], failed: Callable[[SfumatoError], None]) -> None:
        """Note that a job runs; `done(pictures)` once that is on the disk."""
        identity, runs, held = job.id, job.runs, dict(job.blobs)

        def work() -> dict[str, bytes]:
            return held or self._store.begin(identity, runs)

        def refused(error: SfumatoError) -> None:
            if job.stored and not held:
                failed(error)
                return
            self._complain(error)
            done(held)

        self._disk.run(work, done, refused)

    def pictured(self, job: Job) -> None:
        self._behind_pictures(partial(self._store.pictured, job.id, job.pictures))

    def end(self, jobs: Sequence[Job], state: str, message: str = "") -> None:
        self._behind_pictures(partial(self._store.end, [job.id for job in jobs], state, message))

    def put_back(self, job: Job) -> None:
        self._behind_pictures(partial(self._store.put_back, job.id, job.place, job.deaths))

    def retry(self, job: Job) -> None:
        self._behind_pictures(partial(self._store.retry, job.id, job.place, job.pictures))

    def place(self, jobs: Sequence[Job]) -> None:
        self._run(partial(self._store.place, [(job.id, job.place) for job in jobs]))

    def move(self, jobs: Sequence[Job]) -> None:
        """Note the machines that jobs are for now."""
        for endpoint in {job.endpoint for job in jobs}:
            self._run(partial(self._store.move, [job.id for job in jobs if job.endpoint == endpoint], endpoint))

    def edit(self, job: Job) -> None:
        self._run(partial(self._store.edit, job.id, dict(job.params)))

    def remove(self, jobs: Sequence[Job]) -> None:
        self._behind_pictures(partial(self._store.remove, [job.id for job in jobs]))

    def learn(self, paces: dict[str, list[float]]) -> None:
        self._run(partial(self._store.learn, dict(paces)))

    def pictures_of(self, job: Job, done: Callable[[dict[str, bytes]], None]) -> None:
        """Read the pictures a stored job was given."""
        stored = dict(job.stored)
        self._disk.run(lambda: {name: self._store.blobs.read(blob) for name, blob in stored.items()}, done, self._complain)

    def close(self) -> None:
        """Finish what was given; the last call, after the thread that writes pictures has ended."""
        self._run(self._store.close)
        self._disk.close()

    def _run(self, work: Callable[[], Any]) -> None:
        self._disk.run(work, _ignore, self._complain)

    def _behind_pictures(self, work: Callable[[], Any]) -> None:
        self._pictures.run(lambda: self._run(work), _ignore, _ignore)


def _ignore(_: Any) -> None:
    """Nothing waits for this change."""
