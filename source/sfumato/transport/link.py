"""Connection links, `sfumato:?endpoint=ws[s]://host:port/relay&password=<secret>`, and the endpoints in them.

Everything that is not plainly one of these is refused with a sentence. Nothing here contacts anybody, and no sentence repeats what may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from sfumato.protocol.errors import LinkRefused
from sfumato.protocol.secret import Secret

SCHEME = "sfumato"
LINK_BYTES = 2048
DEFAULT_PATH = "/relay"
# A relay of its own listens here; behind TLS there is usually a web server in front of it.
DEFAULT_PORTS = {"ws": 28888, "wss": 443}
HOST_CHARACTERS = 253

_LINK = re.compile(r"sfumato:/{0,3}\?(.*)", re.IGNORECASE | re.DOTALL)
_ENDPOINT = re.compile(r"(wss?)://(\[[^\]/]*\]|[^:/?#@\[\]]*)(?::([^/?#@]*))?(/[^?#]*)?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

NOT_A_LINK = "This is not a connection link of Sfumato: such a link begins with 'sfumato:?endpoint='."
TOO_LONG = f"This connection link is longer than {LINK_BYTES} bytes and was not opened. Copy it again."
UNREADABLE = "This connection link holds characters that no link has and was not opened. Copy it again."
UNKNOWN_KEY = "This connection link asks for something that this version of Sfumato does not know and was not opened. Copy it again, or update."
TWICE = "This connection link says something twice and was not opened. Copy it again."
NO_ENDPOINT = "This connection link names no machine and was not opened. Copy it again."
BAD_SCHEME = "An endpoint begins with 'ws://' or 'wss://'; for example ws://192.168.1.20:28888 or wss://example.org."
BAD_ENDPOINT = "An endpoint is 'ws://' or 'wss://' with a host, a port and perhaps a path, and nothing else; for example ws://192.168.1.20:28888."
BAD_HOST = "The host of this endpoint is neither a name nor an address. Write it as in ws://192.168.1.20:28888 or wss://example.org."
BAD_PORT = "The port of this endpoint must be a number from 1 to 65535."
BAD_PATH = "The path of this endpoint holds characters that no path of a relay has. Leave it out, or write /relay."


@dataclass(frozen=True)
class Link:
    """Where a relay is, and perhaps what opens it.

    Attributes:
        endpoint: in its one spelling: small letters, port and path written out.
        secret: None if the person has to be asked.
    """

    endpoint: str
    secret: Secret | None = field(default=None)

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read a connection link; spaces and line ends around it are no part of it. Raises `LinkRefused`."""
        text = text.strip()
        if len(text.encode(errors="surrogatepass")) > LINK_BYTES:
            raise LinkRefused(TOO_LONG)
        _check_characters(text)
        found = _LINK.fullmatch(text)
        if found is None:
            raise LinkRefused(NOT_A_LINK)
        if "#" in text:
            raise LinkRefused(UNREADABLE)
        said: dict[str, str] = {}
        for pair in found[1].split("&"):
            name, _, value = pair.partition("=")
            if name not in ("endpoint", "password"):
                raise LinkRefused(UNKNOWN_KEY)
            if name in said:
                raise LinkRefused(TWICE)
            said[name] = _unquoted(value)
        if not said.get("endpoint"):
            raise LinkRefused(NO_ENDPOINT)
        return cls.of(said["endpoint"], Secret(said["password"]) if said.get("password") else None)

    @classmethod
    def of(cls, endpoint: str, secret: Secret | None = None) -> Link:
        """A link to an endpoint as a person wrote it: port and path may be left out. Raises `LinkRefused`."""
        return cls(_normal(endpoint.strip()), secret)

    @classmethod
    def read(cls, text: str) -> Link:
        """A link or an endpoint, whichever was pasted; raises `LinkRefused`."""
        return cls.parse(text) if text.strip().lower().startswith(SCHEME + ":") else cls.of(text)

    def text(self) -> str:
        """The link to copy, with its secret. What is shown or logged is `endpoint`."""
        password = f"&password={quote(self.secret.reveal(), safe='')}" if self.secret else ""
        return f"{SCHEME}:?endpoint={quote(self.endpoint, safe=':/[]')}{password}"

    @property
    def host(self) -> str:
        """A name, or an address without brackets."""
        return _parts(self.endpoint)[1].strip("[]")

    @property
    def port(self) -> int:
        return int(_parts(self.endpoint)[2])

    @property
    def path(self) -> str:
        return _parts(self.endpoint)[3]

    @property
    def is_tls(self) -> bool:
        return _parts(self.endpoint)[0] == "wss"

    @property
    def is_loopback(self) -> bool:
        """Whether the way leads to this very machine alone."""
        return is_loopback_host(self.host)


def is_loopback_host(host: str) -> bool:
    """Whether a host or an address to listen on is of this very machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _parts(endpoint: str) -> tuple[str, str, str, str]:
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise LinkRefused(BAD_ENDPOINT if re.match(r"wss?://", endpoint, re.IGNORECASE) else BAD_SCHEME)
    return found[1].lower(), found[2].lower(), found[3] or "", found[4] or ""


def _normal(endpoint: str) -> str:
    _check_characters(endpoint)
    if len(endpoint) > LINK_BYTES:
        raise LinkRefused(BAD_ENDPOINT)
    scheme, host, port, path = _parts(endpoint)
    host = _host(host)
    if not port:
        port = str(DEFAULT_PORTS[scheme])
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise LinkRefused(BAD_PORT)
    if path in ("", "/"):
        path = DEFAULT_PATH
    if not _PATH.fullmatch(path) or _BAD_ESCAPE.search(path) or {".", ".."} & set(path.split("/")):
        raise LinkRefused(BAD_PATH)
    return f"{scheme}://{host}:{int(port)}{path}"


def _host(host: str) -> str:
    """The one spelling of a host. Numbers that only some systems take for addresses are refused, and so are letters that look like others."""
    if host.startswith("["):
        if "%" in host:  # the name of a network card, which means something on one machine only
            raise LinkRefused(BAD_HOST)
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise LinkRefused(BAD_HOST) from None
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise LinkRefused(BAD_HOST)
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise LinkRefused(BAD_HOST) from None
    return name


def _check_characters(text: str) -> None:
    """No control characters and no invisible ones, which would let a link show another host than it names."""
    if not text.isprintable():
        raise LinkRefused(UNREADABLE)


def _unquoted(value: str) -> str:
    if _BAD_ESCAPE.search(value):
        raise LinkRefused(UNREADABLE)
    try:
        text = unquote_to_bytes(value).decode()
    except UnicodeError:
        raise LinkRefused(UNREADABLE) from None
    _check_characters(text)
    return text
