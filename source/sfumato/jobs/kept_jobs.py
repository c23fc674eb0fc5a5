"""The jobs of remote clients over a restart of the server: one SQLite file that knows which wait, which had begun and which have ended.

What waited runs again for the client that sent it; what had begun is known to have ended with the server. Only a job that waits is kept with its request; one
that moves files is kept by its name alone, because its request may hold a token. Jobs of this machine's own window are not here: it has a queue of its own.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sfumato.imaging.writing import make_folder
from sfumato.jobs.clients import Client, Role
from sfumato.protocol.codec import decode_command, encode
from sfumato.protocol.errors import BadFrame, DiskFull, NotWritable
from sfumato.protocol.messages import Submit

log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
ENDED_KEPT = 10_000
# A server that is just ending gets so long.
LOCK_WAIT_S = 2.0
# After so many endings the oldest are looked through.
_SWEEP_EVERY = 500
_TABLES = """
CREATE TABLE IF NOT EXISTS remote_jobs (
    place INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL, job TEXT NOT NULL, client TEXT NOT NULL, role TEXT NOT NULL, state TEXT NOT NULL,
    submit BLOB, changed REAL NOT NULL, UNIQUE (identity, job)
);
"""


@dataclass(frozen=True)
class KeptJob:
    """A job of an earlier life of the server: with its request if it waited; otherwise it had begun, or (`has_ended`) had ended."""

    client: Client
    job: str
    submit: Submit | None = None
    has_ended: bool = False


class KeptJobs:
    """The file of one server. It belongs to whoever holds the dispatcher's lock; a disk that fails is logged, and no job waits for it.

    Args:
        path: the file, made readable for its owner only.
        clock: seconds that go on while the server is away.
        identities: whose jobs are taken up; those of others stay for a life in which they are known again. None: everybody's.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, identities: Collection[str] | None = None) -> None:
        self._path = path
        self._identities = identities
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._endings = 0

    def load(self) -> list[KeptJob]:
        """Open the file and tell what an earlier life left, in the order of arrival, nothing older than a day. A damaged file is set aside."""
        try:
            return self._read()
        except (sqlite3.OperationalError, OSError, DiskFull, NotWritable) as error:  # another server's, or out of reach: not damaged
            log.error("jobs will not outlive this server: %s cannot be opened: %s", self._path.name, error)
            self.close()
            return []
        except (sqlite3.DatabaseError, BadFrame) as error:
            log.error("the kept jobs in %s cannot be read and were set aside: %s", self._path.name, error)
            self.close()
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            with suppress(FileNotFoundError):
                file.replace(file.with_name(f"damaged-{file.name}"))
        with self._tolerantly():
            return self._read()
        return []

    def add(self, client: Client, job: str, submit: Submit | None) -> None:
        """Keep a job: with its request it waits, without it counts as begun."""
        state, document = ("begun", None) if submit is None else ("waiting", encode(submit))
        self._change(
            "INSERT OR REPLACE INTO remote_jobs (identity, job, client, role, state, submit, changed) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (client.identity, job, client.name, client.role, state, document, self._clock()),
        )

    def begin(self, client: Client, job: str) -> None:
        """Note that a job runs now; its request is kept no longer."""
        self._mark(client, job, "begun")

    def end(self, client: Client, job: str) -> None:
        """Note that a job ended."""
        self._mark(client, job, "ended")
        self._endings += 1
        if self._endings % _SWEEP_EVERY == 0:
            oldest = "SELECT place FROM remote_jobs WHERE state = 'ended' ORDER BY changed DESC LIMIT -1 OFFSET ?"
            self._change(
                f"DELETE FROM remote_jobs WHERE state = 'ended' AND (changed < ? OR place IN ({oldest}))",
                (self._clock() - KEPT_S, ENDED_KEPT),
            )

    def close(self) -> None:
        """Note nothing more: what waits or runs now is what the next life finds."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _read(self) -> list[KeptJob]:
        make_folder(self._path.parent)
        # Before SQLite makes it: requests hold prompts, which are nobody else's on this machine. Its side files take over the mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
        self._connection = connection
        # One server alone: a second one on the same folder would run the same jobs once more.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        # What was committed outlives the process; a loss of power may cost the last of it, which is cheaper than a wait for the disk per job.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        connection.execute("DELETE FROM remote_jobs WHERE changed < ?", (self._clock() - KEPT_S,))
        rows = connection.execute("SELECT identity, job, client, role, state, submit FROM remote_jobs ORDER BY place").fetchall()
        return [_job(*row) for row in rows if self._identities is None or row[0] in self._identities]

    def _mark(self, client: Client, job: str, state: str) -> None:
        self._change(
            "UPDATE remote_jobs SET state = ?, submit = NULL, changed = ? WHERE identity = ? AND job = ?", (state, self._clock(), client.identity, job)
        )

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        with self._tolerantly():
            if self._connection is not None:
                self._connection.execute(statement, values)

    @contextmanager
    def _tolerantly(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, DiskFull, NotWritable) as error:
            log.error("%s was not written, a job may not outlive this server: %s", self._path.name, error)


def _job(identity: str, job: str, client: str, role: str, state: str, document: bytes | None) -> KeptJob:
    # A role that is not known is one that may do least.
    owner = Client(client, identity, cast(Role, role) if role == "owner" else "guest")
    if state != "waiting" or document is None:
        return KeptJob(owner, job, has_ended=state == "ended")
    try:
        command = decode_command(document)
    except BadFrame as error:  # one request that cannot be read must not cost all others
        log.error("the kept job %s cannot be read: %s", job, error)
        return KeptJob(owner, job)
    return KeptJob(owner, job, command if isinstance(command, Submit) else None)
