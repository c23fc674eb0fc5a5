"""The queue on disk: one SQLite file in WAL mode, every change forced to the disk before it is answered.

What a restart finds: jobs in their order, the one that ran as "interrupted" and first, and how many pictures of each are already made. One thread at a
time may use a store; it knows nothing of windows and engines.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder
from sfumato.jobs.blobs import Blobs
from sfumato.protocol.errors import NotWritable

FILE = "queue.sqlite"
ENDED_KEPT = 200
PACES_KEPT = 500
# Jobs in a row are alike: each keeps what it has other than a base, which makes thousands quick to read.
DIFFERENCES_AT_MOST = 24
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, place INTEGER NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL, owner TEXT NOT NULL, base INTEGER NOT NULL, params TEXT NOT NULL,
    blobs TEXT NOT NULL,
    created REAL NOT NULL, pictures INTEGER NOT NULL, deaths INTEGER NOT NULL, runs INTEGER NOT NULL, message TEXT NOT NULL, ended REAL NOT NULL,
    endpoint TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS bases (id INTEGER PRIMARY KEY, params TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS paces (key TEXT PRIMARY KEY, seconds TEXT NOT NULL, used REAL NOT NULL);
"""


@dataclass
class StoredJob:
    """One job.

    Attributes:
        blobs: the name a parameter carries -> name in the blob store.
        state: waiting, interrupted, running, finished, failed or cancelled.
        endpoint: the machine it is for, "" for this one.
    """

    id: str
    kind: str
    params: dict[str, Any]
    blobs: dict[str, str] = field(default_factory=dict[str, str])
    owner: str = ""
    state: str = "waiting"
    created: float = 0.0
    pictures: int = 0
    deaths: int = 0
    runs: int = 0
    message: str = ""
    ended: float = 0.0
    endpoint: str = ""


@dataclass
class Restored:
    """What an earlier run left: jobs in the order of the panel, measured speeds, and a sentence if the file was damaged."""

    jobs: list[StoredJob]
    paces: dict[str, list[float]]
    complaint: str = ""


class QueueStore:
    """The jobs of one data folder.

    All methods raise `NotWritable` or `DiskFull` when the disk does not take what it is given; the store is then as it was before the call.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self.blobs = Blobs(folder / "blobs")
        self._connection: sqlite3.Connection | None = None
        self._base: tuple[int, dict[str, Any]] | None = None

    def load(self) -> Restored:
        """Open the file, which is made if it is not there; a damaged one is set aside. What ran is interrupted from now on, and first."""
        complaint = ""
        make_folder(self._folder)
        try:
            jobs, paces = self._read()
        except NotWritable as error:
            if not _is_damage(error.__cause__):
                raise
            aside = f"queue.damaged-{time.strftime('%Y%m%d-%H%M%S')}.sqlite"
            self.close()
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    (self._folder / (FILE + suffix)).replace(self._folder / (aside + suffix))
            jobs, paces = self._read()
            complaint = f"The queue of the last session could not be read; it was set aside as {aside} and the queue starts empty."
        self._sweep()
        return Restored(jobs, paces, complaint)

    def _read(self) -> tuple[list[StoredJob], dict[str, list[float]]]:
        """Open the file and take what is in it."""
        self._open()
        with self._change() as connection:
            lowest = connection.execute("SELECT min(place) FROM jobs").fetchone()[0] or 0
            connection.execute("UPDATE jobs SET state = 'interrupted', place = ? WHERE state = 'running'", (lowest - 1,))
            pending = connection.execute(f"{_SELECT} WHERE state IN ('waiting', 'interrupted') ORDER BY place, created").fetchall()
            ended = connection.execute(f"{_SELECT} WHERE state NOT IN ('waiting', 'interrupted') ORDER BY ended DESC").fetchall()
            paces = connection.execute("SELECT key, seconds FROM paces").fetchall()
            bases = {number: json.loads(params) for number, params in connection.execute("SELECT id, params FROM bases")}
            # Inside the transaction: what cannot be understood changes nothing.
            return [_job(row, bases) for row in (*pending, *ended)], {key: json.loads(seconds) for key, seconds in paces}

    def add(self, jobs: Sequence[tuple[StoredJob, Mapping[str, bytes], int]]) -> None:
        """Keep new jobs with the bytes of their pictures and their places; fills their `blobs`."""
        for job, pictures, _ in jobs:
            job.blobs = {name: self.blobs.keep(data) for name, data in pictures.items()}
        with self._change() as connection:
            rows = [
                (
                    *(job.id, place, job.state, job.kind, job.owner, *self._written(connection, job.params), json.dumps(job.blobs), job.created),
                    *(job.pictures, job.endpoint),
                )
                for job, _, place in jobs
            ]
            connection.executemany(_INSERT, rows)

    def begin(self, job: str, runs: int) -> dict[str, bytes]:
        """Note that a job is about to be sent for the `runs`-th time; its pictures by the names its parameters carry."""
        with self._change() as connection:
            row = connection.execute("SELECT blobs FROM jobs WHERE id = ?", (job,)).fetchone()
            connection.execute("UPDATE jobs SET state = 'running', runs = ? WHERE id = ?", (runs, job))
        blobs: dict[str, str] = json.loads(row[0]) if row else {}
        return {name: self.blobs.read(stored) for name, stored in blobs.items()}

    def pictured(self, job: str, pictures: int) -> None:
        """Note how many pictures of a job are safe."""
        with self._change() as connection:
            connection.execute("UPDATE jobs SET pictures = ? WHERE id = ?", (pictures, job))

    def put_back(self, job: str, place: int, deaths: int, state: str = "waiting") -> None:
        """Note that a job waits again."""
        with self._change() as connection:
            connection.execute("UPDATE jobs SET state = ?, place = ?, deaths = ?, ended = 0, message = '' WHERE id = ?", (state, place, deaths, job))

    def end(self, jobs: Sequence[str], state: str, message: str = "") -> None:
        """Note endings, and forget the oldest ended jobs beyond the limit."""
        with self._change() as connection:
            now = self._clock()
            connection.executemany("UPDATE jobs SET state = ?, message = ?, ended = ? WHERE id = ?", [(state, message, now, job) for job in jobs])
            gone = connection.execute(
                "DELETE FROM jobs WHERE state IN ('finished', 'failed', 'cancelled') AND id NOT IN "
                "(SELECT id FROM jobs WHERE state IN ('finished', 'failed', 'cancelled') ORDER BY ended DESC LIMIT ?)",
                (ENDED_KEPT,),
            ).rowcount
        if gone:
            self._sweep()

    def retry(self, job: str, place: int, pictures: int) -> None:
        """Let an ended job wait again, with so many of its pictures made."""
        with self._change() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'waiting', place = ?, pictures = ?, deaths = 0, message = '', ended = 0 WHERE id = ?", (place, pictures, job)
            )

    def place(self, places: Iterable[tuple[str, int]]) -> None:
        """Note new places."""
        with self._change() as connection:
            connection.executemany("UPDATE jobs SET place = ? WHERE id = ?", [(place, job) for job, place in places])

    def move(self, jobs: Sequence[str], endpoint: str) -> None:
        """Note that jobs are for another machine from now on."""
        with self._change() as connection:
            connection.executemany("UPDATE jobs SET endpoint = ? WHERE id = ?", [(endpoint, job) for job in jobs])

    def edit(self, job: str, params: Mapping[str, Any]) -> None:
        with self._change() as connection:
            connection.execute("UPDATE jobs SET base = ?, params = ?, pictures = 0 WHERE id = ?", (*self._written(connection, params), job))

    def remove(self, jobs: Sequence[str]) -> None:
        """Forget jobs and the pictures nobody needs any more."""
        with self._change() as connection:
            connection.executemany("DELETE FROM jobs WHERE id = ?", [(job,) for job in jobs])
        self._sweep()

    def learn(self, paces: Mapping[str, Sequence[float]]) -> None:
        """Keep measured speeds, the most recently used ones."""
        now = self._clock()
        with self._change() as connection:
            connection.executemany("INSERT OR REPLACE INTO paces VALUES (?, ?, ?)", [(key, json.dumps(list(seconds)), now) for key, seconds in paces.items()])
            connection.execute("DELETE FROM paces WHERE key NOT IN (SELECT key FROM paces ORDER BY used DESC LIMIT ?)", (PACES_KEPT,))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> None:
        with self._as_sentences():
            connection = self._connection = sqlite3.connect(self._folder / FILE, timeout=5.0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: each commit is on the disk, not only handed to the system, so that it outlives a loss of power.
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_TABLES)
            if "endpoint" not in {row[1] for row in connection.execute("PRAGMA table_info(jobs)")}:
                connection.execute("ALTER TABLE jobs ADD COLUMN endpoint TEXT NOT NULL DEFAULT ''")  # a file of before there were other machines

    @contextmanager
    def _change(self) -> Generator[sqlite3.Connection]:
        """One transaction."""
        if self._connection is None:
            raise NotWritable(str(self._folder / FILE), "the queue is not open")
        with self._as_sentences():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._base = None  # it may have gone with the rest
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _as_sentences(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, LookupError) as error:
            raise NotWritable(str(self._folder / FILE), str(error)) from error

    def _written(self, connection: sqlite3.Connection, params: Mapping[str, Any]) -> tuple[int, str]:
        """Parameters as a base and what differs from it: values, and names it has and they have not."""
        number, base = self._base or (0, {})
        values = {name: value for name, value in params.items() if name not in base or base[name] != value or type(base[name]) is not type(value)}
        if self._base is None or len(values) > DIFFERENCES_AT_MOST:
            number = connection.execute("INSERT INTO bases (params) VALUES (?)", (json.dumps(dict(params)),)).lastrowid or 0
            self._base = number, dict(params)
            return number, "[{}, []]"
        return number, json.dumps([values, [name for name in base if name not in params]])

    def _sweep(self) -> None:
        self._base = None
        with self._change() as connection:
            connection.execute("DELETE FROM bases WHERE id NOT IN (SELECT base FROM jobs)")
            rows = connection.execute("SELECT blobs FROM jobs WHERE blobs != '{}'").fetchall()
        self.blobs.sweep({name for (blobs,) in rows for name in json.loads(blobs).values()})


def _is_damage(cause: BaseException | None) -> bool:
    """Whether a file holds what no queue of ours does; one that is only locked or out of reach is not damaged."""
    if isinstance(cause, sqlite3.OperationalError):
        return "no such" in str(cause)  # a table or column of another program's file
    return isinstance(cause, sqlite3.DatabaseError | ValueError | LookupError)


_SELECT = "SELECT base, params, id, kind, blobs, owner, state, created, pictures, deaths, runs, message, ended, endpoint FROM jobs"
_INSERT = (
    "INSERT OR REPLACE INTO jobs (id, place, state, kind, owner, base, params, blobs, created, pictures, endpoint, deaths, runs, message, ended) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', 0)"
)


def _job(row: Sequence[Any], bases: Mapping[int, dict[str, Any]]) -> StoredJob:
    base, written, identity, kind, blobs, *rest = row
    values, without = json.loads(written)
    params = {**bases[base], **values}
    for name in without:
        params.pop(name, None)
    return StoredJob(identity, kind, params, json.loads(blobs), *rest)
