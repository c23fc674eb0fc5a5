"""The relay without its web server: who comes through a `Socket` is greeted, recognised, given a session, and joined to the one endpoint of all.

Everything here runs in one event loop; the endpoint, which may take its time, is called from threads. Start reading at `Reception.serve`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from sfumato.jobs.clients import Role
from sfumato.protocol.errors import retold
from sfumato.protocol.messages import PROTOCOLS, Cancel, Command, Event, Hello, Resume, Submit
from sfumato.transport.admission import Admitted, admit
from sfumato.transport.connection import DISCONNECTED, SHUT_DOWN, TAKEN_OVER, WITHDRAWN, Connection, Ending
from sfumato.transport.endpoint import SharedEndpoint, State
from sfumato.transport.gate import Gate, Place
from sfumato.transport.greeting import MOST_IDENTITIES
from sfumato.transport.keys import Identity
from sfumato.transport.limits import RelayLimits
from sfumato.transport.offered import greeted, guest_event
from sfumato.transport.relay_words import EngineIs, Enter, Welcome
from sfumato.transport.sessions import Session, Sessions, TooManySessions
from sfumato.transport.sockets import POLICY_VIOLATION, Socket, SocketEnded

log = logging.getLogger("sfumato.transport.relay")

TICK_S = 1.0
RECHECK_S = 5.0
SUMMARY_S = 60.0
CHANGES_S = 0.25
CLOSE_S = 5.0
_EXPIRED = "The client of this job was away for too long, so the job and what it made were let go of. Run it again."


@dataclass(frozen=True)
class ClientStatus:
    """A connected client, for the owner's eyes.

    Attributes:
        session: its name for `disconnect`; never its key.
        label: how it calls itself.
        identity: the label of the secret it used.
        connected_at: seconds since 1970.
        latency_s: mean of the last ten answers, None before the first.
        bytes_in, bytes_out: from and to it on this connection.
    """

    session: str
    label: str
    address: str
    role: Role
    identity: str
    connected_at: float
    latency_s: float | None
    waiting: int
    running: int
    bytes_in: int
    bytes_out: int


class Reception:
    """All clients of one endpoint.

    Args:
        endpoint: opened by somebody else, who is one of its clients as well.
        identities: who is known now; asked at every handshake, and every few seconds for those that are connected.
        on_change: called from the loop's thread when something in `clients()` other than a latency is different; it must be quick.
    """

    def __init__(
        self,
        endpoint: SharedEndpoint,
        identities: Callable[[], Sequence[Identity]],
        *,
        salt: bytes,
        limits: RelayLimits,
        sessions: Sessions,
        monitored: bool = False,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.gate = Gate(limits.places_per_address, limits.places, limits.longest_delay_s)
        self._endpoint = endpoint
        self._identities = identities
        self._salt = salt
        self._limits = limits
        self._sessions = sessions
        self._monitored = monitored
        self._on_change = on_change
        self._is_change_due = False
        self._state: State | None = None
        self._present: dict[Connection, asyncio.Future[None]] = {}
        self._current: dict[str, Connection] = {}
        self._is_closing = False
        # Joining, leaving and forgetting happen in the order in which they were decided; commands of one client wait for each other only.
        self._registrar = ThreadPoolExecutor(1, "relay-registrar")
        self._messengers = ThreadPoolExecutor(8, "relay-commands")

    # -- one connection --------------------------------------------------------------------------

    async def serve(self, socket: Socket, place: Place, deadline: float) -> None:
        """One connection from greeting to end; the socket is closed afterwards.

        Args:
            place: of this connection at `gate`.
            deadline: by the loop's clock, until which the client must have proved who it is.
        """
        admitted: Admitted | None = None
        try:
            admitted = await admit(socket, place, self.gate, self._salt, self._known(), deadline)
        except (SocketEnded, TimeoutError):
            self.gate.refuse(place.origin)
        except Exception:  # one stranger's bad luck, or secrets that cannot be read just now
            log.exception("a client could not be let in")
        finally:
            if admitted is None:
                await socket.close(POLICY_VIOLATION)
            self.gate.leave(place)
        if admitted is not None:
            await self._talk(Connection(socket, admitted, self, self._limits))

    async def _talk(self, connection: Connection) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._present[connection] = done
        if self._is_closing:
            connection.end(SHUT_DOWN)
        elif len(self._present) > self._limits.connections:
            connection.turn_away("too_many_clients", f"This machine already serves {self._limits.connections} connections. Try again later.")
        try:
            ending = await connection.run()
            self._tell_end(connection, ending)
        finally:
            self._leave(connection)
            del self._present[connection]
            done.set_result(None)
            self.changed()

    async def receive(self, connection: Connection, enter: Enter) -> bool:
        """Part of `House`: the client said who it is; False if it was turned away."""
        protocol = common_protocol(enter.protocols)
        if protocol is None:
            connection.turn_away("protocol", protocol_sentence(enter.protocols))
            return False
        connection.protocol = protocol
        session = self._sessions.find(enter.session, connection.identity)
        continues = session is not None
        if session is None:
            try:
                connection.key, session, displaced = self._sessions.open(connection.identity)
            except TooManySessions:
                count = self._limits.sessions_per_identity
                connection.turn_away(
                    "too_many_clients", f"{count} windows are connected with this secret already. Close one of them, or ask for another secret."
                )
                return False
            for one in displaced:
                self._forget(one)
            self._save()
        else:
            connection.key = enter.session
        earlier = self._current.get(session.id)
        if earlier is not None:
            earlier.end(TAKEN_OVER)
        connection.session = session
        self._current[session.id] = connection
        self._sessions.came(session)
        identity = connection.identity
        log.info("connected: %s, %s %r, client %r, session %s", connection.socket.address, identity.role, identity.label, connection.label, session.id[:8])
        connection.say(self._welcome(connection, continues))
        if self._state is not None:
            connection.say(EngineIs(name=self._state.name, sentence=self._state.sentence))
        self.changed()
        client = session.client
        await self._in(self._registrar, lambda: self._endpoint.join(client, lambda event: self._hear(connection, event)))
        return True

    def _welcome(self, connection: Connection, continues: bool) -> Welcome:
        return Welcome(
            protocol=connection.protocol,
            session=connection.key,
            continues=continues,
            role=connection.identity.role,
            monitored=self._monitored,
            limits=self._limits.told(),
        )

    def _hear(self, connection: Connection, event: Event) -> None:
        """What the endpoint says to this client; from a thread of the endpoint's."""
        if isinstance(event, Hello):
            connection.hello = event
            event = self._greeted(connection, event)
        elif connection.identity.role != "owner":
            event = guest_event(event)
        connection.hear(event)

    def _greeted(self, connection: Connection, hello: Hello) -> Hello:
        return greeted(
            hello,
            role=connection.identity.role,
            session=connection.key,
            protocol=connection.protocol,
            monitored=self._monitored,
            limits=self._limits.told(),
        )

    async def obey(self, connection: Connection, command: Command) -> None:
        """Part of `House`: hand a command to the endpoint."""
        session = connection.session
        assert session is not None, "commands are read after the client was received"
        if isinstance(command, Submit):
            log.info("job %s of kind %r from %s", command.job, command.kind, session.id[:8])
        elif isinstance(command, Cancel | Resume):
            log.debug("%s of job %s from %s", command.type, command.job, session.id[:8])
        client = session.client
        await self._in(self._messengers, lambda: self._endpoint.obey(client, command))

    def _leave(self, connection: Connection) -> None:
        session = connection.session
        if session is None or self._current.get(session.id) is not connection:
            return
        del self._current[session.id]
        self._sessions.left(session)
        client = session.client
        self._submit(lambda: self._endpoint.leave(client))
        self._save()

    def _tell_end(self, connection: Connection, ending: Ending) -> None:
        session = connection.session.id[:8] if connection.session is not None else "none"
        seconds = time.time() - connection.connected_at
        log.info(
            "disconnected: %s, session %s, because %s; %.0f s, %d bytes in, %d bytes out",
            connection.socket.address,
            session,
            ending.why,
            seconds,
            connection.bytes_in,
            connection.bytes_out,
        )

    # -- what the owner sees and does ------------------------------------------------------------

    def clients(self) -> list[ClientStatus]:
        """Who is connected now, in order of arrival. From any thread."""
        return [self._status(connection, connection.session) for connection in list(self._present) if connection.session is not None]

    def _status(self, connection: Connection, session: Session) -> ClientStatus:
        jobs = self._endpoint.jobs_of(session.client)
        return ClientStatus(
            session=session.id,
            label=connection.label,
            address=connection.socket.address,
            role=connection.identity.role,
            identity=connection.identity.label,
            connected_at=connection.connected_at,
            latency_s=connection.latency_s,
            waiting=jobs.waiting,
            running=jobs.running,
            bytes_in=connection.bytes_in,
            bytes_out=connection.bytes_out,
        )

    def changed(self) -> None:
        """Part of `House`: tell the owner soon; many changes are told at once."""
        if self._on_change is not None and not self._is_change_due:
            self._is_change_due = True
            asyncio.get_running_loop().call_later(CHANGES_S, self._tell_change)

    def _tell_change(self) -> None:
        self._is_change_due = False
        if self._on_change is None or self._is_closing:
            return
        try:
            self._on_change()
        except Exception:  # the owner's window must not end the connections of others
            log.exception("who watches the clients failed")

    def disconnect(self, name: str) -> None:
        """End a client's session: its connection, its jobs, and its way back without a new handshake."""
        connection = self._current.get(name)
        if connection is None or connection.session is None:
            return
        session = connection.session
        connection.end(DISCONNECTED)
        self._leave(connection)
        self._sessions.drop(session)
        client = session.client
        self._submit(lambda: self._endpoint.forget(client))
        self._save()

    def tell(self, state: State) -> None:
        """The engine is like that now; every client hears it."""
        self._state = state
        for connection in list(self._current.values()):
            connection.say(EngineIs(name=state.name, sentence=state.sentence))

    def monitor(self, monitored: bool) -> None:
        """Whether the owner sees the results of guests; every guest is told at once."""
        self._monitored = monitored
        for connection in list(self._current.values()):
            if connection.identity.role != "owner" and connection.hello is not None:
                connection.hear(self._greeted(connection, connection.hello))

    # -- the passing of time ---------------------------------------------------------------------

    async def keep_house(self) -> None:
        """Forget who stayed away, end whose secret is gone, and sum up what was refused; until it is cancelled."""
        loop = asyncio.get_running_loop()
        rechecked = summed = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            self._expire()
            if loop.time() - rechecked >= RECHECK_S:
                rechecked = loop.time()
                try:
                    self._recheck()
                except Exception:  # who knows the secrets may fail; sessions end all the same
                    log.exception("it could not be looked up whose secrets are valid")
            if loop.time() - summed >= SUMMARY_S:
                summed = loop.time()
                self._sum_up()

    def _expire(self) -> None:
        expired = self._sessions.take_expired()
        for session in expired:
            log.info("session %s was away too long", session.id[:8])
            self._forget(session)
        if expired:
            self._save()

    def _sum_up(self) -> None:
        refusals = self.gate.take_refusals()
        if refusals.count:
            log.warning("%d attempts from %d addresses were refused", refusals.count, refusals.origins)

    def _recheck(self) -> None:
        if not self._present:
            return
        known = {(identity.name, identity.role, identity.psk) for identity in self._known()}
        for connection in list(self._present):
            identity = connection.identity
            if (identity.name, identity.role, identity.psk) not in known:
                connection.end(WITHDRAWN)

    async def close(self) -> None:
        """Say goodbye to everybody, and wait until they are gone and the endpoint knows."""
        self._is_closing = True
        self.gate.evict_all()
        for connection in list(self._present):
            connection.end(SHUT_DOWN)
        if self._present:
            await asyncio.wait(self._present.values(), timeout=CLOSE_S)
        self._sum_up()
        self._save()
        loop = asyncio.get_running_loop()
        for threads in (self._messengers, self._registrar):
            await loop.run_in_executor(None, threads.shutdown)

    def _known(self) -> Sequence[Identity]:
        known = list(self._identities())
        if len(known) > MOST_IDENTITIES:
            log.warning("%d secrets are given out; the first %d count", len(known), MOST_IDENTITIES)
        return known[:MOST_IDENTITIES]

    def _forget(self, session: Session) -> None:
        client = session.client
        self._submit(lambda: self._endpoint.forget(client, retold("session_expired", _EXPIRED)))

    def _save(self) -> None:
        snapshot = self._sessions.snapshot()
        self._submit(lambda: self._sessions.write(snapshot))

    def _submit(self, call: Callable[[], None]) -> None:
        """Have the registrar call, after what it was given before."""
        with suppress(RuntimeError):  # it is shut down: so is the endpoint, presently
            self._registrar.submit(_logged, call)

    async def _in(self, threads: ThreadPoolExecutor, call: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(threads, call)


def common_protocol(theirs: tuple[int, int]) -> int | None:
    """The newest version that both understand."""
    newest = min(theirs[1], PROTOCOLS[1])
    return newest if newest >= max(theirs[0], PROTOCOLS[0]) else None


def protocol_sentence(theirs: tuple[int, int]) -> str:
    """Why two versions cannot talk, and which side to update."""
    if theirs[1] < PROTOCOLS[0]:
        return f"This window speaks protocol version {theirs[1]}, the server needs {PROTOCOLS[0]} or newer. Update Sfumato on this computer."
    return f"This window needs protocol version {theirs[0]} or newer, the server speaks {PROTOCOLS[1]}. Update Sfumato on the server."


def _logged(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:  # nobody waits for it, so nobody else would tell
        log.exception("the endpoint failed")
