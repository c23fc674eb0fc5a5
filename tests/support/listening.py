"""A client for tests: keeps every event and waits for the one it wants, never sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sfumato.protocol.messages import ENDINGS, Event, JobEvent

E = TypeVar("E", bound=Event)
PATIENCE_S = 60.0


class Listening:
    """Pass `hear` to `Endpoint.open`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def hear(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Event], bool], after: int = 0) -> Event:
        """The first event from position `after` on for which `wanted` is true; AssertionError if it does not come."""
        with self._changed:
            found: list[Event] = []

            def look() -> bool:
                found.extend(event for event in self.events[after:] if not found and wanted(event))
                return bool(found)

            assert self._changed.wait_for(look, PATIENCE_S), f"not heard; heard {[type(e).__name__ for e in self.events[-20:]]}"
            return found[0]

    def wait_for(self, kind: type[E], job: str | None = None, after: int = 0) -> E:
        found = self.wait(lambda event: isinstance(event, kind) and (job is None or getattr(event, "job", None) == job), after)
        assert isinstance(found, kind)
        return found

    def ending(self, job: str) -> JobEvent:
        found = self.wait(lambda event: isinstance(event, ENDINGS) and event.job == job)
        assert isinstance(found, JobEvent)
        return found

    def of(self, job: str) -> list[JobEvent]:
        with self._changed:
            return [event for event in self.events if isinstance(event, JobEvent) and event.job == job]
