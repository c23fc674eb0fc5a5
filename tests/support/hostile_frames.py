"""Frames of attackers, at random, against a live relay: before the handshake, and inside a channel of somebody who has a secret."""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Callable
from contextlib import suppress

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.support.relaying import PATIENCE_S, RawClient

UPGRADE = (
    b"GET /relay HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def plain_line(port: int, source: str = "127.0.0.1", sent: bytes = UPGRADE) -> socket.socket:
    """A TCP connection that says `sent` and then what the test wants."""
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))
    line.sendall(sent)
    return line


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


class Thrower:
    """Throws frames at the relay behind `port`; three of four connections are strangers', one has the secret of `psk`."""

    def __init__(self, port: int, psk: bytes, seed: int) -> None:
        self.seed = seed
        self._port = port
        self._psk = psk
        self._dice = random.Random(seed)
        self._connections = 0
        self._thrown = 0

    def throw(self, count: int, at_times: Callable[[int], None] = lambda thrown: None) -> None:
        """Throw at least so many; `at_times` is called after every hundredth connection."""
        until = self._thrown + count
        while self._thrown < until:
            self._connections += 1
            self._thrown += self._at_the_door() if self._connections % 4 else self._through_the_channel()
            if self._connections % 100 == 0:
                at_times(self._thrown)

    def _at_the_door(self) -> int:
        """Up to twenty frames before authentication; how many were sent."""
        dice = self._dice
        make = dice.choice([_malformed_frame, _random_bytes, _random_message])
        sent = 0
        line = plain_line(self._port, f"127.{10 + self._connections % 100}.{dice.randrange(1, 250)}.1")
        try:
            with suppress(OSError):
                for _ in range(20):
                    line.sendall(make(dice))
                    sent += 1
                line.shutdown(socket.SHUT_WR)
                select.select([line], [], [], 5)
        finally:
            line.close()
        return sent

    def _through_the_channel(self) -> int:
        """Sealed messages of somebody who has a secret; how many were sent."""
        dice = self._dice
        sent = 0
        with RawClient(self._port, self._psk, source=f"127.120.{dice.randrange(1, 250)}.1") as client:
            client.enter()
            assert client.channel is not None
            with suppress(ConnectionClosed, OSError):
                for _ in range(20):
                    kind = dice.randrange(6)
                    data = dice.randbytes(dice.randrange(200))
                    client.line.send(client.channel._seal(bytes((dice.choice((0, 1, 2, 3, 5, 6, 77)),)) + data) if kind else data)
                    sent += 1
        return sent


def _malformed_frame(dice: random.Random) -> bytes:
    opcode = dice.choice([Opcode.CONT, Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CLOSE])
    size = dice.randrange(126) if opcode.value >= 8 else dice.choice([0, 1, 47, 48, 49, 64, 65, 1000, 70_000])
    return frame(opcode, dice.randbytes(size), fin=opcode.value >= 8 or dice.random() < 0.5)


def _random_bytes(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(1, 300))


def _random_message(dice: random.Random) -> bytes:
    return frame(Opcode.BINARY, dice.randbytes(48))
