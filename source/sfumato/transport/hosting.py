"""What sharing a machine begins with and which address others are given, the same in the window and on the command line."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from sfumato.protocol.secret import Secret
from sfumato.transport import tunnel
from sfumato.transport.link import DEFAULT_PATH, is_loopback_host


@dataclass(frozen=True)
class HostDefaults:
    """What holds where the user says nothing else.

    Attributes:
        address, port: where the relay listens.
        is_read_only: others come as guests, who may write nothing.
        is_monitored: the owner keeps the results of guests.
        tunnel: what gives the relay a public address, `tunnel.OFF` for none.
    """

    address: str = "127.0.0.1"
    port: int = 28888
    is_read_only: bool = True
    is_monitored: bool = False
    tunnel: str = tunnel.OFF


HOST_DEFAULTS = HostDefaults()


def is_exposed(address: str, tunnelled: str = tunnel.OFF, public: str = "") -> bool:
    """Whether anybody but this very machine could reach a relay that listens at `address`, has a tunnel, or a public endpoint of a proxy."""
    return not is_loopback_host(address) or bool(tunnelled.strip()) or bool(public.strip())


def secret_refusal(secret: Secret, address: str, tunnelled: str = tunnel.OFF, public: str = "") -> str:
    """Why the machine may not be shared under this secret, one sentence, or ""."""
    from sfumato.transport.keys import refusal  # late: every command reads the defaults above, and few need cryptography

    return refusal(secret, is_loopback=not is_exposed(address, tunnelled, public))


def endpoint_of(address: str, port: int) -> str:
    """The endpoint that a client on this machine or in its network connects to."""
    host = _host_for_others(address)
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}{DEFAULT_PATH}"


def _host_for_others(address: str) -> str:
    """Where a relay that listens at `address` is found; for one that listens everywhere, this machine's address in its network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not found.is_unspecified:
        return str(found)
    # Nothing is sent: the system only chooses the interface it would use for an address of the documentation's.
    family, probe, fallback = (socket.AF_INET6, "2001:db8::1", "::1") if found.version == 6 else (socket.AF_INET, "192.0.2.1", "127.0.0.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((probe, 9))
            return str(asked.getsockname()[0])
    except OSError:
        return fallback
