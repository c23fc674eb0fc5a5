"""For tests of the relay: an endpoint of many clients that says what a test tells it to, and a client that speaks the channel by hand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import bson
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sfumato.jobs.clients import Client, JobCounts, Role
from sfumato.protocol.codec import encode
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import EVENTS, Command, Event, Hello, JobEvent, Submit
from sfumato.transport.channel import Channel, ChannelError, Closed, Document, Ping, Pong
from sfumato.transport.endpoint import Monitor, OnEvent, SharedEndpoint
from sfumato.transport.greeting import Knock
from sfumato.transport.keys import Identity
from sfumato.transport.outbox import Outbox
from sfumato.transport.relay import Relay
from sfumato.transport.relay_words import FROM_SERVER, EngineIs, Enter, RelayWord, TurnedAway, Welcome, encode_word

SALT = bytes(range(16))
OWNER = Identity("me", "owner", bytes([1]) * 32, "owner-1")
GUEST = Identity("a friend", "guest", bytes([2]) * 32, "guest-1")
OTHER_GUEST = Identity("another", "guest", bytes([3]) * 32, "guest-2")
PATIENCE_S = 30.0

Heard = Event | RelayWord


class ScriptedShared:
    """A `SharedEndpoint` that remembers what it was told, and says what a test has it say."""

    def __init__(self, hello: Hello | None = None, answer: Callable[[Client, Command], Sequence[Event]] = lambda client, command: ()) -> None:
        self.hello = hello or Hello(session="inner", catalog={"kinds": {}})
        self.told: list[tuple[Client, Command]] = []
        self.joined: dict[Client, OnEvent] = {}
        self.left: list[Client] = []
        self.forgotten: list[tuple[Client, SfumatoError | None]] = []
        self.counts: dict[Client, JobCounts] = {}
        self.monitor: Monitor | None = None
        self._answer = answer
        self._changed = threading.Condition()

    def open(self, on_event: OnEvent) -> None:
        on_event(self.hello)

    def send(self, command: Command) -> None:
        raise AssertionError("nobody is local here")

    def close(self) -> None:
        self.joined.clear()

    def join(self, client: Client, on_event: OnEvent) -> None:
        with self._changed:
            self.joined[client] = on_event
            self._changed.notify_all()
        on_event(self.hello)

    def leave(self, client: Client) -> None:
        with self._changed:
            self.joined.pop(client, None)
            self.left.append(client)
            self._changed.notify_all()

    def obey(self, client: Client, command: Command) -> None:
        with self._changed:
            self.told.append((client, command))
            self._changed.notify_all()
        for event in self._answer(client, command):
            self.say(client, event)

    def forget(self, client: Client, error: SfumatoError | None = None) -> None:
        with self._changed:
            self.forgotten.append((client, error))
            self._changed.notify_all()

    def jobs_of(self, client: Client) -> JobCounts:
        return self.counts.get(client, JobCounts())

    def say(self, client: Client, event: Event) -> None:
        """Let `client` hear `event` now."""
        on_event = self.joined.get(client)
        if on_event is not None:
            on_event(event)

    def say_to_all(self, event: Event) -> None:
        for client in list(self.joined):
            self.say(client, event)

    def wait(self, wanted: Callable[[ScriptedShared], object]) -> None:
        """Until `wanted` is true of this endpoint."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self), PATIENCE_S), f"not so; told {self.told[-5:]}, left {self.left}, forgotten {self.forgotten}"


class RawClient:
    """A client by hand: what it sends and hears is one websocket message at a time, in the test's own thread.

    Args:
        stranger: do not shake hands; the test says what it likes.
        source: the loopback address to come from.
        host: the name under which the server is asked for.
    """

    def __init__(
        self,
        port: int,
        psk: bytes = OWNER.psk,
        *,
        stranger: bool = False,
        source: str = "127.0.0.1",
        path: str = "/relay",
        host: str = "127.0.0.1",
        **options: Any,
    ) -> None:
        options.setdefault("compression", None)
        options.setdefault("max_size", 1 << 17)
        raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))
        self._stack = ExitStack()
        options |= {"sock": raw, "ping_interval": None, "open_timeout": PATIENCE_S, "close_timeout": 1, "proxy": None}
        try:
            self.line: ClientConnection = self._stack.enter_context(connect(f"ws://{host}:{port}{path}", **options))
        except BaseException:
            raw.close()
            raise
        self.greeting = b""
        self.words: list[Heard] = []
        self.ending: int | None = None
        self.pings = 0
        self.pongs: list[bytes] = []
        self.answers_pings = True
        self.channel: Channel | None = None
        if not stranger:
            try:
                self.shake_hands(psk)
            except BaseException:
                self.close()
                raise

    def shake_hands(self, psk: bytes) -> None:
        """Greeting, first message, answer. Raises ConnectionClosed when the server does not know the psk."""
        self.greeting = self.receive_raw()
        knock = Knock(psk, self.greeting)
        self.line.send(knock.message)
        self.channel = knock.enter(self.receive_raw())
        self.outbox = Outbox(self.channel)

    def receive_raw(self, timeout_s: float = PATIENCE_S) -> bytes:
        message = self.line.recv(timeout=timeout_s)
        assert isinstance(message, bytes)
        return message

    def enter(self, **facts: Any) -> Welcome:
        """Say who enters; the server's welcome."""
        self.tell(Enter(**facts))
        word = self.hear()
        assert isinstance(word, Welcome), word
        return word

    def tell(self, message: Command | RelayWord) -> None:
        """Send one document whole."""
        self.tell_document(encode_word(message) if isinstance(message, RelayWord) else encode(message))

    def tell_document(self, document: bytes) -> None:
        self.outbox.put(document)
        while (message := self.outbox.next()) is not None:
            self.line.send(message)

    def hear(self, timeout_s: float = PATIENCE_S) -> Heard:
        """The next document of the server. Raises ConnectionClosed; pings are answered on the way, and a goodbye is kept in `ending`."""
        while True:
            heard = self.hear_message(timeout_s)
            if heard is not None:
                return heard

    def hear_message(self, timeout_s: float = PATIENCE_S) -> Heard | None:
        """The next message, if it ends a document."""
        assert self.channel is not None
        heard = self.channel.receive(self.receive_raw(timeout_s))
        if isinstance(heard, Document):
            word = read(heard.data)
            self.words.append(word)
            return word
        if isinstance(heard, Ping):
            self.pings += 1
            if self.answers_pings:
                with suppress(ConnectionClosed, OSError):  # what it said before it hung up is still to be read
                    self.line.send(self.channel.pong(heard.token))
        elif isinstance(heard, Pong):
            self.pongs.append(heard.token)
        elif isinstance(heard, Closed):
            self.ending = heard.reason
        return None

    def until(self, wanted: Callable[[Heard], object]) -> Heard:
        """The first document from now on for which `wanted` is true."""
        while True:
            word = self.hear()
            if wanted(word):
                return word

    def ending_of(self, job: str) -> JobEvent:
        word = self.until(lambda word: isinstance(word, JobEvent) and word.job == job and word.type in ("finished", "failed", "cancelled"))
        assert isinstance(word, JobEvent)
        return word

    def of(self, job: str) -> list[JobEvent]:
        return [word for word in self.words if isinstance(word, JobEvent) and word.job == job]

    def hear_the_end(self) -> int | None:
        """Read until the server closes; the reason of its goodbye, None if it said none."""
        with suppress(ConnectionClosed, ChannelError):
            while True:
                self.hear_message()
        return self.ending

    def close_code(self) -> int | None:
        """Read until the server closes; the websocket's code."""
        try:
            while True:
                self.receive_raw()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None

    def close(self) -> None:
        """Hang up without a goodbye of the channel."""
        self._stack.close()

    def cut(self) -> None:
        """As a lost line looks: no goodbye of anybody."""
        with suppress(OSError):
            self.line.socket.shutdown(socket.SHUT_RDWR)
        self.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *rest: object) -> None:
        self.close()


def read(document: bytes) -> Heard:
    """An event or a word of the relay."""
    found: dict[str, Any] = bson.decode(document)
    if found.get("type") in ("welcome", "turned_away", "engine_is"):
        word: Welcome | TurnedAway | EngineIs = FROM_SERVER.validate_python(found)
        return word
    return EVENTS.validate_python(found)


@contextmanager
def relay_before(endpoint: SharedEndpoint, identities: Sequence[Identity] = (OWNER, GUEST, OTHER_GUEST), **options: Any) -> Iterator[Relay]:
    """An open relay on a free port, closed at the end."""
    known = list(identities)
    relay = Relay(endpoint, lambda: known, salt=SALT, port=0, **options)
    relay.open()
    try:
        yield relay
    finally:
        relay.close()


def client_of(key: str, identity: Identity) -> Client:
    """As which the client with that session key joins an endpoint."""
    from sfumato.transport.sessions import id_of

    role: Role = identity.role
    return Client(id_of(key), identity.name, role)


def job(name: str, kind: str = "count", **params: Any) -> Submit:
    return Submit(job=name, kind=kind, params=params)
