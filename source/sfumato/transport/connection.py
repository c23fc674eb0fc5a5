"""One authenticated connection of the relay: commands in, events out, a heartbeat both ways, and one reason why it ends.

It knows no websocket (only `Socket`) and no endpoint (only `House`). Everything runs in one event loop; what may block is the house's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from sfumato.protocol.codec import decode_command
from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import ENDINGS, Accepted, Command, Event, Hello, JobEvent, Submit
from sfumato.transport.admission import Admitted
from sfumato.transport.attached import Attached
from sfumato.transport.batches import Pace
from sfumato.transport.channel import ChannelError, Closed, Document, Heard, Ping, Pong, Reason
from sfumato.transport.limits import RelayLimits
from sfumato.transport.outbox import Outbox
from sfumato.transport.outgoing import Outgoing, TooSlow
from sfumato.transport.relay_words import Enter, RelayWord, TurnedAway, encode_word, read_attach, read_enter
from sfumato.transport.sessions import Session
from sfumato.transport.sockets import NORMAL, Socket, SocketEnded

log = logging.getLogger("sfumato.transport.relay")

TOKEN_BYTES = 8
LATENCIES = 10
# How long a goodbye may take.
GOODBYE_S = 1.0
# Commands that were read and not yet obeyed.
COMMANDS_WAITING = 256
COMMAND_BYTES_WAITING = 12 << 20
# Submits of one client whose kind is remembered.
KINDS_KEPT = 1024
SECOND = 2
# The number of a stream that nothing else uses: the last word of the server is said past everything that waits.
_LAST_STREAM = 2**32 - 1


class House(Protocol):
    """What a connection asks of the relay it belongs to."""

    async def receive(self, connection: Connection, enter: Enter) -> bool:
        """Give the client a session and let it hear events; False if it was turned away."""
        ...

    async def obey(self, connection: Connection, command: Command) -> None:
        """Hand a command on; returns when it was taken."""
        ...

    def changed(self) -> None:
        """Something that the owner is shown is different."""
        ...


@dataclass(frozen=True)
class Ending:
    """Why a connection ended: words for the log, what the other side is told (None: nothing), and a last word before that."""

    why: str
    reason: int | None = None
    word: RelayWord | None = None


GOODBYE = Ending("it said goodbye")
LOST = Ending("the line was lost")
BROKEN = Ending("it broke the rules of the channel")
FAILED = Ending("something went wrong inside", Reason.DONE)
SILENT = Ending("it did not answer")
TOO_SLOW = Ending("it did not read what it was sent", Reason.TOO_SLOW)
TAKEN_OVER = Ending("its client came back over another line", Reason.TAKEN_OVER)
DISCONNECTED = Ending(
    "it was disconnected by the owner",
    Reason.DISCONNECTED_BY_OWNER,
    TurnedAway(code="disconnected", message="The owner of this machine ended the connection."),
)
WITHDRAWN = Ending(
    "its secret was withdrawn",
    Reason.DISCONNECTED_BY_OWNER,
    TurnedAway(code="withdrawn", message="The secret of this connection is no longer valid. Ask the owner of the machine for a new connection link."),
)
SHUT_DOWN = Ending("the relay closes", Reason.SHUTTING_DOWN)


class Connection:
    """A client that is here now.

    Args:
        socket, admitted: as the admission left them.
        house: the relay.
    """

    def __init__(self, socket: Socket, admitted: Admitted, house: House, limits: RelayLimits) -> None:
        self.socket = socket
        self.identity = admitted.identity
        self.session: Session | None = None
        self.label = ""
        self.key = ""
        self.protocol = 0
        self.hello: Hello | None = None
        self.connected_at = time.time()
        self.bytes_in = 0
        self.bytes_out = 0
        self._house = house
        self._limits = limits
        self._channel = admitted.channel
        self._outbox = Outbox(admitted.channel)
        self._first = admitted.heard
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._ending: asyncio.Future[Ending] = self._loop.create_future()
        self._commands: deque[tuple[Command, int]] = deque()
        self._commands_bytes = 0
        self._commands_changed = asyncio.Condition()
        self._pings: dict[bytes, float] = {}
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._answered = self._loop.time()
        self._is_full = False
        self._kinds: OrderedDict[str, str] = OrderedDict()
        self._attached = Attached()
        self.outgoing = Outgoing(self._outbox, "inline", self._wake_up, backlog_bytes=limits.backlog_bytes)

    @property
    def latency_s(self) -> float | None:
        """Mean of the last answers; None before the first."""
        return sum(self._latencies) / len(self._latencies) if self._latencies else None

    def end(self, ending: Ending) -> None:
        """End the connection for this reason; of several the first counts. From the loop's thread."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def run(self) -> Ending:
        """Talk until one side ends it; the socket is closed afterwards."""
        tasks = [self._loop.create_task(part) for part in (self._read(), self._write(), self._obey(), self._beat())]
        try:
            ending = await self._ending
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._say_goodbye(ending)
        return ending

    # -- what comes ------------------------------------------------------------------------------

    async def _read(self) -> None:
        await self._guarded(self._read_all())

    async def _read_all(self) -> None:
        async with asyncio.timeout(self._limits.handshake_s):
            document = await self._entrance()
        enter = read_enter(document, self._limits.command_bytes)
        self.outgoing = Outgoing(self._outbox, enter.artifacts, self._wake_up, self._is_part, self._limits.backlog_bytes)
        self.label = _legible(enter.label)
        if not await self._house.receive(self, enter):
            return
        while True:
            heard = await self._next()
            if isinstance(heard, Document):
                await self._take(heard.data)

    async def _entrance(self) -> bytes:
        """The first document of the client, which may have come with its first message."""
        heard = self._first
        while not isinstance(heard, Document):
            if isinstance(heard, Ping):
                self._pong(heard)
            heard = await self._next()
        return heard.data

    async def _next(self) -> Heard:
        message = await self.socket.receive()
        self.bytes_in += len(message)
        heard = self._channel.receive(message)
        if isinstance(heard, Ping):
            self._pong(heard)
        elif isinstance(heard, Pong):
            self._hear_pong(heard.token)
        elif isinstance(heard, Closed):
            self.end(GOODBYE)
            await asyncio.Event().wait()  # until this task is cancelled: nothing after a goodbye is read
        return heard

    async def _take(self, document: bytes) -> None:
        """Line a command up; waits while too many are."""
        part = read_attach(document)
        if part is not None:
            self._attached.take(part)
            return
        command = decode_command(document)
        if isinstance(command, Submit):
            command = self._attached.whole(command)
            self._kinds[command.job] = command.kind
            if len(self._kinds) > KINDS_KEPT:
                self._kinds.popitem(last=False)
        async with self._commands_changed:
            self._is_full = True
            await self._commands_changed.wait_for(lambda: len(self._commands) < COMMANDS_WAITING and self._commands_bytes < COMMAND_BYTES_WAITING)
            self._is_full = False
            # What was read while this had to wait is not the other side's silence.
            size = len(document) + (sum(map(len, command.blobs.values())) if isinstance(command, Submit) else 0)
            self._commands.append((command, size))
            self._commands_bytes += size
            self._commands_changed.notify_all()

    async def _obey(self) -> None:
        await self._guarded(self._obey_all())

    async def _obey_all(self) -> None:
        while True:
            async with self._commands_changed:
                await self._commands_changed.wait_for(lambda: bool(self._commands))
                command, _ = self._commands[0]
            await self._house.obey(self, command)
            async with self._commands_changed:
                _, size = self._commands.popleft()
                self._commands_bytes -= size
                self._commands_changed.notify_all()

    # -- what goes -------------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """An event of the endpoint; from any thread."""
        self.outgoing.put(event)
        # The second word of a job says that it does not wait any more.
        if isinstance(event, (Accepted, *ENDINGS)) or (isinstance(event, JobEvent) and event.seq == SECOND):
            self._soon(self._house.changed)

    def say(self, word: RelayWord) -> None:
        """A word of the relay; from any thread."""
        self.outgoing.say(word)

    def turn_away(self, code: str, message: str) -> None:
        """End the connection with one sentence that says why the client is not served."""
        self.end(Ending(f"it was turned away: {code}", Reason.DONE, TurnedAway(code=code, message=message)))

    async def _write(self) -> None:
        await self._guarded(self._write_all())

    async def _write_all(self) -> None:
        pace = Pace()
        while True:
            self.outgoing.pump()
            messages = self._outbox.batch(pace.batch_bytes)
            if not messages:
                self._wake.clear()
                await self._wake.wait()
                continue
            began = self._loop.time()
            await self.socket.send_all(messages)
            pace.took(self._loop.time() - began)
            self.bytes_out += sum(map(len, messages))
            # A line that takes everything would keep all others waiting until a long document is through.
            await asyncio.sleep(0)

    def _wake_up(self) -> None:
        self._soon(self._wake.set)

    def _soon(self, call: Callable[[], object]) -> None:
        """Have the loop's thread call; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and this connection with it
            self._loop.call_soon_threadsafe(call)

    def _is_part(self, job: str) -> bool:
        return self._kinds.get(job) == "fetch"

    # -- heartbeat -------------------------------------------------------------------------------

    async def _beat(self) -> None:
        before = self._loop.time()
        while True:
            await asyncio.sleep(self._limits.ping_s)
            now = self._loop.time()
            if now - before > 3 * self._limits.ping_s + 1 or self._is_full:
                # This machine slept, was too busy to listen, or did not read on purpose: no fault of the other side.
                self._answered = max(self._answered, now - self._limits.silence_s / 2)
            before = now
            if now - self._answered > self._limits.silence_s:
                self.end(SILENT)
                return
            while len(self._pings) > self._limits.silence_s / self._limits.ping_s + 1:
                del self._pings[next(iter(self._pings))]
            token = os.urandom(TOKEN_BYTES)
            self._pings[token] = now
            self._outbox.ping(token)
            self._wake.set()

    def _pong(self, ping: Ping) -> None:
        self._outbox.pong(ping.token)
        self._wake.set()

    def _hear_pong(self, token: bytes) -> None:
        asked = self._pings.pop(token, None)
        if asked is not None:
            self._answered = self._loop.time()
            self._latencies.append(self._answered - asked)

    # -- the end ---------------------------------------------------------------------------------

    async def _guarded(self, part: Coroutine[Any, Any, None]) -> None:
        """Run a part of the conversation; whatever ends it ends the connection."""
        try:
            await part
        except SocketEnded:
            self.end(LOST)
        except ChannelError:
            self.end(BROKEN)
        except TimeoutError:
            self.end(SILENT)
        except TooSlow:
            self.end(TOO_SLOW)
        except BadFrame as error:
            self.turn_away(error.code, error.message)
        except Exception:  # one client's bad luck must not end the relay, nor leave the client waiting
            log.exception("a connection failed inside")
            self.end(FAILED)

    async def _say_goodbye(self, ending: Ending) -> None:
        if ending.reason is None:
            self.socket.abort()
            return
        try:
            async with asyncio.timeout(GOODBYE_S):
                if ending.word is not None:
                    await self.socket.send(self._channel.part(_LAST_STREAM, encode_word(ending.word), True))
                await self.socket.send(self._channel.close(ending.reason))
                await self.socket.close(NORMAL)
        except (TimeoutError, SocketEnded, ChannelError):
            self.socket.abort()


def _legible(text: str) -> str:
    """A name that a client gave itself, as text that no terminal and no log takes for anything else."""
    return "".join(character if character.isprintable() else " " for character in text).strip()
