"""The other side of the remote benchmarks, a process of its own as in life: a relay and a bare websocket; it ends when its input does.

python benchmarks/remote_server.py starter    before the engine with the starter model
python benchmarks/remote_server.py counting   before the kinds of the tests, which cost nothing themselves
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring import ROOT

from sfumato.jobs.places import Places
from sfumato.protocol.messages import Hello
from sfumato.protocol.secret import Secret
from sfumato.transport.channel import PLAIN_BYTES
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.limits import RelayLimits
from sfumato.transport.link import Link
from sfumato.transport.local import LocalInference
from sfumato.transport.noise import CipherState
from sfumato.transport.relay import Relay

sys.path.insert(0, str(ROOT))
from tests.support.served import Served

SALT = bytes(16)
KEY = bytes(32)
LIMITS = RelayLimits(places_per_address=64, sessions_per_identity=64)


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, the ports of its relay and of its bare websocket, and the secret of its owner."""

    pid: int
    port: int
    bare_port: int
    secret: Secret

    def link(self, port: int | None = None) -> Link:
        return Link.of(f"ws://127.0.0.1:{port or self.port}", self.secret)


@contextmanager
def server(kind: str) -> Iterator[Server]:
    """Start one of either kind; it is ready for jobs."""
    command = [sys.executable, str(Path(__file__).resolve()), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None, "they were asked for"
        told = json.loads(process.stdout.readline())
        try:
            yield Server(process.pid, told["port"], told["bare_port"], Secret(told["secret"]))
        finally:
            process.stdin.close()
            process.wait()


@contextmanager
def _starter(folder: Path) -> Iterator[tuple[int, Secret]]:
    """The engine as `sfumato serve` has it, with room for uploads."""
    secret = make_secret()
    identity = Identity("me", "owner", psk_of(secret, SALT, ScryptParameters()), "owner-1")
    engine = LocalInference(Places(folder, folder / "outputs", (folder / "models", ROOT / "models")))
    ready = threading.Event()
    engine.open(lambda event: ready.set() if isinstance(event, Hello) else None)
    ready.wait()
    relay = Relay(engine, lambda: [identity], salt=SALT, port=0)
    relay.open()
    try:
        yield relay.port, secret
    finally:
        relay.close()
        engine.close()


@contextmanager
def _counting(folder: Path) -> Iterator[tuple[int, Secret]]:
    with Served(Places(folder, folder / "outputs", (folder / "models",)), limits=LIMITS) as served:
        yield served.port, served.secret


@contextmanager
def _bare_websocket() -> Iterator[int]:
    """A websocket that answers every number with a message of so many bytes, a negative one in sealed messages of 64 KiB; yields its port."""
    from websockets.asyncio.server import ServerConnection, serve

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def answer(connection: ServerConnection) -> None:
        sealing = CipherState(KEY)
        async for message in connection:
            size = int(message)
            if size >= 0:
                await connection.send(bytes(size))
                continue
            document = memoryview(bytes(-size))
            for start in range(0, -size, PLAIN_BYTES):
                await connection.send(sealing.encrypt(document[start : start + PLAIN_BYTES]))

    async def listen() -> int:
        listening = await serve(answer, "127.0.0.1", 0, compression=None, max_size=None)
        port: int = next(iter(listening.sockets)).getsockname()[1]
        return port

    try:
        yield asyncio.run_coroutine_threadsafe(listen(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def main(kind: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "models").mkdir()
        with {"starter": _starter, "counting": _counting}[kind](folder) as (port, secret), _bare_websocket() as bare_port:
            print(json.dumps({"port": port, "bare_port": bare_port, "secret": secret.reveal()}), flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
