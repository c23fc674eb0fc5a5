"""What is fetched from an address that a person dropped, and what is not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sfumato.library import fetching
from sfumato.library.fetching import fetch_picture, is_public
from sfumato.protocol.errors import ImageUnreadable

PNG = b"\x89PNG\r\n\x1a\n" + bytes(300)
seen: list[dict[str, str]] = []


class Answers(BaseHTTPRequestHandler):
    """A small web: /picture.png, and a page for each way in which it can go wrong."""

    def do_GET(self) -> None:
        seen.append(dict(self.headers))
        match self.path.partition("?")[0]:
            case "/picture.png" | "/%C3%A9t%C3%A9.png":
                self.answer(200, "image/png", PNG)
            case "/page":
                self.answer(200, "text/html", b"<html>")
            case "/drawing":
                self.answer(200, "image/svg+xml", b"<svg/>")
            case "/gone":
                self.answer(404, "text/html", b"")
            case "/endless":
                self.answer(302, "", b"", Location="/endless")
            case "/inside":
                self.answer(302, "", b"", Location=f"http://127.0.0.2:{self.server.server_address[1]}/picture.png")
            case "/file":
                self.answer(302, "", b"", Location="file:///etc/passwd")
            case "/moved":
                self.answer(301, "", b"", Location="/picture.png")
            case "/short":
                self.answer(200, "image/png", PNG, length=len(PNG) + 5)
            case "/silent":
                # Nothing is said until the other side has lost its patience.
                self.rfile.read(1)
            case "/trickle":
                with contextlib.suppress(OSError):
                    for _ in range(100):
                        self.wfile.write(b"X")
                        self.wfile.flush()
                        self.rfile.read(0)
                        threading.Event().wait(0.05)
            case "/unsized":
                self.answer(200, "image/png", PNG * 20, length=None)

    def answer(self, status: int, media: str, body: bytes, length: int | None = -1, **headers: str) -> None:
        self.send_response(status)
        if media:
            self.send_header("Content-Type", media)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        del args


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def first_only(address: str) -> bool:
    return address == "127.0.0.1"


def refusal(url: str, **arguments: Any) -> str:
    with pytest.raises(ImageUnreadable) as caught:
        fetch_picture(url, **{"reachable": first_only, **arguments})
    return caught.value.message


@pytest.mark.rule("D156")
def test_a_picture_arrives_with_its_name_also_after_a_redirect(web: str) -> None:
    for page, name in (("/picture.png?size=9", "picture.png"), ("/moved", "picture.png"), ("/été.png", "été.png")):
        found = fetch_picture(web + page, reachable=first_only)
        assert (found.data, found.name) == (PNG, name)
    assert not {"Cookie", "Referer", "Authorization"} & set(seen[-1])


PRIVATE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1"
    " ::1 :: fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1 nonsense"
)


@pytest.mark.rule("D156")
@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_of_this_computer_and_its_network_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are_public() -> None:
    assert all(map(is_public, ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34")))


@pytest.mark.rule("D156")
def test_a_private_address_is_refused_by_name_by_number_and_after_a_redirect(web: str) -> None:
    port = web.rsplit(":", 1)[1]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert "its own network" in refusal(f"http://{host}:{port}/picture.png", reachable=is_public), host
    # Whether such numbers are addresses is the system's to say.
    for host in ("2130706433", "0x7f.1"):
        sentence = refusal(f"http://{host}:{port}/picture.png", reachable=is_public)
        assert "its own network" in sentence or "no server of this name" in sentence
    asked = len(seen)
    assert "its own network" in refusal(web + "/inside")
    assert len(seen) == asked + 1


def test_a_host_that_names_a_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *args, **named: rows)
    assert "its own network" in refusal("http://both.example/picture.png", reachable=is_public)


@pytest.mark.rule("D156")
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("/page", "text/html"),
        ("/drawing", "svg"),
        ("/gone", "404"),
        ("/endless", "without end"),
        ("/file", "http://"),
        ("/short", "broke off"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(web: str, page: str, words: str) -> None:
    sentence = refusal(web + page)
    assert words in sentence
    assert "drop the file" in sentence


@pytest.mark.rule("D156")
def test_too_large_and_too_slow_are_cut_off(web: str) -> None:
    assert "more than 0 MiB" in refusal(web + "/picture.png", limit_bytes=100)
    assert "more than 0 MiB" in refusal(web + "/unsized", limit_bytes=100)
    for page in ("/silent", "/trickle"):
        assert "within 0.2 seconds" in refusal(web + page, timeout_s=0.2)


def test_other_schemes_and_passwords_in_addresses_are_refused() -> None:
    for url in ("ftp://example.org/a.png", "file:///etc/passwd", "data:image/png;base64,AA", "http://", "http://[", "javascript:1"):
        assert "begin with http://" in refusal(url) or "damaged" in refusal(url), url
    assert "password" in refusal("http://me:secret@example.org/a.png")
    assert "secret" not in refusal("http://me:secret@example.org/a.png")


@pytest.mark.parametrize("url", ["http://exa\0mple.com/a.png", "http://" + "a" * 80 + ".example/a.png", "http://a..b/a.png", "http://127.0.0.1:1/\ud800.png"])
def test_addresses_that_no_name_server_takes_are_refused_in_a_sentence(url: str) -> None:
    assert refusal(url)
