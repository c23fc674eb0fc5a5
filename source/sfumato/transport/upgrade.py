"""What an HTTP request must be like to become a connection of the relay: path, Host, Origin, and whose it is behind a proxy (X29-X31, X33).

Pure questions about a request; whoever carries websockets asks them before anything is answered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sfumato.transport.gate import is_loopback, origin_of

PATH = "/relay"
HEADER_LIMIT_BYTES = 16 << 10

WELCOME_SENTENCE = "This is the relay of a Sfumato studio. Connect to it with the connection link in Sfumato's window: Settings, Remote."
_NOT_HERE = "There is nothing here. The relay of this Sfumato studio is at /relay."
_BAD_HOST = (
    "The request names a host that this relay was not told to answer for. If it came through a tunnel or proxy of yours, add that name to the relay's hosts."
)
_BAD_ORIGIN = "A web page tried to open the relay; only Sfumato's window and pages of listed origins may."


@dataclass(frozen=True)
class Asked:
    """The request as it came. `peer` and `local` are the two addresses of the socket."""

    path: str
    hosts: Sequence[str]
    origins: Sequence[str]
    forwarded_for: Sequence[str]
    peer: str
    local: str = ""
    wants_upgrade: bool = True


@dataclass(frozen=True)
class Refusal:
    """Answered instead of an upgrade: HTTP status and one sentence."""

    status: int
    sentence: str


@dataclass
class Rules:
    """What the owner allows.

    Attributes:
        hosts: names the relay answers for besides those of this machine (a tunnel's, a proxy's).
        origins: web pages that may open the relay, as "https://host".
        trusted_proxies: addresses or networks whose X-Forwarded-For is believed.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    def refusal(self, asked: Asked) -> Refusal | None:
        """Why this request is not upgraded, or None."""
        host = _only(asked.hosts)
        if host is None or not self._is_ours(_name_of(host), asked.local):
            return Refusal(403, _BAD_HOST)
        if asked.origins and not self._is_welcome(_only(asked.origins), host):
            return Refusal(403, _BAD_ORIGIN)
        path = asked.path.partition("?")[0]
        if not asked.wants_upgrade and path in ("/", PATH):
            return Refusal(200 if path == "/" else 426, WELCOME_SENTENCE)
        return None if path == PATH else Refusal(404, _NOT_HERE)

    def origin(self, asked: Asked) -> str:
        """Where the request comes from: the peer, or who a declared proxy says stands behind it."""
        if not self.is_trusted(asked.peer):
            return origin_of(asked.peer)
        told = [part.strip() for line in asked.forwarded_for for part in line.split(",")]
        for address in reversed(told):
            if not _is_address(address):
                break
            if not self.is_trusted(address):
                return origin_of(address)
        return origin_of(asked.peer)

    def is_shared(self, origin: str, hosts: Iterable[str] = ()) -> bool:
        """Whether many people may stand behind `origin`: a proxy that did not say for whom it asks, or a tunnel that ends on this machine.

        A tunnel is known by the name it brings: a request from this machine to a host that is not this machine came from elsewhere.
        """
        if self.is_trusted(origin):
            return True
        return is_loopback(origin) and any(not _is_own_name(_name_of(host)) for host in hosts)

    @property
    def has_tunnel(self) -> bool:
        """Whether connections of this machine may be anybody's, as far as can be told before a request has been read."""
        return any(is_loopback(proxy.partition("/")[0]) for proxy in self.trusted_proxies) or any(not _is_own_name(_name_of(host)) for host in self.hosts)

    def is_trusted(self, address: str) -> bool:
        """Whether `address` belongs to a declared proxy."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in ipaddress.ip_network(proxy, strict=False) for proxy in self.trusted_proxies)

    def _is_ours(self, name: str, local: str) -> bool:
        if _is_own_name(name) or name in {_name_of(host) for host in self.hosts}:
            return True
        # An address is not a name: nobody can make it point elsewhere, so the one that was reached is fine.
        return _is_address(name) and origin_of(name) == origin_of(local) and ipaddress.ip_address(name) == ipaddress.ip_address(local.partition("%")[0])

    def _is_welcome(self, origin: str | None, host: str) -> bool:
        if origin is None:
            return False
        if origin.rstrip("/").lower() in {listed.rstrip("/").lower() for listed in self.origins}:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _only(values: Sequence[str]) -> str | None:
    return values[0].strip() if len(values) == 1 and values[0].strip() else None


def _name_of(host: str) -> str:
    """The name or address of a Host header, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".") if host.count(":") <= 1 else host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_own_name(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and is_loopback(name))
