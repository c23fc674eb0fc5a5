"""In which order jobs that wait are begun: the highest priority first; within one, clients in turn, each with its own jobs in the order they came.

In turn means: the client that was served least recently goes first. A flood of one client delays another by no more than what is running.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sfumato.jobs.journal import JobRecord
from sfumato.jobs.registry import Lane
from sfumato.protocol.messages import Feed, Submit

# Of clients that were served longer ago nothing is known any more: they count as new.
CLIENTS_REMEMBERED = 1000


@dataclass(eq=False)
class Ticket:
    """A job that waits or runs: its record, what it asked for, what was uploaded too early, and its name for the executor once it runs."""

    record: JobRecord
    submit: Submit
    lane: Lane
    priority: int
    size_bytes: int = 0
    early_feeds: list[Feed] = field(default_factory=list[Feed])
    work: str = ""
    stage: str = ""
    arrival: int = 0

    @property
    def client(self) -> str:
        """The name of the client whose turn it takes: who sent it, or last went on with it."""
        return self.record.client.name


class Turns:
    """The jobs that wait in one lane."""

    def __init__(self) -> None:
        self._waiting: list[Ticket] = []
        self._arrivals = itertools.count(1)
        self._served: dict[str, int] = {}
        self._turn = 0

    def __iter__(self) -> Iterator[Ticket]:
        return iter(tuple(self._waiting))

    def add(self, ticket: Ticket) -> None:
        ticket.arrival = next(self._arrivals)
        self._waiting.append(ticket)

    def remove(self, ticket: Ticket) -> None:
        """Let `ticket` wait no more; nothing happens if it does not."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def take(self, may_begin: Callable[[str], bool] = lambda client: True) -> Ticket | None:
        """The job to begin now, of clients (by name) for which `may_begin`; None if there is none."""
        candidates = [ticket for ticket in self._waiting if may_begin(ticket.client)]
        if not candidates:
            return None
        found = min(candidates, key=lambda ticket: (-ticket.priority, self._served.get(ticket.client, 0), ticket.arrival))
        self._waiting.remove(found)
        self._turn += 1
        self._served.pop(found.client, None)
        self._served[found.client] = self._turn
        if len(self._served) > CLIENTS_REMEMBERED:
            del self._served[next(iter(self._served))]
        return found

    def ahead_of(self, wanted: Ticket) -> int:
        """How many waiting jobs would be begun before `wanted`, if no other came."""
        before = [ticket for ticket in self._waiting if ticket.priority >= wanted.priority]
        if len({ticket.client for ticket in before}) == 1:
            return sum(ticket.priority > wanted.priority or ticket.arrival < wanted.arrival for ticket in before)
        served = self._served_after([ticket for ticket in before if ticket.priority > wanted.priority])
        heads: dict[str, int] = {}
        counts: Counter[str] = Counter()
        own_before = 0
        for ticket in before:
            client = ticket.client
            if ticket.priority > wanted.priority:
                continue
            heads.setdefault(client, ticket.arrival)
            counts[client] += 1
            own_before += client == wanted.client and ticket.arrival < wanted.arrival
        turns = {client: (served.get(client, 0), arrival) for client, arrival in heads.items()}
        own_turn = turns[wanted.client]
        higher = len(before) - counts.total()
        # Each client is served once a round, in the same order: so often before the round of `wanted`, and once more in it if its turn comes first.
        others = (min(count, own_before + (turns[client] < own_turn)) for client, count in counts.items() if client != wanted.client)
        return higher + own_before + sum(others)

    def _served_after(self, tickets: list[Ticket]) -> dict[str, int]:
        """When each client will last have been served once all `tickets` are begun."""
        served, turn = dict(self._served), self._turn
        for priority in sorted({ticket.priority for ticket in tickets}, reverse=True):
            queues: dict[str, deque[Ticket]] = {}
            for ticket in tickets:
                if ticket.priority == priority:
                    queues.setdefault(ticket.client, deque()).append(ticket)
            heap = [(served.get(client, 0), queue[0].arrival, client) for client, queue in queues.items()]
            heapq.heapify(heap)
            while heap:
                _, _, client = heapq.heappop(heap)
                queues[client].popleft()
                turn += 1
                served[client] = turn
                if queues[client]:
                    heapq.heappush(heap, (turn, queues[client][0].arrival, client))
        return served
