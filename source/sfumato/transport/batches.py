"""Several websocket messages sent at once: `websockets` itself sends one at a time, and goes through its loop and the system for each."""

from __future__ import annotations

from collections.abc import Sequence

from websockets.asyncio.connection import Connection

FEWEST_BYTES = 64 << 10
MOST_BYTES = 256 << 10
QUICK_S = 0.01
SLOW_S = 0.05


class Pace:
    """How much to send at once: much over a quick line, and over a slow one so little that a ping does not wait long behind it."""

    def __init__(self) -> None:
        self.batch_bytes = FEWEST_BYTES

    def took(self, seconds: float) -> None:
        """The line took the last batch after so long."""
        if seconds < QUICK_S:
            self.batch_bytes = min(2 * self.batch_bytes, MOST_BYTES)
        elif seconds > SLOW_S:
            self.batch_bytes = FEWEST_BYTES


async def send_all(connection: Connection, messages: Sequence[bytes]) -> None:
    """Send binary messages in their order; returns when the line took them. Raises what `Connection.send` raises."""
    async with connection.send_context():
        for message in messages:
            connection.protocol.send_binary(message)
        connection.transport.write(b"".join(connection.protocol.data_to_send()))
