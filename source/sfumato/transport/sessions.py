"""Who was here and may come back: sessions of a relay's clients, kept for a while after the line was lost, and over a restart of the server.

A session is known by a 128-bit key that only its client has; here and on the disk is the key's hash. The key opens nothing by itself: it only works together
with the secret of the identity that made it (N40).
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.jobs.clients import Client, Role
from sfumato.protocol.errors import DiskFull, NotWritable
from sfumato.transport.keys import Identity

log = logging.getLogger("sfumato.transport.relay")

SESSION_S = 3600.0
SESSIONS_PER_IDENTITY = 32
_VERSION = 1
_ID_CHARACTERS = 32


class TooManySessions(Exception):
    """As many clients of one identity are connected as may be."""


@dataclass(eq=False)
class Session:
    """One client over all its connections.

    Attributes:
        id: its name for the server: a hash of the key, which may be shown.
        last_seen: when its last connection ended, in seconds of the clock.
    """

    id: str
    identity: str
    role: Role
    last_seen: float
    is_connected: bool = False

    @property
    def client(self) -> Client:
        """As which it joins an endpoint."""
        return Client(self.id, self.identity, self.role)


class Sessions:
    """All sessions of one server. It belongs to one thread; only `write` may be called from another.

    Args:
        path: the file that lets sessions outlive the server; None keeps nothing.
        session_s: how long a lost client may be away.
        clock: seconds that go on while the server is away.
    """

    def __init__(
        self,
        path: Path | None = None,
        session_s: float = SESSION_S,
        per_identity: int = SESSIONS_PER_IDENTITY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._session_s = session_s
        self._per_identity = per_identity
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        if path is not None:
            self._load(path)

    def __iter__(self) -> Any:
        return iter(list(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, key: str, identity: Identity) -> Session | None:
        """The session of that key if it belongs to `identity`; somebody else's is as unknown as one that never was."""
        session = self._sessions.get(id_of(key)) if key else None
        if session is None or session.identity != identity.name or session.role != identity.role or self._is_expired(session):
            return None
        return session

    def open(self, identity: Identity) -> tuple[str, Session, list[Session]]:
        """A new session: its key, itself, and those that had to go for it (the longest lost ones). Raises `TooManySessions`."""
        mine = sorted((one for one in self._sessions.values() if one.identity == identity.name), key=lambda one: (one.is_connected, one.last_seen))
        displaced: list[Session] = []
        while len(mine) - len(displaced) >= self._per_identity:
            oldest = mine[len(displaced)]
            if oldest.is_connected:
                raise TooManySessions
            displaced.append(oldest)
        for one in displaced:
            self.drop(one)
        key = secrets.token_hex(16)
        session = Session(id_of(key), identity.name, identity.role, self._clock())
        self._sessions[session.id] = session
        return key, session, displaced

    def came(self, session: Session) -> None:
        """Its client is connected."""
        session.is_connected = True
        session.last_seen = self._clock()

    def left(self, session: Session) -> None:
        """Its client's connection ended; the hour begins."""
        session.is_connected = False
        session.last_seen = self._clock()

    def drop(self, session: Session) -> None:
        """Let go of a session. May be called twice."""
        self._sessions.pop(session.id, None)

    def take_expired(self) -> list[Session]:
        """The sessions whose clients were away for too long; they are known no more."""
        expired = [one for one in self._sessions.values() if self._is_expired(one)]
        for one in expired:
            self.drop(one)
        return expired

    def _is_expired(self, session: Session) -> bool:
        return not session.is_connected and self._clock() - session.last_seen > self._session_s

    # -- on the disk -----------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """What `write` is to write."""
        now = self._clock()
        rows = [
            {"id": one.id, "identity": one.identity, "role": one.role, "last_seen": now if one.is_connected else one.last_seen}
            for one in self._sessions.values()
        ]
        return json.dumps({"version": _VERSION, "sessions": rows}, indent=1).encode()

    def write(self, snapshot: bytes) -> None:
        """Replace the file; what cannot be written is told in the log, and the server goes on without."""
        if self._path is None:
            return
        try:
            make_folder(self._path.parent)
            replace_file(self._path, snapshot, private=True)
        except (DiskFull, NotWritable) as error:
            log.warning("the sessions were not written: %s", error.message)

    def _load(self, path: Path) -> None:
        try:
            content: Any = json.loads(path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError):
            log.warning("%s cannot be read; lost clients begin anew", path.name)
            return
        rows = cast("Mapping[str, Any]", content).get("sessions") if isinstance(content, dict) else None
        for row in cast("list[Any]", rows) if isinstance(rows, list) else []:
            session = _session_of(row, self._clock())
            if session is not None:
                self._sessions[session.id] = session


def id_of(key: str) -> str:
    """The name of a session for everybody but its client."""
    return hashlib.sha256(key.encode()).hexdigest()[:_ID_CHARACTERS]


def _session_of(row: Any, now: float) -> Session | None:
    if not isinstance(row, dict):
        return None
    told = cast("Mapping[str, Any]", row)
    name, identity, role, last_seen = (told.get(field) for field in ("id", "identity", "role", "last_seen"))
    if not (isinstance(name, str) and len(name) == _ID_CHARACTERS and isinstance(identity, str) and isinstance(last_seen, int | float)):
        return None
    if role not in get_args(Role):
        return None
    # A clock that was put back must not keep a session for ever.
    return Session(name, identity, cast("Role", role), min(float(last_seen), now))
