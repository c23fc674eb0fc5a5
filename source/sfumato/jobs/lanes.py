"""Where jobs wait and run beside each other: the lane before the engine, one at a time, and the lane of transfers, a few at once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

from sfumato.jobs.runner import Executor, Work
from sfumato.jobs.turns import Ticket, Turns

# How many transfers run at once, of all clients and of one.
TRANSFERS = 4
TRANSFERS_PER_CLIENT = 2


class Lane:
    """The jobs of one lane, and the executor they are given to; None holds them back.

    Args:
        slots: so many run at once.
        slots_per_client: and so many of one client.
        began: told of each job before it runs.
    """

    def __init__(self, slots: int, slots_per_client: int, began: Callable[[Ticket], None]) -> None:
        self.waiting = Turns()
        self.executor: Executor | None = None
        self._slots = slots
        self._slots_per_client = slots_per_client
        self._began = began
        # Also those whose record was let go: they hold their slot until the executor says that they ended.
        self._running: dict[str, Ticket] = {}
        self._numbers = itertools.count(1)

    @property
    def running(self) -> Iterator[Ticket]:
        return iter(tuple(self._running.values()))

    def position_of(self, ticket: Ticket) -> int:
        """How many jobs go before a waiting one, those that run included where none can begin beside them."""
        return self.waiting.ahead_of(ticket) + (len(self._running) if len(self._running) >= self._slots else 0)

    def start(self) -> None:
        """Begin what can begin."""
        while self.executor is not None and len(self._running) < self._slots:
            of_client = Counter(ticket.client for ticket in self._running.values())
            ticket = self.waiting.take(lambda client, counts=of_client: counts[client] < self._slots_per_client)
            if ticket is None:
                return
            # The number keeps apart what two identities, or two lives of a job, call by one name.
            ticket.work = f"{ticket.submit.job}/{next(self._numbers)}"
            self._running[ticket.work] = ticket
            self._began(ticket)
            submit = ticket.submit
            self.executor.start(Work(ticket.work, submit.kind, submit.params, submit.blobs, ticket.record.client.identity))
            for feed in ticket.early_feeds:
                self.executor.feed(ticket.work, feed.data, feed.last, feed.offset)
            ticket.early_feeds.clear()
            ticket.size_bytes = 0

    def ticket(self, work: str) -> Ticket | None:
        """What runs under that name."""
        return self._running.get(work)

    def end(self, ticket: Ticket) -> None:
        """Let `ticket` neither wait nor run any more, and begin the next."""
        self.waiting.remove(ticket)
        self._running.pop(ticket.work, None)
        self.start()
