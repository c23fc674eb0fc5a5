"""The supervised child: its name, its death, its successor, and what it may not do to its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sfumato.jobs.clients import Client
from sfumato.jobs.places import Places
from sfumato.protocol.codec import FrameReader
from sfumato.protocol.messages import Event, Failed, Finished, Hello, Progress, Submit
from sfumato.transport import wire
from sfumato.transport.endpoint import State
from sfumato.transport.local import LocalInference
from tests.support import kinds
from tests.support.listening import Listening


class States:
    """Hears of the child's life; waits for a state by name."""

    def __init__(self) -> None:
        self.heard: list[State] = []
        self._changed = threading.Condition()

    def __call__(self, state: State) -> None:
        with self._changed:
            self.heard.append(state)
            self._changed.notify_all()

    def wait(self, name: str, times: int = 1) -> State:
        with self._changed:
            assert self._changed.wait_for(lambda: sum(s.name == name for s in self.heard) >= times, 60), self.heard
            return [s for s in self.heard if s.name == name][-1]


@pytest.fixture
def states() -> States:
    return States()


@pytest.fixture
def local(places: Places, states: States) -> Iterator[LocalInference]:
    made = LocalInference(places, [kinds.REGISTRAR], on_state=states)
    yield made
    made.close()


@pytest.fixture
def client(local: LocalInference) -> Listening:
    listening = Listening()
    local.open(listening.hear)
    listening.wait_for(Hello)
    return listening


def long_job(job: str) -> Submit:
    return Submit(job=job, kind="count", params={"steps": 100_000, "pause_s": 0.001})


def test_the_child_is_seen_by_its_name(local: LocalInference, client: Listening) -> None:
    assert local.pid is not None
    listed = subprocess.run(["ps", "-o", "comm=", "-p", str(local.pid)], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "LocalInference"


@pytest.mark.rule("R75")
def test_killing_the_child_ends_the_job_with_worker_died_and_the_next_job_runs(local: LocalInference, client: Listening, states: States) -> None:
    # Given a running and a waiting job
    local.send(long_job("a"))
    local.send(Submit(job="b", kind="count"))
    client.wait_for(Progress, "a")
    first = local.pid
    assert first is not None
    # When the child is killed
    killed = time.monotonic()
    os.kill(first, signal.SIGKILL)
    ending = client.ending("a")
    # Then the running job ends within a second, in words, and the waiting one runs in a new child
    assert time.monotonic() - killed < 1
    assert isinstance(ending, Failed)
    assert ending.code == "worker_died"
    assert "stage 'count'" in ending.message
    assert "SIGKILL" in ending.message
    assert isinstance(client.ending("b"), Finished)
    assert local.pid != first
    assert "SIGKILL" in states.wait("restarting").sentence


def test_a_child_that_ends_itself_is_replaced_each_time(local: LocalInference, client: Listening) -> None:
    for job, act in (("a", "exit"), ("b", "kill")):
        local.send(Submit(job=job, kind="count", params={"act": act}))
        ending = client.ending(job)
        assert isinstance(ending, Failed)
        assert ending.code == "worker_died"
    local.send(Submit(job="c", kind="count"))
    assert isinstance(client.ending("c"), Finished)


@pytest.mark.rule("E119")
def test_a_lost_device_ends_the_process_on_purpose_and_the_next_job_runs_in_another(local: LocalInference, client: Listening, states: States) -> None:
    # Given a job whose device is gone, and one that waits
    first = local.pid
    local.send(Submit(job="a", kind="count", params={"act": "lose"}))
    local.send(Submit(job="b", kind="count"))
    # Then it ends once, in its own words; the engine says why it starts again, and the next job runs in another process
    failed = client.wait_for(Failed, "a")
    assert isinstance(failed, Failed)
    assert (failed.code, "driver" in failed.message, "illegal" in failed.message) == ("device_lost", True, False)
    finished = client.wait_for(Finished, "b")
    assert isinstance(finished, Finished)
    assert "driver stopped answering" in states.wait("restarting").sentence
    assert local.pid != first
    assert [type(event) for event in client.of("a")].count(Failed) == 1


@pytest.mark.rule("E119")
@pytest.mark.parametrize("act", ["fail", "raise"])
def test_an_exception_in_a_job_leaves_the_process_as_it_was(local: LocalInference, client: Listening, act: str) -> None:
    first = local.pid
    local.send(Submit(job="a", kind="count", params={"act": act}))
    client.wait_for(Failed, "a")
    local.send(Submit(job="b", kind="count"))
    client.wait_for(Finished, "b")
    assert local.pid == first


def test_after_three_deaths_it_waits_to_be_asked_and_keeps_waiting_jobs(local: LocalInference, client: Listening, states: States) -> None:
    for job in ("a", "b", "c"):
        local.send(Submit(job=job, kind="count", params={"act": "exit"}))
        client.ending(job)
    local.send(Submit(job="d", kind="count"))
    assert "3 times" in states.wait("failed").sentence
    assert client.of("d")[-1].type == "accepted"  # type: ignore[attr-defined]  # every event has a type
    local.restart()
    assert isinstance(client.ending("d"), Finished)


def test_reload_starts_a_fresh_child_and_keeps_waiting_jobs(local: LocalInference, client: Listening, states: States) -> None:
    local.send(long_job("a"))
    local.send(Submit(job="b", kind="count"))
    client.wait_for(Progress, "a")
    first = local.pid
    local.restart()
    ending = client.ending("a")
    assert isinstance(ending, Failed)
    assert ending.code == "worker_died"
    assert "reloaded" in ending.message
    finished = client.ending("b")
    assert isinstance(finished, Finished)
    assert finished.result["kept"] == 1
    assert local.pid != first
    assert "restarting" not in [state.name for state in states.heard]


def test_a_child_that_stops_beating_is_taken_for_dead(places: Places) -> None:
    listening = Listening()
    local = LocalInference(places, [kinds.REGISTRAR], silence_s=8)
    local.open(listening.hear)
    try:
        listening.wait_for(Hello)
        local.send(long_job("a"))
        listening.wait_for(Progress, "a")
        assert local.pid is not None
        os.kill(local.pid, signal.SIGSTOP)
        ending = listening.ending("a")
        assert isinstance(ending, Failed)
        assert "did not answer" in ending.message
        local.send(Submit(job="b", kind="count"))
        assert isinstance(listening.ending("b"), Finished)
    finally:
        local.close()


@pytest.mark.rule("D174")
def test_a_silent_child_is_said_to_be_silent_and_no_more_once_it_is_heard(places: Places) -> None:
    listening, states = Listening(), States()
    local = LocalInference(places, [kinds.REGISTRAR], on_state=states, unanswered_s=2)
    local.open(listening.hear)
    try:
        listening.wait_for(Hello)
        assert local.pid is not None
        os.kill(local.pid, signal.SIGSTOP)
        assert "not responding" in states.wait("silent").sentence
        os.kill(local.pid, signal.SIGCONT)
        states.wait("ready", 2)
    finally:
        local.close()


@pytest.mark.rule("D175")
def test_an_engine_that_cannot_start_says_why_and_jobs_fail_with_that_sentence(places: Places) -> None:
    listening, states = Listening(), States()
    local = LocalInference(places, ["tests.support.kinds:register_broken"], on_state=states)
    local.open(listening.hear)
    try:
        local.send(Submit(job="early", kind="count"))
        assert "no_such_module" in states.wait("failed").sentence
        local.send(Submit(job="late", kind="count"))
        for job in ("early", "late"):
            ending = listening.ending(job)
            assert isinstance(ending, Failed)
            assert ending.code == "engine_unavailable"
            assert "no_such_module" in ending.message
    finally:
        local.close()


PARENT = """
import sys
from pathlib import Path
from sfumato.jobs.places import Places
from sfumato.transport.local import LocalInference
from sfumato.protocol.messages import Progress, Submit
import threading
running = threading.Event()
root = Path(sys.argv[1])
local = LocalInference(Places(root, root, ()), ["tests.support.kinds:register"])
local.open(lambda event: running.set() if isinstance(event, Progress) else None)
local.send(Submit(job="a", kind="count", params={"steps": 100000, "pause_s": 0.001}))
running.wait(60)
print(local.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.rule("D176")
def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment())
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([child], timeout=5)
    assert not alive
    parent.stdout.close()


@pytest.mark.rule("R77", "D192", "R131")
def test_the_parent_of_a_running_child_never_imports_torch() -> None:
    program = (
        "import sys, sfumato.transport.local, sfumato.jobs.builtin, sfumato.config\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('torch', 'diffusers', 'transformers', 'fastapi', 'numpy')]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())


def test_the_child_inherits_no_tokens(local: LocalInference, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "planted-secret")
    monkeypatch.setenv("SOME_PASSWORD", "planted-secret")
    listening = Listening()
    local.open(listening.hear)
    listening.wait_for(Hello)
    assert local.pid is not None
    inherited = psutil.Process(local.pid).environ()
    assert "planted-secret" not in inherited.values()
    assert "PATH" in inherited


def environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    return os.environ | {"PYTHONPATH": f"{root / 'source'}{os.pathsep}{root}"}


def test_a_client_that_fails_at_an_event_does_not_stop_the_engine(local: LocalInference, caplog: pytest.LogCaptureFixture) -> None:
    listening = Listening()

    def hear(event: Event) -> None:
        listening.hear(event)
        if isinstance(event, Progress):
            raise RuntimeError("a mistake in the window")

    local.open(hear)
    local.send(Submit(job="a", kind="count"))
    assert isinstance(listening.ending("a"), Finished)
    assert "the client failed at Progress" in caplog.text
    caplog.clear()


def test_nothing_is_written_to_a_pipe_that_was_closed() -> None:
    reading, writing = os.pipe()
    writer = wire.WordWriter(writing)
    writer.write(wire.Stop())
    writer.close()
    # The number may be another file's by now; here it is still this pipe's.
    with pytest.raises(BrokenPipeError):
        writer.write(wire.Stop())
    os.close(writing)
    assert len(list(FrameReader(1000).feed(os.read(reading, 1000)))) == 1
    os.close(reading)


def test_what_the_parent_fails_at_ends_one_life_of_the_child_and_not_the_supervisor(
    local: LocalInference, client: Listening, states: States, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter([True])

    def look(media_type: str, data: bytes) -> bytes | None:
        if next(failures, False):
            raise RuntimeError("unforeseen")
        return None

    monkeypatch.setattr("sfumato.jobs.dispatcher.first_look", look)
    anna, listening = Client("anna-1", "anna"), Listening()
    local.join(anna, listening.hear)
    local.obey(anna, Submit(job="a", kind="count", params={"pictures": 1}))
    ending = listening.ending("a")
    assert isinstance(ending, Failed)
    assert ending.code == "worker_died"
    states.wait("ready", times=2)
    local.obey(anna, Submit(job="b", kind="count", params={"pictures": 1}))
    assert isinstance(listening.ending("b"), Finished)
    assert "could not be passed on" in caplog.text
