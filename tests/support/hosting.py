"""An engine for tests of hosting: it paints plain pictures and writes files, and several clients may use it at once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from sfumato.jobs.context import JobContext
from sfumato.jobs.places import Places
from sfumato.jobs.registry import JobKind, Registry, filled
from sfumato.protocol.messages import ENDINGS, Artifact, Event, Failed, Finished, Hello, JobEvent, Submit
from sfumato.protocol.requests import Request, Result
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.endpoint import InProcess, State
from sfumato.transport.link import Link
from sfumato.transport.remote import RemoteInference

PATIENCE_S = 30.0


class Painted(Result):
    pictures: int = 1


class Write(Request):
    """Changes something on the machine."""


class Written(Result):
    pass


def register(registry: Registry) -> None:
    registry.add(JobKind("generate", "Generate", Generate, Painted, "tests.support.hosting:paint", writes=False))
    registry.add(JobKind("write", "Write", Write, Written, "tests.support.hosting:write"))


def picture(seed: int) -> bytes:
    """What is painted for a seed."""
    held = io.BytesIO()
    Image.new("RGB", (64, 64), (seed % 256, 80, 120)).save(held, "PNG")
    return held.getvalue()


def paint(request: Generate, context: JobContext) -> Painted:
    context.progress("sampling", 1, 1)
    context.artifact("image-0", "image/png", picture(request.seed), {"seed": request.seed, "index": 0, "width": 64, "height": 64})
    return Painted()


def write(request: Write, context: JobContext) -> Written:
    (context.places.data / "written").touch()
    return Written()


class SharedPainter(InProcess):
    """The engine of a window that hosts; its attributes are those that `OpenWindow` waits for."""

    def __init__(self, data: Path) -> None:
        super().__init__(filled(["tests.support.hosting:register"]), Places(data, data / "outputs", ()))
        self.greets = True
        self.opened = False

    def open(self, on_event: Callable[[Event], None]) -> None:
        super().open(on_event)
        self.opened = True


class Visitor:
    """Another machine's window: connects by a link, and remembers what it heard."""

    def __init__(self, link: str, label: str = "a friend's studio") -> None:
        self.states: list[State] = []
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._line = RemoteInference(Link.parse(link), self._take_state, label=label)
        self._line.open(self._hear)

    def wait(self, wanted: Callable[[Visitor], object]) -> None:
        """Until `wanted` is true of this visitor."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self), PATIENCE_S), f"not so; {self.states[-3:]}, {[type(event).__name__ for event in self.events]}"

    @property
    def hello(self) -> Hello | None:
        return next((event for event in reversed(self.events) if isinstance(event, Hello)), None)

    @property
    def state(self) -> str:
        return self.states[-1].name if self.states else ""

    def run(self, job: str, kind: str, **params: object) -> list[JobEvent]:
        """Everything that was said of a job, up to its end."""
        self._line.send(Submit(job=job, kind=kind, params=params))
        self.wait(lambda me: any(isinstance(event, ENDINGS) for event in me.of(job)))
        return self.of(job)

    def of(self, job: str) -> list[JobEvent]:
        return [event for event in self.events if isinstance(event, JobEvent) and event.job == job]

    def close(self) -> None:
        self._line.close()

    def _hear(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def _take_state(self, state: State) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()


def pictures_of(events: list[JobEvent]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Artifact)]


def ending_of(events: list[JobEvent]) -> Finished | Failed:
    last = events[-1]
    assert isinstance(last, Finished | Failed), last
    return last
