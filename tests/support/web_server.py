"""A small web of many hosts on loopback, http and https, that does everything a real one may do wrong; and a `Web` whose names and addresses lead into it.

The names get public addresses, and the last step, the connection itself, leads to the local servers: whatever guards the way is walked as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from sfumato.library.web import Web

PUBLIC = "93.184.216.34"
_BLOCK = 1 << 16


@dataclass
class Page:
    """What is at an address.

    Attributes:
        cut_after: break the connection after so many bytes of an answer; so often as `cuts` says.
        gate: wait for this before each block but the first of `block` bytes.
        length: what is announced; -1 the truth, None nothing.
        endless: the body is sent again and again.
        silent: say nothing at all until the server closes.
    """

    body: bytes = b""
    status: int = 200
    media: str = "application/octet-stream"
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    ranges: bool = True
    cut_after: int = 0
    cuts: int = 1
    gate: threading.Event | None = None
    block: int = _BLOCK
    length: int | None = -1
    endless: bool = False
    silent: bool = False
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request that came: scheme and host it was for, path, headers with small letters."""

    scheme: str
    host: str
    path: str
    headers: Mapping[str, str]


class LocalWeb:
    """`pages["host/path"]` is what is there; `asked` what was asked for; `dialled` the addresses that were connected to."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.names: dict[str, Sequence[str] | Callable[[], Sequence[str]]] = {}
        self.asked: list[Asked] = []
        self.dialled: list[tuple[str, int]] = []
        self.closing = threading.Event()
        self._authority = trustme.CA()
        self._servers = {"http": self._serve(None), "https": self._serve(self._certificates())}

    def port(self, scheme: str = "http") -> int:
        return int(self._servers[scheme].server_address[1])

    def web(self, **changes: Any) -> Web:
        trusted = ssl.create_default_context()
        self._authority.configure_trust(trusted)
        return Web(**{"resolve": self._resolve, "dial": self._dial, "trust": lambda: trusted, **changes})

    def put(self, address: str, page: Page) -> str:
        """Put a page at `host/path`; its https address."""
        self.pages[address] = page
        return f"https://{address}"

    def close(self) -> None:
        self.closing.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        with contextlib.suppress(OSError, ValueError):  # a number is its own address
            return [socket.inet_ntop(family, socket.inet_pton(family, host)) for family in (socket.AF_INET6 if ":" in host else socket.AF_INET,)]
        known = {address.partition("/")[0] for address in self.pages}
        if host not in self.names and host not in known:
            raise OSError("no such name")
        found = self.names.get(host, (PUBLIC,))
        return found() if callable(found) else found

    def _dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.port("https" if address[1] == 443 else "http")), timeout)

    def _certificates(self) -> ssl.SSLContext:
        offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("nobody.example").configure_cert(offered)
        made: dict[str, ssl.SSLContext] = {}

        def choose(held: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            if name and name not in made:
                made[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(name).configure_cert(made[name])
            if name:
                held.context = made[name]

        offered.sni_callback = choose
        return offered

    def _serve(self, tls: ssl.SSLContext | None) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", 0), self, tls)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], home: LocalWeb, tls: ssl.SSLContext | None) -> None:
        self.home = home
        self.tls = tls
        super().__init__(address, _Answers)

    def get_request(self) -> tuple[socket.socket, Any]:
        opened, address = super().get_request()
        return (self.tls.wrap_socket(opened, server_side=True, do_handshake_on_connect=False) if self.tls else opened), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are the subject of the tests."""


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *args: Any) -> None:
        del args

    def do_GET(self) -> None:
        home = self.server.home
        host = self.headers["Host"].partition(":")[0]
        headers = {name.casefold(): value for name, value in self.headers.items()}
        home.asked.append(Asked("https" if self.server.tls else "http", host, self.path, headers))
        page = home.pages.get(host + self.path) or home.pages.get(host + self.path.partition("?")[0])
        if page is None:
            page = Page(b"<html>nothing here", status=404, media="text/html")
        if any(headers.get(name) != value for name, value in page.needs.items()):
            page = Page(b"<html>who are you", status=401, media="text/html")
        if page.silent:
            home.closing.wait()
            return
        with contextlib.suppress(OSError):
            self._answer(page, headers)

    def _answer(self, page: Page, headers: Mapping[str, str]) -> None:
        status, first, whole = page.status, 0, len(page.body)
        asked = headers.get("range", "")
        is_same = not page.etag or headers.get("if-range", page.etag) == page.etag
        if status == 200 and page.ranges and asked.startswith("bytes=") and is_same:
            first = int(asked[6:].partition("-")[0])
            status = 206 if first < whole else 416
        body = page.body[first:] if status != 416 else b""
        self.send_response(status)
        if page.location:
            self.send_header("Location", page.location)
        if page.etag:
            self.send_header("ETag", page.etag)
        if status in (206, 416):
            self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}" if status == 206 else f"bytes */{whole}")
        self.send_header("Content-Type", page.media)
        if page.length is not None and not page.endless:
            self.send_header("Content-Length", str(page.length if page.length >= 0 else len(body)))
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for sent, block in _blocks(page, body):
            if page.cut_after and page.cuts and sent >= page.cut_after:
                page.cuts -= 1
                self.close_connection = True
                return
            if page.gate is not None and sent:
                page.gate.wait(30)
            self.wfile.write(block)
            self.wfile.flush()


def _blocks(page: Page, body: bytes) -> Iterator[tuple[int, bytes]]:
    """(bytes before it, block) of an answer."""
    sent = 0
    while True:
        for at in range(0, len(body), page.block):
            yield sent, body[at : at + page.block]
            sent += len(body[at : at + page.block])
        if not page.endless:
            return


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
