"""The order in which waiting jobs of several clients are begun, and the places they are told."""

from __future__ import annotations

import random

import pytest

from sfumato.jobs.clients import Client
from sfumato.jobs.journal import JobRecord
from sfumato.jobs.turns import Ticket, Turns
from sfumato.protocol.messages import Submit


def ticket(client: str, job: str, priority: int = 0) -> Ticket:
    return Ticket(JobRecord(Client(client, client), job), Submit(job=job, kind="count"), "engine", priority)


def names(turns: Turns) -> list[str]:
    taken: list[str] = []
    while (found := turns.take()) is not None:
        taken.append(found.record.job)
    return taken


@pytest.mark.rule("N32", "R72")
def test_the_highest_priority_first_then_clients_in_turn_then_arrival() -> None:
    turns = Turns()
    for client, job, priority in (("a", "a1", 0), ("a", "a2", 0), ("a", "a3", 0), ("b", "b1", 0), ("b", "b2", 9), ("c", "c1", -1), ("b", "b3", 0)):
        turns.add(ticket(client, job, priority))
    assert names(turns) == ["b2", "a1", "b1", "a2", "b3", "a3", "c1"]


@pytest.mark.rule("N32")
@pytest.mark.parametrize("seed", range(20))
def test_the_place_that_is_told_is_the_place_it_gets(seed: int) -> None:
    chance = random.Random(seed)
    turns = Turns()
    for number in range(30):  # some were served before
        turns.add(ticket(chance.choice("abcd"), f"early-{number}"))
    for _ in range(chance.randrange(30)):
        turns.take()
    for number in range(30):
        turns.add(ticket(chance.choice("abcde"), f"job-{number}", chance.choice((-1, 0, 0, 0, 5))))
    told = {waiting.record.job: turns.ahead_of(waiting) for waiting in turns}
    order = names(turns)
    assert {job: order.index(job) for job in told} == told


def test_who_may_not_begin_now_is_passed_over_and_keeps_its_place() -> None:
    turns = Turns()
    for client, job in (("a", "a1"), ("b", "b1")):
        turns.add(ticket(client, job))
    first = turns.take(lambda client: client != "a")
    assert first is not None
    assert first.record.job == "b1"
    assert turns.take(lambda client: False) is None
    assert names(turns) == ["a1"]
