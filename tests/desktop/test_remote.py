"""Working with another machine: connecting by real keys, what belongs to which machine, pictures that arrive late, and what is never written down."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop import studio as studio_module
from sfumato.desktop.jobs import Job
from sfumato.desktop.remote.vault import FILE, Vault
from sfumato.desktop.studio import Studio
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Failed, Finished, Hello, Resume
from sfumato.protocol.secret import Secret
from sfumato.transport.endpoint import OnState, State
from sfumato.transport.known_servers import Remembered, certificate_question, salt_question
from sfumato.transport.link import Link
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter, catalog, encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

CTRL = Qt.ControlModifier
ENDPOINT = "wss://studio.example.org:443/relay"
SECRET = "sfk1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
LINK = f"sfumato:?endpoint=wss://studio.example.org&password={SECRET}"


class Distant(Painter):
    """The other machine, once for each connection to it."""

    def __init__(self, link: Link, artifacts: str, on_state: OnState, hello: dict[str, Any]) -> None:
        super().__init__()
        self.link, self.artifacts, self.tell = link, artifacts, on_state
        self.transferred: Callable[[Any], None] = lambda told: None
        self.questions: Any = None
        self.is_closed = False
        self._hello = Hello(session="a" * 32, **hello)

    def close(self) -> None:
        super().close()
        self.is_closed = True

    @property
    def resumes(self) -> list[Resume]:
        return [command for command in self.sent if isinstance(command, Resume)]


class Distances:
    """Every connection that the window made, newest last; `hello` is what the next one says."""

    def __init__(self) -> None:
        self.made: list[Distant] = []
        self.hello: dict[str, Any] = {"catalog": catalog(), "limits": {"session_s": 3600}}
        self.greets = True

    def make(self, link: Link, questions: Any, artifacts: str, on_transfer: Callable[[Any], None], on_state: OnState) -> Distant:
        made = Distant(link, artifacts, on_state, self.hello)
        made.transferred, made.questions, made.greets = on_transfer, questions, self.greets
        self.made.append(made)
        return made

    @property
    def last(self) -> Distant:
        return self.made[-1]


@pytest.fixture
def distances(monkeypatch: pytest.MonkeyPatch) -> Distances:
    """Lets the window connect to machines that do as they are told."""
    held = Distances()

    class Connecting(Studio):
        def __init__(self, beginnings: Any, make_endpoint: Any) -> None:
            super().__init__(beginnings, make_endpoint, held.make)

    monkeypatch.setattr(studio_module, "Studio", Connecting)
    return held


@pytest.fixture
def shown(distances: Distances, open_window: Open) -> OpenWindow:
    return open_window()


def unused() -> Painter:
    """An engine of this computer that the window does not open, and nobody waits for."""
    painter = Painter(greet=False)
    painter.opened = True
    return painter


def written(data: Path, **settings: Any) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    (data / "settings.json").write_text(json.dumps({"version": 1, **settings}), encoding="utf-8")
    return data


def connect(window: OpenWindow, distances: Distances, remember: bool = False) -> Distant:
    before = len(distances.made)
    assert window.studio.remote.connectWith(ENDPOINT, SECRET, "Studio", remember)
    until(lambda: len(distances.made) > before, "the connection")
    if distances.greets:
        until(lambda: window.studio.engine.property("state") == "ready", "the greeting")
    return distances.last


def add(window: OpenWindow, prompt: str) -> Job:
    rows = window.studio.jobs.rows
    before = {job.id for job in rows.all()}
    window.studio.prompts.text = prompt
    window.key(Qt.Key_Return, CTRL)
    until(lambda: {job.id for job in rows.all()} - before, "the job in the queue")
    job = next(job for job in rows.all() if job.id not in before)
    until(lambda: job.is_stored)
    return job


def big(index: int = 0) -> bytes:
    """A picture above what comes without being announced."""
    return encoded(scene()) + bytes(70_000)


def artifact(job: str, seq: int, data: bytes, index: int = 0) -> Artifact:
    return Artifact(job=job, seq=seq, name=f"image-{index}", media_type="image/png", data=data, info={"seed": index, "width": 64, "height": 64, "index": index})


# -- connecting ------------------------------------------------------------------------------------


@pytest.mark.rule("D145", "D157")
def test_a_pasted_link_fills_endpoint_and_password_and_enter_connects(shown: OpenWindow, distances: Distances) -> None:
    shown.studio.act("remote_settings")
    until(lambda: shown.studio.property("tab") == "settings")
    until(lambda: any(accessible(item, "name") == "Endpoint" for item in items(shown.window.contentItem())), "the page")
    field = shown.item("Endpoint", "Field")
    field.forceActiveFocus()
    QGuiApplication.clipboard().setText(LINK)
    shown.key(Qt.Key_V, CTRL)
    until(lambda: field.property("text") == ENDPOINT, "the endpoint of the link")
    password = shown.item("Password", "Field")
    assert password.property("text") == SECRET
    assert password.property("displayText") == "•" * len(SECRET)
    assert not distances.made, "nothing is contacted before Connect"
    shown.key(Qt.Key_Return)
    until(lambda: distances.made and shown.studio.engine.property("state") == "ready", "the connection")
    assert distances.last.link == Link(ENDPOINT, Secret(SECRET))
    assert shown.studio.remote.property("state") == "connected"
    assert password.property("text") == "", "the password does not stay in the window"


@pytest.mark.rule("D145")
def test_a_password_is_shown_only_by_its_button(shown: OpenWindow, distances: Distances) -> None:
    shown.studio.act("remote_settings")
    until(lambda: any(accessible(item, "name") == "Password" for item in items(shown.window.contentItem())), "the page")
    password = shown.item("Password", "Field")
    password.forceActiveFocus()
    shown.type("abc")
    assert password.property("displayText") == "•••"
    shown.click(shown.item("Show the password"))
    until(lambda: password.property("displayText") == "abc")


@pytest.mark.rule("D157")
def test_what_is_no_endpoint_is_refused_in_a_sentence_where_it_was_typed(shown: OpenWindow, distances: Distances) -> None:
    remote = shown.studio.remote
    assert not remote.connectWith("http://example.org", "long enough password", "", False)
    assert "ws://" in remote.property("sentence")
    assert not remote.connectWith(ENDPOINT, "", "", False)
    assert "password" in remote.property("sentence")
    assert not distances.made
    assert not remote.property("isRemote"), "this computer stays in use"


@pytest.mark.rule("D159")
def test_the_states_of_a_line_are_told_with_attempt_countdown_and_latency(shown: OpenWindow, distances: Distances) -> None:
    distances.greets = False
    distant = connect(shown, distances)
    remote = shown.studio.remote
    assert remote.property("word") == "Connecting"
    distant.greet()
    until(lambda: remote.property("word") == "Connected")
    distant.tell(State("ready", "Ready", latency_s=0.0234))
    until(lambda: remote.property("latency") == "23 ms")
    assert shown.item("Machine in use: Studio   ·   23 ms")
    distant.tell(State("dropping", "No answer for 10 s"))
    until(lambda: remote.property("word") == "Dropping")
    distant.tell(State("reconnecting", "The line was lost", attempt=3, retry_s=8.0))
    until(lambda: remote.property("word").startswith("Reconnecting (attempt 3, next in "))
    counted = remote.property("word")
    until(lambda: remote.property("word") != counted, "the countdown")
    distant.tell(State("refused", "The password is wrong."))
    until(lambda: remote.property("word") == "Refused")
    assert remote.property("sentence") == "The password is wrong."
    assert remote.property("isTrouble")
    remote.hangUp()
    until(lambda: remote.property("word") == "Disconnected")
    until(lambda: distant.is_closed)


@pytest.mark.rule("D160")
def test_the_window_says_how_long_the_other_machine_keeps_things_and_what_a_guest_may(shown: OpenWindow, distances: Distances) -> None:
    distances.hello |= {"role": "guest", "monitored": True}
    connect(shown, distances)
    assert "1 h 00 min" in shown.studio.remote.property("promise")
    assert "guest" in shown.studio.remote.property("rights")
    assert "sees" in shown.studio.remote.property("rights")


@pytest.mark.rule("N14", "N15")
def test_a_question_about_trust_stands_in_the_window_until_it_is_answered(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    answers: list[bool] = []
    distant.questions.ask(certificate_question("studio.example.org:443", "ab" * 32, ""), answers.append)
    until(lambda: shown.studio.remote.questions.property("isAsking"))
    shown.studio.act("remote_settings")
    until(lambda: any(accessible(item, "name") == "Do not connect" for item in items(shown.window.contentItem())), "the question")
    assert "AB:AB" in shown.studio.remote.questions.property("sentence")
    shown.click(shown.item("Trust it", "Button"))
    until(lambda: answers == [True])
    distant.questions.ask(salt_question("studio.example.org:443"), answers.append)
    until(lambda: shown.studio.remote.questions.property("isAsking"))
    shown.item("Do not connect", "Button").forceActiveFocus()
    shown.key(Qt.Key_Return)
    until(lambda: answers == [True, False])
    distant.questions.ask(salt_question("studio.example.org:443"), answers.append)
    until(lambda: shown.studio.remote.questions.property("isAsking"))
    shown.studio.remote.hangUp()
    assert answers == [True, False, False], "a line that is given up is trusted with nothing"


def test_what_is_known_of_machines_outlives_the_window(distances: Distances, open_window: Open, tmp_path: Path) -> None:
    known = Remembered(b"s" * 16, "ab" * 32)
    first = open_window()
    first.studio.remote.questions.remember("studio.example.org:443", known)
    first.close()
    assert open_window().studio.remote.questions.recall("studio.example.org:443") == known


# -- saved machines --------------------------------------------------------------------------------


@pytest.mark.rule("D145", "D149", "R111")
def test_a_saved_connection_connects_again_at_the_next_start_and_its_password_is_only_in_the_vault(
    distances: Distances, open_window: Open, tmp_path: Path
) -> None:
    first = open_window()
    connect(first, distances, remember=True)
    assert [row["name"] for row in first.studio.remote.property("rows")] == ["Studio"]
    first.close()
    data = tmp_path / "data"
    holding = [path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == [f"remote/{FILE}"]
    assert stat.S_IMODE((data / "remote" / FILE).stat().st_mode) == 0o600
    second = open_window(unused())
    until(lambda: len(distances.made) == 2 and second.studio.engine.property("state") == "ready", "the connection of the last session")
    assert distances.last.link.secret == Secret(SECRET)
    until(lambda: "passwords.json" in second.studio.remote.property("whereKept"), "where passwords are kept")


@pytest.mark.rule("D149")
def test_a_password_that_is_not_remembered_is_asked_for_again(shown: OpenWindow, distances: Distances, tmp_path: Path) -> None:
    connect(shown, distances)
    shown.studio.remote.useThisComputer()
    until(lambda: shown.studio.engine.property("state") == "ready")
    assert not (tmp_path / "data" / "remote" / FILE).exists()
    shown.studio.remote.connectTo("Studio")
    until(lambda: shown.studio.property("tab") == "settings")
    until(lambda: shown.item("Password", "Field").property("activeFocus"), "the field of the password")
    assert shown.item("Endpoint", "Field").property("text") == ENDPOINT
    assert len(distances.made) == 1


def test_forgetting_a_machine_takes_its_password_along_and_undo_brings_both_back(shown: OpenWindow, distances: Distances, tmp_path: Path) -> None:
    connect(shown, distances, remember=True)
    kept = tmp_path / "data" / "remote" / FILE
    until(kept.exists)
    shown.studio.show("settings")
    shown.studio.remote.forget("Studio")
    until(lambda: SECRET not in kept.read_text())
    assert shown.studio.remote.property("rows") == []
    until(lambda: shown.studio._edits.undoWords)
    shown.studio.act("undo")
    until(lambda: SECRET in kept.read_text())
    assert [row["name"] for row in shown.studio.remote.property("rows")] == ["Studio"]


class Ring:
    """A keyring of the system's kind."""

    priority = 5

    def __init__(self, locked: bool = False) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, name: str) -> str | None:
        if self.locked:
            raise RuntimeError("locked")
        return self.held.get((service, name))

    def set_password(self, service: str, name: str, password: str) -> None:
        if self.locked:
            raise RuntimeError("locked")
        self.held[service, name] = password

    def delete_password(self, service: str, name: str) -> None:
        del self.held[service, name]


@pytest.mark.rule("D149")
def test_a_keyring_keeps_secrets_where_there_is_one_and_a_private_file_where_it_refuses(tmp_path: Path) -> None:
    ring = Ring()
    vault = Vault(tmp_path / "a", lambda: ring)
    vault.keep("connection:x", Secret("one"))
    assert vault.in_keyring
    assert not vault.path.exists()
    assert vault.find("connection:x") == Secret("one")
    vault.drop("connection:x")
    assert vault.find("connection:x") is None
    locked = Vault(tmp_path / "b", lambda: Ring(locked=True))
    locked.keep("connection:x", Secret("two"))
    assert stat.S_IMODE(locked.path.stat().st_mode) == 0o600
    assert Vault(tmp_path / "b", lambda: Ring(locked=True)).find("connection:x") == Secret("two")


@pytest.mark.rule("D149")
def test_a_damaged_file_of_passwords_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    vault = Vault(tmp_path, lambda: None)
    vault.path.write_text('{"connection:x": "one"')
    assert vault.find("connection:x") is None
    vault.keep("connection:y", Secret("two"))
    assert (tmp_path / "passwords.damaged.json").read_text() == '{"connection:x": "one"'
    assert vault.find("connection:y") == Secret("two")


# -- mode remote -----------------------------------------------------------------------------------


@pytest.mark.rule("D14")
def test_a_program_for_other_machines_alone_starts_no_engine_and_says_what_to_do(distances: Distances, open_window: Open, tmp_path: Path) -> None:
    painter = unused()
    written(tmp_path / "data", mode="remote")
    window = open_window(painter)
    assert painter._on_event is None, "no engine of this computer was started"
    assert window.studio.remote.property("state") == "disconnected"
    assert shown_text(window, "No machine yet")
    job = add(window, "a job before there is any machine")
    window.studio.remote.connectLink(LINK)
    until(lambda: distances.made and distances.last.submits, "the job at the first machine")
    assert distances.last.submits[0].job == job.wire


def shown_text(window: OpenWindow, text: str) -> bool:
    return any(item.property("text") == text for item in items(window.window.contentItem()))


# -- jobs and machines -----------------------------------------------------------------------------


@pytest.mark.rule("D163")
def test_switching_keeps_prompts_and_queue_and_each_job_runs_where_it_was_queued_for(shown: OpenWindow, distances: Distances) -> None:
    first, second = add(shown, "first"), add(shown, "second")
    until(lambda: shown.painter.submits)
    shown.studio.prompts.text = "what is being typed"
    distant = connect(shown, distances)
    assert shown.studio.prompts.text == "what is being typed"
    assert [job.state for job in (first, second)] == ["waiting", "waiting"]
    assert shown.studio.jobs.rows.cell(first, "elsewhere") == "This computer"
    third = add(shown, "third")
    until(lambda: distant.submits)
    assert [submit.params["prompt"] for submit in distant.submits] == ["third"]
    distant.picture(encoded(scene()))
    distant.finish()
    until(lambda: third.state == "finished")
    shown.studio.remote.useThisComputer()
    until(lambda: shown.studio.jobs.running is first, "the job that was interrupted, first")
    assert shown.painter.submits[-1].params["prompt"] == "first"


@pytest.mark.rule("D163")
def test_a_job_is_moved_to_the_machine_in_use_by_its_key(shown: OpenWindow, distances: Distances) -> None:
    job = add(shown, "made for here")
    until(lambda: shown.painter.submits)
    distant = connect(shown, distances)
    shown.studio.queue.show(True)
    shown.studio.queue.choose(0, 0)
    assert shown.studio.queue.can("queue_here")
    shown.studio.act("queue_here")
    until(lambda: distant.submits, "the job at the other machine")
    assert distant.submits[0].params["prompt"] == "made for here"
    assert job.endpoint == ENDPOINT


@pytest.mark.rule("D163")
def test_values_that_another_machine_lacks_are_marked_and_return_with_the_first(shown: OpenWindow, distances: Distances) -> None:
    parameters = shown.studio.parameters
    parameters.apply({"model": "landscape-v2"}, "choose")
    distances.hello["catalog"] = catalog({**CHOICES, "models": [{**CHOICES["models"][0], "value": "other", "label": "Other"}]})
    connect(shown, distances)
    until(lambda: parameters.property("obstacle") != "")
    assert parameters.value("model") == "landscape-v2"
    shown.studio.remote.useThisComputer()
    until(lambda: parameters.property("obstacle") == "")
    assert parameters.value("model") == "landscape-v2"


@pytest.mark.rule("D160")
def test_a_job_left_at_another_machine_is_asked_for_when_the_window_comes_back(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    job = add(shown, "long")
    until(lambda: distant.submits)
    distant.stage("denoise", 3, 20)
    until(lambda: job.done == 3)
    shown.studio.remote.hangUp()
    assert job.state == "waiting"
    again = connect(shown, distances)
    until(lambda: again.resumes, "the question for what was missed")
    assert again.resumes == [Resume(job=job.wire, after=2)]
    assert not again.submits, "the job is not sent a second time"
    again.say(artifact(job.wire, 3, encoded(scene())))
    again.say(Finished(job=job.wire, seq=4))
    until(lambda: job.state == "finished")
    assert job.pictures == 1


@pytest.mark.rule("D160")
def test_a_job_the_other_machine_forgot_is_sent_anew(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    job = add(shown, "long")
    until(lambda: distant.submits)
    shown.studio.remote.hangUp()
    again = connect(shown, distances)
    until(lambda: again.resumes)
    again.say(Failed(job=job.wire, seq=2, code="job_not_found", message="It is not known."))
    until(lambda: again.submits, "the job, anew")
    assert again.submits[0].job == job.wire != distant.submits[0].job


@pytest.mark.rule("D160")
def test_a_restart_takes_up_the_job_that_ran_at_another_machine_without_a_second_picture(distances: Distances, open_window: Open) -> None:
    first = open_window()
    distant = connect(first, distances, remember=True)
    first.studio.parameters.apply({"batch_count": 2}, "two")
    job = add(first, "two pictures")
    until(lambda: distant.submits)
    distant.picture(encoded(scene()))
    until(lambda: job.pictures == 1 and any(row.path for row in first.studio.outputs._rows), "the first picture on the disk")
    first.close()
    second = open_window(unused())
    until(lambda: len(distances.made) == 2 and second.studio.engine.property("state") == "ready")
    second.studio.jobs.resume()
    until(lambda: distances.last.resumes, "the question for the job")
    wire = distances.last.resumes[0].job
    assert distances.last.resumes == [Resume(job=distant.submits[0].job, after=0)]
    distances.last.say(Accepted(job=wire, seq=1))
    for index in range(2):
        distances.last.say(artifact(wire, 2 + index, encoded(scene("red" if index else "blue")), index))
    distances.last.say(Finished(job=wire, seq=4))
    until(lambda: second.studio.jobs.running is None and not second.studio.jobs.rows.waiting)
    ended = second.studio.jobs.rows.ended[0]
    assert (ended.state, ended.pictures) == ("finished", 2)
    until(lambda: len(list((second.studio._shell.places.outputs).rglob("*.png"))) == 2, "both pictures, once each")


def test_a_line_that_is_away_keeps_jobs_waiting_in_place(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    distant.tell(State("reconnecting", "The line was lost", attempt=1, retry_s=1.0))
    until(lambda: shown.studio.remote.property("state") == "reconnecting")
    jobs = [add(shown, "one"), add(shown, "two")]
    assert [job.state for job in jobs] == ["waiting", "waiting"]
    assert not distant.submits
    distant.tell(State("ready", "Ready"))
    until(lambda: distant.submits)
    assert [job.state for job in jobs] == ["running", "waiting"]


# -- pictures that arrive late ---------------------------------------------------------------------


@pytest.mark.rule("D161", "N50")
def test_the_next_job_starts_while_the_picture_of_the_last_one_arrives(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    assert distant.artifacts == "on_demand"
    first, second = add(shown, "first"), add(shown, "second")
    until(lambda: len(distant.submits) == 1)
    small = encoded(scene(side=32), "JPEG")
    distant.stage("fetch", 0, 4_000_000, preview=(small,))
    until(lambda: len(distant.submits) == 2, "the next job")
    assert (first.state, second.state) == ("fetching", "running")
    rows = shown.studio.outputs
    until(lambda: any(row.job == first.id and row.source and row.arriving == 0 for row in rows._rows), "the thumbnail")
    distant.transferred(Told(first.wire, 1_000_000, 4_000_000))
    until(lambda: any(row.job == first.id and row.arriving == 0.25 for row in rows._rows), "its progress")
    assert shown.studio.jobs.rows.cell(first, "progress") == 0.25
    assert shown.studio.jobs.rows.cell(first, "stateWord") == "Fetching"
    distant.say(artifact(first.wire, 3, big()))
    distant.say(Finished(job=first.wire, seq=4))
    until(lambda: first.state == "finished")
    assert second.state == "running"
    assert first.pictures == 1


class Told:
    """How far a picture has come, as the line tells it."""

    def __init__(self, job: str, done: int, total: int) -> None:
        self.job, self.done, self.total = job, done, total


@pytest.mark.rule("D161")
def test_a_job_with_more_to_paint_keeps_the_engine_while_its_first_picture_arrives(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    shown.studio.parameters.apply({"batch_count": 2}, "two")
    job = add(shown, "two pictures")
    add(shown, "next")
    until(lambda: len(distant.submits) == 1)
    distant.stage("fetch", 0, 4_000_000)
    distant.stage("denoise", 1, 20)
    until(lambda: job.stage == "denoise")
    assert (job.state, len(distant.submits)) == ("running", 1)
    distant.stage("fetch", 0, 4_000_000)
    until(lambda: len(distant.submits) == 2, "the next job")
    distant.say(artifact(job.wire, 5, big(), 0))
    distant.say(artifact(job.wire, 6, big(), 1))
    distant.say(Finished(job=job.wire, seq=7))
    until(lambda: job.state == "finished")
    assert job.pictures == 2


@pytest.mark.rule("D161")
def test_a_picture_on_its_way_is_given_up_by_cancelling_its_row(shown: OpenWindow, distances: Distances) -> None:
    distant = connect(shown, distances)
    job = add(shown, "first")
    until(lambda: distant.submits)
    distant.stage("fetch", 0, 4_000_000)
    until(lambda: job.state == "fetching")
    assert shown.studio.jobs.property("busy"), "the window asks before it closes"
    shown.studio.queue.choose(0, 0)
    shown.studio.act("queue_cancel")
    until(lambda: Cancel(job=job.wire) in distant.cancels)
    assert job.state == "cancelled"


@pytest.mark.rule("D161")
def test_a_window_that_closes_while_a_picture_arrives_asks_for_it_at_the_next_start(distances: Distances, open_window: Open) -> None:
    first = open_window()
    distant = connect(first, distances, remember=True)
    job = add(first, "first")
    until(lambda: distant.submits)
    distant.stage("fetch", 0, 4_000_000)
    until(lambda: job.state == "fetching")
    first.close()
    second = open_window(unused())
    until(lambda: len(distances.made) == 2 and second.studio.engine.property("state") == "ready")
    second.studio.jobs.resume()
    until(lambda: distances.last.resumes, "the question for the picture")
    assert distances.last.resumes[0].job == job.wire


@pytest.mark.rule("D158")
def test_what_opens_a_folder_of_the_other_machine_is_disabled_and_says_why(shown: OpenWindow, distances: Distances) -> None:
    commands = shown.studio.commands
    assert commands.can("open_models")
    connect(shown, distances)
    assert not commands.can("open_models")
    assert "Studio" in commands.title("open_models", "Open models folder")
    shown.studio.remote.useThisComputer()
    assert commands.can("open_models")


@pytest.mark.rule("D158")
def test_lists_and_the_device_are_those_of_the_machine_in_use(shown: OpenWindow, distances: Distances) -> None:
    distances.hello["catalog"] = catalog({**CHOICES, "samplers": [{"value": "Heun", "label": "Heun", "default_schedule": "uniform", "parameters": []}]}) | {
        "device": {"name": "Far GPU", "kind": "cuda"}
    }
    connect(shown, distances)
    until(lambda: shown.studio.engine.property("device") == "Far GPU")
    offered = shown.studio.parameters.choices_of(shown.studio.parameters.specs["sampler"])
    assert "Heun" in [row["value"] for row in offered]
    assert "DPM++ 2M" not in [row["value"] for row in offered]
