"""The relay: a web server in a thread of its own that lets many clients use one endpoint, each over a secure channel.

This is the outside: open, close, who is connected. What happens with a connection is in `reception.py`, how it comes in `door.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sfumato.protocol.errors import PortTaken
from sfumato.transport.door import listen
from sfumato.transport.endpoint import SharedEndpoint, State
from sfumato.transport.keys import Identity
from sfumato.transport.limits import RelayLimits
from sfumato.transport.reception import ClientStatus, Reception
from sfumato.transport.sessions import Sessions
from sfumato.transport.upgrade import Rules

log = logging.getLogger("sfumato.transport.relay")

ADDRESS = "127.0.0.1"
PORT = 28888
JOIN_S = 15.0


class Relay:
    """Lets clients in from the network. Its methods may be called from any thread.

    Args:
        endpoint: open already; closing the relay does not close it.
        identities: the secrets that are valid now, at most sixteen. It is asked often, and from another thread.
        salt: 16 bytes that are kept as long as the passwords.
        address, port: where to listen; port 0 takes a free one.
        hosts: names under which the relay is reached besides those of this machine: a tunnel's, a proxy's. A name here also says that connections of this
            machine may be anybody's.
        origins: web pages that may open the relay.
        trusted_proxies: addresses or networks whose X-Forwarded-For is believed.
        sessions_path: the file by which lost clients are known after a restart; None: they are not.
        monitored: whether the owner sees the results of guests, which they are told.
        tls: makes it wss.
        on_change: called from a thread of the relay's when `clients()` is different; must be quick.
    """

    def __init__(
        self,
        endpoint: SharedEndpoint,
        identities: Callable[[], Sequence[Identity]],
        *,
        salt: bytes,
        address: str = ADDRESS,
        port: int = PORT,
        limits: RelayLimits | None = None,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        trusted_proxies: Sequence[str] = (),
        sessions_path: Path | None = None,
        monitored: bool = False,
        tls: ssl.SSLContext | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._identities = identities
        self._salt = salt
        self._address = address
        self._wanted_port = port
        self._limits = limits or RelayLimits()
        self._rules = Rules(tuple(hosts), tuple(origins), tuple(trusted_proxies))
        self._sessions_path = sessions_path
        self._monitored = monitored
        self._tls = tls
        self._on_change = on_change
        self._state: State | None = None
        self._port = 0
        self._trouble: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reception: Reception | None = None
        self._stop: asyncio.Event | None = None
        self._listens = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    @property
    def unproven(self) -> int:
        """How many connections have not proved a secret yet."""
        return self._reception.gate.held if self._reception is not None else 0

    def open(self) -> None:
        """Listen; returns when clients can come. Raises `PortTaken`."""
        if self._thread is not None:
            raise RuntimeError("a relay is opened once")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="relay", daemon=True)
        self._thread.start()
        self._listens.wait()
        if self._trouble is not None:
            self._thread.join()
            if not isinstance(self._trouble, OSError):
                raise self._trouble
            raise PortTaken(self._address, self._wanted_port, detail=str(self._trouble)) from self._trouble

    def clients(self) -> list[ClientStatus]:
        """Who is connected now, in order of arrival."""
        return self._reception.clients() if self._reception is not None else []

    def disconnect(self, session: str) -> None:
        """End a client's session; `session` as `clients` names it."""
        self._do(lambda reception: reception.disconnect(session))

    def tell(self, state: State) -> None:
        """Let clients know how the engine is; the last state is told to who comes later."""
        self._state = state
        self._do(lambda reception: reception.tell(state))

    def monitor(self, monitored: bool) -> None:
        """Whether the owner sees the results of guests from now on; guests are told."""
        self._monitored = monitored
        self._do(lambda reception: reception.monitor(monitored))

    def answer_for(self, host: str) -> None:
        """Add a name under which the relay is reached, as soon as a tunnel has one."""
        if host not in self._rules.hosts:
            self._rules.hosts = (*self._rules.hosts, host)

    def close(self) -> None:
        """Say goodbye to all clients and stop; sessions are kept where there is a file for them. May be called twice."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(stop.set)
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def _do(self, call: Callable[[Reception], None]) -> None:
        """Have the relay's thread call, if it is there."""
        loop, reception = self._loop, self._reception
        if loop is not None and reception is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(call, reception)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._run(self._stop)
        except Exception as error:  # a thread has nobody to raise it to: `open` does, or the log tells
            if self._listens.is_set():
                log.exception("the relay ended")
            self._trouble = error
        finally:
            self._listens.set()

    async def _run(self, stop: asyncio.Event) -> None:
        limits = self._limits
        reception = Reception(
            self._endpoint,
            self._identities,
            salt=self._salt,
            limits=limits,
            sessions=Sessions(self._sessions_path, limits.session_s, limits.sessions_per_identity),
            monitored=self._monitored,
            on_change=self._on_change,
        )
        if self._state is not None:
            reception.tell(self._state)
        server = await listen(
            reception.serve,
            reception.gate,
            self._rules,
            address=self._address,
            port=self._wanted_port,
            handshake_s=limits.handshake_s,
            tls=self._tls,
        )
        self._port = next(iter(server.sockets)).getsockname()[1]
        self._reception = reception
        log.info("the relay listens on %s, port %d", self._address, self._port)
        self._listens.set()
        house = asyncio.create_task(reception.keep_house())
        await stop.wait()
        house.cancel()
        server.server.close()  # nobody new comes; who is here hears a goodbye first
        await reception.close()
        server.close()
        await server.wait_closed()
        log.info("the relay is closed")
