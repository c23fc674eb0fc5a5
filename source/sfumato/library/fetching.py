"""Pictures from the web, and nothing else: fetched only because a person dropped or pasted their address. Rules: D156 of the desktop.

The name is resolved here and the connection is made to that very address, so that no second answer of a name server, and no redirect, can lead into the
network this computer stands in. Nothing of this computer is told: no cookies, no referrer, no password of an address.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from sfumato import __version__
from sfumato.protocol.errors import ImageUnreadable

TIMEOUT_S = 30.0
LIMIT_BYTES = 100 << 20
REDIRECTS = 5

_BLOCK_BYTES = 1 << 16
_ADDRESS_CHARACTERS = 8192
_PORTS = {"http": 80, "https": 443}
_REMEDY = "Save the picture with a browser and drop the file here."
# Beside what Python calls global: addresses that carry another one inside, by which a gateway could be made to reach it.
_CARRIERS = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96"))

Reachable = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture from the web: its bytes, and a name for it that its address suggests."""

    data: bytes
    name: str


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet: not to this computer, its network, a reserved range, or a tunnel into one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _CARRIERS):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def fetch_picture(url: str, *, reachable: Reachable = is_public, timeout_s: float = TIMEOUT_S, limit_bytes: int = LIMIT_BYTES) -> Fetched:
    """The picture at an http(s) address.

    Args:
        url: what was dropped or pasted.
        reachable: says of each IP address, also after redirects, whether it may be connected to.
        timeout_s: for all of it together.
        limit_bytes: of the picture.

    Raises:
        ImageUnreadable: the address is refused, does not answer, or holds no picture; the sentence says which.
    """
    deadline = time.monotonic() + timeout_s
    for _ in range(REDIRECTS + 1):
        parts = _checked(url)
        host = parts.hostname or ""
        try:
            connection = _connect(parts, reachable, deadline)
            with closing(connection), _cut_off(connection.sock, deadline), closing(_ask(connection, parts)) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, answer.getheader("Location") or "")
                    continue
                return Fetched(_body(answer, host, limit_bytes), _name(parts))
        except UnicodeError as error:
            raise _refusal(host, "the address is damaged", str(error)) from error
        except ssl.SSLError as error:
            raise _refusal(host, "its certificate is not to be trusted", str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() >= deadline:
                raise _refusal(host, f"it did not arrive within {timeout_s:g} seconds") from error
            raise _refusal(host, "the server could not be reached or broke off", f"{type(error).__name__}: {error}") from error
    raise _refusal(urlsplit(url).hostname or "", "it leads from one address to the next without end")


def _checked(url: str) -> SplitResult:
    """An address in its parts, if it is one that is followed."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refusal(url[:80], "the address is damaged") from None
    if parts.scheme not in _PORTS or not host or len(url) > _ADDRESS_CHARACTERS or port == 0:
        raise _refusal(host or url[:80], "only addresses that begin with http:// or https:// are fetched")
    if parts.username is not None or parts.password is not None:
        raise _refusal(host, "the address holds a password")
    return parts


def _connect(parts: SplitResult, reachable: Reachable, deadline: float) -> http.client.HTTPConnection:
    """A connection to an address of the host that was looked at before. Every address must be reachable: a host that also names a private one is refused."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # ValueError: signs that no name has
        raise _refusal(host, "no server of this name is known", str(error)) from error
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    if not addresses or not all(reachable(address) for address in addresses):
        raise _refusal(host, "it lies on this computer or in its own network")
    failure: OSError = TimeoutError()
    for address in addresses:
        try:
            opened = socket.create_connection((address, port), timeout=_left(deadline))
        except OSError as error:
            failure = error
            continue
        connection = http.client.HTTPConnection(host, port)
        try:
            connection.sock = ssl.create_default_context().wrap_socket(opened, server_hostname=host) if parts.scheme == "https" else opened
        except BaseException:
            opened.close()
            raise
        return connection
    raise failure


def _ask(connection: http.client.HTTPConnection, parts: SplitResult) -> http.client.HTTPResponse:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    is_usual = parts.port in (None, _PORTS[parts.scheme])
    connection.putrequest("GET", path + query, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", named if is_usual else f"{named}:{parts.port}")
    connection.putheader("User-Agent", f"Sfumato/{__version__}")
    connection.putheader("Accept", "image/*")
    connection.putheader("Connection", "close")
    connection.endheaders()
    return connection.getresponse()


def _body(answer: http.client.HTTPResponse, host: str, limit: int) -> bytes:
    """What was answered, if it is a picture by its type and within the limits."""
    if answer.status != 200:
        raise _refusal(host, f"the server answers {answer.status} {answer.reason}".strip())
    media = (answer.getheader("Content-Type") or "").partition(";")[0].strip().casefold()
    if not media.startswith("image/") or media == "image/svg+xml":
        raise _refusal(host, f"what is there is {media or 'of no named type'} and no picture")
    said = answer.getheader("Content-Length") or ""
    too_large = f"it has more than {limit >> 20} MiB"
    if said.isdigit() and int(said) > limit:
        raise _refusal(host, too_large)
    taken = bytearray()
    while not answer.isclosed():
        block = answer.read1(_BLOCK_BYTES)
        taken += block
        if len(taken) > limit:
            raise _refusal(host, too_large)
        if not block:
            break
    if said.isdigit() and len(taken) < int(said):
        raise http.client.IncompleteRead(bytes(taken[:0]), int(said))
    return bytes(taken)


@contextmanager
def _cut_off(held: socket.socket, deadline: float) -> Iterator[None]:
    """Break the connection when the time is over: a trickle of single bytes would never let a time-out of its own run down."""

    def cut() -> None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _name(parts: SplitResult) -> str:
    """What the end of an address calls the picture."""
    return unquote(parts.path.rsplit("/", 1)[-1])[:120] or (parts.hostname or "picture")


def _refusal(host: str, reason: str, detail: str = "") -> ImageUnreadable:
    error = ImageUnreadable(f"The address at '{host}'", reason, remedy=_REMEDY)
    error.detail = detail
    return error
