"""Lines that break, are slow or fall silent: what a client hears is what it would have heard over a good one, and it says how things are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from sfumato.jobs.places import Places
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Event, Failed, Feed, Finished, Hello, JobEvent, Progress, Submit
from sfumato.transport.line_timing import Timing
from sfumato.transport.relay_words import Delivery
from tests.support.bad_proxy import GOOD, BadProxy, Manners, at_random
from tests.support.listening import Listening
from tests.support.served import QUICK, Served, States, remote

JOB = {"steps": 4, "pictures": 2, "size_bytes": 100_000}


@pytest.fixture
def served(places: Places) -> Iterator[Served]:
    with Served(places) as made:
        yield made


def _submit(job: str, **params: object) -> Submit:
    return Submit(job=job, kind="count", params=dict(params))


def _log(events: list[JobEvent]) -> list[Event]:
    """What was said, without what differs from run to run: the name, and how many jobs the process has seen."""
    same: list[Event] = []
    for event in events:
        changed: dict[str, object] = {"job": "job"}
        if isinstance(event, Finished):
            changed["result"] = {key: value for key, value in event.result.items() if key != "kept"}
        if isinstance(event, Accepted):
            changed["position"] = 0
        same.append(event.model_copy(update=changed))
    return same


def _uncut(served: Served, **params: object) -> list[Event]:
    """What a job says over a good line."""
    listening = Listening()
    endpoint = remote(served)
    endpoint.open(listening.hear)
    endpoint.send(_submit("uncut", **params))
    listening.ending("uncut")
    endpoint.close()
    return _log(listening.of("uncut"))


@pytest.mark.rule("N41", "D160")
@pytest.mark.parametrize("artifacts", get_args(Delivery))
def test_a_line_cut_behind_every_message_changes_nothing_of_what_is_heard(served: Served, artifacts: Delivery) -> None:
    expected = _uncut(served, **JOB)
    for messages in range(200):
        with BadProxy(served.port, lambda number, after=messages: Manners(cut_down_messages=after) if number == 0 else GOOD) as proxy:
            listening = Listening()
            endpoint = remote(served, proxy.port, artifacts=artifacts)
            endpoint.open(listening.hear)
            endpoint.send(_submit(f"job-{messages}", **JOB))
            listening.ending(f"job-{messages}")
            was_cut = proxy.connections > 1
            endpoint.close()
            assert _log(listening.of(f"job-{messages}")) == expected, f"cut behind {messages} messages"
            if not was_cut:
                break
    assert messages > 10


@pytest.mark.slow
@pytest.mark.rule("N41", "D160")
@pytest.mark.parametrize("artifacts", get_args(Delivery))
@pytest.mark.parametrize("seed", [1, 2])
def test_lines_cut_at_random_bytes_change_nothing_of_fifty_jobs(served: Served, artifacts: Delivery, seed: int) -> None:
    params = {"steps": 3, "pictures": 1, "size_bytes": 70_000}
    expected = _uncut(served, **params)
    jobs = [f"job-{number}" for number in range(50)]
    with BadProxy(served.port, at_random(seed, 400_000, times=40)) as proxy:
        listening = Listening()
        endpoint = remote(served, proxy.port, artifacts=artifacts)
        endpoint.open(listening.hear)
        for job in jobs:
            endpoint.send(_submit(job, **params))
        for job in jobs:
            listening.ending(job)
        assert proxy.connections > 5
        assert endpoint.open_jobs == 0
        endpoint.close()
    for job in jobs:
        assert _log(listening.of(job)) == expected, job


@pytest.mark.rule("N41", "D160")
def test_waiting_jobs_keep_their_place_and_running_ones_go_on_while_the_line_is_away(served: Served) -> None:
    states, listening = States(), Listening()
    with BadProxy(served.port) as proxy:
        endpoint = remote(served, proxy.port, states=states)
        endpoint.open(listening.hear)
        endpoint.send(_submit("long", steps=100_000, pause_s=0.001))
        for job in ("a", "b", "c"):
            endpoint.send(_submit(job))
        listening.wait_for(Accepted, "c")
        listening.wait_for(Progress, "long")
        proxy.refuse()
        proxy.cut()
        lost = states.wait_for("reconnecting")
        assert lost.attempt == 1 and lost.retry_s is not None
        states.wait(lambda state: state.attempt == 3)
        endpoint.send(Cancel(job="long"))
        endpoint.send(_submit("d"))
        proxy.accept()
        assert isinstance(listening.ending("long"), Cancelled)
        for job in ("a", "b", "c", "d"):
            listening.ending(job)
        assert [event.job for event in listening.events if isinstance(event, Finished)] == ["a", "b", "c", "d"]
        assert [event.seq for event in listening.of("a")] == list(range(1, len(listening.of("a")) + 1))
        assert sum(isinstance(event, Hello) for event in listening.events) == 1  # nothing new was offered
        endpoint.close()


@pytest.mark.rule("N41")
def test_an_upload_goes_on_where_it_was_when_the_line_broke(served: Served) -> None:
    parts = [bytes([number]) * 200_000 for number in range(10)]
    with BadProxy(served.port, lambda number: Manners(cut_up_bytes=700_000) if number == 0 else GOOD) as proxy:
        listening = Listening()
        endpoint = remote(served, proxy.port)
        endpoint.open(listening.hear)
        endpoint.send(_submit("upload", act="receive"))
        for part in parts:
            endpoint.send(Feed(job="upload", data=part))
        endpoint.send(Feed(job="upload", last=True))
        ending = listening.ending("upload")
        assert isinstance(ending, Finished)
        assert ending.result["received"] == 2_000_000
        assert proxy.connections == 2
        endpoint.close()


def test_inputs_longer_than_a_command_arrive_whole_over_a_line_that_breaks(served: Served) -> None:
    """A job with 5 MB of inputs: more than one document may hold."""
    with BadProxy(served.port, lambda number: Manners(cut_up_bytes=2_500_000) if number == 0 else GOOD) as proxy:
        listening = Listening()
        endpoint = remote(served, proxy.port)
        endpoint.open(listening.hear)
        endpoint.send(Submit(job="a", kind="count", blobs={"picture": bytes(3_000_000), "mask": b"m" * 2_000_000}))
        assert isinstance(listening.ending("a"), Finished)
        endpoint.send(Submit(job="b", kind="count", params={"act": "x" * 3_000_000}))
        refused = listening.ending("b")
        assert isinstance(refused, Failed) and refused.code == "invalid"
        assert "too large" in refused.message
        endpoint.send(Submit(job="c", kind="count", params={"steps": 1 << 70}))
        unsendable = listening.ending("c")
        assert isinstance(unsendable, Failed) and unsendable.code == "invalid"
        endpoint.close()


@pytest.mark.rule("N40", "D159")
def test_the_waits_double_from_one_second_to_thirty_with_jitter() -> None:
    timing = Timing(chance=lambda: 0.0)
    assert [timing.retry_s(attempt) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert timing.retry_s(10_000) == 30
    early = Timing(chance=lambda: 1.0)
    assert [early.retry_s(attempt) for attempt in (1, 2, 6)] == pytest.approx([0.8, 1.6, 24.0])
    assert all(0.8 <= Timing().retry_s(1) <= 1.0 for _ in range(100))


@pytest.mark.rule("N40", "D159", "D160")
def test_a_server_that_is_away_is_looked_for_until_it_is_back_or_the_user_ends_it(served: Served) -> None:
    states, listening = States(), Listening()
    endpoint = remote(served, states=states)
    endpoint.open(listening.hear)
    listening.wait_for(Hello)
    port = served.port
    served.relay.close()
    states.wait(lambda state: state.name == "reconnecting" and state.attempt >= 4)
    assert "Nothing listens" in states.heard[-1].sentence or "lost" in states.heard[-1].sentence
    endpoint.close()
    assert states.heard[-1].name == "disconnected"
    assert port


@pytest.mark.rule("N40", "N42")
def test_a_restarted_relay_goes_on_with_the_session(places: Places, tmp_path: Path) -> None:
    with Served(places, sessions_path=tmp_path / "sessions.json") as served:
        states, listening = States(), Listening()
        endpoint = remote(served, states=states)
        endpoint.open(listening.hear)
        hello = listening.wait_for(Hello)
        endpoint.send(_submit("long", steps=100_000, pause_s=0.001))
        endpoint.send(_submit("next"))
        listening.wait_for(Progress, "long")
        served.restart()
        states.wait_for("reconnecting")
        endpoint.send(Cancel(job="long"))
        assert isinstance(listening.ending("long"), Cancelled)
        assert isinstance(listening.ending("next"), Finished)
        assert [event.seq for event in listening.of("next")] == list(range(1, len(listening.of("next")) + 1))
        assert all(event.session == hello.session for event in listening.events if isinstance(event, Hello))
        endpoint.close()


@pytest.mark.rule("N42", "D160")
def test_a_server_that_forgot_everything_gets_waiting_jobs_again_and_running_ones_end(served: Served) -> None:
    states, listening = States(), Listening()
    endpoint = remote(served, states=states)
    endpoint.open(listening.hear)
    endpoint.send(_submit("running", steps=100_000, pause_s=0.001))
    for job in ("a", "b", "unwanted"):
        endpoint.send(_submit(job))
    listening.wait_for(Accepted, "unwanted")
    listening.wait_for(Progress, "running")
    served.relay.close()
    states.wait_for("reconnecting")
    endpoint.send(Cancel(job="unwanted"))
    served.restart(with_engine=True)
    died = listening.ending("running")
    assert isinstance(died, Failed) and died.code == "worker_died"
    assert died.seq == listening.of("running")[-2].seq + 1
    for job in ("a", "b"):
        assert isinstance(listening.ending(job), Finished)
        assert [event.seq for event in listening.of(job)] == list(range(1, len(listening.of(job)) + 1))
    assert isinstance(listening.ending("unwanted"), Cancelled)
    endpoint.close()


@pytest.mark.rule("N43", "D159")
def test_a_silent_line_is_told_then_ended_and_its_latency_is_the_mean_of_the_last_answers(served: Served) -> None:
    timing = replace(QUICK, ping_s=0.02, dropping_s=0.3, lost_s=1.5)
    states, listening = States(), Listening()
    with BadProxy(served.port, Manners(delay_s=0.03)) as proxy:
        endpoint = remote(served, proxy.port, states=states, timing=timing)
        endpoint.open(listening.hear)
        ready = states.wait(lambda state: state.name == "ready" and state.latency_s is not None)
        assert ready.latency_s is not None and ready.latency_s >= 0.05
        # When nothing comes through for a while, it is told, and also when it is over
        proxy.silence()
        states.wait_for("dropping")
        heard = len(states.heard)
        proxy.speak()
        states.wait_for("ready", heard)
        # When it stays silent, the line is given up and another is found
        heard = len(states.heard)
        proxy.silence()
        lost = states.wait_for("reconnecting", heard)
        assert "nothing was heard" in lost.sentence
        proxy.cut()
        proxy.speak()
        states.wait_for("ready", states.heard.index(lost))
        assert proxy.connections > 1
        endpoint.close()


@pytest.mark.rule("D160")
def test_a_machine_that_slept_looks_for_a_new_line_at_once(served: Served) -> None:
    slept_s = 0.0

    def wall() -> float:
        return threading.TIMEOUT_MAX / 2 + slept_s

    states, listening = States(), Listening()
    endpoint = remote(served, states=states, timing=replace(QUICK, ping_s=0.02, wall=wall))
    endpoint.open(listening.hear)
    states.wait_for("ready")
    slept_s = 3600.0
    assert "asleep" in states.wait_for("reconnecting").sentence
    states.wait_for("ready", len(states.heard))
    endpoint.close()


def test_reconnect_takes_a_new_line_at_once_and_jobs_go_on(served: Served) -> None:
    with BadProxy(served.port) as proxy:
        states, listening = States(), Listening()
        endpoint = remote(served, proxy.port, states=states, timing=replace(QUICK, first_retry_s=1000, longest_retry_s=1000))
        endpoint.open(listening.hear)
        endpoint.send(_submit("long", steps=100_000, pause_s=0.001))
        listening.wait_for(Progress, "long")
        endpoint.restart()
        states.wait_for("connecting", 1)
        proxy_before = proxy.connections
        # Also while it would wait very long
        proxy.refuse()
        proxy.cut()
        states.wait_for("reconnecting")
        proxy.accept()
        endpoint.reconnect()
        endpoint.send(Cancel(job="long"))
        assert isinstance(listening.ending("long"), Cancelled)
        assert proxy.connections > proxy_before
        endpoint.close()


def test_a_job_that_no_server_has_seen_is_cancelled_at_once(served: Served) -> None:
    states, listening = States(), Listening()
    with BadProxy(served.port) as proxy:
        endpoint = remote(served, proxy.port, states=states, timing=replace(QUICK, first_retry_s=1000, longest_retry_s=1000))
        endpoint.open(listening.hear)
        listening.wait_for(Hello)
        proxy.refuse()
        proxy.cut()
        states.wait_for("reconnecting")
        endpoint.send(_submit("a"))
        endpoint.send(Cancel(job="a"))
        assert listening.ending("a") == Cancelled(job="a", seq=1)
        endpoint.close()


def test_it_may_be_closed_from_within_its_callback_and_twice_and_leaves_no_thread(served: Served) -> None:
    before = set(threading.enumerate())
    listening = Listening()
    endpoint = remote(served)

    def hear(event: Event) -> None:
        listening.hear(event)
        if isinstance(event, Accepted):
            endpoint.close()

    endpoint.open(hear)
    endpoint.send(_submit("a", steps=100_000, pause_s=0.001))
    listening.wait_for(Accepted, "a")
    endpoint.close()
    endpoint.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "remote"]
    assert not any(isinstance(event, Artifact | Finished) for event in listening.events)


def test_what_nobody_foresaw_ends_the_line_and_not_the_client(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([True])

    def wall() -> float:
        if next(failures, False):
            raise RuntimeError("unforeseen")
        return time.time()

    listening = Listening()
    endpoint = remote(served, timing=replace(QUICK, wall=wall))
    endpoint.open(listening.hear)
    endpoint.send(_submit("a"))
    assert isinstance(listening.ending("a"), Finished)
    endpoint.close()
    assert "the line failed inside" in caplog.text
