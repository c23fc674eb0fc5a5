"""Connection links: what is read, how it is written, and everything that is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.protocol.errors import LinkRefused
from sfumato.protocol.secret import Secret
from sfumato.transport import link as links
from sfumato.transport.keys import make_secret, refusal
from sfumato.transport.link import LINK_BYTES, Link


@pytest.mark.rule("N13", "D15")
def test_a_link_is_read_and_written() -> None:
    secret = make_secret()
    text = f"sfumato:?endpoint=wss://example.org:8443/relay&password={secret.reveal()}"
    link = Link.parse(text)
    assert link.endpoint == "wss://example.org:8443/relay"
    assert link.secret == secret
    assert (link.host, link.port, link.path, link.is_tls, link.is_loopback) == ("example.org", 8443, "/relay", True, False)
    assert link.text() == text


@pytest.mark.rule("N13")
def test_a_link_without_a_password_leaves_asking_to_the_window() -> None:
    for text in ("sfumato:?endpoint=ws://10.0.0.7:28888", "sfumato:?endpoint=ws://10.0.0.7:28888&password="):
        link = Link.parse(text)
        assert link.secret is None
        assert link.text() == "sfumato:?endpoint=ws://10.0.0.7:28888/relay"


@pytest.mark.rule("D157")
@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("ws://127.0.0.1", "ws://127.0.0.1:28888/relay"),
        ("ws://localhost:9000", "ws://localhost:9000/relay"),
        ("wss://example.org", "wss://example.org:443/relay"),
        ("WSS://Example.ORG:443/", "wss://example.org:443/relay"),
        ("wss://example.org./relay", "wss://example.org:443/relay"),
        ("wss://example.org/studio/relay", "wss://example.org:443/studio/relay"),
        ("wss://example.org/a%20b", "wss://example.org:443/a%20b"),
        ("ws://[::1]", "ws://[::1]:28888/relay"),
        ("ws://[2001:DB8:0:0::7]:80/relay", "ws://[2001:db8::7]:80/relay"),
        ("ws://gpu_box.lan:0080", "ws://gpu_box.lan:80/relay"),
        ("  ws://gpu:1\n", "ws://gpu:1/relay"),
        ("wss://xn--mnchen-3ya.example", "wss://xn--mnchen-3ya.example:443/relay"),
        ("wss://random-words-of-a-tunnel.trycloudflare.com", "wss://random-words-of-a-tunnel.trycloudflare.com:443/relay"),
    ],
)
def test_an_endpoint_has_one_spelling(written: str, endpoint: str) -> None:
    assert Link.of(written).endpoint == endpoint
    assert Link.of(endpoint).endpoint == endpoint
    assert Link.parse(Link.of(written).text()) == Link.of(written)


@pytest.mark.rule("D157", "D16")
@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("", links.BAD_SCHEME),
        ("example.org:28888", links.BAD_SCHEME),
        ("http://example.org", links.BAD_SCHEME),
        ("https://example.org/relay", links.BAD_SCHEME),
        ("file:///etc/passwd", links.BAD_SCHEME),
        ("javascript:alert(1)", links.BAD_SCHEME),
        ("sfumato:?endpoint=ws://a", links.BAD_SCHEME),
        ("ws:example.org", links.BAD_SCHEME),
        ("ws:/example.org", links.BAD_SCHEME),
        ("wsss://example.org", links.BAD_SCHEME),
        ("ws://", links.BAD_HOST),
        ("ws:///relay", links.BAD_HOST),
        ("ws://:28888", links.BAD_HOST),
        ("ws://me@example.org", links.BAD_ENDPOINT),
        ("ws://me:word@example.org", links.BAD_ENDPOINT),
        ("ws://example.org@evil.example", links.BAD_ENDPOINT),
        ("ws://example.org/relay?x=1", links.BAD_ENDPOINT),
        ("ws://example.org/relay#x", links.BAD_ENDPOINT),
        ("ws://example.org:1:2", links.BAD_PORT),
        ("ws://example.org\\evil.example", links.BAD_HOST),
        ("ws://exa mple.org", links.BAD_HOST),
        ("ws://-example.org", links.BAD_HOST),
        ("ws://example..org", links.BAD_HOST),
        ("ws://" + "a" * 64 + ".org", links.BAD_HOST),
        ("ws://" + ".".join(["abcdefg"] * 32), links.BAD_HOST),
        ("ws://münchen.example", links.BAD_HOST),
        ("ws://ехаmple.org", links.BAD_HOST),
        ("ws://%65xample.org", links.BAD_HOST),
        ("ws://127.1", links.BAD_HOST),
        ("ws://2130706433", links.BAD_HOST),
        ("ws://0x7f000001", links.BAD_HOST),
        ("ws://127.0.0.0x1", links.BAD_HOST),
        ("ws://0177.0.0.1", links.BAD_HOST),
        ("ws://1.2.3.4.5", links.BAD_HOST),
        ("ws://256.1.1.1", links.BAD_HOST),
        ("ws://[::1%eth0]", links.BAD_HOST),
        ("ws://[::1%25eth0]", links.BAD_HOST),
        ("ws://[127.0.0.1]", links.BAD_HOST),
        ("ws://[]", links.BAD_HOST),
        ("ws://::1", links.BAD_HOST),
        ("ws://[::1", links.BAD_ENDPOINT),
        ("ws://example.org:0", links.BAD_PORT),
        ("ws://example.org:65536", links.BAD_PORT),
        ("ws://example.org:-1", links.BAD_PORT),
        ("ws://example.org:80a", links.BAD_PORT),
        ("ws://example.org:٨٠", links.BAD_PORT),
        ("ws://example.org:" + "9" * 400, links.BAD_PORT),
        ("ws://example.org/..", links.BAD_PATH),
        ("ws://example.org/a/../b", links.BAD_PATH),
        ("ws://example.org/a b", links.BAD_PATH),
        ("ws://example.org/ü", links.BAD_PATH),
        ("ws://example.org/%zz", links.BAD_PATH),
        ("ws://example.org/a\\b", links.BAD_PATH),
        ("ws://example.org/<script>", links.BAD_PATH),
        ("ws://example.org/" + "a" * LINK_BYTES, links.BAD_ENDPOINT),
        ("ws://exa\nmple.org", links.UNREADABLE),
        ("ws://example.org/\x00", links.UNREADABLE),
        ("ws://example.org\u202e/gro.elpmaxe", links.UNREADABLE),
        ("ws://example\u200b.org", links.UNREADABLE),
    ],
)
def test_an_endpoint_that_is_not_plainly_one_is_refused(endpoint: str, sentence: str) -> None:
    with pytest.raises(LinkRefused) as refused:
        Link.of(endpoint)
    assert refused.value.message == sentence
    if len(endpoint) < 500:
        with pytest.raises(LinkRefused):
            Link.parse(f"sfumato:?endpoint={quote(endpoint)}&password=x")


@pytest.mark.rule("D16")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", links.NOT_A_LINK),
        ("ws://example.org", links.NOT_A_LINK),
        ("http:?endpoint=ws://a", links.NOT_A_LINK),
        ("xsfumato:?endpoint=ws://a", links.NOT_A_LINK),
        ("sfumato:endpoint=ws://a", links.NOT_A_LINK),
        ("sfumato://host/?endpoint=ws://a", links.NOT_A_LINK),
        ("sfumato:////?endpoint=ws://a", links.NOT_A_LINK),
        ("sfumato:", links.NOT_A_LINK),
        ("sfumato:?", links.UNKNOWN_KEY),
        ("sfumato:?password=abc", links.NO_ENDPOINT),
        ("sfumato:?endpoint=&password=abc", links.NO_ENDPOINT),
        ("sfumato:?endpoint=ws://a&run=calc.exe", links.UNKNOWN_KEY),
        ("sfumato:?endpoint=ws://a&", links.UNKNOWN_KEY),
        ("sfumato:?Endpoint=ws://a", links.UNKNOWN_KEY),
        ("sfumato:?endpoint=ws://a;password=x", links.BAD_HOST),
        ("sfumato:?end%70oint=ws://a", links.UNKNOWN_KEY),
        ("sfumato:?endpoint=ws://a&endpoint=ws://b", links.TWICE),
        ("sfumato:?endpoint=ws://a&password=x&password=y", links.TWICE),
        ("sfumato:?endpoint=ws://a#password=x", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=%", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=%4", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=%ff", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=%0a", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=a%00b", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a%0d%0aHost:b", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&pass\tword=x", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a\x7f", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a\x85b", links.UNREADABLE),
        ("sfumato:?endpoint=ws://a&password=" + "x" * LINK_BYTES, links.TOO_LONG),
        ("sfumato:?endpoint=ws://a&password=" + "ü" * (LINK_BYTES // 2), links.TOO_LONG),
        ("sfumato:?endpoint=http://a", links.BAD_SCHEME),
        ("sfumato:?endpoint=sfumato:?endpoint=ws://a", links.BAD_SCHEME),
    ],
)
def test_a_link_that_is_not_plainly_one_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(LinkRefused) as refused:
        Link.parse(text)
    assert refused.value.message == sentence


@pytest.mark.rule("D16")
def test_a_link_of_2048_bytes_is_read_and_one_byte_more_is_not() -> None:
    start = "sfumato:?endpoint=ws://a&password="
    assert Link.parse(start + "x" * (LINK_BYTES - len(start))).secret is not None
    with pytest.raises(LinkRefused):
        Link.parse(start + "x" * (LINK_BYTES - len(start) + 1))


def test_links_as_systems_hand_them_over_are_read() -> None:
    for text in ("sfumato:?endpoint=ws://a:1", "sfumato:/?endpoint=ws://a:1", "sfumato://?endpoint=ws://a:1", "SFUMATO:?endpoint=ws%3A%2F%2Fa%3A1\n"):
        assert Link.parse(text).endpoint == "ws://a:1/relay"


def test_a_field_takes_links_and_endpoints() -> None:
    assert Link.read(" sfumato:?endpoint=ws://a:1&password=w ").secret == Secret("w")
    assert Link.read("ws://a:1") == Link("ws://a:1/relay")
    with pytest.raises(LinkRefused):
        Link.read("sfumato:nonsense")


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("localhost", True),
        ("studio.localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("localhost.example.org", False),
        ("[::ffff:10.0.0.1]", False),
        ("[fe80::1]", False),
    ],
)
def test_loopback_is_known_without_asking_the_network(host: str, is_loopback: bool) -> None:
    assert Link.of(f"ws://{host}").is_loopback is is_loopback


@given(st.text(min_size=1, max_size=100).filter(lambda text: not refusal(Secret(text), is_loopback=True)))
@settings(deadline=None)
def test_every_password_that_is_taken_survives_the_way_through_a_link(password: str) -> None:
    link = Link("wss://example.org:443/relay", Secret(password))
    assert Link.parse(link.text()) == link
    assert link.text().isascii()


def read(text: str) -> Link | str:
    """The link, or the sentence with which it is refused."""
    try:
        return Link.read(text)
    except LinkRefused as refused:
        return refused.message


@given(st.text())
@settings(deadline=None)
def test_whatever_is_pasted_is_read_or_refused_with_a_sentence_that_does_not_repeat_it(text: str) -> None:
    for prefix in ("", "sfumato:?endpoint=ws://a&password=", "ws://", "sfumato:?endpoint=ws://"):
        found = read(prefix + text)
        if isinstance(found, Link):
            assert Link.of(found.endpoint).endpoint == found.endpoint
        else:
            assert found in vars(links).values()


@pytest.mark.rule("N62", "D16")
def test_a_link_does_not_print_its_secret() -> None:
    link = Link.parse("sfumato:?endpoint=ws://a&password=swordfish")
    assert "swordfish" not in repr(link)
    assert "swordfish" not in f"{link}"
    assert "swordfish" not in link.endpoint
