"""What may become a websocket of the relay: path, Host, Origin, sizes, and whose a connection is behind a proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sfumato.transport.relay import Relay
from sfumato.transport.upgrade import Asked, Rules
from tests.support.relaying import RawClient, ScriptedShared, relay_before

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def asked(**facts: object) -> Asked:
    plain: dict[str, object] = {"path": "/relay", "hosts": ["127.0.0.1:28888"], "origins": [], "forwarded_for": [], "peer": "127.0.0.1", "local": "127.0.0.1"}
    return Asked(**{**plain, **facts})  # type: ignore[arg-type]


@pytest.mark.rule("X30")
@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("127.0.0.1:28888", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("[::1]:28888", True),
        ("127.0.0.2", True),
        ("192.0.2.10:28888", True),
        ("studio.example:443", True),
        ("Studio.Example", True),
        ("192.0.2.11", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("studio.example.evil", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
        ("127.1", False),
        ("", False),
        ("@localhost", False),
        ("[::1", True),
    ],
)
def test_only_hosts_that_are_ours_are_answered(host: str, passes: bool) -> None:
    rules = Rules(hosts=("studio.example",))
    refusal = rules.refusal(asked(hosts=[host], local="192.0.2.10"))
    assert (refusal is None) == passes, refusal
    assert refusal is None or refusal.status == 403


def test_a_request_names_exactly_one_host() -> None:
    assert Rules().refusal(asked(hosts=[])) is not None
    assert Rules().refusal(asked(hosts=["localhost", "localhost"])) is not None


@pytest.mark.rule("X31", "N21")
@pytest.mark.parametrize(
    ("origins", "passes"),
    [
        ([], True),
        (["http://127.0.0.1:28888"], True),
        (["https://pages.example"], True),
        (["https://pages.example/"], True),
        (["http://127.0.0.1:8080"], False),
        (["http://pages.example"], False),
        (["https://pages.example.evil"], False),
        (["https://evil.example"], False),
        (["null"], False),
        (["file://"], False),
        ([""], False),
        (["http://127.0.0.1:28888", "http://127.0.0.1:28888"], False),
    ],
)
def test_pages_of_other_origins_are_refused(origins: list[str], passes: bool) -> None:
    refusal = Rules(origins=("https://pages.example",)).refusal(asked(origins=origins))
    assert (refusal is None) == passes
    assert refusal is None or refusal.status == 403


@pytest.mark.rule("X29")
def test_forwarded_addresses_are_believed_of_a_declared_proxy_alone() -> None:
    rules = Rules(trusted_proxies=("10.0.0.0/8", "127.0.0.1"))
    assert rules.origin(asked(peer="192.0.2.1", forwarded_for=["198.51.100.9"])) == "192.0.2.1"
    assert rules.origin(asked(peer="10.0.0.1", forwarded_for=["203.0.113.5, 198.51.100.9"])) == "198.51.100.9"
    assert rules.origin(asked(peer="10.0.0.1", forwarded_for=["203.0.113.5", "198.51.100.9, 10.0.0.2"])) == "198.51.100.9"
    assert rules.origin(asked(peer="10.0.0.1", forwarded_for=["2001:db8:1:2:3::4"])) == "2001:db8:1:2::/64"
    assert rules.origin(asked(peer="10.0.0.1", forwarded_for=["203.0.113.5, not an address"])) == "10.0.0.1"
    assert rules.origin(asked(peer="10.0.0.1")) == "10.0.0.1"


def test_a_tunnel_is_known_by_the_name_it_brings() -> None:
    rules = Rules(hosts=("studio.example",))
    assert rules.has_tunnel
    assert rules.is_shared("127.0.0.1", ["studio.example"])
    assert not rules.is_shared("127.0.0.1", ["127.0.0.1:28888"])
    assert not rules.is_shared("192.0.2.1", ["studio.example"])
    assert not Rules().has_tunnel
    assert Rules(trusted_proxies=("127.0.0.1",)).is_shared("127.0.0.1")


# -- over the line -----------------------------------------------------------------------------------


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_before(ScriptedShared()) as opened:
        yield opened


def http(port: int, head: str) -> bytes:
    """What the server answers to a request written by hand."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(head.replace("\n", "\r\n").encode())
        answer = b""
        try:
            while part := line.recv(65536):
                answer += part
                if b"101 Switching" in answer:
                    break
        except ConnectionResetError:
            return answer
        return answer


def upgrade(path: str = "/relay", host: str = "127.0.0.1", more: str = "") -> str:
    plain = f"Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: {KEY}\nSec-WebSocket-Version: 13\n"
    return f"GET {path} HTTP/1.1\nHost: {host}\n{plain}{more}\n"


def test_a_browser_is_told_what_this_is(relay: Relay) -> None:
    answer = http(relay.port, "GET / HTTP/1.1\nHost: localhost\n\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"This is the relay of a Sfumato studio." in answer
    assert b"websockets/" not in answer
    assert b"Python" not in answer


def test_other_paths_are_not_found(relay: Relay) -> None:
    for path in ("/other", "/relay/", "/relay/../x", "//relay", "/%72elay"):
        assert http(relay.port, upgrade(path)).startswith(b"HTTP/1.1 404 "), path
    assert http(relay.port, upgrade()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.rule("X30", "X31")
def test_rebound_names_and_foreign_pages_get_no_websocket(relay: Relay) -> None:
    assert http(relay.port, upgrade(host="evil.example")).startswith(b"HTTP/1.1 403 ")
    assert http(relay.port, upgrade(more="Origin: https://evil.example\n")).startswith(b"HTTP/1.1 403 ")
    assert http(relay.port, upgrade(more="Origin: null\n")).startswith(b"HTTP/1.1 403 ")
    with RawClient(relay.port) as client:
        client.enter()


def test_a_tunnels_name_can_be_added_while_the_relay_is_open(relay: Relay) -> None:
    assert http(relay.port, upgrade(host="brave-fox.example")).startswith(b"HTTP/1.1 403 ")
    relay.answer_for("brave-fox.example")
    assert http(relay.port, upgrade(host="brave-fox.example")).startswith(b"HTTP/1.1 101 ")


@pytest.mark.rule("X33")
def test_a_header_has_at_most_sixteen_kib(relay: Relay) -> None:
    fits = "".join(f"X-{number}: {'a' * 1000}\n" for number in range(12))
    assert http(relay.port, upgrade(more=fits)).startswith(b"HTTP/1.1 101 ")
    too_much = "".join(f"X-{number}: {'a' * 1000}\n" for number in range(17))
    assert not http(relay.port, upgrade(more=too_much)).startswith(b"HTTP/1.1 101 ")
    assert not http(relay.port, upgrade(more=f"X: {'a' * 9000}\n")).startswith(b"HTTP/1.1 101 ")
    with RawClient(relay.port) as client:
        client.enter()


def test_compression_is_not_agreed_to(relay: Relay) -> None:
    answer = http(relay.port, upgrade(more="Sec-WebSocket-Extensions: permessage-deflate\n"))
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"permessage-deflate" not in answer
