"""What a relay costs: a job through it against the same engine directly, a picture and an upload against bare websockets, and a crowd over breaking lines.

The relay is a process of its own (`remote_server.py`), as it is in life.
"""

from __future__ import annotations

import asyncio
import json
import queue
import struct
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil
from measuring import ROOT, Row, compare, measure
from remote_server import KEY, SALT, Server, server
from websockets.asyncio.client import ClientConnection, connect

from sfumato.jobs.places import Places
from sfumato.protocol.messages import ENDINGS, Artifact, Command, Event, Failed, Hello, JobEvent, Resume, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.endpoint import Endpoint
from sfumato.transport.keys import ScryptParameters, psk_of
from sfumato.transport.local import LocalInference
from sfumato.transport.noise import CipherState
from sfumato.transport.remote import RemoteInference
from sfumato.transport.uploading import FileUpload
from tests.support.crowd import run_crowd
from tests.support.hostile_frames import Thrower

T = TypeVar("T")
_NUMBERS = count()
JOB_ROUNDS = 11
PICTURE_BYTES = 4_000_000
PICTURE_ROUNDS = 31
UPLOAD_BYTES = 1 << 30
# N54: so many bytes a second, at least.
UPLOAD_GOAL = 150e6
HOSTILE_WARM, HOSTILE = 2_000, 10_000
SEED = 6


class Client:
    """An endpoint and what is heard from it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.upload: FileUpload | None = None
        self.last_job = ""

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
        self.last_job = f"benchmark-{next(_NUMBERS)}"
        return self.answer_seconds(Submit(job=self.last_job, kind=kind, params=params), self.last_job, until)

    def answer_seconds(self, command: Command, job: str, until: tuple[type[Event], ...]) -> float:
        """From a command about `job` to the first event of `until`; returns at its ending."""
        started, found = time.perf_counter(), 0.0
        self.endpoint.send(command)
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
def connected(served: Server) -> Iterator[Client]:
    """A client of that server."""
    client = Client(RemoteInference(served.link()))
    client.open()
    try:
        yield client
    finally:
        client.endpoint.close()


@contextmanager
def starter() -> Iterator[Client]:
    """The engine with the starter model, directly."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        engine = LocalInference(Places(folder, folder / "outputs", (ROOT / "models",)))
        client = Client(engine)
        client.open()
        try:
            yield client
        finally:
            engine.close()


def _job_row(through: Client) -> Row:
    request = Generate(prompt="a red circle", model="sfumato-starter", steps=20, sampler="Euler", seed=1).model_dump()
    with starter() as direct:
        found = measure({"through": lambda: through.seconds("generate", request), "direct": lambda: direct.seconds("generate", request)}, JOB_ROUNDS)
    return compare("starter, 20 steps, the whole job: through a relay on loopback / directly", found["through"], found["direct"], 1.05)


def _upload_rows(client: Client) -> list[Row]:
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
        client.upload = None
    quarters = [[one for one in moved if quarter * UPLOAD_BYTES <= 4 * one[1] <= (quarter + 1) * UPLOAD_BYTES] for quarter in range(4)]
    return [
        _pace_row("1 GiB upload: 150 MB/s / the pace of its bytes through the relay", _pace(moved), 1.0),
        _pace_row("the same: its best quarter, as other work on the machine takes from it and never adds", max(map(_pace, quarters))),
    ]


def _pace(moved: list[tuple[float, int]]) -> float:
    """Bytes a second between the first and the last of these times."""
    (began, first), (ended, last) = moved[0], moved[-1]
    return (last - first) / max(ended - began, 1e-9)


def _pace_row(name: str, pace: float, goal: float = 0.0) -> Row:
    return Row(name, f"{pace / 1e6:.0f} MB/s", f"{UPLOAD_GOAL / 1e6:.0f} MB/s", UPLOAD_GOAL / pace, goal)


class BareWebsocket:
    """Asks the bare websocket of the other process for a picture's bytes, and says how many seconds that took."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._opening = CipherState(KEY)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: ClientConnection = self._do(self._dial(port))

    def whole(self) -> float:
        """In one message."""
        return self._do(self._ask_whole())

    def sealed(self) -> float:
        """In messages of 64 KiB, each sealed there and opened here: the least that a channel of such messages does."""
        return self._do(self._ask_sealed())

    def close(self) -> None:
        self._do(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _dial(self, port: int) -> ClientConnection:
        return await connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None, proxy=None)

    async def _ask_whole(self) -> float:
        started = time.perf_counter()
        await self._connection.send(str(PICTURE_BYTES))
        await self._connection.recv()
        return time.perf_counter() - started

    async def _ask_sealed(self) -> float:
        started, parts, left = time.perf_counter(), [], PICTURE_BYTES
        await self._connection.send(str(-PICTURE_BYTES))
        while left:
            message = await self._connection.recv()
            assert isinstance(message, bytes), "it was sent as bytes"
            parts.append(self._opening.decrypt(message))
            left -= len(parts[-1])
        b"".join(parts)
        return time.perf_counter() - started


def _picture_rows(served: Server) -> list[Row]:
    """A result that is there already is asked for again: what a job takes before it has one is not its arrival."""
    with connected(served) as client:
        bare = BareWebsocket(served.bare_port)

        def through() -> float:
            job = client.last_job
            return client.answer_seconds(Resume(job=job, after=0), job, (Artifact,))

        client.seconds("count", {"steps": 1, "pictures": 1, "size_bytes": PICTURE_BYTES})
        found = measure({"through": through, "whole": bare.whole, "sealed": bare.sealed}, PICTURE_ROUNDS)
        bare.close()
    return [
        compare("a result of 4 MB, from asking for it to its arrival: relay / bare websocket", found["through"], found["whole"], 1.3),
        compare("the same: relay / websocket with the same bytes in sealed messages of 64 KiB", found["through"], found["sealed"]),
        compare("the same: websocket with sealed messages of 64 KiB / bare websocket", found["sealed"], found["whole"]),
    ]


def _crowd_row(served: Server) -> Row:
    crowd = run_crowd(served, clients=50, jobs=20, share=0.1, seed=SEED)
    if crowd.cuts * 10 < crowd.connections:
        raise SystemExit(f"only {crowd.cuts} of {crowd.connections} connections were cut")
    name = "50 clients x 20 jobs, 10 % of the connections cut: jobs / those that ended once, nothing lost or doubled"
    return Row(name, str(len(crowd.endings)), str(crowd.right), len(crowd.endings) / max(crowd.right, 1), 1.0)


def _hostile_row(served: Server) -> Row:
    process = psutil.Process(served.pid)
    thrower = Thrower(served.port, psk_of(served.secret, SALT, ScryptParameters()), SEED)
    with connected(served) as good:

        def serve_good(_: int) -> None:
            good.seconds("count", {"steps": 1, "pictures": 1})

        thrower.throw(HOSTILE_WARM, serve_good)
        before = process.memory_info().rss
        thrower.throw(HOSTILE, serve_good)
        after = process.memory_info().rss
    name = "the relay's memory: after 12,000 hostile frames, a good client served meanwhile / after the first 2,000"
    return Row(name, f"{after / (1 << 20):.1f} MiB", f"{before / (1 << 20):.1f} MiB", after / before, 1.05)


def rows() -> Iterator[Row]:
    """All rows of this part, each when it is there."""
    with server("counting") as served:
        yield from _picture_rows(served)
        yield _crowd_row(served)
        yield _hostile_row(served)
    with server("starter") as served, connected(served) as through:
        yield _job_row(through)
        yield from _upload_rows(through)
