"""The eight rules of the one contract, on every transport."""

from __future__ import annotations

import pytest

from sfumato.protocol.messages import ENDINGS, Accepted, Artifact, Cancel, Cancelled, Failed, Feed, Finished, Hello, Progress, Resume, Submit
from sfumato.transport.endpoint import Endpoint
from tests.support.listening import Listening


def submit(job: str, **params: object) -> Submit:
    return Submit(job=job, kind="count", params=dict(params))


def test_hello_tells_what_is_offered(client: Listening) -> None:
    hello = client.wait_for(Hello)
    assert hello.protocol == 1
    assert len(hello.session) == 32
    assert hello.catalog["kinds"]["count"]["specs"][0]["name"] == "steps"
    assert hello.catalog["choices"]["models"][0]["value"] == "nothing"


@pytest.mark.rule("R89")
def test_the_same_submit_twice_is_one_job_and_two_ids_are_two(endpoint: Endpoint, client: Listening) -> None:
    for job in ("a", "a", "b"):
        endpoint.send(submit(job))
    assert isinstance(client.ending("b"), Finished)
    assert [type(e) for e in client.of("a")] == [type(e) for e in client.of("b")]
    assert sum(isinstance(e, Accepted) for e in client.of("a")) == 1


@pytest.mark.rule("R81")
@pytest.mark.parametrize(("act", "ending"), [("", Finished), ("fail", Failed), ("raise", Failed), ("print", Finished)])
def test_exactly_one_ending_and_nothing_after_it(endpoint: Endpoint, client: Listening, act: str, ending: type) -> None:
    endpoint.send(submit("a", act=act))
    endpoint.send(submit("next"))
    client.ending("next")
    events = client.of("a")
    assert [isinstance(e, ENDINGS) for e in events].count(True) == 1
    assert isinstance(events[-1], ending)


def test_a_failure_has_code_sentence_and_field_and_hides_the_trace(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("a", act="fail"))
    endpoint.send(submit("b", act="raise"))
    known, unknown = client.ending("a"), client.ending("b")
    assert isinstance(known, Failed)
    assert isinstance(unknown, Failed)
    assert (known.code, known.path) == ("model_not_found", "model")
    assert "'x'" in known.message
    assert "'y'" in known.message
    assert unknown.code == "internal"
    assert "mistake" not in unknown.message
    assert "a mistake of ours" in unknown.detail


@pytest.mark.rule("R87")
def test_seq_rises_by_one_and_nothing_is_dropped(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("a", steps=500, pictures=20, size_bytes=100_000))
    client.ending("a")
    events = client.of("a")
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    artifacts = [e for e in events if isinstance(e, Artifact)]
    assert [a.data for a in artifacts] == [bytes([i]) * 100_000 for i in range(20)]
    assert [a.info["index"] for a in artifacts] == list(range(20))
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert (last.stage, last.done, last.total) == ("count", 500, 500)


@pytest.mark.rule("R83")
def test_resume_replays_what_was_missed_in_order(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("a", steps=20, pictures=2))
    client.ending("a")
    first = client.of("a")
    for after in (0, 5, first[-1].seq, first[-1].seq + 10):
        heard = len(client.events)
        endpoint.send(Resume(job="a", after=after))
        endpoint.send(submit(f"mark-{after}", pictures=0))
        client.ending(f"mark-{after}")
        missed = [e for e in first if e.seq > after]
        if missed:  # events of different jobs may pass each other
            client.wait(lambda event, last=missed[-1]: event == last, heard)
        replayed = [e for e in client.events[heard:] if getattr(e, "job", "") == "a"]
        assert replayed == missed


def test_resume_of_an_unknown_job_says_so(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(Resume(job="stranger", after=0))
    ending = client.ending("stranger")
    assert isinstance(ending, Failed)
    assert ending.code == "job_not_found"


@pytest.mark.rule("R84")
def test_cancel_while_waiting_ends_at_once_and_the_running_job_goes_on(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("long", steps=100_000, pause_s=0.001))
    client.wait_for(Progress, "long")
    endpoint.send(submit("waiting"))
    accepted = client.wait_for(Accepted, "waiting")
    assert accepted.position == 1
    endpoint.send(Cancel(job="waiting"))
    assert isinstance(client.ending("waiting"), Cancelled)
    assert not any(isinstance(e, ENDINGS) for e in client.of("long"))
    endpoint.send(Cancel(job="long"))
    assert isinstance(client.ending("long"), Cancelled)


@pytest.mark.rule("R73")
def test_cancel_of_a_running_job_is_idempotent_and_leaves_the_others(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("long", steps=100_000, pause_s=0.001))
    endpoint.send(submit("next"))
    client.wait_for(Progress, "long")
    for _ in range(3):
        endpoint.send(Cancel(job="long"))
    assert isinstance(client.ending("long"), Cancelled)
    endpoint.send(Cancel(job="long"))
    assert isinstance(client.ending("next"), Finished)
    assert sum(isinstance(e, ENDINGS) for e in client.of("long")) == 1


@pytest.mark.rule("R31", "R96")
def test_a_bad_request_names_every_bad_field(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("a", steps=0, pictures=101, colour="red", pause_s="soon"))
    endpoint.send(Submit(job="b", kind="cuont", params={}))
    bad, unknown = client.ending("a"), client.ending("b")
    assert isinstance(bad, Failed)
    assert isinstance(unknown, Failed)
    assert bad.code == unknown.code == "invalid"
    assert set(bad.path.split(",")) == {"steps", "pictures", "colour", "pause_s"}
    assert "Steps must be between 1 and 100000." in bad.message
    assert "Pictures must be between 0 and 100." in bad.message
    assert "Closest: 'count'" in unknown.message


@pytest.mark.rule("R72")
def test_jobs_run_in_order_of_priority_then_arrival(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("long", steps=100_000, pause_s=0.001))
    client.wait_for(Progress, "long")
    for job, priority in (("a", 0), ("b", 0), ("first", 5), ("c", 0)):
        endpoint.send(Submit(job=job, kind="count", priority=priority))
    endpoint.send(Cancel(job="long"))
    for job in ("a", "b", "c", "first"):
        client.ending(job)
    # In the order they ran: the words of different jobs may pass each other on a line.
    ran = sorted((event for event in client.events if isinstance(event, Finished)), key=lambda event: event.result["kept"])
    assert [event.job for event in ran] == ["first", "a", "b", "c"]
    assert client.wait_for(Accepted, "first").position == 1


def test_an_upload_reaches_the_job_also_when_it_began_before_it(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("long", steps=100_000, pause_s=0.001))
    client.wait_for(Progress, "long")
    endpoint.send(submit("a", act="receive"))
    endpoint.send(Feed(job="a", data=b"x" * 1000))
    endpoint.send(Cancel(job="long"))
    client.wait_for(Progress, "a")
    endpoint.send(Feed(job="a", data=b"y" * (1 << 20)))
    endpoint.send(Feed(job="a", last=True))
    ending = client.ending("a")
    assert isinstance(ending, Finished)
    assert ending.result["received"] == 1000 + (1 << 20)


def test_a_job_that_waits_for_an_upload_can_be_cancelled(endpoint: Endpoint, client: Listening) -> None:
    endpoint.send(submit("a", act="receive"))
    client.wait_for(Artifact, "a")
    endpoint.send(Cancel(job="a"))
    assert isinstance(client.ending("a"), Cancelled)


def test_what_a_job_prints_cannot_break_the_stream(endpoint: Endpoint, client: Listening) -> None:
    for n in range(5):
        endpoint.send(submit(f"noisy-{n}", act="print", pictures=3, size_bytes=1000))
    for n in range(5):
        assert isinstance(client.ending(f"noisy-{n}"), Finished)
        assert [e.seq for e in client.of(f"noisy-{n}")] == list(range(1, len(client.of(f"noisy-{n}")) + 1))


def test_what_a_handler_keeps_lives_as_long_as_the_process(endpoint: Endpoint, client: Listening) -> None:
    for job in ("a", "b"):
        endpoint.send(submit(job))
    first, second = client.ending("a"), client.ending("b")
    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert (first.result["kept"], second.result["kept"]) == (1, 2)


def test_a_client_may_act_from_within_its_own_callback(endpoint: Endpoint) -> None:
    listening = Listening()

    def hear(event: object) -> None:
        if isinstance(event, Accepted) and event.job == "a":
            endpoint.send(Cancel(job="a"))
        if isinstance(event, Cancelled):
            endpoint.send(submit("b"))
        listening.hear(event)  # type: ignore[arg-type]  # only events come here

    endpoint.open(hear)
    endpoint.send(submit("a", steps=100_000, pause_s=0.001))
    assert isinstance(listening.ending("b"), Finished)
    said = [type(e) for e in listening.of("a") if not isinstance(e, Progress)]
    assert said in ([Accepted, Cancelled], [Cancelled, Accepted])
