"""What the secure channel carries: documents of an upload, sealed and opened by one thread, and over a websocket to another process.

python benchmarks/channel.py --listen    the other process: prints its port, hears one client, ends
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from measuring import Row

from sfumato.protocol.codec import encode
from sfumato.protocol.messages import Feed
from sfumato.transport.channel import MESSAGE_BYTES, Document
from sfumato.transport.greeting import Greeting, Knock, answer
from sfumato.transport.keys import Identity
from sfumato.transport.outbox import Outbox

GOAL_BYTES_S = 150e6
FEED_BYTES = 1 << 20
FEEDS = 256
ROUNDS = 5
PSK = bytes(32)
IDENTITIES = [Identity("benchmark", "owner", PSK, "benchmark")]


def rows() -> list[Row]:
    return [
        _row("an upload sealed and opened by one thread / 150 MB a second", max(_in_one_thread() for _ in range(ROUNDS))),
        _row("an upload over the channel and a websocket, two processes / 150 MB a second", max(_between_processes() for _ in range(ROUNDS))),
    ]


def _row(name: str, bytes_s: float) -> Row:
    """The best round: what else the machine does takes from it and never adds."""
    return Row(name, f"{bytes_s / 1e6:.0f} MB/s", f"{GOAL_BYTES_S / 1e6:.0f} MB/s", GOAL_BYTES_S / bytes_s, 1.0)


def _in_one_thread() -> float:
    greeting = Greeting(bytes(16)).to_bytes()
    knock = Knock(PSK, greeting)
    found = answer(knock.message, greeting, IDENTITIES)
    assert found is not None, "the psk is known"
    outbox = Outbox(knock.enter(found.reply))
    document = encode(Feed(job="upload", data=bytes(FEED_BYTES)))
    started = time.perf_counter()
    for _ in range(FEEDS):
        outbox.put(document)
        while (message := outbox.next()) is not None:
            found.channel.receive(message)
    return FEEDS * FEED_BYTES / (time.perf_counter() - started)


def _between_processes() -> float:
    command = [sys.executable, str(Path(__file__).resolve()), "--listen"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None, "it was asked for"
        return asyncio.run(_upload(int(listening.stdout.readline())))


async def _upload(port: int) -> float:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=MESSAGE_BYTES, proxy=None) as socket:
        greeting = await socket.recv()
        assert isinstance(greeting, bytes), "a relay speaks in bytes"
        knock = Knock(PSK, greeting)
        await socket.send(knock.message)
        outbox = Outbox(knock.enter(await socket.recv()))
        document = encode(Feed(job="upload", data=bytes(FEED_BYTES)))
        started = time.perf_counter()
        for _ in range(FEEDS):
            outbox.put(document)
            while (message := outbox.next()) is not None:
                await socket.send(message)
        await socket.recv()
        return FEEDS * FEED_BYTES / (time.perf_counter() - started)


async def _listen() -> None:
    from websockets.asyncio.server import ServerConnection, serve

    done = asyncio.Event()

    async def hear(socket: ServerConnection) -> None:
        greeting = Greeting(bytes(16)).to_bytes()
        await socket.send(greeting)
        found = answer(await socket.recv(), greeting, IDENTITIES)
        assert found is not None, "the psk is known"
        await socket.send(found.reply)
        heard = 0
        while heard < FEEDS:
            heard += isinstance(found.channel.receive(await socket.recv()), Document)
        await socket.send(found.channel.pong(bytes(8)))
        await socket.wait_closed()
        done.set()

    async with serve(hear, "127.0.0.1", 0, compression=None, max_size=MESSAGE_BYTES) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await done.wait()


if __name__ == "__main__":
    if "--listen" in sys.argv:
        asyncio.run(_listen())
