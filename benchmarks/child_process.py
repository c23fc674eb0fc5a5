"""What the child process costs: sampling through LocalInference against a bare loop of the same UNet calls, and the way to a first picture."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from measuring import ROOT, Row, compare, measure, timed

from sfumato.jobs.places import Places
from sfumato.protocol.messages import ENDINGS, Artifact, Event, Failed, Finished, Hello, Progress, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.local import LocalInference

_NUMBERS = count()


class Session:
    """A LocalInference and the events it says."""

    def __init__(self, models: Path) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        folder = Path(self._scratch.name)
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.endpoint = LocalInference(Places(folder, folder / "outputs", (models,)))

    def open(self) -> None:
        self.endpoint.open(self.heard.put)
        while not isinstance(self.heard.get(), Hello):
            pass

    def close(self) -> None:
        self.endpoint.close()
        self._scratch.cleanup()

    def events(self, request: Generate) -> Iterator[Event]:
        """Submit and yield what is said, to the end."""
        job = f"benchmark-{next(_NUMBERS)}"
        self.endpoint.send(Submit(job=job, kind="generate", params=request.model_dump()))
        while True:
            event = self.heard.get()
            yield event
            if isinstance(event, Failed):
                raise SystemExit(f"{request.model}: {event.message}")
            if isinstance(event, ENDINGS):
                return

    def sampling_seconds(self, request: Generate) -> float:
        """From the first to the last word about denoising, on this side of the pipe."""
        first = last = 0.0
        for event in self.events(request):
            if isinstance(event, Progress) and event.stage == "denoise":
                last = time.perf_counter()
                first = first or last
        return last - first


@contextmanager
def session(models: Path = ROOT / "models") -> Iterator[Session]:
    made = Session(models)
    made.open()
    try:
        yield made
    finally:
        made.close()


def sampling_row(name: str, models: Path, request: Generate, bare_calls: Callable[[], object], goal: float, rounds: int) -> Row:
    """`bare_calls()` makes the same UNet calls in this process. Its threads are at rest while the child works, and the other way round."""
    with session(models) as through:
        found = measure({"through": lambda: through.sampling_seconds(request), "bare": timed(bare_calls)}, rounds)
    return compare(name, found["through"], found["bare"], goal)


def first_picture_row() -> Row:
    """A process from nothing to its first picture, against one that only imports what the engine needs."""
    imports = [sys.executable, "-c", "import torch, diffusers, transformers; from diffusers import UNet2DConditionModel, AutoencoderKL"]

    def cold() -> float:
        started = time.perf_counter()
        made = Session(ROOT / "models")
        made.open()
        arrived = 0.0
        for event in made.events(Generate(prompt="a red circle, white background", steps=20, seed=1)):
            if isinstance(event, Artifact):
                arrived = time.perf_counter() - started
            if isinstance(event, Finished):
                break
        made.close()
        return arrived

    found = measure({"cold": cold, "imports": timed(lambda: subprocess.run(imports, check=True))}, 3)
    return compare("cold start to first picture / importing torch and diffusers", found["cold"], found["imports"])
