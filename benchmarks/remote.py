"""What a relay costs: a job through it against the same engine directly, a picture and an upload against bare websockets, and a crowd over breaking lines."""

from __future__ import annotations

import asyncio
import json
import queue
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from measuring import ROOT, Row, compare, measure, shown

from sfumato.jobs.places import Places
from sfumato.protocol.messages import ENDINGS, Artifact, Command, Event, Failed, Hello, JobEvent, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.endpoint import Endpoint
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.limits import RelayLimits
from sfumato.transport.link import Link
from sfumato.transport.local import LocalInference
from sfumato.transport.relay import Relay
from sfumato.transport.remote import RemoteInference
from sfumato.transport.uploading import FileUpload

sys.path.insert(0, str(ROOT))
from tests.support.crowd import run_crowd
from tests.support.served import Served

_NUMBERS = count()
PICTURE_BYTES = 4_000_000
UPLOAD_BYTES = 1 << 30
# N54: so many bytes a second, at least.
UPLOAD_GOAL = 150e6
SALT = bytes(16)


class Client:
    """An endpoint and what is heard from it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.upload: FileUpload | None = None

    def hear(self, event: Event) -> None:
        if self.upload is not None:
            self.upload.hear(event)
        self.heard.put(event)

    def open(self) -> None:
        self.endpoint.open(self.hear)
        while not isinstance(self.heard.get(), Hello):
            continue

    def send(self, command: Command) -> None:
        self.endpoint.send(command)

    def seconds(self, kind: str, params: dict[str, object], until: tuple[type[Event], ...] = ENDINGS) -> float:
        """From the submission of a job to the first event of `until`."""
        job = f"benchmark-{next(_NUMBERS)}"
        started, found = time.perf_counter(), 0.0
        self.endpoint.send(Submit(job=job, kind=kind, params=params))
        while True:
            event = self.heard.get()
            if not isinstance(event, JobEvent) or event.job != job:
                continue
            if isinstance(event, Failed):
                raise SystemExit(event.message)
            if isinstance(event, until):
                found = found or time.perf_counter() - started
            if isinstance(event, ENDINGS):
                return found


@contextmanager
def starter() -> Iterator[tuple[Client, Client]]:
    """The same engine with the starter model, directly and through a relay."""
    secret = make_secret()
    identity = Identity("me", "owner", psk_of(secret, SALT, ScryptParameters()), "owner-1")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "models").mkdir()
        engine = LocalInference(Places(folder, folder / "outputs", (folder / "models", ROOT / "models")))
        direct = Client(engine)
        direct.open()
        relay = Relay(engine, lambda: [identity], salt=SALT, port=0)
        relay.open()
        through = Client(RemoteInference(Link.of(f"ws://127.0.0.1:{relay.port}", secret)))
        through.open()
        try:
            yield direct, through
        finally:
            through.endpoint.close()
            relay.close()
            engine.close()


def _upload_row(client: Client) -> Row:
    """The pace of the bytes on their way: reading for the checksum before, and checking afterwards, are not in it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "large.safetensors"
        header = json.dumps({"weight": {"dtype": "U8", "shape": [UPLOAD_BYTES], "data_offsets": [0, UPLOAD_BYTES]}}).encode()
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + UPLOAD_BYTES)
        moved: list[tuple[float, int]] = []
        client.upload = FileUpload(
            client.send,
            path,
            "checkpoints",
            on_news=lambda news: moved.append((time.perf_counter(), news.done)) if news.state == "moving" and news.done else None,
        )
        client.upload.start()
        client.upload.join()
        if client.upload.news.state != "finished":
            raise SystemExit(client.upload.news.message)
        (began, first), (ended, last) = moved[0], moved[-1]
        client.upload = None
    pace = (last - first) / max(ended - began, 1e-9)
    return Row("1 GiB upload: 150 MB/s / the pace of its bytes through the channel", f"{pace / 1e6:.0f} MB/s", "150 MB/s", UPLOAD_GOAL / pace, 1.0)


@contextmanager
def _bare_websocket(size_bytes: int) -> Iterator[queue.SimpleQueue[float]]:
    """A websocket that answers every message with one of `size_bytes`, asked over and over; yields a queue of the seconds that takes."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve

    answer = bytes(size_bytes)
    spent: queue.SimpleQueue[float] = queue.SimpleQueue()
    wanted: asyncio.Queue[bool] = asyncio.Queue()
    loop = asyncio.new_event_loop()

    async def handle(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(answer)

    async def ask() -> None:
        async with (
            serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server,
            connect(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", compression=None, max_size=None, proxy=None) as connection,
        ):
            while await wanted.get():
                started = time.perf_counter()
                await connection.send(b"more")
                await connection.recv()
                spent.put(time.perf_counter() - started)

    thread = threading.Thread(target=lambda: loop.run_until_complete(ask()), daemon=True)
    thread.start()

    class Asking(queue.SimpleQueue[float]):
        def get(self, *arguments: object, **named: object) -> float:
            loop.call_soon_threadsafe(wanted.put_nowait, True)
            return spent.get()

    try:
        yield Asking()
    finally:
        loop.call_soon_threadsafe(wanted.put_nowait, False)
        thread.join()
        loop.close()


def _served_places(folder: Path) -> Places:
    return Places(folder / "data", folder / "outputs", (folder / "models",))


def _picture_row() -> Row:
    with tempfile.TemporaryDirectory() as scratch, Served(_served_places(Path(scratch))) as served, _bare_websocket(PICTURE_BYTES) as bare:
        client = Client(RemoteInference(served.link()))
        client.open()
        params: dict[str, object] = {"steps": 1, "pictures": 1, "size_bytes": PICTURE_BYTES}
        found = measure({"through": lambda: client.seconds("count", params, (Artifact,)), "bare": bare.get}, 15)
        client.endpoint.close()
    return compare("4 MB picture, from the request to its arrival: relay / bare websocket", found["through"], found["bare"], 1.3)


def _crowd_row() -> Row:
    with (
        tempfile.TemporaryDirectory() as scratch,
        Served(_served_places(Path(scratch)), limits=RelayLimits(places_per_address=64, sessions_per_identity=64)) as served,
    ):
        crowd = run_crowd(served, clients=50, jobs=20, share=0.1)
    right = sum(ended == 1 for ended in crowd.endings.values()) - len(crowd.gaps)
    name = (
        f"50 clients x 20 jobs, 10 % of {crowd.connections} connections cut, in {shown(crowd.seconds)}: jobs / those that ended once, nothing lost or doubled"
    )
    return Row(name, str(len(crowd.endings)), str(right), len(crowd.endings) / max(right, 1), 1.0)


def rows() -> list[Row]:
    """All rows of this part."""
    request = Generate(prompt="a red circle", model="sfumato-starter", steps=20, sampler="Euler", seed=1).model_dump()
    with starter() as (direct, through):
        found = measure({"through": lambda: through.seconds("generate", request), "direct": lambda: direct.seconds("generate", request)}, 9)
        job = compare("starter, 20 steps, the whole job: through a relay on loopback / directly", found["through"], found["direct"], 1.05)
        upload = _upload_row(through)
    return [job, _picture_row(), _crowd_row(), upload]
