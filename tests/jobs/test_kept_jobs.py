"""What remote clients had waiting, over a restart of the server."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from sfumato.jobs import kept_jobs
from sfumato.jobs.clients import LOCAL, Client, JobCounts
from sfumato.jobs.dispatcher import Dispatcher
from sfumato.jobs.kept_jobs import KEPT_S, KeptJobs
from sfumato.jobs.registry import Registry, filled
from sfumato.protocol.messages import Accepted, Cancel, Failed, Feed, Finished, Resume, Submit
from sfumato.transport.attached import WAITING_BYTES
from tests.support import kinds, transfer_kinds
from tests.support.by_hand import Recorder
from tests.support.listening import Listening

OWNER = Client("owner-1", "owner")
GUEST = Client("guest-1", "guest", "guest")


class Server:
    """One life of a server with the file of the one before."""

    def __init__(self, path: Path, now: float = 0.0, identities: set[str] | None = None) -> None:
        registry: Registry = filled([kinds.REGISTRAR, transfer_kinds.REGISTRAR])
        self.kept = KeptJobs(path, lambda: now, identities)
        self.dispatcher = Dispatcher(registry, kept=self.kept)
        self.dispatcher.restore()
        self.engine, self.transfers = Recorder(), Recorder()

    def attach(self) -> None:
        self.dispatcher.attach(self.engine)
        self.dispatcher.attach(self.transfers, "transfer")

    def sit(self, client: Client) -> Listening:
        listening = Listening()
        self.dispatcher.join(client, listening.hear)
        return listening


def count(job: str, steps: int = 3) -> Submit:
    return Submit(job=job, kind="count", params={"steps": steps}, blobs={"picture": b"\x00\xff"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "remote" / "jobs.sqlite"


def test_jobs_of_whom_nobody_knows_now_run_for_nobody_and_stay_for_another_time(path: Path) -> None:
    first = Server(path)
    first.dispatcher.handle(count("mine"), OWNER)
    first.dispatcher.handle(count("theirs"), GUEST)
    first.dispatcher.close()
    # When the next life knows the owner alone
    second = Server(path, identities={OWNER.identity})
    second.attach()
    assert second.engine.started == ["mine"]
    second.dispatcher.close()
    # Then the one after it, which knows the guest again, has the guest's job
    third = Server(path, identities={GUEST.identity})
    third.attach()
    assert third.engine.started == ["theirs"]
    third.dispatcher.close()


@pytest.mark.rule("N42")
@pytest.mark.parametrize("is_clean", [True, False])
def test_waiting_jobs_run_after_a_restart_and_running_ones_died_with_the_server(path: Path, is_clean: bool) -> None:
    # Given one job that ended, one that runs, and two that wait, of two identities with the same ids; and one of this machine's window
    first = Server(path)
    first.attach()
    for job in ("ended", "running", "waiting"):
        first.dispatcher.handle(count(job), OWNER)
        if job == "ended":
            first.dispatcher.finished(first.engine.named("ended"), {})
    first.dispatcher.handle(count("waiting", steps=7), GUEST)
    first.dispatcher.handle(count("cancelled"), GUEST)
    first.dispatcher.handle(Cancel(job="cancelled"), GUEST)
    first.dispatcher.handle(count("windows"), LOCAL)
    # When the server ends, in order or not, and comes again
    if is_clean:
        first.dispatcher.close()
        first.dispatcher.executor_lost("it was closed")
    else:
        first.kept.close()  # as the system does when a process is killed
    second = Server(path)
    owner, guest = second.sit(OWNER), second.sit(GUEST)
    assert (second.dispatcher.jobs_of(OWNER), second.dispatcher.jobs_of(GUEST)) == (JobCounts(waiting=1), JobCounts(waiting=1))
    # Then each client can go on with its own
    second.dispatcher.handle(Resume(job="waiting"), OWNER)
    second.dispatcher.handle(Resume(job="waiting", after=1), GUEST)
    second.attach()
    for steps in (3, 7):
        work = second.engine.works[-1]
        assert (work.params["steps"], work.blobs, work.identity) == (steps, {"picture": b"\x00\xff"}, "owner" if steps == 3 else "guest")
        second.dispatcher.finished(work.job, {"steps": steps})
    for listening, seqs, steps in ((owner, [1, 2], 3), (guest, [2], 7)):
        ending = listening.ending("waiting")
        assert isinstance(ending, Finished)
        assert ending.result == {"steps": steps}
        assert [event.seq for event in listening.of("waiting")] == seqs
    # And what ran is said to have died, in the place of its next event, as often as it is asked
    for _ in range(2):
        heard = len(owner.events)
        second.dispatcher.handle(Resume(job="running", after=17), OWNER)
        died = owner.wait_for(Failed, "running", after=heard)
        assert (died.code, died.seq) == ("worker_died", 18)
        assert "anew" in died.message
    second.dispatcher.handle(Resume(job="ended", after=2), OWNER)
    assert owner.wait_for(Failed, "ended").code == "session_expired"
    # To a stranger all of them are unknown
    for job in ("running", "ended"):
        second.dispatcher.handle(Resume(job=job), GUEST)
        assert guest.wait_for(Failed, job).code == "job_not_found"
    assert not any(work.job.startswith(("windows", "cancelled", "ended", "running")) for work in second.engine.works)
    second.dispatcher.close()


@pytest.mark.rule("N42")
def test_a_job_that_died_can_be_sent_again(path: Path) -> None:
    first = Server(path)
    first.attach()
    first.dispatcher.handle(count("a"), OWNER)
    first.dispatcher.close()
    second = Server(path)
    second.attach()
    listening = second.sit(OWNER)
    second.dispatcher.handle(count("a"), OWNER)
    second.dispatcher.finished(second.engine.named("a"), {})
    assert isinstance(listening.ending("a"), Finished)
    assert [type(event) for event in listening.of("a")] == [Accepted, Finished]
    second.dispatcher.close()


@pytest.mark.rule("N42", "N53")
def test_what_moves_files_is_not_kept_with_its_request(path: Path) -> None:
    first = Server(path)
    first.dispatcher.handle(Submit(job="up", kind="receive", params={"act": "planted-token"}), OWNER)
    first.dispatcher.handle(Feed(job="up", data=b"planted-token"), OWNER)
    first.dispatcher.close()
    for file in path.parent.iterdir():
        assert b"planted-token" not in file.read_bytes()
    second = Server(path)
    listening = second.sit(OWNER)
    second.attach()
    second.dispatcher.handle(Resume(job="up", after=1), OWNER)
    assert listening.wait_for(Failed, "up").code == "worker_died"
    assert second.transfers.started == []
    second.dispatcher.close()


@pytest.mark.rule("N42", "N40")
def test_what_is_older_than_a_day_is_swept(path: Path) -> None:
    first = Server(path)
    first.dispatcher.handle(count("a"), OWNER)
    first.dispatcher.close()
    second = Server(path, now=KEPT_S + 1)
    assert second.dispatcher.jobs_of(OWNER) == JobCounts()
    second.dispatcher.close()


def test_a_damaged_file_is_set_aside_and_stops_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    server = Server(path)
    server.dispatcher.handle(count("a"), OWNER)
    server.dispatcher.close()
    assert (path.parent / "damaged-jobs.sqlite").read_bytes().startswith(b"this is no database")
    assert "set aside" in caplog.text
    again = Server(path)
    assert again.dispatcher.jobs_of(OWNER) == JobCounts(waiting=1)
    again.dispatcher.close()


@pytest.mark.rule("N42")
def test_a_kept_request_that_cannot_be_read_costs_no_other_one(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # As large as the inputs of a job may be; with the rest of the request it is longer than what is read back.
    largest = Submit(job="largest", kind="count", params={}, blobs={"picture": bytes(WAITING_BYTES)})
    server = Server(path)
    for submit in (count("before"), largest, count("after")):
        server.dispatcher.handle(submit, OWNER)
    server.dispatcher.close()
    again = Server(path)
    heard = again.sit(OWNER)
    assert again.dispatcher.jobs_of(OWNER) == JobCounts(waiting=2)
    again.dispatcher.handle(Resume(job="largest", after=1), OWNER)
    failed = heard.ending("largest")
    assert isinstance(failed, Failed)
    assert failed.code == "worker_died"
    assert "largest cannot be read" in caplog.text
    again.dispatcher.close()


@pytest.mark.rule("N42")
def test_a_second_server_on_the_same_file_leaves_it_alone(path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_jobs, "LOCK_WAIT_S", 0.05)
    first = Server(path)
    first.dispatcher.handle(count("a"), OWNER)
    second = Server(path)
    assert second.dispatcher.jobs_of(OWNER) == JobCounts()
    assert "will not outlive" in caplog.text
    second.dispatcher.handle(count("b"), OWNER)
    second.dispatcher.close()
    first.dispatcher.close()
    third = Server(path)
    assert third.dispatcher.jobs_of(OWNER) == JobCounts(waiting=1)
    third.dispatcher.close()


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes there")
def test_the_file_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        server = Server(path)
        server.dispatcher.handle(count("a"), OWNER)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name
        server.dispatcher.close()
    finally:
        os.umask(before)


def test_a_disk_that_fails_stops_no_job(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir(parents=True)  # a folder where the file should be
    server = Server(path)
    server.attach()
    listening = server.sit(OWNER)
    server.dispatcher.handle(count("a"), OWNER)
    server.dispatcher.finished(server.engine.named("a"), {})
    assert isinstance(listening.ending("a"), Finished)
    assert "will not outlive" in caplog.text
    server.dispatcher.close()
