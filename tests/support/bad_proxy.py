"""A bad line, on purpose: a TCP proxy that delays, cuts into tiny pieces, pauses, breaks off, falls silent or refuses.

It runs on a thread of its own and may be told to behave differently at any time. `Manners` say how each next connection is treated.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Manners:
    """How one connection is treated; a number that is None leaves the line alone.

    Attributes:
        delay_s: every piece waits so long, in each direction.
        piece_bytes: what came is handed on in pieces of at most so many bytes.
        pause_every_bytes, pause_s: after so many bytes the line rests.
        cut_down_bytes, cut_up_bytes: after exactly so many bytes to the client, or from it, the connection breaks.
        cut_down_messages: it breaks behind the n-th websocket message to the client (0: behind the answer to the upgrade).
        is_reset: it breaks with a reset instead of an end.
    """

    delay_s: float = 0.0
    piece_bytes: int | None = None
    pause_every_bytes: int | None = None
    pause_s: float = 0.0
    cut_down_bytes: int | None = None
    cut_up_bytes: int | None = None
    cut_down_messages: int | None = None
    is_reset: bool = False


GOOD = Manners()
# Slow, in crumbs and with rests: what arrives is right, but never at once.
CRUMBS = Manners(delay_s=0.001, piece_bytes=1399, pause_every_bytes=300_000, pause_s=0.02)
MannersOf = Callable[[int], Manners]


class _Messages:
    """Counts the websocket messages of a server in a stream of bytes, and finds where one ends."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._is_upgraded = False
        self._left = 0
        self.count = 0

    def end_of(self, data: bytes, number: int) -> int | None:
        """How many bytes of `data` belong to the messages up to `number`; None if all do and more may come."""
        for at, byte in enumerate(data):
            if not self._is_upgraded:
                self._head.append(byte)
                if self._head.endswith(b"\r\n\r\n"):
                    self._is_upgraded = True
                    self._head.clear()
            elif self._left:
                self._left -= 1
                self.count += not self._left
            else:
                self._begin(byte)
            if self._is_upgraded and self.count >= number and not self._left and not self._head:
                return at + 1
        return None

    def _begin(self, byte: int) -> None:
        self._head.append(byte)
        if len(self._head) < 2:
            return
        short = self._head[1] & 127
        size = {126: 4, 127: 10}.get(short, 2)
        if len(self._head) == size:
            self._left = short if size == 2 else struct.unpack(">H" if size == 4 else ">Q", self._head[2:])[0]
            self._head.clear()
            self.count += not self._left


class BadProxy:
    """Stands before a port of this machine.

    Args:
        port: where the real server listens; may be changed while it runs (a server that moved).
        manners: of all connections, or of the n-th one.
    """

    def __init__(self, port: int, manners: Manners | MannersOf = GOOD) -> None:
        self.target = port
        self.manners: MannersOf = manners if callable(manners) else lambda _: manners
        self.connections = 0
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_refusing = False
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bad proxy", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._call(self._flowing.set)

    def cut(self, reset: bool = True) -> int:
        """Break every connection now; how many there were."""

        def now() -> int:
            pairs = list(self._open)
            for pair in pairs:
                _break(pair, reset)
            return len(pairs)

        return self._call(now)

    def refuse(self) -> None:
        """Break every connection that is opened from now on, until `accept`."""
        self._is_refusing = True

    def accept(self) -> None:
        """Let connections through again."""
        self._is_refusing = False

    def silence(self) -> None:
        """Let every connection stand, and hand nothing on: a line of which neither side hears that it is dead."""
        self._call(self._flowing.clear)

    def speak(self) -> None:
        """End the silence; what came meanwhile is handed on."""
        self._call(self._flowing.set)

    def close(self) -> None:
        """End everything."""
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> BadProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _call(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return self._do(call())

    async def _shut(self) -> None:
        self._server.close()
        for pair in list(self._open):
            _break(pair, False)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, down_reader: asyncio.StreamReader, down_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_refusing:
            down_writer.transport.abort()
            return
        number, self.connections = self.connections, self.connections + 1
        manners = self.manners(number)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            down_writer.transport.abort()
            return
        pair = (down_writer, up_writer)
        self._open.add(pair)
        down = asyncio.create_task(self._pass(up_reader, down_writer, manners, manners.cut_down_bytes, manners.cut_down_messages))
        up = asyncio.create_task(self._pass(down_reader, up_writer, manners, manners.cut_up_bytes, None))
        with contextlib.suppress(asyncio.CancelledError):  # asyncio's streams would tell of a cancelled task
            await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
        _break(pair, manners.is_reset)
        self._open.discard(pair)
        for half in (down, up):
            half.cancel()
        await asyncio.gather(down, up, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, manners: Manners, budget: int | None, messages: int | None) -> None:
        """Hand on one direction until it ends or has to be cut."""
        counter, passed = _Messages(), 0
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                await self._flowing.wait()
                is_last = budget is not None and len(data) >= budget
                if budget is not None:
                    data = data[:budget]
                    budget -= len(data)
                if messages is not None and (end := counter.end_of(data, messages)) is not None:
                    data, is_last = data[:end], True
                passed = await self._hand_on(data, writer, manners, passed)
                if is_last:
                    await _flushed(writer)
                    return

    async def _hand_on(self, data: bytes, writer: asyncio.StreamWriter, manners: Manners, passed: int) -> int:
        size = manners.piece_bytes or len(data) or 1
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            if manners.delay_s:
                await asyncio.sleep(manners.delay_s)
            every = manners.pause_every_bytes
            if every and passed // every != (passed + len(piece)) // every:
                await asyncio.sleep(manners.pause_s)
            passed += len(piece)
            writer.write(piece)
            await writer.drain()
        return passed


async def _flushed(writer: asyncio.StreamWriter) -> None:
    """Return when the system has taken every byte."""
    writer.transport.set_write_buffer_limits(0)
    await writer.drain()


def _break(pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter], reset: bool) -> None:
    for writer in pair:
        sock = writer.get_extra_info("socket")
        if reset and sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reset:
            writer.transport.abort()
        else:
            writer.close()


def at_random(seed: int, most_bytes: int, share: float = 1.0, times: int | None = None) -> MannersOf:
    """Manners that break `share` of the connections somewhere in their first `most_bytes`, in either direction; after `times` connections none."""

    def of(number: int) -> Manners:
        chance = random.Random(f"{seed}-{number}")
        if chance.random() >= share or (times is not None and number >= times):
            return GOOD
        where = chance.randrange(most_bytes)
        is_reset = chance.random() < 0.5
        if chance.random() < 0.7:
            return Manners(cut_down_bytes=where, is_reset=is_reset)
        return Manners(cut_up_bytes=where // 50, is_reset=is_reset)

    return of
