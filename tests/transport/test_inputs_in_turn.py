"""Inputs of many jobs over one line: each job's travel whole before the next one's, so that a full queue never breaks the rules of the connection."""

from __future__ import annotations

import pytest

from sfumato.jobs.places import Places
from sfumato.protocol.messages import Cancel, Cancelled, Finished, Hello, Submit
from sfumato.transport import attached
from tests.support.listening import Listening
from tests.support.served import Served, remote

INPUT_BYTES = 4_000_000


def _with_input(job: str, **params: object) -> Submit:
    return Submit(job=job, kind="count", params=dict(params), blobs={"image": bytes(INPUT_BYTES)})


@pytest.mark.rule("N32", "N40")
def test_jobs_that_wait_for_a_line_send_their_inputs_one_after_the_other(places: Places) -> None:
    count = 2 * (attached.WAITING_BYTES // INPUT_BYTES)
    with Served(places) as served:
        listening = Listening()
        endpoint = remote(served)
        for number in range(count):  # as after a lost line: all of them at once
            endpoint.send(_with_input(f"job-{number}"))
        endpoint.open(listening.hear)
        assert all(isinstance(listening.ending(f"job-{number}"), Finished) for number in range(count))
        endpoint.close()


@pytest.mark.rule("N33")
def test_a_cancel_does_not_overtake_the_job_whose_inputs_wait(places: Places) -> None:
    with Served(places) as served:
        listening = Listening()
        endpoint = remote(served)
        endpoint.open(listening.hear)
        listening.wait_for(Hello)
        endpoint.send(_with_input("long", steps=100_000, pause_s=0.01))
        for number in range(3):
            endpoint.send(_with_input(f"job-{number}"))
        endpoint.send(Cancel(job="job-2"))
        assert isinstance(listening.ending("job-2"), Cancelled)
        endpoint.send(Cancel(job="long"))
        assert isinstance(listening.ending("long"), Cancelled)
        assert isinstance(listening.ending("job-1"), Finished)
        endpoint.close()


def test_only_the_inputs_of_one_job_travel_at_a_time() -> None:
    turns = attached.InTurn()
    first, second, third = (_with_input(name) for name in ("first", "second", "third"))
    assert turns.may_go(first)
    assert not turns.may_go(second)
    assert not turns.may_go(third)
    cancel = Cancel(job="second")
    assert not turns.may_go(cancel)
    assert turns.may_go(Cancel(job="first"))
    assert turns.may_go(Submit(job="small", kind="count", params={}, blobs={"image": b"x"}))
    assert turns.next() == (second, cancel)
    assert turns.may_go(second)
    assert turns.next() == (third,)
    assert turns.may_go(third)
    assert turns.next() == ()
    assert turns.may_go(first)
