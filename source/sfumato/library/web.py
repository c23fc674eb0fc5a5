"""The only way to an address that came from outside. Rules: X36, X33 of security.

A host is looked up once; every address it has must be of the open internet (or the host allowed by name), and the connection goes to that very address, so
that no second answer of a name server and no redirect can lead into the network this computer stands in. Nothing of this computer is told: no cookies, no
referrer, no proxy of the environment; a token goes to the one host it is for. Start reading at `Web.open`.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from sfumato import __version__
from sfumato.protocol.errors import Stopped
from sfumato.protocol.secret import Secret

REDIRECTS = 3
CONNECT_S = 15.0

_ADDRESS_CHARACTERS = 8192
_TICK_S = 0.1
_PORTS = {"http": 80, "https": 443}
_REDIRECTING = (301, 302, 303, 307, 308)
# IPv6 ranges that carry an IPv4 address, and the bits it is to be found behind; what it may be decides.
_CARRIERS = ((ipaddress.IPv6Network("64:ff9b::/96"), 0), (ipaddress.IPv6Network("2002::/16"), 80))
# Those whose inner address says nothing of where a packet goes: local translation, Teredo, the old compatible form.
_TUNNELS = tuple(ipaddress.IPv6Network(each) for each in ("64:ff9b:1::/48", "2001::/32", "::/96"))
# A host whose last label is a number is an IPv4 address to many systems, in one of a dozen spellings.
_NUMERIC = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$", re.IGNORECASE)

Reachable = Callable[[str], bool]
Check = Callable[[], None]


class WebTrouble(Exception):
    """An address is not fetched, or not to the end; whoever asked makes a sentence of it.

    Attributes:
        host: whom it is about.
        reason: half a sentence; nothing the other side said is in it.
        is_refusal: the address itself is not followed; asking again is useless.
        detail: for the log.
    """

    def __init__(self, host: str, reason: str, *, is_refusal: bool = False, detail: str = "") -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host[:200]
        self.reason = reason
        self.is_refusal = is_refusal
        self.detail = detail


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet: not to this computer, its network, a reserved range, or a tunnel into one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        for network, shift in _CARRIERS:
            if found in network:
                return is_public(str(ipaddress.IPv4Address((int(found) >> shift) & 0xFFFFFFFF)))
        if any(found in network for network in _TUNNELS):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses a name server gives for a host. Raises `OSError` or `ValueError`."""
    return list(dict.fromkeys(str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def allowed_hosts(text: str) -> frozenset[str]:
    """The hosts of a setting: `host` or `host:port`, commas or spaces between."""
    return frozenset(part.casefold().rstrip(".") for part in re.split(r"[,;\s|]+", text) if part)


@dataclass(frozen=True)
class Hop:
    """One answer on the way: who said it, its status, and its headers with small letters."""

    host: str
    status: int
    headers: Mapping[str, str]


@dataclass
class Answer:
    """The last answer, its body still to be read with `read`."""

    parts: SplitResult
    hops: list[Hop]
    _response: http.client.HTTPResponse
    _ended: Callable[[], None]

    @property
    def host(self) -> str:
        return self.parts.hostname or ""

    @property
    def status(self) -> int:
        return self.hops[-1].status

    def header(self, name: str) -> str:
        return self.hops[-1].headers.get(name.casefold(), "")

    @property
    def length(self) -> int | None:
        """The bytes that were announced, if they were."""
        said = self.header("Content-Length")
        return int(said) if said.isdigit() and len(said) < 16 else None

    def read(self, limit_bytes: int) -> bytes:
        """Some of the bytes that have come, at most so many; b"" at the end. Raises `WebTrouble` by way of `Web.open`."""
        block = self._response.read1(limit_bytes)
        if not block:
            self._ended()  # a connection that was cut ends like one that is through
        return block


@dataclass(frozen=True)
class Web:
    """How the web is reached, and what of it.

    Attributes:
        reachable: says of each IP address whether it may be connected to.
        allowed: hosts (`host` or `host:port`) that are reached wherever they are; those with a port on that port too.
        resolve: the addresses of (host, port).
        dial: opens a connection to ((address, port), seconds).
        trust: makes what a certificate is checked by.
        redirects: how many are followed.
    """

    reachable: Reachable = is_public
    allowed: frozenset[str] = frozenset()
    resolve: Callable[[str, int], Sequence[str]] = addresses_of
    dial: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    trust: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context)
    redirects: int = REDIRECTS

    @contextmanager
    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: Secret | None = None,
        deadline: float | None = None,
        idle_s: float = CONNECT_S,
        check: Check = lambda: None,
    ) -> Iterator[Answer]:
        """The answer at an http(s) address, after redirects; whatever its status is.

        Args:
            headers: sent with each request.
            token: sent as bearer to the host of `url`, over TLS alone, and to nobody it leads to.
            deadline: of `time.monotonic()`; afterwards the connection is broken, however steadily it trickles.
            idle_s: nothing heard for so long breaks it too.
            check: asked several times a second; `Stopped` out of it ends all waiting and is raised here.

        Raises:
            WebTrouble: the address is refused, or the server does not answer; also out of reading within the block.
        """
        first = self.checked(url)
        parts, hops = first, list[Hop]()
        while True:
            sent = dict(headers or {})
            if token and _is_same_host(parts, first):
                sent["Authorization"] = f"Bearer {token.reveal()}"
            with self._told(parts, deadline, check), self._connected(parts, deadline, idle_s, check) as connection:
                response = _ask(connection, parts, sent)
                try:
                    hops.append(Hop(parts.hostname or "", response.status, {name.casefold(): value for name, value in response.getheaders()}))
                    if response.status not in _REDIRECTING:
                        _refuse_coding(parts, hops[-1])
                        yield Answer(parts, hops, response, partial(_ended, deadline, check))
                        return
                finally:
                    response.close()
            if len(hops) > self.redirects:
                raise WebTrouble(parts.hostname or "", "it leads from one address to the next without end", is_refusal=True)
            parts = self._next(parts, hops[-1])

    def checked(self, url: str) -> SplitResult:
        """An address in its parts, if it is one that is followed. Raises `WebTrouble`."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            raise WebTrouble(url[:80], "the address is damaged", is_refusal=True) from None
        if parts.scheme not in _PORTS or not host or len(url) > _ADDRESS_CHARACTERS:
            raise WebTrouble(host or url[:80], "only addresses that begin with http:// or https:// are fetched", is_refusal=True)
        if parts.username is not None or parts.password is not None:
            raise WebTrouble(host, "the address holds a password", is_refusal=True)
        if "%" in host:  # the zone of a link-local address, or a name that is written twice over
            raise WebTrouble(host, "the address is damaged", is_refusal=True)
        if _is_number(host):
            raise WebTrouble(host, "its number is written in a way that hides where it leads", is_refusal=True)
        if port is not None and port not in _PORTS.values() and not self._is_listed(host, port):
            raise WebTrouble(host, f"port {port} is not one that is fetched from", is_refusal=True)
        return parts

    def is_allowed(self, parts: SplitResult) -> bool:
        """Whether the host was allowed by name, wherever it is."""
        host = _plain(parts.hostname or "")
        return host in self.allowed or f"{host}:{_port(parts)}" in self.allowed

    def _is_listed(self, host: str, port: int) -> bool:
        return f"{_plain(host)}:{port}" in self.allowed

    def _next(self, parts: SplitResult, hop: Hop) -> SplitResult:
        """Where a redirect leads, if it is followed."""
        try:
            found = self.checked(urljoin(parts.geturl(), hop.headers.get("location", "")))
        except ValueError:
            raise WebTrouble(parts.hostname or "", "it leads to a damaged address", is_refusal=True) from None
        if parts.scheme == "https" and found.scheme != "https":
            raise WebTrouble(parts.hostname or "", "it leads from a protected address to one that is not", is_refusal=True)
        return found

    @contextmanager
    def _told(self, parts: SplitResult, deadline: float | None, check: Check) -> Iterator[None]:
        """Whatever a connection breaks with, as one error; a connection that was cut because the job was stopped ends as the stop."""
        host = parts.hostname or ""
        try:
            yield
        except WebTrouble:
            raise
        except UnicodeError as error:
            raise WebTrouble(host, "the address is damaged", is_refusal=True, detail=str(error)) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            check()
            if deadline is not None and time.monotonic() >= deadline:
                raise WebTrouble(host, "the time is over") from error
            if isinstance(error, ssl.SSLCertVerificationError):
                raise WebTrouble(host, "its certificate is not to be trusted", detail=str(error)) from error
            raise WebTrouble(host, "the server could not be reached or broke off", detail=type(error).__name__) from error

    @contextmanager
    def _connected(self, parts: SplitResult, deadline: float | None, idle_s: float, check: Check) -> Iterator[http.client.HTTPConnection]:
        """A connection that is cut when the time is over or the job is stopped."""
        opened = _in_background(partial(self._opened, parts, deadline), check, deadline)
        connection = http.client.HTTPConnection(parts.hostname or "", _port(parts))
        connection.sock = opened
        opened.settimeout(idle_s)
        over = threading.Event()
        cutter = threading.Thread(target=_cut_off, args=(opened, over, deadline, check), name="web", daemon=True)
        cutter.start()
        try:
            yield connection
        finally:
            over.set()
            cutter.join()
            connection.close()

    def _opened(self, parts: SplitResult, deadline: float | None) -> socket.socket:
        """A connection to an address that was looked at before. Every address must be reachable: a host that also names a private one is refused."""
        host, port = parts.hostname or "", _port(parts)
        try:
            addresses = list(self.resolve(_plain(host), port))
        except (OSError, ValueError) as error:  # ValueError: signs that no name has
            raise WebTrouble(host, "no server of this name is known", detail=type(error).__name__) from error
        if not self.is_allowed(parts) and not (addresses and all(map(self.reachable, addresses))):
            raise WebTrouble(host, "it lies on this computer or in its own network", is_refusal=True)
        failure: OSError = TimeoutError()
        for address in addresses:
            try:
                opened = self.dial((address, port), _left(deadline))
            except OSError as error:
                failure = error
                continue
            try:
                opened.settimeout(_left(deadline))
                return self.trust().wrap_socket(opened, server_hostname=_plain(host)) if parts.scheme == "https" else opened
            except BaseException:
                opened.close()
                raise
        raise failure


def _plain(host: str) -> str:
    return host.casefold().rstrip(".")


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _is_number(host: str) -> bool:
    """Whether a host is an IPv4 address in a spelling other than the usual one."""
    if ":" in host or not _NUMERIC.search(_plain(host)):
        return False
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return True
    return False


def _is_same_host(parts: SplitResult, first: SplitResult) -> bool:
    return parts.scheme == "https" and (_plain(parts.hostname or ""), _port(parts)) == (_plain(first.hostname or ""), _port(first))


def _ask(connection: http.client.HTTPConnection, parts: SplitResult, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    is_usual = parts.port in (None, _PORTS[parts.scheme])
    connection.putrequest("GET", path + query, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", named if is_usual else f"{named}:{parts.port}")
    connection.putheader("User-Agent", f"Sfumato/{__version__}")
    connection.putheader("Accept-Encoding", "identity")
    connection.putheader("Connection", "close")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def _refuse_coding(parts: SplitResult, hop: Hop) -> None:
    """A body that comes compressed was not asked for, and is not unpacked: what it would become is anybody's guess."""
    if hop.headers.get("content-encoding", "identity").strip().casefold() not in ("", "identity"):
        raise WebTrouble(parts.hostname or "", "what it sends is compressed, which was not asked for", is_refusal=True)


def _in_background(make: Callable[[], socket.socket], check: Check, deadline: float | None) -> socket.socket:
    """What `make` makes, on a thread that may be left alone with it: neither a name server nor a handshake can be interrupted."""
    made: SimpleQueue[socket.socket | BaseException] = SimpleQueue()
    is_left = threading.Event()

    def run() -> None:
        try:
            opened = make()
        except BaseException as error:  # noqa: BLE001  # raised again by whoever waits
            made.put(error)
            return
        made.put(opened)
        if is_left.is_set():
            _close_all(made)

    threading.Thread(target=run, name="connect", daemon=True).start()
    try:
        while True:
            check()
            try:
                found = made.get(timeout=min(_TICK_S, _left(deadline)))
            except Empty:
                continue
            if isinstance(found, BaseException):
                raise found
            return found
    except (Stopped, TimeoutError):
        is_left.set()
        _close_all(made)
        raise


def _close_all(made: SimpleQueue[socket.socket | BaseException]) -> None:
    with suppress(Empty):
        while True:
            found = made.get_nowait()
            if isinstance(found, socket.socket):
                found.close()


def _cut_off(held: socket.socket, over: threading.Event, deadline: float | None, check: Check) -> None:
    """Break a connection when the time is over or the job is stopped: a trickle of single bytes would never let a time-out of its own run down."""
    while not over.wait(_TICK_S):
        try:
            check()
            if deadline is None or time.monotonic() < deadline:
                continue
        except Stopped:
            over.set()
        with suppress(OSError):
            socket.socket.shutdown(held, socket.SHUT_RDWR)
        return


def _ended(deadline: float | None, check: Check) -> None:
    check()
    if deadline is not None and time.monotonic() >= deadline:
        raise TimeoutError


def _left(deadline: float | None) -> float:
    """Seconds that a step may take. Raises `TimeoutError`."""
    if deadline is None:
        return CONNECT_S
    left = min(CONNECT_S, deadline - time.monotonic())
    if left <= 0:
        raise TimeoutError
    return left
