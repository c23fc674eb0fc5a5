"""The relay's own web server: takes connections, upgrades the ones that may be, and hands them to a `Reception` as sockets.

`websockets` does the talking; here are the bounds it does not have: places before the upgrade, bytes of a header, pings that nobody reads the answers of, and
one way in which every refusal looks.
"""

from __future__ import annotations

import asyncio
import http
import logging
import socket as sockets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from sfumato.transport.batches import send_all
from sfumato.transport.gate import Gate, Place, is_loopback, origin_of
from sfumato.transport.noise import MESSAGE_BYTES
from sfumato.transport.sockets import POLICY_VIOLATION, SocketEnded
from sfumato.transport.upgrade import HEADER_LIMIT_BYTES, Asked, Rules

# What may lie unread in this process for a client that sends much and reads nothing.
UNREAD_BYTES = 1 << 20
FRAGMENTS = 64
# From here on `send` waits for the line.
WRITE_BYTES = 128 << 10
CLOSE_S = 1.0
# What may lie unsent in the system: little, so that a ping waits for little. Linux and macOS know the option, Python not everywhere its name.
_NOT_SENT_LOW_WATER = getattr(sockets, "TCP_NOTSENT_LOWAT", 25)
NOT_SENT_BYTES = 256 << 10

# It would write headers of requests into the log.
quiet = logging.getLogger("sfumato.transport.relay.websockets")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


class QuietProtocol(ServerProtocol):
    """Ends every connection that breaks the rules of websockets in the same way as one whose secret is wrong."""

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        super().fail(code if code == CloseCode.ABNORMAL_CLOSURE else POLICY_VIOLATION, "")


class Door(ServerConnection):
    """One connection, from the moment it was taken; `DoorSocket` is what the relay sees of it."""

    def __init__(self, gate: Gate, rules: Rules, handshake_s: float, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self._gate = gate
        self._rules = rules
        self.deadline = self.loop.time() + handshake_s
        self.place: Place | None = None
        self._is_refused = False
        self._header_bytes = 0
        self._fragments = 0
        self._address = ""
        self.has_place = False

    @property
    def address(self) -> str:
        """Whose connection it is: the peer's address, or the one a declared proxy names."""
        return self._address

    # -- before the upgrade ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._address = _host_of(peer)
        # Behind a proxy or tunnel it is not known yet whose connection this is.
        shared = self._rules.is_trusted(self._address) or (self._rules.has_tunnel and is_loopback(self._address))
        self.place = self._gate.enter(_counted_as(origin_of(self._address), shared), self._evict, shared=shared)
        if self.place is None:
            self._is_refused = True
            self.transport = transport
            self.abort()
            return
        self._keep_little_unsent(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_refused:
            return
        if self.place is not None:
            self._gate.leave(self.place)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self.request is None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_LIMIT_BYTES:
                self.abort()
                return
        super().data_received(data)
        # websockets answers pings by itself, whether or not anybody reads the answers.
        if cast("asyncio.WriteTransport", self.transport).get_write_buffer_size() > UNREAD_BYTES:
            self.abort()

    def eof_received(self) -> None:
        if not self._is_refused:
            super().eof_received()

    def process_event(self, event: Any) -> None:
        """Count fragments: a message of very many empty ones would be held until it ends."""
        if self.request is not None:
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._fragments = 0
            elif event.opcode is Opcode.CONT:
                self._fragments += 1
            if self._fragments > FRAGMENTS:
                self.abort()
                return
        super().process_event(event)

    def admit(self, request: Request) -> Response | None:
        """Answer a request that may not become a websocket; None if it may."""
        assert self.place is not None, "a refused connection reads no request"
        local = self.local_address
        asked = Asked(
            path=request.path,
            hosts=request.headers.get_all("Host"),
            origins=request.headers.get_all("Origin"),
            forwarded_for=request.headers.get_all("X-Forwarded-For"),
            peer=self._address,
            local=_host_of(local),
            wants_upgrade=bool(request.headers.get_all("Upgrade")),
        )
        refusal = self._rules.refusal(asked)
        if refusal is not None:
            if refusal.status == http.HTTPStatus.FORBIDDEN:
                self._gate.refuse(self.place.origin)
            return _answer(self, refusal.status, refusal.sentence)
        origin = self._rules.origin(asked)
        if self._rules.is_trusted(self._address) and origin != origin_of(self._address):
            self._address = origin
        shared = self._rules.is_shared(origin, asked.hosts)
        self.has_place = self._gate.move(self.place, _counted_as(origin, shared), shared=shared)
        return None

    def _evict(self) -> None:
        self.abort()

    def _keep_little_unsent(self, transport: asyncio.BaseTransport) -> None:
        found = transport.get_extra_info("socket")
        if found is not None:
            try:
                found.setsockopt(sockets.IPPROTO_TCP, _NOT_SENT_LOW_WATER, NOT_SENT_BYTES)
            except OSError:
                quiet.debug("this system does not know TCP_NOTSENT_LOWAT")

    def abort(self) -> None:
        """End the connection at once."""
        cast("asyncio.WriteTransport", self.transport).abort()


class DoorSocket:
    """An upgraded `Door` as a `Socket`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @property
    def address(self) -> str:
        return self._door.address

    async def receive(self) -> bytes:
        try:
            message = await self._door.recv()
        except (ConnectionClosed, UnicodeDecodeError) as error:
            raise SocketEnded from error
        if isinstance(message, str):
            raise SocketEnded
        return message

    async def send(self, message: bytes) -> None:
        try:
            await self._door.send(message)
        except ConnectionClosed as error:
            raise SocketEnded from error

    async def send_all(self, messages: Sequence[bytes]) -> None:
        try:
            await send_all(self._door, messages)
        except ConnectionClosed as error:
            raise SocketEnded from error

    async def close(self, code: int = POLICY_VIOLATION) -> None:
        try:
            # Who reads nothing would not let even the goodbye out.
            async with asyncio.timeout(CLOSE_S):
                await self._door.close(code)
        except TimeoutError:
            self._door.abort()

    def abort(self) -> None:
        self._door.abort()


def listen(
    serve_one: Callable[[DoorSocket, Place, float], Awaitable[None]],
    gate: Gate,
    rules: Rules,
    *,
    address: str,
    port: int,
    handshake_s: float,
    tls: ssl.SSLContext | None = None,
) -> Server:
    """A web server that hands every upgraded connection to `serve_one` with its place and deadline; await it to have it listen (OSError if it cannot)."""

    def door(protocol: ServerProtocol, server: Server, **options: Any) -> Door:
        del protocol  # ours says less
        return Door(gate, rules, handshake_s, QuietProtocol(max_size=MESSAGE_BYTES, logger=quiet), server, **options)

    async def admit(connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, Door)
        return connection.admit(request)

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, Door) and connection.place is not None, "who has no place was not upgraded"
        if connection.has_place:
            await serve_one(DoorSocket(connection), connection.place, connection.deadline)
        else:
            await DoorSocket(connection).close()

    return serve(
        handle,
        address,
        port,
        process_request=admit,
        create_connection=door,  # type: ignore[arg-type]  # a function that makes one does as well
        compression=None,
        max_size=MESSAGE_BYTES,
        max_queue=16,
        write_limit=WRITE_BYTES,
        open_timeout=handshake_s,
        ping_interval=None,
        ping_timeout=None,
        close_timeout=CLOSE_S,
        server_header=None,
        logger=quiet,
        ssl=tls,
    )


def _counted_as(origin: str, shared: bool) -> str:
    """People at this machine are not the ones who come through its tunnel, though their address is the same."""
    return f"{origin} and others" if shared else origin


def _host_of(name: Any) -> str:
    """The address in a socket's name."""
    return str(cast("tuple[Any, ...]", name)[0]) if isinstance(name, tuple) and name else "unknown"


def _answer(door: Door, status: int, sentence: str) -> Response:
    response = door.respond(status, sentence + "\n")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
