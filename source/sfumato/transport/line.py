"""A line to a server while it lasts: what is sent, what is heard, and whether anybody is still there.

It belongs to one event loop. `run` ends when the line does, and says why by what it raises.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sfumato.protocol.errors import LineLost
from sfumato.transport.attached import InTurn
from sfumato.transport.batches import Pace, send_all
from sfumato.transport.channel import TOKEN_BYTES, Channel, ChannelError, Closed, Document, Ping, Pong, Reason
from sfumato.transport.dialing import hang_up
from sfumato.transport.line_timing import Timing
from sfumato.transport.outbox import Make, Outbox

log = logging.getLogger(__name__)

PINGS_MEANT = 10
PINGS_KEPT = 64


class Goodbye(Exception):
    """The server ended the connection on purpose; `reason` is its number."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"goodbye {reason}")
        self.reason = reason


class Line:
    """One connection after its handshake.

    Args:
        server: "host:port", for sentences.
        on_pulse: called at every ping: whether the line is silent for too long, and the mean latency in seconds.
    """

    def __init__(
        self,
        server: str,
        socket: ClientConnection,
        channel: Channel,
        timing: Timing,
        on_pulse: Callable[[bool, float | None], None] = lambda is_dropping, latency_s: None,
    ) -> None:
        self.server = server
        self._socket = socket
        self._channel = channel
        self._outbox = Outbox(channel)
        self._timing = timing
        self._on_pulse = on_pulse
        self._wake = asyncio.Event()
        # Whether the server has let this client in; its owner says so.
        self.is_welcome = False
        self.inputs = InTurn()
        self._began_at = self._heard_at = timing.monotonic()
        self._pings: dict[bytes, float] = {}
        self._latencies: deque[float] = deque(maxlen=PINGS_MEANT)

    @property
    def latency_s(self) -> float | None:
        """The mean of the last ten answers."""
        return sum(self._latencies) / len(self._latencies) if self._latencies else None

    def put(self, make: bytes | Make, size_hint: int = 0, *, order: str = "") -> None:
        """Have a document sent, as `Outbox.put`."""
        self._outbox.put(make, size_hint, order=order)
        self._wake.set()

    async def run(self, on_document: Callable[[bytes], None]) -> None:
        """Send and hear until the line ends.

        Raises:
            LineLost: it broke, or was silent for too long.
            Goodbye: the server ended it.
            whatever `on_document` raises.
        """
        await self._all(self._read(on_document), self._write(), self._beat())

    async def say_goodbye(self) -> None:
        """Tell the server that no more will come, if that takes no time, and close."""
        try:
            async with asyncio.timeout(self._timing.goodbye_s):
                if not self._channel.is_over:
                    await self._socket.send(self._channel.close(Reason.DONE))
                await self._socket.close()
        except (TimeoutError, ConnectionClosed, ChannelError, OSError) as error:
            log.debug("%s: no goodbye: %s", self.server, error)
        await hang_up(self._socket)

    async def break_off(self) -> None:
        """End the connection without a word: for the server it was lost."""
        await hang_up(self._socket)

    async def _all(self, *works: Coroutine[Any, Any, None]) -> None:
        """Run everything until the first fails, and raise what it raised."""
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, on_document: Callable[[bytes], None]) -> None:
        while True:
            try:
                message = await self._socket.recv()
            except (ConnectionClosed, OSError) as error:
                raise LineLost(self.server, detail=str(error)) from error
            self._heard_at = self._timing.monotonic()
            try:
                heard = self._channel.receive(message)
            except ChannelError as error:
                # Most likely a line that damaged it. Nothing of it was believed, and a new line begins anew.
                raise LineLost(self.server, "a message arrived damaged", detail=str(error)) from error
            if isinstance(heard, Document):
                on_document(heard.data)
            elif isinstance(heard, Ping):
                self._outbox.pong(heard.token)
                self._wake.set()
            elif isinstance(heard, Pong):
                self._answered(heard.token)
            elif isinstance(heard, Closed):
                raise Goodbye(heard.reason)

    async def _write(self) -> None:
        pace, loop = Pace(), asyncio.get_running_loop()
        while True:
            try:
                messages = self._outbox.batch(pace.batch_bytes, lambda error: log.error("not sent: %s", error))
            except ChannelError as error:
                raise LineLost(self.server, detail=str(error)) from error
            if not messages:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                began = loop.time()
                await send_all(self._socket, messages)
                pace.took(loop.time() - began)
            # WORKAROUND(CPython 3.11): AttributeError is of a transport that asyncio has let go of and websockets aborts once more; it has no loop any more.
            except (ConnectionClosed, OSError, AttributeError) as error:
                raise LineLost(self.server, detail=str(error)) from error

    async def _beat(self) -> None:
        timing = self._timing
        last, last_wall = timing.monotonic(), timing.wall()
        while True:
            await asyncio.sleep(timing.ping_s)
            now, wall = timing.monotonic(), timing.wall()
            # Of the two clocks one stands still while the machine sleeps, on some systems neither does.
            if max(now - last, wall - last_wall) > timing.ping_s + timing.asleep_s:
                raise LineLost(self.server, "this machine was asleep")
            last, last_wall = now, wall
            silent_s = now - self._heard_at
            if silent_s > timing.lost_s:
                raise LineLost(self.server, f"nothing was heard for {timing.lost_s:.0f} s")
            if not self.is_welcome and now - self._began_at > timing.handshake_s:
                raise LineLost(self.server, "it did not answer")
            self._on_pulse(silent_s > timing.dropping_s, self.latency_s)
            self._ping()

    def _ping(self) -> None:
        token = secrets.token_bytes(TOKEN_BYTES)
        self._pings[token] = self._timing.monotonic()
        if len(self._pings) > PINGS_KEPT:
            del self._pings[next(iter(self._pings))]
        self._outbox.ping(token)
        self._wake.set()

    def _answered(self, token: bytes) -> None:
        asked = self._pings.pop(token, None)
        if asked is not None:
            self._latencies.append(self._timing.monotonic() - asked)
