"""What sharing begins with, and which secrets are good enough for which way in."""

from __future__ import annotations

import pytest

from sfumato.protocol.secret import Secret
from sfumato.transport.hosting import HOST_DEFAULTS, HostDefaults, endpoint_of, is_exposed, secret_refusal
from sfumato.transport.keys import make_secret
from sfumato.transport.link import DEFAULT_PORTS, Link


@pytest.mark.rule("D165", "X29")
def test_a_machine_is_shared_with_itself_alone_and_read_only_until_somebody_says_otherwise() -> None:
    assert HostDefaults("127.0.0.1", 28888, True, False, "") == HOST_DEFAULTS
    assert DEFAULT_PORTS["ws"] == HOST_DEFAULTS.port
    assert not is_exposed(HOST_DEFAULTS.address, HOST_DEFAULTS.tunnel)


@pytest.mark.rule("N12", "X29", "D165", "R121")
@pytest.mark.parametrize(
    ("address", "tunnel", "public"),
    [("0.0.0.0", "", ""), ("::", "", ""), ("192.168.1.2", "", ""), ("127.0.0.1", "cloudflared", ""), ("127.0.0.1", "", "wss://example.org/relay")],
)
def test_whoever_lets_others_in_needs_a_secret_that_cannot_be_guessed(address: str, tunnel: str, public: str) -> None:
    assert is_exposed(address, tunnel, public)
    for weak in ("", "short", "elevenchars", "password1234", "aaaaaaaaaaaaaaaa"):
        assert secret_refusal(Secret(weak), address, tunnel, public), weak
    for good in (make_secret(), Secret("seven wet owls at noon")):
        assert secret_refusal(good, address, tunnel, public) == ""


@pytest.mark.rule("X29", "R101")
def test_on_this_machine_alone_a_short_password_will_do_but_none_will_not() -> None:
    for address in ("127.0.0.1", "::1", "localhost"):
        assert secret_refusal(Secret("short"), address) == ""
        assert secret_refusal(Secret(""), address) != ""


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("127.0.0.1", "ws://127.0.0.1:5/relay"),
        ("localhost", "ws://localhost:5/relay"),
        ("::1", "ws://[::1]:5/relay"),
        ("192.168.1.2", "ws://192.168.1.2:5/relay"),
        ("0.0.0.0", "ws://127.0.0.1:5/relay"),  # tests have no other network
    ],
)
def test_the_endpoint_for_others_is_one_that_a_link_can_carry(address: str, endpoint: str) -> None:
    assert endpoint_of(address, 5) == endpoint
    assert Link.of(endpoint).endpoint == endpoint
