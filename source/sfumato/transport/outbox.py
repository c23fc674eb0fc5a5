"""What one side still has to say, and what of it is said next.

Pings and goodbyes pass everything. Short documents pass long ones, which share the line part by part. Documents of one order stay in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sfumato.transport.channel import PART_BYTES, PASSING_BYTES, Channel, DocumentTooLong, Reason

# How many long documents travel at once. More would only make all of them late.
LONG_AT_ONCE = 8
# After so many short documents a part of a waiting long one is sent.
SHORT_IN_A_ROW = 16
PONGS_KEPT = 8

Make = Callable[[], bytes]


@dataclass
class _Waiting:
    """A document that has not begun to travel; `order` is "" or what it shares with those that it must not pass."""

    make: bytes | Make
    size_bytes: int
    order: str


@dataclass
class _Travelling:
    stream: int
    data: memoryview
    order: str
    sent_bytes: int = 0


class Outbox:
    """The documents that wait for one channel. It belongs to the same thread as its channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._first: deque[Callable[[], bytes]] = deque()
        self._pongs: deque[bytes] = deque(maxlen=PONGS_KEPT)
        self._short: deque[_Waiting] = deque()
        self._long: deque[_Waiting] = deque()
        self._behind: dict[str, deque[_Waiting]] = {}
        self._travelling: deque[_Travelling] = deque()
        self._next_stream = 0
        self._in_a_row = 0
        self._waiting_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """What is still to be sent of documents; of those that are not made yet, what was said of their size."""
        return self._waiting_bytes + sum(len(one.data) - one.sent_bytes for one in self._travelling)

    @property
    def is_empty(self) -> bool:
        """Whether `next` has nothing to give."""
        return not (self._first or self._pongs or self._short or self._long or self._travelling)

    def put(self, make: bytes | Make, size_hint: int = 0, *, order: str = "") -> None:
        """Have a document sent.

        Args:
            make: the document, or what makes it when its turn has come (b"" then: there is nothing to say any more).
            size_hint: about how many bytes `make` will give.
            order: documents that name the same order arrive as they were put, whatever their sizes; those without one may pass each other.
        """
        waiting = _Waiting(make, len(make) if isinstance(make, bytes) else size_hint, order)
        self._waiting_bytes += waiting.size_bytes
        if order in self._behind:
            self._behind[order].append(waiting)
            return
        if order:
            self._behind[order] = deque()
        self._line_up(waiting)

    def ping(self, token: bytes) -> None:
        """Have a ping sent before everything else."""
        self._first.append(lambda: self._channel.ping(token))

    def pong(self, token: bytes) -> None:
        """Have a ping answered before everything else; of a flood of pings only the last are."""
        self._pongs.append(token)

    def close(self, reason: int = Reason.DONE) -> None:
        """Say goodbye next; what waits is let go of."""
        self._first.clear()
        self._pongs.clear()
        self._short.clear()
        self._long.clear()
        self._behind.clear()
        self._travelling.clear()
        self._waiting_bytes = 0
        self._first.append(lambda: self._channel.close(reason))

    def next(self) -> bytes | None:
        """Seal the next message, which has to be sent before the one after it; None when nothing waits.

        Raises:
            DocumentTooLong: a document was left out, because the other side would refuse it; the next call goes on.
            ChannelError: the channel is over.
        """
        if self._first:
            return self._first.popleft()()
        if self._pongs:
            return self._channel.pong(self._pongs.popleft())
        while self._short or self._long or self._travelling:
            sealed = self._next_short() if self._is_turn_of_short() else self._next_part()
            if sealed is not None:
                return sealed
        return None

    def batch(self, most_bytes: int, on_left_out: Callable[[DocumentTooLong], None] = lambda error: None) -> list[bytes]:
        """Seal the next messages, at least one and about `most_bytes` of them, which have to be sent in this order; empty when nothing waits.

        Raises `ChannelError` as `next`; a document that the other side would refuse is told to `on_left_out`.
        """
        sealed: list[bytes] = []
        size_bytes = 0
        while size_bytes < most_bytes and not (sealed and self._channel.is_over):
            try:
                message = self.next()
            except DocumentTooLong as error:
                on_left_out(error)
                continue
            if message is None:
                break
            sealed.append(message)
            size_bytes += len(message)
        return sealed

    def _is_turn_of_short(self) -> bool:
        has_long = self._long or self._travelling
        return bool(self._short) and not (has_long and self._in_a_row >= SHORT_IN_A_ROW)

    def _next_short(self) -> bytes | None:
        self._in_a_row += 1
        waiting = self._short.popleft()
        data = self._made(waiting)
        if len(data) > PART_BYTES:  # longer than was said
            self._put_back(waiting, data)
            return None
        sealed = self._channel.part(self._new_stream(), data, is_last=True) if data else None
        self._release(waiting.order)
        return sealed

    def _next_part(self) -> bytes | None:
        self._in_a_row = 0
        self._begin_long()
        if not self._travelling:
            return None
        one = self._travelling.popleft()
        end = one.sent_bytes + PART_BYTES
        is_last = end >= len(one.data)
        sealed = self._channel.part(one.stream, one.data[one.sent_bytes : end], is_last)
        one.sent_bytes = end
        if is_last:
            self._release(one.order)
        else:
            self._travelling.append(one)
        return sealed

    def _begin_long(self) -> None:
        """Let as many long documents travel as the other side has room for."""
        while self._long and len(self._travelling) < LONG_AT_ONCE and self._has_room(self._long[0].size_bytes):
            waiting = self._long.popleft()
            data = self._made(waiting)
            if not self._has_room(len(data)):
                self._put_back(waiting, data)
                return
            if data:
                self._travelling.append(_Travelling(self._new_stream(), memoryview(data), waiting.order))
            else:
                self._release(waiting.order)

    def _has_room(self, size_bytes: int) -> bool:
        announced = size_bytes + sum(len(one.data) for one in self._travelling)
        return not self._travelling or announced <= self._channel.send_limit_bytes + PASSING_BYTES

    def _made(self, waiting: _Waiting) -> bytes:
        self._waiting_bytes -= waiting.size_bytes
        try:
            data = waiting.make if isinstance(waiting.make, bytes) else waiting.make()
            if len(data) > self._channel.send_limit_bytes:
                raise DocumentTooLong(f"a document of {len(data)} bytes, where {self._channel.send_limit_bytes} are allowed")
        except BaseException:
            self._release(waiting.order)
            raise
        return data

    def _put_back(self, waiting: _Waiting, data: bytes) -> None:
        self._waiting_bytes += len(data)
        self._long.appendleft(_Waiting(data, len(data), waiting.order))

    def _release(self, order: str) -> None:
        """The document before is sealed whole: the next of its order may line up."""
        if not order:
            return
        behind = self._behind[order]
        if behind:
            self._line_up(behind.popleft())
        else:
            del self._behind[order]

    def _line_up(self, waiting: _Waiting) -> None:
        (self._short if waiting.size_bytes <= PART_BYTES else self._long).append(waiting)

    def _new_stream(self) -> int:
        self._next_stream = (self._next_stream + 1) % 2**32
        return self._next_stream
