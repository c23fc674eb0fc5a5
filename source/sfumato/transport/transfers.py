"""What the two ways of a file have in common on the client's side: a state to show, and a thread that can be paused, gone on with and cancelled.

A transfer is given an endpoint's `send` and hears every event by `hear`; it asks for what it needs again when a line was lost, and a word of its own thread
is never waited for by whoever tells it something. Rules: D162 of the window, N51-N53.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sfumato.protocol.errors import Internal, SfumatoError, Stopped
from sfumato.protocol.messages import Command, Event

log = logging.getLogger(__name__)

StateName = Literal["waiting", "reading", "moving", "checking", "paused", "finished", "failed", "cancelled"]
ENDED: tuple[StateName, ...] = ("finished", "failed", "cancelled")
# Endings after which the same may simply be asked for again: the other side forgot the job, and not the bytes.
RETRIED = ("job_not_found", "worker_died", "session_expired", "transfer_incomplete", "file_busy", "engine_unavailable")
STALLED_S = 15.0
TRIES = 8
_RATE_S = 3.0

Send = Callable[[Command], None]


@dataclass(frozen=True)
class News:
    """How a transfer is: `done` of `total` bytes, `rate` in bytes per second, and after its end `result`, or `message` with its `code`."""

    state: StateName = "waiting"
    done: int = 0
    total: int = 0
    rate: float | None = None
    message: str = ""
    code: str = ""
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])


OnNews = Callable[[News], None]


def _say_nothing(_: object) -> None:
    """For a transfer that was left."""


class Transfer:
    """One file on its way; `start` it once. All methods may be called from any thread, `on_news` comes from the transfer's own.

    Args:
        send: hands a command to the endpoint.
        on_news: told of every change.
        stalled_s: nothing heard for so long, what was sent is sent again.
        tries: endings of `RETRIED` in a row, without a byte between, before it is given up.
    """

    def __init__(self, send: Send, on_news: OnNews, *, stalled_s: float = STALLED_S, tries: int = TRIES) -> None:
        self._send = send
        self._on_news = on_news
        self._stalled_s = stalled_s
        self._tries = tries
        self._lock = threading.Condition()
        self._news = News()
        self._is_paused = False
        self._is_cancelled = False
        self._is_lost = False
        self._is_left = False
        self._measured = (0.0, 0)
        self._thread = threading.Thread(target=self._live, name="transfer", daemon=True)

    @property
    def news(self) -> News:
        return self._news

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; whether that came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def pause(self) -> None:
        """Send and ask for nothing more until `go_on`; the other side keeps what it has for a day."""
        self._change(is_paused=True)

    def go_on(self) -> None:
        self._change(is_paused=False)

    def cancel(self) -> None:
        """End it; what was moved is removed."""
        with self._lock:
            self._is_cancelled = True
            self._lock.notify_all()

    def leave(self) -> None:
        """Say and do nothing more: the program ends. What was moved stays where it is, for another time."""
        with self._lock:
            self._is_left = True
            self._send, self._on_news = _say_nothing, _say_nothing
            self._lock.notify_all()

    def reconnected(self) -> None:
        """The line was lost and is there again: go on from what is known to have arrived."""
        with self._lock:
            self._is_lost = True
            self._lock.notify_all()

    def hear(self, event: Event) -> bool:
        """Take an event of the endpoint; whether it belongs to this transfer. Never waits for anything."""
        with self._lock:
            is_mine = self._take(event)
            if is_mine:
                self._lock.notify_all()
            return is_mine

    def _take(self, event: Event) -> bool:
        """Keep what an event says, if it is for us; called with the lock."""
        raise LookupError(type(event).__name__)

    def _move(self) -> Mapping[str, Any]:
        """Do it all, on the transfer's thread; the result. Raises `SfumatoError` or `Stopped`."""
        raise LookupError(type(self).__name__)

    def _change(self, *, is_paused: bool) -> None:
        with self._lock:
            self._is_paused = is_paused
            self._lock.notify_all()

    def _check(self) -> None:
        if self._is_cancelled or self._is_left:
            raise Stopped

    def _check_left(self) -> None:
        if self._is_left:
            raise Stopped

    def _live(self) -> None:
        try:
            self._tell(state="finished", result=self._move(), rate=None)
        except Stopped:
            self._tell(state="cancelled", rate=None)
        except SfumatoError as error:
            self._tell(state="failed", message=error.message, code=error.code, rate=None)
        except OSError as error:
            self._tell(
                state="failed", message=f"The file cannot be read or written ({error.strerror or type(error).__name__}).", code="not_writable", rate=None
            )
        except Exception:  # the thread's root: a transfer that nobody works on any more must not look as if it went on
            log.exception("a transfer failed inside")
            failure = Internal()
            self._tell(state="failed", message=failure.message, code=failure.code, rate=None)

    def _tell(self, **changes: Any) -> None:
        """Say what changed; the rate is that of the last seconds."""
        news = replace(self._news, **changes)
        if news != self._news:
            self._news = news
            self._on_news(news)

    def _tell_done(self, state: StateName, done: int) -> None:
        now = time.monotonic()
        at, before = self._measured
        rate = self._news.rate
        if state != self._news.state or done < before:
            self._measured, rate = (now, done), None
        elif done > before and now - at > 0.2:
            speed = (done - before) / (now - at)
            share = min(1.0, (now - at) / _RATE_S)
            rate = speed if rate is None else rate + share * (speed - rate)
            self._measured = (now, done)
        self._tell(state=state, done=done, rate=rate)

    def _wait_while_paused(self) -> None:
        while self._is_paused:
            self._tell(state="paused", rate=None)
            with self._lock:
                self._lock.wait_for(lambda: not self._is_paused or self._is_cancelled or self._is_left)
            self._check()
