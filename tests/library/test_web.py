"""The guard around addresses from outside: where it never connects to, whatever name, number or redirect leads there."""

from __future__ import annotations

import gzip
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sfumato.library.web import WebTrouble, allowed_hosts, is_public
from sfumato.protocol.errors import Stopped
from sfumato.protocol.secret import Secret
from tests.support.web_server import PUBLIC, LocalWeb, Page

HOST = "files.example"


@pytest.fixture
def local() -> Iterator[LocalWeb]:
    made = LocalWeb()
    made.put(f"{HOST}/file", Page(b"content"))
    yield made
    made.close()


def fetch(local: LocalWeb, url: str, *, changes: dict[str, Any] | None = None, **arguments: Any) -> bytes:
    with local.web(**(changes or {})).open(url, **arguments) as answer:
        taken = b""
        while block := answer.read(1 << 16):
            taken += block
        return taken


def refused(local: LocalWeb, url: str, **arguments: Any) -> WebTrouble:
    with pytest.raises(WebTrouble) as caught:
        fetch(local, url, **arguments)
    return caught.value


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"),
    *("240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:c0a8:101::", "2001::1", "::127.0.0.1", "nonsense"),
]
OPEN = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2002:5db8:d822::1"]


@pytest.mark.rule("X36", "D156", "R115")
def test_addresses_are_public_or_not_also_inside_others() -> None:
    assert [address for address in PRIVATE if is_public(address)] == []
    assert [address for address in OPEN if not is_public(address)] == []


@pytest.mark.rule("X36")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_is_asked_at_the_address_that_was_looked_at_under_its_own_name(local: LocalWeb, scheme: str) -> None:
    assert fetch(local, f"{scheme}://{HOST}/file") == b"content"
    assert local.dialled == [(PUBLIC, 443 if scheme == "https" else 80)]
    assert (local.asked[0].scheme, local.asked[0].host) == (scheme, HOST)
    assert not {"cookie", "referer", "authorization"} & set(local.asked[0].headers)


@pytest.mark.rule("X36", "R115")
@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:10.0.0.1]"),
        *("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost", "localhost.", "LOCALHOST", "169.254.169.254"),
        *("0", "0.0.0.0", "[::]", "[fe80::1%25lo]"),
    ],
)
def test_no_spelling_of_a_private_address_is_connected_to(local: LocalWeb, host: str) -> None:
    local.names["localhost"] = ("127.0.0.1",)
    assert refused(local, f"http://{host}/file").is_refusal
    assert local.dialled == []


@pytest.mark.rule("X36")
def test_a_name_with_a_public_and_a_private_address_is_refused(local: LocalWeb) -> None:
    for addresses in ((PUBLIC, "10.0.0.1"), ("fc00::1", PUBLIC), ()):
        local.names[HOST] = addresses
        assert "its own network" in refused(local, f"http://{HOST}/file").reason
    assert local.dialled == []


@pytest.mark.rule("X36")
def test_a_name_that_changes_between_two_lookups_is_looked_up_once_for_each_connection(local: LocalWeb) -> None:
    answers = itertools.chain([(PUBLIC,)], itertools.repeat(("127.0.0.1",)))
    local.names[HOST] = lambda: next(answers)
    assert fetch(local, f"https://{HOST}/file") == b"content"
    assert local.dialled == [(PUBLIC, 443)]
    assert "its own network" in refused(local, f"https://{HOST}/file").reason
    assert local.dialled == [(PUBLIC, 443)]


@pytest.mark.rule("X36", "R115")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://127.0.0.1/file", "own network"),
        ("//[::1]/file", "own network"),
        ("http://inside.example/file", "own network"),
        ("file:///etc/passwd", "begin with http"),
        ("gopher://files.example/x", "begin with http"),
        ("http://me:secret@files.example/file", "password"),
        ("http://files.example:8080/file", "port 8080"),
        ("http://[", "damaged"),
        ("/round", "without end"),
    ],
)
def test_every_redirect_is_checked_anew(local: LocalWeb, target: str, words: str) -> None:
    local.names["inside.example"] = ("192.168.0.1",)
    local.put(f"{HOST}/round", Page(status=302, location=target))
    trouble = refused(local, f"http://{HOST}/round")
    assert words in trouble.reason
    assert "secret" not in str(trouble)
    assert {address for address, _ in local.dialled} == {PUBLIC}
    assert len(local.dialled) <= 4


@pytest.mark.rule("X36")
def test_three_redirects_are_followed_and_not_four_and_never_from_https_to_http(local: LocalWeb) -> None:
    for number in range(4):
        local.put(f"{HOST}/{number}", Page(status=(301, 302, 307, 308)[number], location=f"/{number - 1}" if number else "/file"))
    assert fetch(local, f"https://{HOST}/2") == b"content"
    assert "without end" in refused(local, f"https://{HOST}/3").reason
    local.put(f"{HOST}/down", Page(status=302, location=f"http://{HOST}/file"))
    assert "not" in refused(local, f"https://{HOST}/down").reason
    assert fetch(local, f"http://{HOST}/down") == b"content"


@pytest.mark.rule("X36")
def test_other_ports_and_private_hosts_are_open_only_to_hosts_allowed_by_name(local: LocalWeb) -> None:
    local.names["nas.local"] = ("192.168.0.9",)
    local.put("nas.local/file", Page(b"from the shelf"))
    for allowed, url, fine in (
        ("", "http://nas.local/file", False),
        ("nas.local", "http://nas.local/file", True),
        ("NAS.local., other", "http://nas.local/file", True),
        ("nas.local", "http://nas.local:8080/file", False),
        ("nas.local:8080", "http://nas.local:8080/file", True),
        ("nas.local:8080", "http://nas.local/file", False),
        ("other.local", "http://nas.local/file", False),
    ):
        changes = {"allowed": allowed_hosts(allowed)}
        if fine:
            assert fetch(local, url, changes=changes) == b"from the shelf"
        else:
            assert refused(local, url, changes=changes).is_refusal, (allowed, url)


@pytest.mark.rule("X36")
def test_proxies_of_the_environment_are_ignored(local: LocalWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(local, f"http://{HOST}/file") == b"content"
    assert fetch(local, f"https://{HOST}/file") == b"content"


@pytest.mark.rule("X36", "X33")
def test_what_comes_compressed_is_never_unpacked(local: LocalWeb) -> None:
    local.put(f"{HOST}/bomb", Page(gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"}))
    assert "compressed" in refused(local, f"http://{HOST}/bomb").reason
    assert local.asked[-1].headers["accept-encoding"] == "identity"


@pytest.mark.rule("X36")
def test_slow_silent_and_endless_answers_end_at_the_deadline(local: LocalWeb) -> None:
    local.put(f"{HOST}/silent", Page(silent=True))
    local.put(f"{HOST}/slow", Page(b"x" * 1000, block=1, gate=threading.Event()))
    local.put(f"{HOST}/endless", Page(b"x" * 100_000, endless=True))
    for page in ("silent", "slow", "endless"):
        trouble = refused(local, f"http://{HOST}/{page}", deadline=time.monotonic() + 0.3, idle_s=60)
        assert trouble.reason == "the time is over", page
    assert "broke off" in refused(local, f"http://{HOST}/silent", idle_s=0.2).reason


def test_a_stopped_job_waits_neither_for_a_name_server_nor_for_an_answer(local: LocalWeb) -> None:
    local.put(f"{HOST}/silent", Page(silent=True))
    stopped, release = threading.Event(), threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise Stopped

    def sleepy() -> tuple[str, ...]:
        stopped.set()
        release.wait(30)
        return (PUBLIC,)

    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(Stopped):
        fetch(local, f"http://{HOST}/silent", check=check, idle_s=60)
    stopped.clear()
    local.names[HOST] = sleepy
    with pytest.raises(Stopped):
        fetch(local, f"http://{HOST}/file", check=check)
    release.set()


@pytest.mark.rule("X36")
def test_nothing_that_was_answered_is_in_an_error(local: LocalWeb) -> None:
    local.put(f"{HOST}/echo", Page(b"MARK", status=302, location="http://[MARK/", headers={"X-Mark": "MARK", "Content-Type": "MARK"}))
    trouble = refused(local, f"http://{HOST}/echo")
    assert "MARK" not in f"{trouble}{trouble.reason}{trouble.detail}"


@pytest.mark.rule("D121", "N53")
def test_a_token_is_told_to_its_own_host_over_tls_and_to_nobody_after_a_redirect(local: LocalWeb) -> None:
    token = Secret("tok-marked")
    local.put("cdn.example/file", Page(b"content"))
    local.put(f"{HOST}/away", Page(status=302, location="https://cdn.example/file"))
    local.put(f"{HOST}/here", Page(status=302, location="/file"))
    fetch(local, f"https://{HOST}/here", token=token)
    assert [asked.headers.get("authorization") for asked in local.asked] == ["Bearer tok-marked"] * 2
    local.asked.clear()
    fetch(local, f"https://{HOST}/away", token=token)
    assert [(asked.host, asked.headers.get("authorization")) for asked in local.asked] == [(HOST, "Bearer tok-marked"), ("cdn.example", None)]
    local.asked.clear()
    fetch(local, f"http://{HOST}/file", token=token)
    assert "authorization" not in local.asked[0].headers


def test_a_certificate_of_nobody_is_refused(local: LocalWeb) -> None:
    stranger = LocalWeb()
    try:
        foreign = stranger.web()
        assert "certificate" in refused(local, f"https://{HOST}/file", changes={"trust": foreign.trust}).reason
    finally:
        stranger.close()
