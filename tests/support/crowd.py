"""Many clients with many jobs over lines of which some are cut: what every client heard of each job."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sfumato.protocol.messages import ENDINGS, JobEvent, Submit
from tests.support.bad_proxy import BadProxy, at_random
from tests.support.listening import Listening
from tests.support.served import Reachable, remote


@dataclass(frozen=True)
class Crowd:
    """What became of a crowd.

    Attributes:
        connections: how many were opened, with those after a cut.
        cuts: how many broke.
        endings: of each job, by "client job", how many endings were heard.
        gaps: the jobs of which something was missing or came twice.
        seconds: from the first submission to the last ending.
    """

    connections: int
    cuts: int
    endings: dict[str, int]
    gaps: list[str]
    seconds: float

    @property
    def right(self) -> int:
        """How many jobs ended exactly once, with nothing lost or doubled before."""
        return sum(count == 1 for count in self.endings.values()) - len(self.gaps)

    @property
    def is_right(self) -> bool:
        """Every job ended exactly once, and nothing was lost or doubled."""
        return not self.gaps and set(self.endings.values()) == {1}


def run_crowd(served: Reachable, clients: int, jobs: int, share: float, seed: int = 1, size_bytes: int = 20_000) -> Crowd:
    """`clients` send `jobs` jobs each; `share` of all connections break somewhere on the way."""
    # A connection of one client carries about so much; a cut lies anywhere in it.
    with BadProxy(served.port, at_random(seed, jobs * (size_bytes + 1000) // 2, share)) as proxy:
        listenings = [Listening() for _ in range(clients)]
        endpoints = [remote(served, proxy.port) for _ in range(clients)]
        started = time.perf_counter()
        for endpoint, listening in zip(endpoints, listenings, strict=True):
            endpoint.open(listening.hear)
        names = [[f"{client}-{number}" for number in range(jobs)] for client in range(clients)]
        for number in range(jobs):
            for client, endpoint in enumerate(endpoints):
                endpoint.send(Submit(job=names[client][number], kind="count", params={"pictures": 1, "size_bytes": size_bytes}))
        for client, listening in enumerate(listenings):
            for job in names[client]:
                listening.ending(job)
        seconds = time.perf_counter() - started
        connections = proxy.connections
        for endpoint in endpoints:
            endpoint.close()
    endings: dict[str, int] = {}
    gaps: list[str] = []
    for client, listening in enumerate(listenings):
        for job in names[client]:
            events: list[JobEvent] = listening.of(job)
            endings[f"{client} {job}"] = sum(isinstance(event, ENDINGS) for event in events)
            if [event.seq for event in events] != list(range(1, len(events) + 1)):
                gaps.append(job)
    return Crowd(connections, connections - clients, endings, gaps, seconds)
