"""RemoteInference: an endpoint whose jobs run on another machine, behind a relay.

It keeps a line to the relay as long as it is open, looks for a new one when that is lost, and takes every job up where it was. All of it runs in one thread
with an event loop; the caller's threads only hand commands over. What is remembered of jobs is in `open_jobs.py`, how a line comes about in `dialing.py`, a
line's life in `line.py`, pictures that come later in `arriving.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from sfumato.protocol.codec import decode_event, document_of, encode
from sfumato.protocol.errors import (
    BadFrame,
    CertificateRefused,
    HostNotFound,
    Invalid,
    LineLost,
    LineTrouble,
    NotASfumatoServer,
    PortRefused,
    Problem,
    ServerChanged,
    ServerUnsafe,
    SfumatoError,
    VersionRefused,
    retold,
)
from sfumato.protocol.messages import PROTOCOLS, Artifact, Cancel, Command, Event, Feed, Hello, JobEvent, Resume, Submit
from sfumato.transport import attached
from sfumato.transport.arriving import Arriving, OnTransfer
from sfumato.transport.channel import COMMAND_BYTES, EVENT_BYTES, Reason
from sfumato.transport.dialing import Dialer, Doubt
from sfumato.transport.endpoint import OnEvent, OnState, State
from sfumato.transport.known_servers import InMemory, Known
from sfumato.transport.line import Goodbye, Line
from sfumato.transport.line_timing import Timing
from sfumato.transport.link import Link
from sfumato.transport.open_jobs import OpenJobs, Outcome
from sfumato.transport.relay_words import FROM_SERVER, Delivery, EngineIs, Enter, TurnedAway, Welcome, encode_word
from sfumato.transport.strangers_words import bounded, plain

log = logging.getLogger(__name__)

LABEL_CHARACTERS = 80
JOIN_S = 10.0
# Words of a relay are short; what is longer is read as an event.
_WORDS = ("welcome", "turned_away", "engine_is")
_ENGINE_STATES = ("starting", "ready", "silent", "restarting", "failed")
# Being turned away for these passes by itself.
_FOR_A_WHILE = ("too_many_clients",)


class _Turned(Exception):
    """The server knows the secret and does not serve this client."""

    def __init__(self, word: TurnedAway) -> None:
        super().__init__(word.code)
        self.word = word


class RemoteInference:
    """Runs jobs on the machine that `link` leads to.

    Args:
        link: with its secret; nothing of it is ever logged but host and port.
        on_state: told about the line and the engine behind it, from a thread of ours.
        artifacts: "inline": results come as they are; "on_demand": large ones are fetched in the background, so that the engine's next job does not wait for
            the line. Either way the client hears whole artifacts, in order, and the ending after them.
        label: how this client is listed on the other machine.
        known: what is remembered of servers, and who asks the user.
        on_transfer: how far each artifact in the background is, from a thread of ours.
    """

    def __init__(
        self,
        link: Link,
        on_state: OnState | None = None,
        *,
        artifacts: Delivery = "inline",
        label: str = "",
        timing: Timing | None = None,
        known: Known | None = None,
        on_transfer: OnTransfer | None = None,
    ) -> None:
        self._timing = timing or Timing()
        known = known or InMemory()
        self._dialer = Dialer(link, known, self._timing)
        self._ask = known.ask
        self._on_state = on_state
        self._artifacts: Delivery = artifacts
        self._label = plain(label, LABEL_CHARACTERS)
        self._jobs = OpenJobs()
        self._arriving = Arriving(on_transfer)
        self._on_event: OnEvent | None = None
        self._session = ""
        self._hello: Hello | None = None
        self._was_ready = False
        self._state = State("disconnected", "Disconnected")
        self._engine = State("starting", "Waiting for the engine")
        self._latency_s: float | None = None
        # What the jobs know and whether there is a line change together.
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._is_closing = False
        self._started = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def server(self) -> str:
        """The other machine, "host:port"."""
        return self._dialer.server

    @property
    def latency_s(self) -> float | None:
        """The mean of the last ten answers to a ping; None without a line."""
        return self._latency_s

    @property
    def open_jobs(self) -> int:
        """How many jobs have not ended yet."""
        with self._lock:
            return len(self._jobs)

    def open(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="remote", daemon=True)
        self._thread.start()
        self._started.wait()

    def send(self, command: Command) -> None:
        """Hand over one command, from any thread; without a line it is said when there is one."""
        trouble = _trouble_of(command)
        with self._lock:
            outcome = self._jobs.obey(command, self._line is not None)
            if trouble is not None and isinstance(command, Submit):
                outcome = self._jobs.fail(command.job, trouble)
            if isinstance(command, Resume):
                self._soon(lambda: self._arriving.forget(command.job))
            self._follow(outcome)

    def reconnect(self) -> None:
        """Try now, on a new line: after a refusal, while waiting for the next attempt, or when the present line seems bad. Jobs go on."""
        self._soon(self._again.set)

    def restart(self) -> None:
        """The same as `reconnect`: the engine of another machine is not ours to restart."""
        self.reconnect()

    def close(self) -> None:
        """Say goodbye and end for good; may be called twice, and from within a callback."""
        with self._lock:
            is_first, self._is_closing = not self._is_closing, True
            self._on_event = None
        if is_first and self._life is not None:
            self._soon(self._life.cancel)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)
        if is_first:
            self._tell(State("disconnected", "Disconnected"))

    # -- the life of the connection --------------------------------------------------------------

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._life = asyncio.current_task()
        self._started.set()
        try:
            attempt = 0
            while True:
                self._again.clear()
                try:
                    attempt = await self._try(attempt)
                except Exception:  # whatever it was: nobody may be shown a line that is not kept any more
                    log.exception("%s: the line failed inside", self.server)
                    attempt = await self._wait(LineLost(self.server, "something went wrong inside"), attempt)
        except asyncio.CancelledError:
            log.info("%s: closed", self.server)
        finally:
            with self._lock:
                self._is_closing = True

    async def _try(self, attempt: int) -> int:
        """One attempt, and the line it gives until that is lost; the number of the next attempt after what has to be waited for."""
        if attempt == 0:
            self._tell(State("connecting", f"Connecting to {self.server}"))
        try:
            return await self._talk()
        except Doubt as doubt:
            return await self._ask_user(doubt)
        except Goodbye as goodbye:
            if goodbye.reason == Reason.DISCONNECTED_BY_OWNER:
                return await self._rest("The owner of the machine ended the connection.")
            error: SfumatoError = LineLost(self.server, "it closed the connection")
        except _Turned as turned:
            error = retold(turned.word.code, plain(turned.word.message))
            if turned.word.code not in _FOR_A_WHILE:
                return await self._rest(error.message)
        except LineLost as lost:
            error = lost
        except (HostNotFound, PortRefused, NotASfumatoServer) as trouble:
            # A server that was there before comes back: a network that is away has no names, and a tunnel without its server shows pages of its own.
            if not self._was_ready:
                return await self._rest(trouble.message, trouble.detail)
            error = trouble
        except LineTrouble as trouble:
            return await self._rest(trouble.message, trouble.detail)
        return await self._wait(error, attempt)

    async def _talk(self) -> int:
        """Connect, enter and talk until the line ends."""
        again = asyncio.ensure_future(self._again.wait())
        talk = asyncio.ensure_future(self._talk_on_line())
        try:
            done, _ = await asyncio.wait((again, talk), return_when=asyncio.FIRST_COMPLETED)
            if talk in done:
                await talk
            return 0
        finally:
            again.cancel()
            talk.cancel()
            await asyncio.gather(again, talk, return_exceptions=True)

    async def _talk_on_line(self) -> None:
        socket, channel = await self._dialer.dial()
        line = Line(self.server, socket, channel, self._timing, self._pulse)
        line.put(encode_word(Enter(session=self._session, artifacts=self._artifacts, label=self._label)), order="relay")
        try:
            await line.run(lambda data: self._hear(line, data))
        finally:
            with self._lock:
                self._line = None
            self._latency_s = None
            if self._is_closing:
                await line.say_goodbye()
            else:
                await line.break_off()

    async def _wait(self, error: SfumatoError, attempt: int) -> int:
        """Wait before the next attempt, and say for how long."""
        attempt += 1
        retry_s = self._timing.retry_s(attempt)
        log.info("%s: %s (%s)", self.server, error.message, error.detail)
        self._tell(State("reconnecting", error.message, attempt=attempt, retry_s=retry_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(retry_s):
                await self._again.wait()
        return attempt

    async def _rest(self, sentence: str, detail: str = "") -> int:
        """Stay away until the user wants to try again."""
        log.info("%s: %s %s", self.server, sentence, detail)
        self._tell(State("refused", sentence))
        await self._again.wait()
        return 0

    async def _ask_user(self, doubt: Doubt) -> int:
        """Have the user asked; nothing is connected meanwhile."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bool] = loop.create_future()

        def answer(is_yes: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lambda: answered.done() or answered.set_result(is_yes))

        self._tell(State("refused", doubt.question.sentence))
        self._ask(doubt.question, answer)
        again = asyncio.ensure_future(self._again.wait())
        try:
            done, _ = await asyncio.wait((again, answered), return_when=asyncio.FIRST_COMPLETED)
        finally:
            again.cancel()
        if answered not in done:
            return 0
        if answered.result():
            self._dialer.trust(doubt)
            return 0
        refused = ServerChanged(self.server) if doubt.question.kind == "salt_changed" else CertificateRefused(self.server)
        return await self._rest(refused.message)

    # -- what the server says --------------------------------------------------------------------

    def _hear(self, line: Line, data: bytes) -> None:
        try:
            word = _word_of(data)
            if word is None:
                self._hear_event(bounded(decode_event(data)))
            elif isinstance(word, Welcome):
                self._hear_welcome(line, word)
            elif isinstance(word, TurnedAway):
                raise _Turned(word)
            elif word.name in _ENGINE_STATES:
                self._engine = State(word.name, plain(word.sentence))
                self._tell(self._engine)
        except BadFrame as error:
            raise ServerUnsafe(self.server, error.message.rstrip(".").lower()) from error

    def _hear_welcome(self, line: Line, welcome: Welcome) -> None:
        """The line is open: take up every job."""
        if not PROTOCOLS[0] <= welcome.protocol <= PROTOCOLS[1]:
            theirs, ours = _range(welcome.protocols), _range(PROTOCOLS)
            raise VersionRefused(self.server, theirs, ours, theirs_is_newer=welcome.protocols[0] > PROTOCOLS[1])
        log.info("%s: connected, %s", self.server, "going on" if welcome.continues else "as a new client")
        line.is_welcome = True
        self._session = welcome.session
        self._was_ready = True
        self._engine = State("starting", "Waiting for the engine")
        self._tell(self._engine)
        with self._lock:
            self._line = line
            commands = self._jobs.on_line()
        for command in (*commands, *self._arriving.on_line()):
            self._put(line, command)

    def _hear_event(self, event: Event) -> None:
        if isinstance(event, Hello):
            self._engine = State("ready", f"Connected to {self.server}")
            if event != self._hello:
                self._hello = event
                self._deliver(event)
            self._tell(self._engine)
        elif isinstance(event, JobEvent):
            if self._arriving.is_fetch(event.job):
                step = self._arriving.hear(event)
                self._after_fetching(step.tell, step.submit)
                return
            with self._lock:
                outcome = self._jobs.hear(event)
                self._say(outcome.say)
            self._deliver_all(outcome.tell)

    def _deliver_all(self, events: Iterable[JobEvent]) -> None:
        """Tell events in order, behind those of the same job that wait for an artifact."""
        for event in events:
            if self._artifacts == "inline" and not (isinstance(event, Artifact) and event.blob) and self._arriving.is_empty:
                self._deliver(event)
            else:
                step = self._arriving.take(event)
                self._after_fetching(step.tell, step.submit)

    def _after_fetching(self, events: Iterable[JobEvent], fetches: Iterable[Submit]) -> None:
        line = self._line
        if line is not None:
            for fetch in fetches:
                self._put(line, fetch)
        for event in events:
            self._deliver(event)

    def _deliver(self, event: Event) -> None:
        on_event = self._on_event
        if on_event is None:
            return
        try:
            on_event(event)
        except Exception:  # a client's mistake must not end the thread that keeps the line
            log.exception("the client failed at %s", type(event).__name__)

    # -- what is said ----------------------------------------------------------------------------

    def _follow(self, outcome: Outcome) -> None:
        """Do what follows from a command; with the lock held, so that commands keep their order."""
        self._say(outcome.say)
        if outcome.tell:
            self._soon(lambda: self._deliver_all(outcome.tell))

    def _say(self, commands: tuple[Command, ...]) -> None:
        line = self._line
        if line is not None and commands:
            self._soon(lambda: [self._put(line, command) for command in commands])

    def _put(self, line: Line, command: Command) -> None:
        """Have a command travel; the commands of one job keep their order. It is written down when its turn has come."""
        assert isinstance(command, Submit | Cancel | Feed | Resume)
        if not line.inputs.may_go(command):
            return
        job = command.job
        if isinstance(command, Submit) and attached.has_to_attach(command):
            for part in attached.parts_of(command):
                line.put(lambda part=part: encode_word(part), len(part.data), order=job)
            bare = command.model_copy(update={"blobs": {}})
            line.put(lambda: self._after_inputs(line, bare), order=job)
            return
        size_bytes = len(command.data) if isinstance(command, Feed) else sum(map(len, command.blobs.values())) if isinstance(command, Submit) else 0
        line.put(lambda: encode(command), size_bytes, order=job)

    def _after_inputs(self, line: Line, submit: Submit) -> bytes:
        """The command whose inputs are through; those of the next job follow it."""
        self._soon(lambda: [self._put(line, command) for command in line.inputs.next()])
        return encode(submit)

    def _soon(self, call: Callable[[], object]) -> None:
        """Have the endpoint's thread call, if it is there."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(call)

    # -- states ----------------------------------------------------------------------------------

    def _pulse(self, is_dropping: bool, latency_s: float | None) -> None:
        """Once a second while there is a line."""
        self._latency_s = latency_s
        if is_dropping:
            self._tell(State("dropping", f"No answer from {self.server}", latency_s=latency_s))
        elif self._was_ready:
            self._tell(State(self._engine.name, self._engine.sentence, latency_s=latency_s and round(latency_s, 3)))

    def _tell(self, state: State) -> None:
        if state == self._state or (self._is_closing and state.name != "disconnected"):
            return
        if (state.name, state.sentence) != (self._state.name, self._state.sentence):
            log.info("%s: %s", state.name, state.sentence)
        self._state = state
        if self._on_state is None:
            return
        try:
            self._on_state(state)
        except Exception:  # as above
            log.exception("the client failed at the state %s", state.name)


def _word_of(data: bytes) -> Welcome | TurnedAway | EngineIs | None:
    """The relay's own word, or None for an event."""
    if len(data) > COMMAND_BYTES:
        return None
    document = document_of(data, EVENT_BYTES)
    if document.get("type") not in _WORDS:
        return None
    try:
        return FROM_SERVER.validate_python(document)
    except ValidationError as error:
        raise BadFrame("it is no word of a relay") from error


def _trouble_of(command: Command) -> Invalid | None:
    """Why a command cannot travel at all."""
    if not isinstance(command, Submit):
        return None
    try:
        size = len(encode(command.model_copy(update={"blobs": {}}) if attached.has_to_attach(command) else command))
    except (ValueError, OverflowError) as error:
        return Invalid([Problem("", "The request holds a value that cannot be sent to another machine.")], detail=str(error))
    if size > COMMAND_BYTES or sum(map(len, command.blobs.values())) > attached.WAITING_BYTES:
        limit = f"{COMMAND_BYTES >> 20} MiB of parameters and {attached.WAITING_BYTES >> 20} MiB of pictures"
        return Invalid([Problem("", f"The request is too large for another machine: at most {limit} are sent. Use smaller pictures.")])
    return None


def _range(protocols: tuple[int, int]) -> str:
    oldest, newest = protocols
    return str(newest) if oldest == newest else f"{oldest} to {newest}"
