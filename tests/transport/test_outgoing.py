"""What waits for one client: order, deferral, merging under load, and an end to patience."""

from __future__ import annotations

import hashlib

import pytest

from sfumato.protocol.codec import decode_event
from sfumato.protocol.messages import Accepted, Artifact, Event, Finished, JobEvent, Progress
from sfumato.transport.channel import Channel, Document, client_channel, server_channel
from sfumato.transport.greeting import Greeting
from sfumato.transport.noise import Handshake
from sfumato.transport.outbox import Outbox
from sfumato.transport.outgoing import MERGE_EVENTS, Outgoing, TooSlow
from tests.support.relaying import SALT


def channels() -> tuple[Channel, Channel]:
    """The two ends of one line."""
    greeting = Greeting(SALT).to_bytes()
    ours, theirs = Handshake(False, bytes(32), greeting), Handshake(True, bytes(32), greeting)
    ours.read(theirs.write())
    theirs.read(ours.write())
    return server_channel(*ours.split()), client_channel(*theirs.split())


class Line:
    """An `Outgoing` and the other end of its channel."""

    def __init__(self, delivery: str = "inline", **options: object) -> None:
        ours, self.theirs = channels()
        self.outbox = Outbox(ours)
        self.woken = 0
        self.outgoing = Outgoing(self.outbox, delivery, self._wake, **options)  # type: ignore[arg-type]

    def _wake(self) -> None:
        self.woken += 1

    def heard(self, messages: int = 1_000_000) -> list[Event]:
        """What arrives when so many messages travel."""
        found: list[Event] = []
        for _ in range(messages):
            self.outgoing.pump()
            message = self.outbox.next()
            if message is None:
                break
            heard = self.theirs.receive(message)
            if isinstance(heard, Document):
                found.append(decode_event(heard.data))
        return found


def progress(job: str, seq: int, stage: str = "denoise", preview: bytes = b"") -> Progress:
    return Progress(job=job, seq=seq, stage=stage, done=seq, total=100, preview=(preview,) if preview else ())


def picture(job: str, seq: int, size_bytes: int) -> Artifact:
    return Artifact(job=job, seq=seq, name="image", media_type="image/png", data=bytes(size_bytes), info={"index": 0})


@pytest.mark.rule("N6")
def test_small_events_pass_a_large_picture_and_those_of_its_own_job_do_not() -> None:
    line = Line()
    line.outgoing.put(picture("a", 1, 3_000_000))
    assert line.heard(3) == []
    line.outgoing.put(Finished(job="a", seq=2))
    line.outgoing.put(progress("b", 1))
    first, *rest = line.heard()
    assert (first.type, first.job) == ("progress", "b")  # type: ignore[attr-defined]
    assert [event.type for event in rest] == ["artifact", "finished"]  # type: ignore[attr-defined]


@pytest.mark.rule("N50")
def test_on_demand_a_large_artifact_travels_as_a_name() -> None:
    line = Line("on_demand", is_part=lambda job: job == "fetching")
    large, small, part = picture("a", 7, 200_000), picture("a", 8, 60_000), picture("fetching", 1, 200_000)
    for event in (large, small, part):
        line.outgoing.put(event)
    heard = {(event.job, event.seq): event for event in line.heard() if isinstance(event, Artifact)}
    deferred = heard["a", 7]
    assert (deferred.data, deferred.blob) == (b"", "a.7")
    assert deferred.info == {"index": 0, "blob": {"size": 200_000, "sha256": hashlib.sha256(large.data).hexdigest()}}
    assert heard["a", 8] == small
    assert heard["fetching", 1] == part


def test_nothing_is_merged_while_the_line_keeps_up() -> None:
    line = Line()
    for seq in range(1, 1001):
        line.outgoing.put(progress("a", seq))
    assert [event.seq for event in line.heard() if isinstance(event, JobEvent)] == list(range(1, 1001))


def test_under_load_the_newest_progress_stands_for_those_before_it_and_all_else_is_kept() -> None:
    line = Line()
    for seq in range(1, MERGE_EVENTS + 1):
        line.outgoing.put(Accepted(job=f"job-{seq}", seq=1))
    for seq in range(2, 5000):
        line.outgoing.put(progress("job-1", seq))
    line.outgoing.put(progress("job-1", 5000, "fetch"))
    line.outgoing.put(picture("job-1", 5001, 10))
    line.outgoing.put(progress("job-1", 5002, "fetch"))
    line.outgoing.put(progress("job-1", 5003, "fetch"))
    line.outgoing.put(Finished(job="job-1", seq=5004))
    heard = [event for event in line.heard() if isinstance(event, JobEvent)]
    assert sum(isinstance(event, Accepted) for event in heard) == MERGE_EVENTS
    assert [event.seq for event in heard if event.job == "job-1"] == [1, 4999, 5000, 5001, 5003, 5004]


def test_previews_that_nobody_reads_do_not_pile_up() -> None:
    line = Line(backlog_bytes=8 << 20)
    for seq in range(1, 3000):
        line.outgoing.put(progress("a", seq, preview=bytes(50_000)))
    assert line.outgoing.waiting_bytes < 5 << 20
    assert [event.seq for event in line.heard() if isinstance(event, JobEvent)][-1] == 2999


def test_who_lets_too_much_pile_up_is_too_slow() -> None:
    line = Line(backlog_bytes=1 << 20)
    for seq in range(1, 12):
        line.outgoing.put(picture("a", seq, 100_000))
    with pytest.raises(TooSlow):
        line.outgoing.pump()
    waiting = line.outgoing.waiting_bytes
    line.outgoing.put(picture("a", 12, 100_000))
    assert line.outgoing.waiting_bytes == waiting
