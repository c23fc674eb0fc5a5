"""The seam between those who ask and those who run: `open`, `send`, `close`.

`InProcess` runs jobs on threads here; `LocalInference` (local.py) in a child process; `ScriptedEndpoint` says what a test wrote down for it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sfumato.jobs.clients import LOCAL, Client, JobCounts
from sfumato.jobs.dispatcher import Dispatcher, Monitor, OnEvent
from sfumato.jobs.kept_jobs import KeptJobs
from sfumato.jobs.lanes import TRANSFERS
from sfumato.jobs.places import Places
from sfumato.jobs.registry import Registry, resolve
from sfumato.jobs.runner import ThreadExecutor
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Command, Event, Hello, Submit

StateName = Literal["starting", "ready", "silent", "restarting", "failed", "closed", "disconnected", "connecting", "reconnecting", "dropping", "refused"]


@dataclass(frozen=True)
class State:
    """How the place that runs the jobs is, with a sentence for the status line.

    The last five are of a line to another machine: "ready" is a line with an engine behind it that is ready. `attempt` and `retry_s` say how often a lost
    line was looked for and when it is next; `latency_s` is the mean of the last answers.
    """

    name: StateName
    sentence: str
    attempt: int = 0
    retry_s: float | None = None
    latency_s: float | None = None


OnState = Callable[[State], None]


class Endpoint(Protocol):
    """A place that runs jobs.

    `on_event` is called from a thread of the endpoint's own, one event at a time and in order; it must return quickly.
    """

    def open(self, on_event: OnEvent) -> None:
        """Begin; `Hello` comes as soon as the other side is ready. Commands may be sent at once."""
        ...

    def send(self, command: Command) -> None:
        """Hand over one command; never blocks on the job."""
        ...

    def close(self) -> None:
        """End for good; afterwards no event comes. May be called twice."""
        ...


class SharedEndpoint(Endpoint, Protocol):
    """An endpoint that several clients may use at once, each with events of its own; `open` and `send` are those of the client LOCAL.

    Jobs of all clients stand in one queue, in which clients take turns. `Hello` is heard by everybody. Each client but LOCAL hears from a thread of its own,
    so that none waits for another; no lock is held meanwhile, and it may act from there.
    """

    @property
    def monitor(self) -> Monitor | None:
        """Hears all that is said to guests, from a thread of its own; may be set at any time."""
        ...

    @monitor.setter
    def monitor(self, monitor: Monitor | None) -> None: ...

    def join(self, client: Client, on_event: OnEvent) -> None:
        """Let `client` hear its events from now on (and `Hello` at once, if the engine is ready); a second call replaces the first.

        What jobs of an earlier call say is heard again after `Resume`, or after the same `Submit`.
        """
        ...

    def leave(self, client: Client) -> None:
        """Say nothing more to `client`. Its jobs go on, and what they say is kept for `Resume`."""
        ...

    def obey(self, client: Client, command: Command) -> None:
        """Like `send`, for any client that has joined."""
        ...

    def forget(self, client: Client, error: SfumatoError | None = None) -> None:
        """Cancel what `client` has running or waiting (with `error`: fail it), and let go of all that was kept for it."""
        ...

    def jobs_of(self, client: Client) -> JobCounts:
        """How many jobs of `client` wait and run."""
        ...


def describe(registry: Registry, places: Places) -> dict[str, Any]:
    """The catalog of `Hello`: kinds, and what the registry's describers find on this machine. Imports what they need."""
    catalog = registry.catalog()
    choices: dict[str, Any] = {}
    for describer in registry.describers:
        part = resolve(describer)(places)
        choices.update(part.pop("choices", {}))
        catalog.update(part)
    return catalog | {"choices": choices}


def new_session() -> str:
    """A 128-bit key nobody can guess."""
    return uuid.uuid4().hex


class Sharing:
    """What an endpoint for several clients does the same, whoever runs its jobs: a dispatcher, and the lane of transfers on threads of this process.

    That lane lives from `open` to `close`, whatever becomes of the engine meanwhile.
    """

    def __init__(self, registry: Registry, places: Places, kept_jobs: Path | None = None, kept_for: Collection[str] | None = None) -> None:
        """`kept_jobs`: a file in which the waiting jobs of clients other than LOCAL outlive this process; `kept_for`: identities whose jobs go on here."""
        self._registry = registry
        self._places = places
        self._dispatcher = Dispatcher(registry, kept=None if kept_jobs is None else KeptJobs(kept_jobs, identities=kept_for))
        # At once: clients may come back before the engine is asked to begin.
        self._dispatcher.restore()
        self._transfers: ThreadExecutor | None = None

    def join(self, client: Client, on_event: OnEvent) -> None:
        self._dispatcher.join(client, on_event)

    def leave(self, client: Client) -> None:
        self._dispatcher.leave(client)

    def obey(self, client: Client, command: Command) -> None:
        self._dispatcher.handle(command, client)

    def send(self, command: Command) -> None:
        self.obey(LOCAL, command)

    def forget(self, client: Client, error: SfumatoError | None = None) -> None:
        self._dispatcher.forget(client, error)

    def jobs_of(self, client: Client) -> JobCounts:
        return self._dispatcher.jobs_of(client)

    @property
    def monitor(self) -> Monitor | None:
        return self._dispatcher.monitor

    @monitor.setter
    def monitor(self, monitor: Monitor | None) -> None:
        self._dispatcher.monitor = monitor

    def _begin_transfers(self) -> None:
        self._transfers = ThreadExecutor(self._registry, self._places, self._dispatcher, threads=TRANSFERS, lane="transfer")
        self._dispatcher.attach(self._transfers, "transfer")

    def _end_transfers(self) -> None:
        """Cancel what is under way; the files of unfinished uploads stay for another time."""
        transfers, self._transfers = self._transfers, None
        if transfers is not None:
            self._dispatcher.attach(None, "transfer")
            transfers.close()


class InProcess(Sharing):
    """Runs jobs on threads of this process; for tests and for servers that are one process on purpose."""

    def __init__(self, registry: Registry, places: Places, kept_jobs: Path | None = None) -> None:
        super().__init__(registry, places, kept_jobs)
        self._executor: ThreadExecutor | None = None

    def open(self, on_event: OnEvent) -> None:
        self.join(LOCAL, on_event)
        self._begin_transfers()
        self._dispatcher.announce(Hello(session=new_session(), catalog=describe(self._registry, self._places)))
        self._executor = ThreadExecutor(self._registry, self._places, self._dispatcher)
        self._dispatcher.attach(self._executor)

    def close(self) -> None:
        self._dispatcher.close()
        self._dispatcher.attach(None)
        self._end_transfers()
        if self._executor is not None:
            self._executor.close()
            self._executor = None


Script = Callable[[Submit], Iterable[Event]]


class ScriptedEndpoint:
    """An endpoint for tests: answers each Submit with the events a script yields, and remembers every command.

    Without a script nothing is answered until the test calls `say`.
    """

    def __init__(self, hello: Hello | None = None, script: Script | None = None) -> None:
        self.sent: list[Command] = []
        self._hello = hello or Hello(session="scripted")
        self._script = script
        self._on_event: OnEvent | None = None
        self._lock = threading.RLock()

    def open(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        on_event(self._hello)

    def send(self, command: Command) -> None:
        with self._lock:
            self.sent.append(command)
            if self._script is not None and isinstance(command, Submit):
                for event in self._script(command):
                    self.say(event)

    def say(self, event: Event) -> None:
        """Let the client hear `event` now, from the caller's thread."""
        if self._on_event is not None:
            self._on_event(event)

    def close(self) -> None:
        self._on_event = None
