"""What passes over the relay's connection once both sides have shaken hands: sealed messages, in which documents, pings and a goodbye travel.

A message's plaintext is one type byte and a body. A document travels as parts of a stream; streams may interleave. No input or output here: messages in, what
they say out; `Outbox` decides what is sealed next. Everything that breaks a rule is `ChannelError`, after which the channel is of no more use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from sfumato.transport.noise import MESSAGE_BYTES as MESSAGE_BYTES
from sfumato.transport.noise import TAG_BYTES, CipherState, Data, NoiseError

COMMAND_BYTES = 2 << 20  # the longest document that a client may send
EVENT_BYTES = 256 << 20  # the longest that a server may send
OPEN_STREAMS = 64
# What all open streams of one direction may have announced together: one of the longest documents, and sixteen MiB of others that pass it.
PASSING_BYTES = 16 << 20
REKEY_MESSAGES = 2**16
TOKEN_BYTES = 8
PLAIN_BYTES = MESSAGE_BYTES - TAG_BYTES
LITTLE_BYTES = 4096
_PART_HEAD = struct.Struct(">BI")
PART_BYTES = PLAIN_BYTES - _PART_HEAD.size  # of a document, in one message
_ANNOUNCED = struct.Struct("<i")  # the first four bytes of a BSON document are its length
SHORTEST_DOCUMENT_BYTES = 5


class Kind(IntEnum):
    """The first byte of a message."""

    PART = 0
    LAST_PART = 1
    PING = 2
    PONG = 3
    CLOSE = 4
    PADDING = 5


class Reason(IntEnum):
    """Why a side says goodbye. A number that is not listed is a goodbye all the same."""

    DONE = 0
    SHUTTING_DOWN = 1
    DISCONNECTED_BY_OWNER = 2
    TAKEN_OVER = 3
    TOO_SLOW = 4


class ChannelError(Exception):
    """The connection is broken or attacked, and ends. The text is for the own log; the other side is told nothing."""


class DocumentTooLong(ChannelError):
    """A document of our own that the other side would refuse. It was not sent; the channel goes on."""


@dataclass(frozen=True)
class Document:
    """One whole BSON document."""

    data: bytes


@dataclass(frozen=True)
class Ping:
    """To be answered with a `Pong` of the same token."""

    token: bytes


@dataclass(frozen=True)
class Pong:
    token: bytes


@dataclass(frozen=True)
class Closed:
    """The other side ends the connection on purpose."""

    reason: int


Heard = Document | Ping | Pong | Closed | None


@dataclass(frozen=True)
class Incoming:
    """A document that has begun to arrive, in bytes."""

    stream: int
    received: int
    total: int


@dataclass
class _Stream:
    """A document that arrives.

    Its parts are kept as they came and are copied once, at the end; little ones are put together, as each would cost more than it holds.
    """

    total: int
    received: int = 0
    parts: list[memoryview | bytearray] = field(default_factory=list[memoryview | bytearray])

    def take(self, data: memoryview) -> None:
        self.received += len(data)
        if len(data) >= LITTLE_BYTES:
            self.parts.append(data)
        elif self.parts and isinstance(last := self.parts[-1], bytearray):
            last += data
        else:
            self.parts.append(bytearray(data))


class Channel:
    """Seals and opens the messages of one connection. It belongs to one thread at a time.

    What was sealed has to be sent, once and in the order in which it was sealed.

    Args:
        sending, receiving: as `Handshake.split` gave them.
        receive_limit_bytes: the longest document that is accepted.
        send_limit_bytes: the longest that the other side accepts.
    """

    def __init__(self, sending: CipherState, receiving: CipherState, receive_limit_bytes: int, send_limit_bytes: int = EVENT_BYTES) -> None:
        self._sending = sending
        self._receiving = receiving
        self.receive_limit_bytes = receive_limit_bytes
        self.send_limit_bytes = send_limit_bytes
        self._plain = bytearray(PLAIN_BYTES)
        self._streams: dict[int, _Stream] = {}
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether a goodbye was said or heard, or something was wrong."""
        return self._is_over

    @property
    def incoming(self) -> tuple[Incoming, ...]:
        """The documents that have begun to arrive, oldest first."""
        return tuple(Incoming(number, stream.received, stream.total) for number, stream in self._streams.items())

    def receive(self, message: bytes | str) -> Heard:
        """What the next message of the other side says; None for a part of something longer, and for padding.

        Raises:
            ChannelError: it is forged, out of order, or breaks a rule. The connection has to be closed without a word.
        """
        self._check_open()
        try:
            if isinstance(message, str):
                raise ChannelError("a text message")
            heard = self._read(memoryview(self._opened(message)))
        except ChannelError:
            self._end()
            raise
        if isinstance(heard, Closed):
            self._end()
        return heard

    def part(self, stream: int, data: Data, is_last: bool) -> bytes:
        """Seal at most `PART_BYTES` of the document that is `stream`."""
        end = _PART_HEAD.size + len(data)
        _PART_HEAD.pack_into(self._plain, 0, Kind.LAST_PART if is_last else Kind.PART, stream)
        self._plain[_PART_HEAD.size : end] = data
        return self._seal(memoryview(self._plain)[:end])

    def ping(self, token: bytes) -> bytes:
        """Seal a question for an answer with the same eight bytes."""
        return self._seal_token(Kind.PING, token)

    def pong(self, token: bytes) -> bytes:
        """Seal the answer to a ping."""
        return self._seal_token(Kind.PONG, token)

    def close(self, reason: int = Reason.DONE) -> bytes:
        """Seal the goodbye; after it nothing can be sealed, and what still arrives is not read."""
        sealed = self._seal(bytes((Kind.CLOSE, reason)))
        self._end()
        return sealed

    def padding(self, count: int) -> bytes:
        """Seal `count` bytes that say nothing."""
        return self._seal(bytes((Kind.PADDING,)) + bytes(count))

    def _seal_token(self, kind: Kind, token: bytes) -> bytes:
        if len(token) != TOKEN_BYTES:
            raise ValueError("a token has eight bytes")
        return self._seal(bytes((kind,)) + token)

    def _seal(self, plain: Data) -> bytes:
        self._check_open()
        try:
            sealed = self._sending.encrypt(plain)
        except NoiseError as error:
            self._end()
            raise ChannelError(str(error)) from error
        _count(self._sending)
        return sealed

    def _opened(self, message: bytes) -> bytes:
        try:
            plain = self._receiving.decrypt(message)
        except NoiseError as error:
            raise ChannelError(str(error)) from error
        _count(self._receiving)
        return plain

    def _read(self, plain: memoryview) -> Heard:
        if not plain:
            raise ChannelError("a message without a type")
        kind, size = plain[0], len(plain) - 1
        if kind in (Kind.PART, Kind.LAST_PART):
            return self._take(plain, kind == Kind.LAST_PART)
        if kind in (Kind.PING, Kind.PONG) and size == TOKEN_BYTES:
            token = bytes(plain[1:])
            return Ping(token) if kind == Kind.PING else Pong(token)
        if kind == Kind.CLOSE and size == 1:
            return Closed(plain[1])
        if kind == Kind.PADDING:
            return None
        raise ChannelError(f"a message of type {kind} with {size} bytes")

    def _take(self, plain: memoryview, is_last: bool) -> Document | None:
        if len(plain) < _PART_HEAD.size:
            raise ChannelError("a part without a stream")
        number: int = _PART_HEAD.unpack_from(plain)[1]
        data = plain[_PART_HEAD.size :]
        stream = self._streams.get(number)
        if stream is None:
            total = _announced(data)
            if total > self.receive_limit_bytes:
                raise ChannelError(f"a document of {total} bytes, where {self.receive_limit_bytes} are allowed")
            stream = _Stream(total)
            if not is_last:
                self._open_stream(number, stream)
        size = stream.received + len(data)
        if size > stream.total or (is_last and size < stream.total):
            raise ChannelError(f"a document of {size} bytes that announced {stream.total}")
        stream.take(data)
        if not is_last:
            return None
        self._streams.pop(number, None)  # it is not there if it came whole in one message
        return Document(b"".join(stream.parts))

    def _open_stream(self, number: int, stream: _Stream) -> None:
        if len(self._streams) >= OPEN_STREAMS:
            raise ChannelError(f"more than {OPEN_STREAMS} open streams")
        announced = stream.total + sum(other.total for other in self._streams.values())
        if announced > self.receive_limit_bytes + PASSING_BYTES:
            raise ChannelError(f"open streams of {announced} bytes together")
        self._streams[number] = stream

    def _check_open(self) -> None:
        if self._is_over:
            raise ChannelError("the channel has ended")

    def _end(self) -> None:
        self._is_over = True
        self._streams.clear()


def server_channel(sending: CipherState, receiving: CipherState) -> Channel:
    """The end that hears commands and tells events."""
    return Channel(sending, receiving, COMMAND_BYTES, EVENT_BYTES)


def client_channel(sending: CipherState, receiving: CipherState) -> Channel:
    """The end that gives commands and hears events."""
    return Channel(sending, receiving, EVENT_BYTES, COMMAND_BYTES)


def _announced(data: memoryview) -> int:
    """How long a document says it is, in its first four bytes: known before memory is taken for it."""
    if len(data) < _ANNOUNCED.size:
        raise ChannelError("a document that does not begin with its length")
    total: int = _ANNOUNCED.unpack_from(data)[0]
    if total < SHORTEST_DOCUMENT_BYTES:
        raise ChannelError(f"a document of {total} bytes")
    return total


def _count(cipher: CipherState) -> None:
    """Both sides count the messages of a direction and change its key at the same ones; nothing is negotiated."""
    if cipher.nonce % REKEY_MESSAGES == 0:
        cipher.rekey()
