"""A Qt object around an `Endpoint`: commands go out on a thread of their own, events come in on the GUI thread.

Progress is merged to the frame rate, everything else arrives in order. The endpoint can be exchanged for another while the window runs. Knows nothing of
pictures or forms.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt5.QtCore import QElapsedTimer, QObject, Qt, QTimer, pyqtProperty, pyqtSignal

from sfumato.desktop.language import told
from sfumato.protocol.errors import EngineUnavailable
from sfumato.protocol.messages import ENDINGS, Command, Event, Failed, Finished, Hello, JobEvent, Progress, Submit
from sfumato.transport.endpoint import Endpoint, SharedEndpoint, State

log = logging.getLogger(__name__)

FRAME_MS = 16
FETCH = "fetch"  # the stage in which a finished picture is announced, and then travels
CLOSE_PATIENCE_S = 6.0

MakeEndpoint = Callable[[Callable[[State], None]], Endpoint]

# Where nobody would take a job now; those that wait stay in the window.
OUT_OF_REACH = ("disconnected", "connecting", "reconnecting", "refused")


def merged(events: list[Event]) -> list[Event]:
    """`events` without the progress that a later progress of the same job outdates; a preview survives until a newer one comes.

    What announces a picture is not outdated by how far it has come.
    """
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        is_newer = isinstance(event, Progress) and isinstance(last, Progress) and last.job == event.job
        if is_newer and not (last.stage == FETCH and last.done == 0) and not (event.stage == FETCH and event.done == 0):
            kept[-1] = event if event.preview or not last.preview else event.model_copy(update={"preview": last.preview})
        else:
            kept.append(event)
    return kept


class EngineLink(QObject):
    """The one connection of the window.

    Args:
        make_endpoint: makes the endpoint from a callback for its state; called on the sending thread at `open`.
    """

    greeted = pyqtSignal(object)  # the catalog of Hello
    welcomed = pyqtSignal(object)  # the whole Hello, before `greeted`
    heard = pyqtSignal(object)  # each JobEvent, in order
    changed = pyqtSignal()
    _arrived = pyqtSignal()
    _told = pyqtSignal(int, object)

    def __init__(self, make_endpoint: MakeEndpoint, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_endpoint = make_endpoint
        self._endpoint: Endpoint | None = None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._events: deque[Event] = deque()
        self._scheduled = False
        self._lock = threading.Lock()
        self._clock = QElapsedTimer()
        self._state = State("starting", "Starting engine")
        self._device: dict[str, Any] = {}
        self._catalog: dict[str, Any] = {}
        self._looking = ""  # the job that looks for models
        self._opened = 0  # the turn of the endpoint that is open; of the sending thread
        self._turn = 0  # counts the endpoints; what an earlier one still says is not heard
        self._arrived.connect(self._schedule, Qt.ConnectionType.QueuedConnection)
        self._told.connect(self._take_state, Qt.ConnectionType.QueuedConnection)

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def state(self) -> str:
        """One of `StateName`."""
        return self._state.name

    @property
    def condition(self) -> State:
        """The state with its figures."""
        return self._state

    @property
    def takes_jobs(self) -> bool:
        """Whether a job may be sent now."""
        return self._state.name not in OUT_OF_REACH

    @pyqtProperty(str, notify=changed)
    def sentence(self) -> str:
        return told(self._state.sentence)

    @pyqtProperty(str, notify=changed)
    def device(self) -> str:
        """Name of the device that paints, "" until it is known."""
        return str(self._device.get("name", ""))

    # -- the other way ---------------------------------------------------------------------------

    def open(self) -> None:
        """Make and open the endpoint, away from the GUI thread."""
        self._thread = threading.Thread(target=self._serve, name="engine-link", daemon=True)
        self._thread.start()

    def send(self, command: Command) -> None:
        """Hand over one command; those sent before the endpoint is open wait for it."""
        self._work.put(lambda: self._send(command))

    @property
    def turn(self) -> int:
        """Counts the endpoints that the window worked with."""
        return self._turn

    def send_in(self, turn: int, command: Command) -> None:
        """The same, on any thread, for the endpoint of that `turn` alone: what comes after another took its place goes nowhere."""
        self._work.put(lambda: self._send(command) if turn == self._opened else None)

    def restart(self) -> None:
        """Start the engine anew, if this endpoint owns one."""
        self._work.put(self._restart)

    def switch(self, make_endpoint: MakeEndpoint, state: State) -> None:
        """Leave the endpoint for another, which is in `state` until it says more.

        What was sent before reaches the old one first; what it says from now on is not heard. The old one is closed before the new one opens.
        """
        self._make_endpoint = make_endpoint
        with self._lock:
            self._turn += 1
            self._events.clear()
        self._device, self._catalog, self._looking = {}, {}, ""
        self._state = state
        self.changed.emit()
        if self._thread is not None:
            self._work.put(partial(self._exchange, self._turn))

    def shared(self) -> SharedEndpoint | None:
        """The endpoint of this computer, if it is open and others may share it."""
        endpoint: Any = self._endpoint
        return endpoint if all(hasattr(endpoint, name) for name in ("join", "leave", "obey", "forget")) else None

    def refresh(self) -> None:
        """Have the engine look at its folders again: `greeted` comes with the lists as they are then. It waits for the job that runs, and is asked once."""
        if self._catalog and not self._looking and self._state.name == "ready":
            self._looking = f"catalog-{uuid.uuid4().hex}"
            self.send(Submit(job=self._looking, kind="catalog", priority=100))

    def close(self) -> None:
        """End the endpoint and wait for it; afterwards nothing arrives."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._work.put(None)
        thread.join(CLOSE_PATIENCE_S)

    # -- on the sending thread -------------------------------------------------------------------

    def _serve(self) -> None:
        job: Callable[[], None] | None = self._open
        while job is not None:
            try:
                job()
            except Exception:
                log.exception("a command could not be handed to the engine")
                self._told.emit(self._turn, State("failed", "The engine could not be reached. Reload to try again; the log has the details"))
            job = self._work.get()
        if self._endpoint is not None:
            self._endpoint.close()

    def _open(self) -> None:
        turn = self._opened = self._turn
        endpoint = self._endpoint = self._make_endpoint(partial(self._told.emit, turn))
        endpoint.open(partial(self._hear, turn))

    def _exchange(self, turn: int) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()
        if turn == self._turn:  # else another exchange waits behind this one
            self._open()

    def _send(self, command: Command) -> None:
        if self._endpoint is not None:
            self._endpoint.send(command)
        elif isinstance(command, Submit):
            failure = EngineUnavailable(self._state.sentence)
            self._hear(self._turn, Failed(job=command.job, seq=1, code=failure.code, message=failure.message))

    def _restart(self) -> None:
        if self._endpoint is None:
            self._open()
            return
        restart = getattr(self._endpoint, "restart", None)
        if restart is not None:
            restart()

    def _hear(self, turn: int, event: Event) -> None:
        """Called by the endpoint, from any thread."""
        with self._lock:
            if turn != self._turn:
                return
            self._events.append(event)
            first, self._scheduled = not self._scheduled, True
        if first:
            self._arrived.emit()

    # -- on the GUI thread -----------------------------------------------------------------------

    def _schedule(self) -> None:
        waited = self._clock.elapsed() if self._clock.isValid() else FRAME_MS
        if waited >= FRAME_MS:
            self._drain()
        else:
            QTimer.singleShot(FRAME_MS - waited, self._drain)

    def _drain(self) -> None:
        self._clock.start()
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._scheduled = False
        for event in merged(events):
            if isinstance(event, Hello):
                self._device = event.catalog.get("device") or {}
                if self._state.name != "ready":
                    self._state = State("ready", "Ready")
                self._catalog, self._looking = event.catalog, ""
                self.changed.emit()
                self.welcomed.emit(event)
                self.greeted.emit(event.catalog)
            elif isinstance(event, JobEvent) and event.job == self._looking:
                self._looked(event)
            elif isinstance(event, JobEvent):
                self.heard.emit(event)

    def _looked(self, event: JobEvent) -> None:
        """The engine looked through its folders, or could not; then the lists stay as they were."""
        if isinstance(event, ENDINGS):
            self._looking = ""
        if isinstance(event, Finished) and event.result.get("choices"):
            self._catalog = {**self._catalog, "choices": {**self._catalog.get("choices", {}), **event.result["choices"]}}
            self.greeted.emit(self._catalog)

    def _take_state(self, turn: int, state: State) -> None:
        if turn == self._turn and state != self._state:
            self._state = state
            self.changed.emit()
