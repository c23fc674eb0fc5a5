"""The contract's keeper on its own: strangers, roles, turns, bounds and late words."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from sfumato.jobs.clients import LOCAL, Client, JobCounts, may_run
from sfumato.jobs.dispatcher import EARLY_FEED_LIMIT_BYTES, Dispatcher
from sfumato.jobs.journal import Journal
from sfumato.jobs.registry import JobKind, Registry, filled, resolve
from sfumato.jobs.sizes import Limits
from sfumato.protocol.errors import Invalid, SessionExpired
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Event, Failed, Feed, Finished, JobEvent, Progress, Resume, Submit
from sfumato.protocol.requests.generate import Generate
from tests.support import kinds
from tests.support.by_hand import Recorder
from tests.support.listening import Listening

OWNER = Client("owner-1", "owner")
SECOND = Client("owner-2", "owner")
STRANGER = Client("guest-1", "guest", "guest")


@pytest.fixture
def registry() -> Registry:
    return filled([kinds.REGISTRAR, "sfumato.jobs.builtin:register"])


@pytest.fixture
def dispatcher(registry: Registry) -> Dispatcher:
    return Dispatcher(registry)


@pytest.fixture
def heard(dispatcher: Dispatcher) -> list[Event]:
    """What the only client of the process hears."""
    events: list[Event] = []
    dispatcher.join(LOCAL, events.append)
    return events


@pytest.fixture
def executor(dispatcher: Dispatcher) -> Recorder:
    recorder = Recorder()
    dispatcher.attach(recorder)
    return recorder


@pytest.fixture
def sit(dispatcher: Dispatcher) -> Callable[[Client], Listening]:
    def join(client: Client) -> Listening:
        listening = Listening()
        dispatcher.join(client, listening.hear)
        return listening

    return join


def count(job: str, priority: int = 0) -> Submit:
    return Submit(job=job, kind="count", priority=priority)


@pytest.mark.rule("R109", "N33")
def test_a_stranger_can_neither_cancel_feed_nor_resume(dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]) -> None:
    # Given a job of the owner, and a stranger
    sit(OWNER)
    stranger = sit(STRANGER)
    dispatcher.handle(count("a"), OWNER)
    # When the stranger acts on it, and on one that never was
    for job in ("a", "never"):
        for command in (Cancel(job=job), Feed(job=job, data=b"x"), Resume(job=job, after=7), Resume(job=job, after=10**12)):
            dispatcher.handle(command, STRANGER)
        dispatcher.handle(Submit(job=f"fetch-{job}", kind="fetch", params={"blob": f"{job}.2"}), STRANGER)
    stranger.ending("fetch-never")
    # Then nothing happened, and the answers are the same word for word
    assert executor.cancelled == []
    assert executor.fed == []
    of_a, of_never = ([told(event, job) for event in stranger.of(job) + stranger.of(f"fetch-{job}")] for job in ("a", "never"))
    assert of_a == of_never
    assert [event.code for event in stranger.of("a") if isinstance(event, Failed)] == ["job_not_found"] * 2


def told(event: JobEvent, job: str) -> str:
    return repr(event).replace(f"'{job}'", "'*'").replace(f"{job}.2", "*.2").replace(f"fetch-{job}", "fetch-*")


@pytest.mark.rule("N33")
def test_two_identities_may_use_one_job_id(dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]) -> None:
    mine, theirs = sit(OWNER), sit(STRANGER)
    dispatcher.handle(count("a"), OWNER)
    dispatcher.handle(count("a"), STRANGER)
    first = executor.works[0]
    dispatcher.finished(first.job, {"steps": 1})
    second = executor.works[1]
    assert (first.identity, second.identity) == ("owner", "guest")
    assert first.job != second.job
    dispatcher.finished(first.job, {"steps": 99})  # a late word of the first
    dispatcher.finished(second.job, {"steps": 2})
    for listening, steps in ((mine, 1), (theirs, 2)):
        ending = listening.ending("a")
        assert isinstance(ending, Finished)
        assert ending.result == {"steps": steps}


def test_words_after_the_ending_are_dropped(dispatcher: Dispatcher, executor: Recorder, heard: list[Event]) -> None:
    dispatcher.handle(count("a"))
    work = executor.named("a")
    dispatcher.finished(work, {})
    dispatcher.progress(work, stage="count", done=1, total=1, rate=None, preview=(), note="")
    dispatcher.artifact(work, name="x", media_type="y", data=b"", info={})
    dispatcher.cancelled(work)
    dispatcher.failed(work, Invalid([]))
    assert [type(event) for event in heard] == [Accepted, Finished]


def test_jobs_wait_while_there_is_no_executor_and_one_is_lost(dispatcher: Dispatcher, heard: list[Event]) -> None:
    dispatcher.handle(count("a"))
    dispatcher.handle(count("b"))
    first, second = Recorder(), Recorder()
    dispatcher.attach(first)
    assert first.started == ["a"]
    dispatcher.executor_lost("it was unplugged")
    assert [event.code for event in heard if isinstance(event, Failed)] == ["worker_died"]
    dispatcher.attach(second)
    assert first.started == ["a"]
    assert second.started == ["b"]


def test_too_much_uploaded_too_early_ends_the_job(dispatcher: Dispatcher, executor: Recorder, heard: list[Event]) -> None:
    dispatcher.handle(count("running"))
    dispatcher.handle(count("a"))
    for _ in range((EARLY_FEED_LIMIT_BYTES >> 20) + 1):
        dispatcher.handle(Feed(job="a", data=bytes(1 << 20)))
    assert isinstance(heard[-1], Failed)
    dispatcher.finished(executor.named("running"), {})
    assert executor.started == ["running"]


def test_a_cancelled_waiting_job_never_starts(dispatcher: Dispatcher, executor: Recorder, heard: list[Event]) -> None:
    dispatcher.handle(count("a"))
    dispatcher.handle(count("b"))
    dispatcher.handle(Cancel(job="b"))
    dispatcher.handle(Cancel(job="b"))
    dispatcher.finished(executor.named("a"), {})
    assert executor.started == ["a"]
    assert [type(event) for event in heard if getattr(event, "job", "") == "b"] == [Accepted, Cancelled]


@pytest.mark.rule("N33")
@pytest.mark.parametrize("client", [Client("local", "other"), Client("other", "local"), Client("local", "local", "guest")])
def test_nobody_passes_for_the_client_of_the_process(dispatcher: Dispatcher, client: Client) -> None:
    with pytest.raises(ValueError, match="own client"):
        dispatcher.join(client, lambda event: None)


# -- roles -------------------------------------------------------------------------------------


def undeclared(registry: Registry) -> None:
    registry.add(JobKind("undeclared", "Undeclared", kinds.Count, kinds.Counted, "tests.support.kinds:run"))


# What a guest may have done and what not: a kind that is added has to be thought of here.
WRITING = {"convert", "clear_cache", "upload", "download", "fetch_model"}
READING = {"generate", "upscale", "annotate", "catalog", "fetch"}


@pytest.mark.rule("R105", "N30")
def test_every_kind_of_the_program_says_whether_it_writes() -> None:
    offered = filled(["sfumato.jobs.builtin:register"]).kinds
    assert {name for name, kind in offered.items() if kind.writes} == WRITING
    assert {name for name, kind in offered.items() if not kind.writes} == READING


@pytest.mark.rule("N30", "R105")
def test_a_guest_is_refused_every_kind_that_writes_or_does_not_say(registry: Registry, dispatcher: Dispatcher, sit: Callable[[Client], Listening]) -> None:
    undeclared(registry)
    guest, owner = sit(STRANGER), sit(OWNER)
    assert {"convert", "undeclared"} <= {kind.name for kind in registry.kinds.values() if kind.writes}
    for kind in registry.kinds.values():
        # Whatever the parameters are: a role is asked first.
        for client in (STRANGER, OWNER):
            dispatcher.handle(Submit(job=kind.name, kind=kind.name, params={"never": "heard of"}), client)
        said = guest.ending(kind.name)
        assert isinstance(said, Failed)
        assert (said.code == "forbidden") == kind.writes == (not may_run(STRANGER, kind)), kind.name
        if kind.writes:
            assert f"'{kind.name}'" in said.message
            assert len(guest.of(kind.name)) == 1
        of_owner = owner.ending(kind.name)
        assert isinstance(of_owner, Failed)
        assert of_owner.code == "invalid"


@pytest.mark.rule("N32")
def test_a_guests_priority_is_capped(dispatcher: Dispatcher, executor: Recorder) -> None:
    dispatcher.handle(count("running"), OWNER)
    dispatcher.handle(count("owners"), OWNER)
    dispatcher.handle(count("guests", priority=100), STRANGER)
    dispatcher.handle(count("low", priority=-5), OWNER)
    for _ in range(4):
        dispatcher.finished(executor.works[-1].job, {})
    # The guest was served less recently; its priority of 100 counts as 0.
    assert executor.started == ["running", "guests", "owners", "low"]


# -- losing and finding ------------------------------------------------------------------------


@pytest.mark.rule("N41", "R83")
def test_after_a_loss_resume_gives_what_was_missed_once_and_in_order(dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]) -> None:
    before = sit(OWNER)
    dispatcher.handle(count("a"), OWNER)
    tell(dispatcher, executor.named("a"), 3)
    before.wait(lambda event: isinstance(event, Progress) and event.seq == 4)
    dispatcher.leave(OWNER)
    tell(dispatcher, executor.named("a"), 2)
    after = sit(OWNER)
    tell(dispatcher, executor.named("a"), 2)
    dispatcher.handle(Resume(job="a", after=3), OWNER)
    tell(dispatcher, executor.named("a"), 1)
    dispatcher.finished(executor.named("a"), {})
    after.ending("a")
    assert [event.seq for event in before.of("a")] == [1, 2, 3, 4]
    assert [event.seq for event in after.of("a")] == list(range(4, 11))


def test_a_submit_sent_again_over_another_line_is_one_job_and_answered_again(
    dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]
) -> None:
    sit(OWNER)
    dispatcher.handle(count("a"), OWNER)
    dispatcher.leave(OWNER)
    after = sit(OWNER)
    for _ in range(3):
        dispatcher.handle(count("a"), OWNER)
    dispatcher.finished(executor.named("a"), {})
    after.ending("a")
    assert [type(event) for event in after.of("a")] == [Accepted, Finished]
    assert executor.started == ["a"]


@pytest.mark.rule("N33")
def test_another_client_of_the_same_identity_can_go_on_with_a_job(dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]) -> None:
    first, second = sit(OWNER), sit(SECOND)
    dispatcher.handle(count("a"), OWNER)
    dispatcher.handle(Resume(job="a"), SECOND)
    dispatcher.forget(OWNER)  # it has nothing any more
    dispatcher.finished(executor.named("a"), {})
    second.ending("a")
    assert [type(event) for event in second.of("a")] == [Accepted, Finished]
    assert [type(event) for event in first.of("a")] in ([], [Accepted])


def tell(dispatcher: Dispatcher, work: str, times: int) -> None:
    for _ in range(times):
        dispatcher.progress(work, stage="count", done=1, total=9, rate=None, preview=(), note="")


@pytest.mark.rule("N40")
def test_forgetting_a_client_ends_its_jobs_and_says_why_when_asked_later(
    dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]
) -> None:
    listening, other = sit(OWNER), sit(STRANGER)
    dispatcher.handle(count("running"), OWNER)
    dispatcher.handle(count("waiting"), OWNER)
    dispatcher.handle(count("others"), STRANGER)
    dispatcher.forget(OWNER, SessionExpired("running"))
    for job in ("running", "waiting"):
        ending = listening.ending(job)
        assert isinstance(ending, Failed)
        assert ending.code == "session_expired"
    assert dispatcher.jobs_of(OWNER) == JobCounts()
    # The engine is free only when the job that ran has really ended.
    assert executor.cancelled == ["running"]
    assert executor.started == ["running"]
    dispatcher.cancelled(executor.named("running"))
    assert executor.started == ["running", "others"]
    again = sit(OWNER)
    dispatcher.handle(Resume(job="waiting", after=1), OWNER)
    later = again.ending("waiting")
    assert isinstance(later, Failed)
    assert (later.code, later.seq) == ("session_expired", 2)
    # A stranger hears of it what it hears of any job.
    dispatcher.handle(Resume(job="waiting", after=1), STRANGER)
    unknown = other.ending("waiting")
    assert isinstance(unknown, Failed)
    assert unknown.code == "job_not_found"


@pytest.mark.rule("R108", "N40")
def test_what_a_forgotten_client_never_fetched_and_never_ran_takes_no_memory(registry: Registry) -> None:
    # Given results that were made and not fetched, a job that runs, and one that waits with a picture and an upload
    journal = Journal()
    dispatcher, executor = Dispatcher(registry, journal), Recorder()
    dispatcher.attach(executor)
    dispatcher.handle(count("made"), OWNER)
    dispatcher.artifact(executor.named("made"), name="x", media_type="y", data=bytes(1_000_000), info={})
    dispatcher.finished(executor.named("made"), {})
    dispatcher.handle(count("running"), OWNER)
    dispatcher.artifact(executor.named("running"), name="x", media_type="y", data=bytes(1_000_000), info={})
    dispatcher.handle(count("waiting").model_copy(update={"blobs": {"image": bytes(1_000_000)}}), OWNER)
    dispatcher.handle(Feed(job="waiting", data=bytes(1_000_000)), OWNER)
    assert journal._size_bytes > 2_000_000  # the memory is what this is about
    # When its time is over
    dispatcher.forget(OWNER, SessionExpired("running"))
    dispatcher.cancelled(executor.named("running"))
    # Then nothing is kept of it
    assert journal._size_bytes < 10_000
    assert dispatcher._tickets == {}
    assert dispatcher.jobs_of(OWNER) == JobCounts()


@pytest.mark.rule("N40")
def test_what_was_too_much_to_keep_is_said_to_be_gone(registry: Registry) -> None:
    dispatcher = Dispatcher(registry, Journal(limit_bytes=1_000_000))
    executor, listening, other = Recorder(), Listening(), Listening()
    dispatcher.attach(executor)
    dispatcher.join(STRANGER, other.hear)
    dispatcher.handle(count("modest"), STRANGER)
    dispatcher.artifact(executor.named("modest"), name="x", media_type="y", data=b"m" * 10_000, info={})
    dispatcher.finished(executor.named("modest"), {})
    for number in range(20):
        dispatcher.handle(count(f"job-{number}"), OWNER)
        dispatcher.artifact(executor.works[-1].job, name="x", media_type="y", data=bytes(100_000), info={})
        dispatcher.finished(executor.works[-1].job, {})
    dispatcher.join(OWNER, listening.hear)
    for job in ("job-0", "job-19"):
        dispatcher.handle(Resume(job=job), OWNER)
    dispatcher.handle(Submit(job="look", kind="fetch", params={"blob": "job-0.2"}), OWNER)
    early, late, look = listening.ending("job-0"), listening.ending("job-19"), listening.ending("look")
    assert isinstance(early, Failed)
    assert isinstance(look, Failed)
    assert early.code == look.code == "session_expired"
    assert isinstance(late, Finished)
    # One client's flood does not cost another what was kept for it.
    dispatcher.handle(Submit(job="look", kind="fetch", params={"blob": "modest.2"}), STRANGER)
    assert isinstance(other.ending("look"), Finished)


@pytest.mark.rule("N40")
def test_a_running_job_whose_missed_results_did_not_fit_ends_when_resumed(registry: Registry) -> None:
    dispatcher = Dispatcher(registry, Journal(limit_bytes=1_000_000))
    executor, listening = Recorder(), Listening()
    dispatcher.attach(executor)
    dispatcher.handle(count("a"), OWNER)
    for _ in range(30):
        dispatcher.artifact(executor.named("a"), name="x", media_type="y", data=bytes(100_000), info={})
    dispatcher.join(OWNER, listening.hear)
    dispatcher.handle(Resume(job="a", after=1), OWNER)
    ending = listening.ending("a")
    assert isinstance(ending, Failed)
    assert (ending.code, ending.seq) == ("session_expired", 2)
    assert executor.cancelled == ["a"]
    dispatcher.cancelled(executor.named("a"))
    assert len(listening.of("a")) == 1


# -- bounds ------------------------------------------------------------------------------------


@pytest.mark.rule("N32")
def test_what_one_client_and_one_identity_may_have_waiting_is_bounded(registry: Registry) -> None:
    dispatcher = Dispatcher(registry, limits=Limits(jobs=3, jobs_of_identity=5, bytes_of_client=10_000, bytes_of_identity=15_000))
    first, second, stranger = Listening(), Listening(), Listening()
    for client, listening in ((OWNER, first), (SECOND, second), (STRANGER, stranger)):
        dispatcher.join(client, listening.hear)
    for number in range(4):
        dispatcher.handle(count(f"first-{number}"), OWNER)
    for number in range(3):
        dispatcher.handle(count(f"second-{number}"), SECOND)
    for listening, job in ((first, "first-3"), (second, "second-2")):
        refused = listening.ending(job)
        assert isinstance(refused, Failed)
        assert refused.code == "too_many_jobs"
        assert len(listening.of(job)) == 1
    dispatcher.handle(Submit(job="big", kind="count", blobs={"a": bytes(9_000)}), STRANGER)
    dispatcher.handle(Submit(job="more", kind="count", params={"colour": "x" * 2_000}), STRANGER)
    assert [type(event) for event in stranger.of("big")] in ([], [Accepted])
    refused = stranger.ending("more")
    assert isinstance(refused, Failed)
    assert refused.code == "too_many_jobs"
    # Refused is not remembered: sent again when there is room, it runs.
    dispatcher.handle(Cancel(job="first-0"), OWNER)
    heard = len(first.events)
    dispatcher.handle(count("first-3"), OWNER)
    first.wait_for(Accepted, "first-3", after=heard)
    assert dispatcher.jobs_of(OWNER) == JobCounts(waiting=3)


@pytest.mark.rule("N32")
def test_what_is_uploaded_into_waiting_jobs_is_bounded_over_all_of_them(registry: Registry) -> None:
    dispatcher = Dispatcher(registry, limits=Limits(bytes_of_client=4 << 20))
    listening = Listening()
    dispatcher.join(OWNER, listening.hear)
    for number in range(5):
        dispatcher.handle(count(f"job-{number}"), OWNER)
        dispatcher.handle(Feed(job=f"job-{number}", data=bytes(1 << 20)), OWNER)
    refused = listening.wait_for(Failed)
    assert refused.code == "too_many_jobs"


# -- watching and results ----------------------------------------------------------------------


def test_the_monitor_hears_guests_and_nobody_else(dispatcher: Dispatcher, executor: Recorder) -> None:
    heard: list[tuple[str, str]] = []
    done = threading.Event()

    def watch(client: Client, event: JobEvent) -> None:
        heard.append((client.name, event.job))
        if isinstance(event, Finished):
            done.set()

    dispatcher.handle(count("unseen"), STRANGER)
    dispatcher.monitor = watch
    dispatcher.handle(count("owners"), OWNER)
    dispatcher.finished(executor.named("unseen"), {})
    assert done.wait(60)
    dispatcher.monitor = None
    dispatcher.handle(count("later"), STRANGER)
    assert set(heard) == {("guest-1", "unseen")}
    dispatcher.close()


@pytest.mark.rule("N50")
def test_fetch_gives_a_kept_artifact_in_parts_and_keeps_nothing_of_itself(
    dispatcher: Dispatcher, executor: Recorder, sit: Callable[[Client], Listening]
) -> None:
    data = bytes(range(256)) * (5 << 12)  # 5 MiB
    listening = sit(OWNER)
    dispatcher.handle(count("a"), OWNER)
    dispatcher.artifact(executor.named("a"), name="x", media_type="application/octet-stream", data=data, info={})
    dispatcher.finished(executor.named("a"), {})
    fetched = b""
    for number in range(2):
        dispatcher.handle(Submit(job=f"part-{number}", kind="fetch", params={"blob": "a.2", "offset": len(fetched)}), OWNER)
        result = listening.ending(f"part-{number}")
        assert isinstance(result, Finished)
        assert [event.seq for event in listening.of(f"part-{number}")] == [1, 2, 3]
        part = listening.wait_for(Artifact, f"part-{number}")
        assert len(part.data) <= 4 << 20
        assert part.info == {"offset": len(fetched), "size": len(data)}
        fetched += part.data
        assert result.result == {"size": len(data), "next": len(fetched)}
    assert fetched == data
    dispatcher.handle(Resume(job="part-0"), OWNER)
    unknown = listening.wait_for(Failed, "part-0")
    assert unknown.code == "job_not_found"


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


def test_who_left_is_not_kept_by_the_jobs_that_are(dispatcher: Dispatcher) -> None:
    listening = Listening()
    dispatcher.join(OWNER, listening.hear)
    dispatcher.handle(Submit(job="a", kind="no_such_kind"), OWNER)
    listening.ending("a")
    gone = weakref.ref(listening)
    dispatcher.leave(OWNER)
    del listening
    waited = threading.Event()
    for _ in range(200):
        gc.collect()
        if gone() is None:
            break
        waited.wait(0.05)  # for the seat's thread, which may still be in its last word
    assert gone() is None
