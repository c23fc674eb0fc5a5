"""The numbers of a relay in one place: seconds, bytes, and how many of each."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.transport import channel, gate, outgoing, sessions


@dataclass(frozen=True)
class RelayLimits:
    """What a relay allows.

    Attributes:
        session_s: how long a lost client may be away before its jobs and results are let go of.
        sessions_per_identity: clients that one secret may have at once, those that are away included.
        connections: authenticated connections of all clients.
        places, places_per_address: unauthenticated connections, of all and of one address.
        handshake_s: for everything until the client has proved who it is, and again until it said that it enters.
        longest_delay_s: for an address after failures.
        ping_s, silence_s: between two heartbeats; without an answer until the connection ends.
        backlog_bytes: that may wait for one connection.
        command_bytes, event_bytes: of one document from and to a client.
    """

    session_s: float = sessions.SESSION_S
    sessions_per_identity: int = sessions.SESSIONS_PER_IDENTITY
    connections: int = 256
    places: int = gate.PLACES
    places_per_address: int = gate.PLACES_PER_ADDRESS
    handshake_s: float = gate.HANDSHAKE_S
    longest_delay_s: float = gate.LONGEST_DELAY_S
    ping_s: float = 1.0
    silence_s: float = 30.0
    backlog_bytes: int = outgoing.BACKLOG_BYTES
    command_bytes: int = channel.COMMAND_BYTES
    event_bytes: int = channel.EVENT_BYTES

    def told(self) -> dict[str, float | int]:
        """What clients are told in `Welcome` and `Hello`."""
        return {"session_s": self.session_s, "silence_s": self.silence_s, "command_bytes": self.command_bytes, "event_bytes": self.event_bytes}
