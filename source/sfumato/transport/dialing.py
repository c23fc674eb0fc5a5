"""The way to a server, from its address to a channel: websocket, certificate, greeting, handshake. All that can go wrong on it is told apart here.

Proxies: a `wss` endpoint is reached through the proxy that the system or the environment names (HTTPS_PROXY, NO_PROXY), as there may be no other way out; a
`ws` endpoint is a machine of the own network and is reached directly. Redirects are never followed: the secret is for the machine that was named.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import socket
import ssl
import time
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, ProxyError, WebSocketException

from sfumato.protocol.errors import (
    HostNotFound,
    LineLost,
    LineTrouble,
    NotASfumatoServer,
    PortRefused,
    SecretRefused,
    ServerUnsafe,
    SfumatoError,
    VersionRefused,
)
from sfumato.protocol.secret import Secret
from sfumato.transport.channel import Channel, ChannelError
from sfumato.transport.greeting import CHANNEL_VERSION, Greeting, Knock, NotSfumato, OtherVersion, UnacceptableParameters
from sfumato.transport.keys import ScryptParameters, is_key, psk_of
from sfumato.transport.known_servers import Known, Question, Remembered, certificate_question, salt_question
from sfumato.transport.line_timing import Timing
from sfumato.transport.link import Link
from sfumato.transport.noise import MESSAGE_BYTES
from sfumato.transport.strangers_words import plain

log = logging.getLogger(__name__)

POLICY_VIOLATION = 1008
# Answers of a proxy whose server is away for a while; everything else instead of an upgrade comes from something that is no relay.
_FOR_A_WHILE = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530)
# Bytes that the system holds unsent: a ping behind more of them would tell of the queue and not of the line.
_UNSENT_BYTES = 128 << 10


class Doubt(Exception):
    """Only the user can say whether to go on; `agreed` is what is remembered of the server if it is yes."""

    def __init__(self, question: Question, agreed: Remembered) -> None:
        super().__init__(question.sentence)
        self.question = question
        self.agreed = agreed


class _OtherCertificate(Exception):
    """Nobody vouches for the certificate, and it is not the confirmed one."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        self.fingerprint = fingerprint


class _Connect(connect):
    """A connection to the machine that was named, and to no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _pinned(confirmed: str) -> type[ClientConnection]:
    """A connection whose certificate is looked at before the first byte of the request is sent."""

    class Pinned(ClientConnection):
        async def handshake(self, *arguments: Any, **named: Any) -> None:
            tls = self.transport.get_extra_info("ssl_object")
            fingerprint = hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
            if fingerprint != confirmed:
                raise _OtherCertificate(fingerprint)
            await super().handshake(*arguments, **named)

    return Pinned


class Dialer:
    """Opens connections to one server, as often as it is asked to.

    Args:
        link: with its secret.
        known: what is remembered of the server.
    """

    def __init__(self, link: Link, known: Known, timing: Timing) -> None:
        self._link = link
        self._known = known
        self._timing = timing
        self._secret = link.secret or Secret("")
        self._psk: tuple[bytes, ScryptParameters, bytes] | None = None
        host = f"[{link.host}]" if ":" in link.host else link.host
        self.server = f"{host}:{link.port}"

    def trust(self, doubt: Doubt) -> None:
        """The user said yes."""
        self._known.remember(self.server, doubt.agreed)

    async def dial(self) -> tuple[ClientConnection, Channel]:
        """Connect and shake hands.

        Raises:
            LineTrouble: there is no line; its classes say why.
            Doubt: the user has to be asked first.
        """
        if not self._secret:
            raise SecretRefused(self.server, detail="no password was given")
        socket_ = await self._open()
        try:
            channel = await self._shake_hands(socket_)
        except BaseException:
            await hang_up(socket_)
            raise
        if channel is None:  # the greeting is old by now; the psk is there
            await hang_up(socket_)
            return await self.dial()
        return socket_, channel

    # -- the websocket ---------------------------------------------------------------------------

    async def _open(self) -> ClientConnection:
        try:
            async with asyncio.timeout(self._timing.connect_s):
                opened = await (self._open_tls() if self._link.is_tls else self._connect())
        except LineTrouble:
            raise
        except (OSError, WebSocketException, EOFError, ValueError) as error:
            raise self._trouble(error) from error
        _keep_queue_short(opened)
        return opened

    async def _open_tls(self) -> ClientConnection:
        """With the certificate that was confirmed here, or else with one that somebody vouches for."""
        remembered = self._known.recall(self.server)
        confirmed = remembered.fingerprint
        if confirmed:
            try:
                return await self._connect(_unverified(), _pinned(confirmed))
            except _OtherCertificate:
                log.info("%s shows another certificate than the confirmed one", self.server)
        try:
            return await self._connect(ssl.create_default_context())
        except ssl.SSLCertVerificationError:
            found = await self._fingerprint()
        raise Doubt(certificate_question(self.server, found, confirmed), replace(remembered, fingerprint=found))

    async def _fingerprint(self) -> str:
        try:
            await self._connect(_unverified(), _pinned(""))
        except _OtherCertificate as shown:
            return shown.fingerprint
        raise LineLost(self.server)

    async def _connect(self, tls: ssl.SSLContext | None = None, kind: type[ClientConnection] | None = None) -> ClientConnection:
        options: dict[str, Any] = {"ssl": tls} if tls is not None else {}
        return await _Connect(
            self._link.endpoint,
            compression=None,
            max_size=MESSAGE_BYTES,
            ping_interval=None,  # pings travel inside the channel
            open_timeout=None,  # the caller's
            close_timeout=self._timing.goodbye_s,
            user_agent_header="Sfumato",
            proxy=True if self._link.is_tls and not self._link.is_loopback else None,
            create_connection=kind,
            **options,
        )

    def _trouble(self, error: Exception) -> LineTrouble:
        """What went wrong on the way to the websocket."""
        detail = f"{type(error).__name__}: {plain(str(error))}"
        if isinstance(error, TimeoutError):
            return LineLost(self.server, "it did not answer", detail=detail)
        if isinstance(error, socket.gaierror | UnicodeError):
            return HostNotFound(self.server, detail=detail)
        if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
            return PortRefused(self.server, detail=detail)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return NotASfumatoServer(self.server, detail=detail)
        if self._link.is_tls and isinstance(error, ssl.SSLError | ConnectionResetError):
            return LineLost(self.server, "no TLS came about; the link of a machine without a proxy in front begins with ws://", detail=detail)
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            detail = f"it answered {status}"
            return LineLost(self.server, detail) if status in _FOR_A_WHILE else NotASfumatoServer(self.server, detail=detail)
        if isinstance(error, ProxyError | InvalidProxy):
            return LineLost(self.server, "the proxy of this network did not let it through", detail=detail)
        was_cut = isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)
        if isinstance(error, InvalidHandshake) and not was_cut:
            return NotASfumatoServer(self.server, detail=detail)
        return LineLost(self.server, detail=detail)

    # -- the handshake ---------------------------------------------------------------------------

    async def _shake_hands(self, opened: ClientConnection) -> Channel | None:
        """None if working on the password took so long that the server has given up waiting."""
        first = await self._receive(opened, "it refused the connection", NotASfumatoServer(self.server, detail="it did not greet"))
        try:
            greeting = Greeting.from_bytes(first)
        except NotSfumato as error:
            raise NotASfumatoServer(self.server, detail=str(error)) from error
        except OtherVersion as error:
            is_newer = error.version > CHANNEL_VERSION
            raise VersionRefused(self.server, str(error.version), str(CHANNEL_VERSION), theirs_is_newer=is_newer) from error
        except UnacceptableParameters as error:
            raise ServerUnsafe(self.server, "it asks for passwords to be made too weak, or so heavy that this machine would stand still") from error
        assert isinstance(first, bytes)
        started = time.monotonic()
        psk = await self._psk_for(greeting)
        if time.monotonic() - started > self._timing.slow_secret_s:
            return None
        knock = Knock(psk, first)
        try:
            await opened.send(knock.message)
        except (ConnectionClosed, OSError) as error:
            raise self._refused_or_lost(error) from error
        reply = await self._receive(opened, "", LineLost(self.server, "it did not answer"))
        try:
            channel = knock.enter(reply)
        except ChannelError as error:
            raise ServerUnsafe(self.server, "its answer does not show that it knows the password") from error
        if not is_key(self._secret):
            self._known.remember(self.server, replace(self._known.recall(self.server), salt=greeting.salt))
        return channel

    async def _receive(self, opened: ClientConnection, refused: str, silent: LineTrouble) -> bytes | str:
        """The next message. A refusal before the own first word (`refused` says it) is for now; after it, it is about the secret."""
        try:
            async with asyncio.timeout(self._timing.handshake_s):
                return await opened.recv()
        except TimeoutError as error:
            raise silent from error
        except (ConnectionClosed, OSError) as error:
            if refused:
                code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd is not None else None
                # Too many strangers, or too many failed attempts: it passes.
                raise LineLost(self.server, refused if code == POLICY_VIOLATION else "", detail=str(error)) from error
            raise self._refused_or_lost(error) from error

    def _refused_or_lost(self, error: Exception) -> SfumatoError:
        """A server that closes after the first word does not know the secret; a line that only breaks says nothing."""
        if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code == POLICY_VIOLATION:
            return SecretRefused(self.server)
        return LineLost(self.server, detail=str(error))

    async def _psk_for(self, greeting: Greeting) -> bytes:
        if is_key(self._secret):
            return psk_of(self._secret, greeting.salt, greeting.parameters)
        remembered = self._known.recall(self.server)
        if remembered.salt and remembered.salt != greeting.salt:
            raise Doubt(salt_question(self.server), replace(remembered, salt=greeting.salt))
        if self._psk is None or self._psk[:2] != (greeting.salt, greeting.parameters):
            made = await asyncio.to_thread(psk_of, self._secret, greeting.salt, greeting.parameters)
            self._psk = (greeting.salt, greeting.parameters, made)
        return self._psk[2]


async def hang_up(opened: ClientConnection) -> None:
    """End a connection at once, whatever it is about, and leave nothing open."""
    # WORKAROUND(CPython 3.11): a transport that was closed with bytes left to send, and is through with them, has no loop and still tries to use it.
    with contextlib.suppress(AttributeError):
        opened.transport.abort()
    await opened.wait_closed()


def _unverified() -> ssl.SSLContext:
    """For a certificate that is compared with the confirmed one instead."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _keep_queue_short(opened: ClientConnection) -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    found = opened.transport.get_extra_info("socket")
    if option is not None and found is not None:
        found.setsockopt(socket.IPPROTO_TCP, option, _UNSENT_BYTES)
