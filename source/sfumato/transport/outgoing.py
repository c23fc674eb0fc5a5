"""What one client of the relay has still to be told: filled from any thread, emptied by the thread that owns the connection.

Events are encoded when their turn comes. Of a job that waits long, the newest progress takes the place of the one before; nothing else is left out, and the
events of one job stay in order. Who lets too much pile up is too slow (`TooSlow`): the connection ends, and what was missed is there for `Resume`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sfumato.protocol.codec import encode
from sfumato.protocol.messages import ENDINGS, Artifact, Event, JobEvent, Progress
from sfumato.transport.outbox import Outbox
from sfumato.transport.relay_words import Delivery, RelayWord, encode_word

# An artifact above this travels as a name where the client asked for that.
INLINE_BYTES = 64 << 10
BACKLOG_BYTES = 512 << 20
# So many waiting events, or bytes, mean that the line is behind; from there on progress is merged.
MERGE_EVENTS = 1024
MERGE_BYTES = 4 << 20
# What an event takes besides its pictures.
EVENT_BYTES = 512


class TooSlow(Exception):
    """More is waiting for this client than is kept for one."""


@dataclass(eq=False)
class _Item:
    """One document to come. `event` may be exchanged for a newer one until its turn has come."""

    event: Event
    size_bytes: int
    has_begun: bool = False


def size_of(event: Event) -> int:
    """About how many bytes an event takes."""
    if isinstance(event, Artifact):
        return len(event.data) + EVENT_BYTES
    if isinstance(event, Progress):
        return sum(map(len, event.preview)) + EVENT_BYTES
    return EVENT_BYTES


def deferred(event: Artifact) -> Artifact:
    """The same artifact with a name in place of its bytes: `blob` of `info` says how many they are and what they must hash to."""
    described = {**event.info, "blob": {"size": len(event.data), "sha256": hashlib.sha256(event.data).hexdigest()}}
    return event.model_copy(update={"data": b"", "blob": f"{event.job}.{event.seq}", "info": described})


class Outgoing:
    """The events and words that wait for one client.

    Args:
        outbox: of the connection's channel; touched by `pump` alone.
        delivery: whether large artifacts travel, or are fetched later.
        wake: called from any thread when there is something to pump.
        is_part: whether a job's artifacts are themselves parts of one that is being fetched, and so have to travel.
    """

    def __init__(
        self,
        outbox: Outbox,
        delivery: Delivery,
        wake: Callable[[], None],
        is_part: Callable[[str], bool] = lambda job: False,
        backlog_bytes: int = BACKLOG_BYTES,
    ) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._wake = wake
        self._is_part = is_part
        self._backlog_bytes = backlog_bytes
        self._lock = threading.Lock()
        self._arrived: deque[_Item | RelayWord] = deque()
        self._last: dict[str, _Item] = {}
        self._count = 0
        self._bytes = 0
        self._is_over = False

    @property
    def waiting_bytes(self) -> int:
        """About what has not begun to travel."""
        return self._bytes

    def say(self, word: RelayWord) -> None:
        """Have a word of the relay sent, before what is put after it."""
        with self._lock:
            if self._is_over:
                return
            self._arrived.append(word)
        self._wake()

    def put(self, event: Event) -> None:
        """Have an event sent. From any thread, and quick; what is put into a backlog that is full is left for `Resume`."""
        with self._lock:
            if self._is_over:
                return
            if isinstance(event, Progress) and self._merge(event):
                return
            item = _Item(event, size_of(event))
            self._count += 1
            self._bytes += item.size_bytes
            self._is_over = self._bytes > self._backlog_bytes
            if isinstance(event, JobEvent):
                self._remember(event, item)
            self._arrived.append(item)
        self._wake()

    def pump(self) -> None:
        """Move what arrived into the outbox; raises `TooSlow` if it is more than is kept."""
        with self._lock:
            arrived, self._arrived = self._arrived, deque()
            is_over = self._is_over
        if is_over:
            raise TooSlow
        for one in arrived:
            if isinstance(one, RelayWord):
                self._outbox.put(encode_word(one), order="relay")
            else:
                job = one.event.job if isinstance(one.event, JobEvent) else "relay"
                self._outbox.put(lambda item=one: self._made(item), self._hint(one), order=job)

    def _hint(self, item: _Item) -> int:
        if isinstance(item.event, Artifact) and self._is_deferred(item.event):
            return EVENT_BYTES
        return item.size_bytes

    def _is_deferred(self, event: Artifact) -> bool:
        return self._delivery == "on_demand" and not event.blob and len(event.data) > INLINE_BYTES and not self._is_part(event.job)

    def _made(self, item: _Item) -> bytes:
        with self._lock:
            item.has_begun = True
            event = item.event
            self._count -= 1
            self._bytes -= item.size_bytes
            if isinstance(event, JobEvent) and self._last.get(event.job) is item:
                del self._last[event.job]
        if isinstance(event, Artifact) and self._is_deferred(event):
            event = deferred(event)
        return encode(event)

    def _remember(self, event: JobEvent, item: _Item) -> None:
        """Keep what a job said last, if the next may take its place."""
        if isinstance(event, ENDINGS):
            self._last.pop(event.job, None)
        else:
            self._last[event.job] = item

    def _merge(self, event: Progress) -> bool:
        """Put the newer progress in the place of the one before it, if the line is behind and that one still waits."""
        if self._count < MERGE_EVENTS and self._bytes < MERGE_BYTES:
            return False
        item = self._last.get(event.job)
        if item is None or not isinstance(item.event, Progress) or item.event.stage != event.stage or item.event.seq >= event.seq:
            return False
        self._bytes += size_of(event) - item.size_bytes
        item.event, item.size_bytes = event, size_of(event)
        return True
