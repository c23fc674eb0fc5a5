"""How the engine is to be shared, read from the settings before anything is opened; no socket is touched."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from sfumato.config import Settings
from sfumato.desktop.language import tr
from sfumato.jobs.clients import Role
from sfumato.protocol.secret import Secret
from sfumato.transport.tunnel import OFF, command_of

OWN_COMMAND = "command"
# What a start of hosting reads; a change of one of them acts at the next.
SETTINGS = ("host_address", "host_port", "host_read_only", "host_tunnel", "host_tunnel_command")


@dataclass(frozen=True)
class Plan:
    """One way of sharing.

    Attributes:
        address: to listen on.
        tunnel: the command of a helper, empty for none.
        secret: what opens it; empty has one made.
    """

    address: str
    port: int
    is_read_only: bool
    tunnel: tuple[str, ...] = ()
    secret: Secret = field(default_factory=lambda: Secret(""))

    @property
    def role(self) -> Role:
        return "guest" if self.is_read_only else "owner"


class NotShared(ValueError):
    """These settings cannot be hosted with; the message is a sentence."""


def read(settings: Settings, secret: Secret) -> Plan:
    """The plan that the settings make; `secret` is the person's own, or an empty one.

    Raises:
        NotShared: the address is none.
        Invalid: the tunnel's command is none.
    """
    address = address_of(settings)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise NotShared(
            tr("'{address}' is no address; write one of this computer's, such as 127.0.0.1, or 0.0.0.0 for all of them.", address=address)
        ) from None
    chosen = settings["host_tunnel"]
    command = settings["host_tunnel_command"].strip() if chosen == OWN_COMMAND else chosen
    if chosen == OWN_COMMAND and not command:
        raise NotShared(tr("The tunnel's own command is empty; write it, or switch the tunnel off."))
    tunnel = tuple(command_of(command, address, settings["host_port"])) if command != OFF else ()
    return Plan(address, settings["host_port"], settings["host_read_only"], tunnel, secret)


def address_of(settings: Settings) -> str:
    """The address to listen on, as it was typed."""
    typed = settings["host_address"].strip().strip("[]")
    return "127.0.0.1" if typed in ("", "localhost") else typed
