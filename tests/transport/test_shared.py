"""The contract of endpoints that several clients share, on both of them."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from sfumato.jobs.clients import LOCAL, Client, JobCounts
from sfumato.jobs.context import AHEAD_LIMIT_BYTES
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.errors import SessionExpired
from sfumato.protocol.messages import ENDINGS, Accepted, Artifact, Cancel, Cancelled, Event, Failed, Feed, Finished, Hello, Progress, Resume, Submit
from sfumato.transport.endpoint import InProcess, SharedEndpoint
from sfumato.transport.local import LocalInference
from tests.support import kinds, transfer_kinds
from tests.support.listening import Listening

REGISTRARS = [kinds.REGISTRAR, transfer_kinds.REGISTRAR, "tests.support.transfer_kinds:register_fetch"]
MAKERS: dict[str, Callable[[Places], SharedEndpoint]] = {
    "in-process": lambda places: InProcess(filled(REGISTRARS), places, kept_jobs=places.data / "remote" / "jobs.sqlite"),
    "pipe": lambda places: LocalInference(places, REGISTRARS, kept_jobs=places.data / "remote" / "jobs.sqlite"),
}
ANNA = Client("anna-1", "anna")
BERT = Client("bert-1", "bert")
GUEST = Client("guest-1", "guest", "guest")


@pytest.fixture(params=MAKERS)
def endpoint(request: pytest.FixtureRequest, places: Places) -> Iterator[SharedEndpoint]:
    made = MAKERS[request.param](places)
    yield made
    made.close()


@pytest.fixture
def host(endpoint: SharedEndpoint) -> Listening:
    """The endpoint's own client, greeted."""
    listening = Listening()
    endpoint.open(listening.hear)
    listening.wait_for(Hello)
    return listening


@pytest.fixture
def sit(endpoint: SharedEndpoint, host: Listening) -> Callable[[Client], Listening]:
    def join(client: Client) -> Listening:
        listening = Listening()
        endpoint.join(client, listening.hear)
        listening.wait_for(Hello)
        return listening

    return join


def count(job: str, **params: object) -> Submit:
    return Submit(job=job, kind="count", params=dict(params))


def long_job(job: str) -> Submit:
    return count(job, steps=100_000, pause_s=0.001)


@pytest.mark.rule("N33", "R88")
def test_each_client_hears_its_own_jobs_in_order_and_no_others(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    seats = {client: sit(client) for client in (ANNA, BERT, GUEST)}
    for client in seats:
        endpoint.obey(client, count("a", steps=50, pictures=3))  # the same id for all
    endpoint.send(count("mine", steps=5))
    for listening in seats.values():
        assert isinstance(listening.ending("a"), Finished)
        assert {getattr(event, "job", "a") for event in listening.events} == {"a"}
        assert [event.seq for event in listening.of("a")] == list(range(1, len(listening.of("a")) + 1))
        assert sum(isinstance(event, ENDINGS) for event in listening.of("a")) == 1
    assert isinstance(host.ending("mine"), Finished)
    assert {getattr(event, "job", "mine") for event in host.events} == {"mine"}


@pytest.mark.rule("R88")
def test_clients_that_come_and_go_lose_nobody_elses_events(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    stays = sit(ANNA)
    guests = [Client(f"guest-{number}", "guest", "guest") for number in range(5)]
    for guest in guests:
        sit(guest)
        endpoint.obey(guest, count("a", steps=200))
    endpoint.obey(ANNA, count("a", steps=200, pictures=2))
    for guest in guests[:4]:
        endpoint.leave(guest)
    endpoint.forget(guests[4])
    assert isinstance(stays.ending("a"), Finished)
    assert [event.seq for event in stays.of("a")] == list(range(1, len(stays.of("a")) + 1))
    # All five used one id of one identity: it is one job, and whoever comes back hears all of it, or that it is gone.
    again = sit(guests[0])
    endpoint.obey(guests[0], Resume(job="a"))
    assert isinstance(again.ending("a"), Finished | Failed)


@pytest.mark.rule("N41", "N40")
def test_what_was_said_while_a_client_was_away_is_told_once_and_in_order(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    before = sit(ANNA)
    endpoint.obey(ANNA, count("a", steps=2000, pause_s=0.0005, pictures=3, size_bytes=100_000))
    before.wait_for(Progress, "a")
    endpoint.leave(ANNA)
    heard = len(before.of("a"))
    after = sit(ANNA)
    endpoint.obey(ANNA, Resume(job="a", after=before.of("a")[heard - 1].seq))
    assert isinstance(after.ending("a"), Finished)
    told = before.of("a")[:heard] + after.of("a")
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert [event.data[:1] for event in told if isinstance(event, Artifact)] == [b"\0", b"\1", b"\2"]


@pytest.mark.rule("N32")
def test_clients_take_turns_and_are_told_their_places(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    # Given one client's flood behind a running job
    seats = {client.name: sit(client) for client in (ANNA, BERT, GUEST)}
    endpoint.send(long_job("running"))
    host.wait_for(Progress, "running")
    for number in range(4):
        endpoint.obey(ANNA, count(f"job-{number}"))
    # When two others come later
    for client in (BERT, GUEST):
        for number in range(2):
            endpoint.obey(client, count(f"job-{number}"))
    endpoint.obey(BERT, Submit(job="urgent", kind="count", priority=7))
    # Then each place counts the jobs that would go before
    places = {name: [listening.wait_for(Accepted, f"job-{number}").position for number in range(2)] for name, listening in seats.items()}
    assert places == {"anna-1": [1, 2], "bert-1": [2, 4], "guest-1": [3, 6]}
    assert seats["bert-1"].wait_for(Accepted, "urgent").position == 1
    assert (endpoint.jobs_of(ANNA), endpoint.jobs_of(LOCAL)) == (JobCounts(waiting=4), JobCounts(running=1))
    # And they run in that order
    endpoint.send(Cancel(job="running"))
    ran: dict[int, str] = {}
    for name, listening in seats.items():
        for job in {getattr(event, "job", "") for event in listening.events} - {""}:
            ending = listening.ending(job)
            assert isinstance(ending, Finished)
            ran[ending.result["kept"]] = f"{name.removesuffix('-1')} {job}"
    first = ["bert urgent", "anna job-0", "guest job-0", "bert job-0", "anna job-1", "guest job-1", "bert job-1", "anna job-2", "anna job-3"]
    assert [ran[number] for number in sorted(ran)] == first


@pytest.mark.rule("N32", "N50")
def test_a_client_that_is_slow_to_hear_holds_up_neither_others_nor_its_own_next_job(
    endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]
) -> None:
    # Given a client over whose line a picture travels for ever
    stuck, let_go = threading.Event(), threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Artifact):
            stuck.set()
            let_go.wait(60)

    endpoint.join(BERT, hear)
    for job in ("slow", "next"):
        endpoint.obey(BERT, count(job, steps=100))
    try:
        assert stuck.wait(60)
        # Then its next job runs meanwhile, and another's after it
        other = sit(ANNA)
        for job in ("a", "b"):
            endpoint.obey(ANNA, count(job))
        ending = other.ending("b")
        assert isinstance(ending, Finished)
        assert ending.result["kept"] == 4
        assert endpoint.jobs_of(BERT) == JobCounts()
        assert not let_go.is_set()
    finally:
        let_go.set()


def test_clients_may_act_from_within_their_own_callbacks(endpoint: SharedEndpoint, host: Listening) -> None:
    # Each holds a lock of its own while it hears and while it sends, as a window or a connection might.
    listeners = {}
    for client in (ANNA, BERT, GUEST):
        listening, lock = Listening(), threading.RLock()

        def hear(event: Event, client: Client = client, listening: Listening = listening, lock: threading.RLock = lock) -> None:  # type: ignore[valid-type]  # a function to type checkers
            with lock:
                if isinstance(event, Accepted) and event.job == "a":
                    endpoint.obey(client, Cancel(job="a"))
                if isinstance(event, Cancelled) and event.job == "a":
                    endpoint.obey(client, count("b"))
                listening.hear(event)

        endpoint.join(client, hear)
        listeners[client] = listening, lock
    for client, (_, lock) in listeners.items():
        with lock:
            endpoint.obey(client, long_job("a"))
    for listening, _ in listeners.values():
        assert isinstance(listening.ending("b"), Finished)
        assert isinstance(listening.ending("a"), Cancelled)


@pytest.mark.rule("N40")
def test_a_forgotten_client_holds_the_engine_no_longer(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    listening, other = sit(ANNA), sit(BERT)
    endpoint.obey(ANNA, long_job("running"))
    listening.wait_for(Progress, "running")
    endpoint.obey(ANNA, count("waiting"))
    endpoint.obey(BERT, count("a"))
    endpoint.forget(ANNA, SessionExpired("running"))
    assert isinstance(other.ending("a"), Finished)
    for job in ("running", "waiting"):
        ending = listening.ending(job)
        assert isinstance(ending, Failed)
        assert ending.code == "session_expired"


# -- another life of the server ----------------------------------------------------------------


@pytest.mark.rule("N42")
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_waited_runs_after_a_restart(make: Callable[[Places], SharedEndpoint], places: Places) -> None:
    first = make(places)
    before = Listening()
    first.open(Listening().hear)
    first.join(ANNA, before.hear)
    first.obey(ANNA, long_job("running"))
    first.obey(ANNA, count("waiting"))
    seq = before.wait_for(Progress, "running").seq
    first.close()
    assert not any(isinstance(event, ENDINGS) for event in before.events)
    second = make(places)
    second.open(Listening().hear)
    try:
        check_the_next_life(second, seq)
    finally:
        second.close()


def check_the_next_life(endpoint: SharedEndpoint, seq: int) -> None:
    listening = Listening()
    endpoint.join(ANNA, listening.hear)
    endpoint.obey(ANNA, Resume(job="waiting", after=1))
    endpoint.obey(ANNA, Resume(job="running", after=seq))
    assert isinstance(listening.ending("waiting"), Finished)
    assert [event.seq for event in listening.of("waiting")] == list(range(2, len(listening.of("waiting")) + 2))
    died = listening.ending("running")
    assert isinstance(died, Failed)
    assert (died.code, died.seq) == ("worker_died", seq + 1)


SERVER = """
import sys, threading
from pathlib import Path
from sfumato.jobs.clients import Client
from sfumato.jobs.places import Places
from sfumato.protocol.messages import Progress, Submit
from sfumato.transport.local import LocalInference
from tests.support import kinds
root, running = Path(sys.argv[1]), threading.Event()
local = LocalInference(Places(root, root, ()), [kinds.REGISTRAR], kept_jobs=root / "remote" / "jobs.sqlite")
local.open(lambda event: None)
anna = Client("anna-1", "anna")
local.join(anna, lambda event: running.set() if isinstance(event, Progress) else None)
local.obey(anna, Submit(job="running", kind="count", params={"steps": 100000, "pause_s": 0.001}))
local.obey(anna, Submit(job="waiting", kind="count"))
running.wait(60)
print("running", flush=True)
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.rule("N42")
def test_what_waited_runs_after_the_server_was_killed(places: Places) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'source'}{os.pathsep}{root}"}
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(places.data)], stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    assert server.stdout.readline() == "running\n"
    server.kill()
    server.wait()
    server.stdout.close()
    second = MAKERS["pipe"](places)
    second.open(Listening().hear)
    try:
        check_the_next_life(second, 2)
    finally:
        second.close()


# -- transfers ---------------------------------------------------------------------------------


def receive(job: str, kind: str = "receive", **params: object) -> Submit:
    return Submit(job=job, kind=kind, params=dict(params))


def test_transfers_run_beside_the_engine_and_beside_each_other(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    listening, other = sit(ANNA), sit(BERT)
    endpoint.send(long_job("running"))
    host.wait_for(Progress, "running")
    # Two of one client run, a third waits; another client's begins all the same.
    for number in range(3):
        endpoint.obey(ANNA, receive(f"up-{number}", act="hold"))
    endpoint.obey(BERT, receive("up"))
    for number in range(2):
        listening.wait_for(Progress, f"up-{number}")
    other.wait_for(Progress, "up")
    assert endpoint.jobs_of(ANNA) == JobCounts(waiting=1, running=2)
    endpoint.obey(BERT, Feed(job="up", data=b"x" * 1000, last=True))
    ending = other.ending("up")
    assert isinstance(ending, Finished)
    # In the process that answers clients, and for whom they were sent.
    assert (ending.result["size"], ending.result["pid"], ending.result["identity"]) == (1000, os.getpid(), "bert")
    endpoint.obey(ANNA, Cancel(job="up-0"))
    assert isinstance(listening.ending("up-0"), Cancelled)
    listening.wait_for(Progress, "up-2")
    assert not any(isinstance(event, ENDINGS) for event in host.of("running"))


@pytest.mark.rule("N30")
def test_a_guest_uploads_nothing_and_feeds_nobody(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    guest, owner = sit(GUEST), sit(ANNA)
    endpoint.obey(GUEST, receive("up"))
    refused = guest.ending("up")
    assert isinstance(refused, Failed)
    assert refused.code == "forbidden"
    assert "'receive'" in refused.message
    # Feeding another's upload changes nothing in it.
    endpoint.obey(ANNA, receive("up"))
    owner.wait_for(Progress, "up")
    endpoint.obey(GUEST, Feed(job="up", offset=0, data=b"evil", last=True))
    endpoint.obey(ANNA, Feed(job="up", offset=0, data=b"good", last=True))
    ending = owner.ending("up")
    assert isinstance(ending, Finished)
    assert ending.result["sha256"] == hashlib.sha256(b"good").hexdigest()


@pytest.mark.rule("N51", "N52")
@pytest.mark.parametrize("kind", ["receive", "receive_here"])
def test_an_upload_takes_each_byte_once_and_none_behind_a_gap(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening], kind: str) -> None:
    data = os.urandom(300_000)
    listening = sit(ANNA)
    # From byte 100 000 on, as after a lost connection
    endpoint.obey(ANNA, receive("up", kind, start=100_000))
    for begin, end in ((0, 50_000), (0, 120_000), (150_000, 200_000), (120_000, 200_000), (90_000, 200_000), (200_000, 200_000), (250_000, 300_000)):
        endpoint.obey(ANNA, Feed(job="up", offset=begin, data=data[begin:end], last=end == len(data)))  # the last of these is behind a gap
    endpoint.obey(ANNA, Feed(job="up", offset=190_000, data=data[190_000:], last=True))
    ending = listening.ending("up")
    assert isinstance(ending, Finished)
    assert ending.result["sha256"] == hashlib.sha256(data[100_000:]).hexdigest()


@pytest.mark.rule("N51")
@pytest.mark.parametrize("kind", ["receive", "receive_here"])
def test_who_uploads_too_far_ahead_is_ended_with_a_sentence(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening], kind: str) -> None:
    listening = sit(ANNA)
    endpoint.obey(ANNA, receive("up", kind, act="deaf"))
    listening.wait_for(Progress, "up")
    for _ in range((AHEAD_LIMIT_BYTES >> 20) + 1):
        endpoint.obey(ANNA, Feed(job="up", data=bytes(1 << 20)))
    ending = listening.ending("up")
    assert isinstance(ending, Failed)
    assert ending.code == "invalid"
    assert "8 MiB" in ending.message


def test_transfers_go_on_whatever_becomes_of_the_engine(places: Places) -> None:
    local, listening = LocalInference(places, REGISTRARS), Listening()
    # Before the engine is there at all
    local.open(Listening().hear)
    local.join(ANNA, listening.hear)
    try:
        local.obey(ANNA, receive("early"))
        listening.wait_for(Progress, "early")
        listening.wait_for(Hello)
        assert local.pid is not None
        os.kill(local.pid, signal.SIGKILL)
        local.obey(ANNA, Feed(job="early", data=b"x", last=True))
        assert isinstance(listening.ending("early"), Finished)
        local.obey(ANNA, receive("open", act="hold"))
        listening.wait_for(Progress, "open")
    finally:
        local.close()  # ends what is under way


@pytest.mark.rule("N32")
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_an_engine_that_reads_nothing_holds_up_only_its_own_jobs(places: Places) -> None:
    local, listening, other = LocalInference(places, REGISTRARS), Listening(), Listening()
    local.open(Listening().hear)
    local.join(ANNA, listening.hear)
    local.join(BERT, other.hear)
    try:
        listening.wait_for(Hello)
        assert local.pid is not None
        os.kill(local.pid, signal.SIGSTOP)
        # More than a pipe holds
        local.obey(ANNA, Submit(job="a", kind="count", blobs={"picture": bytes(4 << 20)}))
        for number in range(12):
            local.obey(ANNA, Feed(job="a", offset=number << 20, data=bytes(1 << 20)))
        local.obey(BERT, receive("up"))
        local.obey(BERT, Feed(job="up", data=b"x", last=True))
        assert isinstance(other.ending("up"), Finished)
        ending = listening.ending("a")
        assert isinstance(ending, Failed)
        assert "8 MiB" in ending.message
        os.kill(local.pid, signal.SIGCONT)
        local.obey(ANNA, count("b"))
        assert isinstance(listening.ending("b"), Finished)
    finally:
        local.close()


def test_transfers_run_where_the_engine_cannot_start(places: Places) -> None:
    failed = threading.Event()
    local, listening = (
        LocalInference(places, [transfer_kinds.REGISTRAR, "tests.support.kinds:register_broken"], lambda state: state.name == "failed" and failed.set()),
        Listening(),
    )
    local.open(Listening().hear)
    local.join(ANNA, listening.hear)
    try:
        assert failed.wait(60)
        local.obey(ANNA, count("a"))
        ending = listening.ending("a")
        assert isinstance(ending, Failed)
        assert ending.code == "engine_unavailable"
        local.obey(ANNA, receive("up"))
        local.obey(ANNA, Feed(job="up", data=b"x", last=True))
        assert isinstance(listening.ending("up"), Finished)
    finally:
        local.close()


# -- pictures ----------------------------------------------------------------------------------


@pytest.mark.rule("N50")
def test_a_picture_is_seen_small_before_it_comes_and_can_be_fetched(endpoint: SharedEndpoint, host: Listening, sit: Callable[[Client], Listening]) -> None:
    listening, other = sit(GUEST), sit(ANNA)
    for client in (GUEST, LOCAL):
        endpoint.obey(client, Submit(job="a", kind="show"))
    finished = listening.ending("a")
    assert isinstance(finished, Finished)
    _, look, picture, _ = listening.of("a")
    assert isinstance(look, Progress)
    assert isinstance(picture, Artifact)
    assert (look.stage, look.done, look.total) == ("fetch", 0, len(picture.data))
    with Image.open(io.BytesIO(look.preview[0])) as small:
        assert (small.format, small.size) == ("JPEG", (256, 192))
    # The window of this machine has no line to save.
    host.ending("a")
    assert [type(event) for event in host.of("a")] == [Accepted, Artifact, Finished]
    endpoint.obey(GUEST, Submit(job="fetch", kind="fetch", params={"blob": f"a.{picture.seq}"}))
    listening.ending("fetch")
    assert listening.wait_for(Artifact, "fetch").data == picture.data
    # Nobody else's
    endpoint.obey(ANNA, Submit(job="fetch", kind="fetch", params={"blob": f"a.{picture.seq}"}))
    refused = other.ending("fetch")
    assert isinstance(refused, Failed)
    assert refused.code == "invalid"
