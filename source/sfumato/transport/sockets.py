"""What a connection of the relay needs of whatever carries its websocket; the relay's own server and any other web server fit behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

# Every refusal looks like this, and no other close of ours says more.
POLICY_VIOLATION = 1008
GOING_AWAY = 1001
NORMAL = 1000


class SocketEnded(Exception):
    """The other side is gone, or said what no side of this relay says (a text, a message that is too long)."""


class Socket(Protocol):
    """One websocket, upgraded. Used from one event loop; at most one `receive` and one `send` at a time."""

    @property
    def address(self) -> str:
        """Whose connection it is, for people: behind a declared proxy, who stands behind the proxy."""
        ...

    async def receive(self) -> bytes:
        """The next binary message of at most 65535 bytes; raises `SocketEnded`."""
        ...

    async def send(self, message: bytes) -> None:
        """Send one binary message; returns when the line took it. Raises `SocketEnded`."""
        ...

    async def send_all(self, messages: Sequence[bytes]) -> None:
        """As `send`, several at once and in this order."""
        ...

    async def close(self, code: int = POLICY_VIOLATION) -> None:
        """End the connection with `code` and an empty reason. May be called twice."""
        ...

    def abort(self) -> None:
        """End the connection at once and without a word."""
        ...
