"""The contract's keeper on its own: strangers, priorities and late words."""

from __future__ import annotations

import pytest

from sfumato.jobs.dispatcher import EARLY_FEED_LIMIT_BYTES, Dispatcher
from sfumato.jobs.registry import JobKind, Registry, filled, resolve
from sfumato.jobs.runner import Work
from sfumato.protocol.errors import Invalid
from sfumato.protocol.messages import Accepted, Cancel, Cancelled, Event, Failed, Feed, Finished, Resume, Submit
from sfumato.protocol.requests.generate import Generate
from tests.support import kinds


class Recorder:
    """An executor that remembers; a test says by hand what the job does."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.fed: list[bytes] = []

    def start(self, work: Work) -> None:
        self.started.append(work.job)

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)

    def feed(self, job: str, data: bytes, last: bool) -> None:
        self.fed.append(data)

    def close(self) -> None:
        self.started.clear()


@pytest.fixture
def heard() -> list[tuple[str, Event]]:
    return []


@pytest.fixture
def dispatcher(heard: list[tuple[str, Event]]) -> Dispatcher:
    return Dispatcher(filled([kinds.REGISTRAR]), lambda client, event: heard.append((client, event)))


@pytest.fixture
def executor(dispatcher: Dispatcher) -> Recorder:
    recorder = Recorder()
    dispatcher.attach(recorder)
    return recorder


@pytest.mark.rule("R109")
def test_a_stranger_can_neither_cancel_feed_nor_resume(dispatcher: Dispatcher, executor: Recorder, heard: list[tuple[str, Event]]) -> None:
    dispatcher.handle(Submit(job="a", kind="count"), "owner")
    for command in (Cancel(job="a"), Feed(job="a", data=b"x"), Submit(job="a", kind="count")):
        dispatcher.handle(command, "stranger")
    dispatcher.handle(Resume(job="a"), "stranger")
    assert executor.cancelled == []
    assert executor.fed == []
    assert executor.started == ["a"]
    said = [event for client, event in heard if client == "stranger"]
    assert len(said) == 1
    assert isinstance(said[0], Failed)
    assert said[0].code == "job_not_found"


def test_words_after_the_ending_are_dropped(dispatcher: Dispatcher, executor: Recorder, heard: list[tuple[str, Event]]) -> None:
    dispatcher.handle(Submit(job="a", kind="count"))
    dispatcher.finished("a", {})
    dispatcher.progress("a", stage="count", done=1, total=1, rate=None, preview=(), note="")
    dispatcher.artifact("a", name="x", media_type="y", data=b"", info={})
    dispatcher.cancelled("a")
    dispatcher.failed("a", Invalid([]))
    assert [type(event) for _, event in heard] == [Accepted, Finished]


def test_jobs_wait_while_there_is_no_executor_and_one_is_lost(dispatcher: Dispatcher, heard: list[tuple[str, Event]]) -> None:
    dispatcher.handle(Submit(job="a", kind="count"))
    dispatcher.handle(Submit(job="b", kind="count"))
    first, second = Recorder(), Recorder()
    dispatcher.attach(first)
    assert first.started == ["a"]
    dispatcher.executor_lost("it was unplugged")
    assert [event.code for _, event in heard if isinstance(event, Failed)] == ["worker_died"]
    dispatcher.attach(second)
    assert first.started == ["a"]
    assert second.started == ["b"]


def test_too_much_uploaded_too_early_ends_the_job(dispatcher: Dispatcher, executor: Recorder, heard: list[tuple[str, Event]]) -> None:
    dispatcher.handle(Submit(job="running", kind="count"))
    dispatcher.handle(Submit(job="a", kind="count"))
    for _ in range((EARLY_FEED_LIMIT_BYTES >> 20) + 1):
        dispatcher.handle(Feed(job="a", data=bytes(1 << 20)))
    assert isinstance(heard[-1][1], Failed)
    dispatcher.finished("running", {})
    assert executor.started == ["running"]


def test_a_cancelled_waiting_job_never_starts(dispatcher: Dispatcher, executor: Recorder, heard: list[tuple[str, Event]]) -> None:
    dispatcher.handle(Submit(job="a", kind="count"))
    dispatcher.handle(Submit(job="b", kind="count"))
    dispatcher.handle(Cancel(job="b"))
    dispatcher.handle(Cancel(job="b"))
    dispatcher.finished("a", {})
    assert executor.started == ["a"]
    assert [type(event) for _, event in heard if getattr(event, "job", "") == "b"] == [Accepted, Cancelled]


def test_a_kind_registered_twice_is_a_mistake() -> None:
    registry = Registry()
    kind = JobKind("generate", "Generate", Generate, kinds.Counted, "tests.support.kinds:run")
    registry.add(kind)
    assert kind.writes, "a kind that does not say so counts as writing"
    with pytest.raises(ValueError, match="twice"):
        registry.add(kind)


def test_handlers_are_names_resolved_only_where_they_run() -> None:
    assert resolve("tests.support.kinds:run") is kinds.run
    builtin = filled(["sfumato.jobs.builtin:register"])
    assert builtin.kind("generate").handler == "sfumato.engine.tasks.generate:run"
