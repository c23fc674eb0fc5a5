"""Files from a client's disk to an endpoint's models folder and back, with everything that happens to lines, clients and servers in between."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfumato.jobs.clients import LOCAL, Client
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Cancel, Cancelled, Command, Event, Failed, Feed, Finished, Hello, JobEvent, Progress, Submit
from sfumato.protocol.params.transfers import PART_LIMIT_BYTES
from sfumato.protocol.requests.upload import WINDOW_BYTES
from sfumato.transport.downloading import FileFetch
from sfumato.transport.endpoint import InProcess, SharedEndpoint
from sfumato.transport.local import LocalInference
from sfumato.transport.transfers import ENDED, News, Transfer
from sfumato.transport.uploading import FileUpload
from tests.support import kinds
from tests.support.listening import Listening
from tests.support.model_files import header_bytes
from tests.support.transfer_context import files_under
from tests.support.web_server import LocalWeb, Page

REGISTRARS = [kinds.REGISTRAR, "tests.support.transfer_kinds:register_files"]
PATIENCE_S = 60.0
MODEL = header_bytes({"model.diffusion_model.input_blocks.0.0.weight": ("F32", (1024, 1024, 5))})
DIGEST = hashlib.sha256(MODEL).hexdigest()
OWNER = Client("one", "owner")

MAKERS: dict[str, Callable[[Places], SharedEndpoint]] = {
    "in-process": lambda places: InProcess(filled(REGISTRARS), places),
    "pipe": lambda places: LocalInference(places, REGISTRARS),
}


class Watched:
    """What a transfer says, to be waited for."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self._changed = threading.Condition()

    def __call__(self, news: News) -> None:
        with self._changed:
            self.news.append(news)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[News], object]) -> News:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.news)), PATIENCE_S), self.news[-3:]
            return next(news for news in self.news if wanted(news))

    def moved(self, done: int) -> News:
        return self.wait(lambda news: news.state == "moving" and news.done >= done)

    def state(self, *names: str) -> News:
        return self.wait(lambda news: news.state in names)


class Line:
    """Between transfers and an endpoint: what goes over it can be looked at, dropped, or cut."""

    def __init__(self, endpoint: SharedEndpoint, client: Client = OWNER) -> None:
        self.sent: list[Command] = []
        self.heard: list[Event] = []
        self.transfers: list[Transfer] = []
        self.drop: Callable[[Command], bool] = lambda command: False
        self.on_event: Callable[[Event], None] = lambda event: None
        self._endpoint = endpoint
        self._client = client
        endpoint.join(client, self._hear)

    def send(self, command: Command) -> None:
        self.sent.append(command)
        if not self.drop(command):
            self._endpoint.obey(self._client, command)

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        self.on_event(event)
        for transfer in self.transfers:
            transfer.hear(event)

    def upload(self, path: Path, folder: str = "checkpoints", name: str = "", **options: Any) -> tuple[FileUpload, Watched]:
        watched = Watched()
        made = FileUpload(self.send, path, folder, name, on_news=watched, **options)
        self.transfers.append(made)
        made.start()
        return made, watched

    def fetch(self, name: str, target: Path, folder: str = "checkpoints", **options: Any) -> tuple[FileFetch, Watched]:
        watched = Watched()
        made = FileFetch(self.send, folder, name, target, on_news=watched, **options)
        self.transfers.append(made)
        made.start()
        return made, watched


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))


@pytest.fixture
def endpoint(places: Places) -> Iterator[SharedEndpoint]:
    made = MAKERS["in-process"](places)
    made.open(lambda event: None)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "mix.safetensors"
    path.parent.mkdir()
    path.write_bytes(MODEL)
    return path


@pytest.mark.rule("N51", "D162")
@pytest.mark.parametrize("maker", MAKERS)
def test_a_file_goes_up_and_comes_back_with_its_checksum(places: Places, source: Path, tmp_path: Path, maker: str) -> None:
    endpoint = MAKERS[maker](places)
    listening = Listening()
    try:
        endpoint.open(listening.hear)
        listening.wait_for(Hello)
        line = Line(endpoint)
        _, watched = line.upload(source, name="sub/new.safetensors")
        news = watched.state(*ENDED)
        assert (news.state, news.done, news.total) == ("finished", len(MODEL), len(MODEL)), news
        assert news.result["sha256"] == DIGEST
        assert not news.result["already"]
        assert (places.models[0] / "checkpoints/sub/new.safetensors").read_bytes() == MODEL
        assert next(news.state for news in watched.news if news.state != "waiting") == "reading"
        target = tmp_path / "back" / "copy.safetensors"
        _, watched = line.fetch("sub/new.safetensors", target)
        assert watched.state(*ENDED).state == "finished", watched.news[-1]
        assert files_under(target.parent) == ["copy.safetensors"]
        assert target.read_bytes() == MODEL
        assert watched.news[-1].result["sha256"] == DIGEST
        # What is there is not sent again.
        line.sent.clear()
        _, watched = line.upload(source, name="other.safetensors")
        assert watched.state(*ENDED).result["already"]
        assert not any(isinstance(command, Feed) for command in line.sent)
    finally:
        endpoint.close()


@pytest.mark.rule("N51")
def test_a_client_is_never_more_than_the_window_ahead_and_parts_have_a_mebibyte(endpoint: SharedEndpoint, source: Path) -> None:
    line = Line(endpoint)
    reported, ahead = [0], [0]

    def look(event: Event) -> None:
        if isinstance(event, Progress):
            reported.append(event.done)

    line.on_event = look
    _, watched = line.upload(source)
    watched.state(*ENDED)
    for command in line.sent:
        if isinstance(command, Feed):
            assert len(command.data) <= 1 << 20
            assert command.offset is not None
            ahead.append(command.offset + len(command.data))
    assert ahead[-1] == len(MODEL)
    assert max(ahead) - len(MODEL) <= WINDOW_BYTES
    # What was told at any time allowed what was sent next.
    assert all(later - earlier <= 4 << 20 for earlier, later in itertools.pairwise(reported))


@pytest.mark.rule("N52", "D162")
def test_parts_that_get_lost_are_sent_again_and_none_counts_twice(endpoint: SharedEndpoint, source: Path) -> None:
    line = Line(endpoint)
    dropped: list[Command] = []

    def drop(command: Command) -> bool:
        is_lost = isinstance(command, Feed) and command.offset in (0, 3 << 20, len(MODEL) - len(MODEL) % (1 << 20)) and len(dropped) < 3
        if is_lost:
            dropped.append(command)
        return is_lost

    line.drop = drop
    upload, watched = line.upload(source, stalled_s=0.3)
    news = watched.state(*ENDED)
    assert news.result["sha256"] == DIGEST, news
    assert len(dropped) == 3
    offsets = [command.offset for command in line.sent if isinstance(command, Feed)]
    assert len(offsets) > len(set(offsets))
    assert upload.join(PATIENCE_S)


@pytest.mark.rule("N52", "D162")
def test_a_pause_holds_and_an_upload_goes_on_where_it_was(endpoint: SharedEndpoint, source: Path) -> None:
    line = Line(endpoint)
    upload, watched = line.upload(source)
    line.on_event = lambda event: upload.pause() if isinstance(event, Progress) and event.done > 4 << 20 else None
    held = watched.state("paused")
    assert 4 << 20 < held.done < len(MODEL)
    line.on_event = lambda event: None
    ending = next(event for event in line.heard if isinstance(event, Failed))
    assert ending.code == "transfer_incomplete"
    assert len(files_under(Path(source.parents[1], "models"))) == 1
    sent = len(line.sent)
    upload.go_on()
    assert watched.state(*ENDED).result["sha256"] == DIGEST
    first = next(command for command in line.sent[sent:] if isinstance(command, Feed))
    assert first.offset is not None
    assert first.offset >= held.done


@pytest.mark.rule("N52", "D162")
def test_a_cancel_leaves_nothing(endpoint: SharedEndpoint, source: Path, places: Places) -> None:
    line = Line(endpoint)
    upload, watched = line.upload(source)
    line.drop = lambda command: isinstance(command, Feed) and (command.offset or 0) > 2 << 20
    watched.moved(2 << 20)
    upload.cancel()
    assert watched.state(*ENDED).state == "cancelled"
    assert any(isinstance(event, Cancelled) for event in line.heard)
    assert files_under(places.models[0]) == []


@pytest.mark.rule("N52")
def test_a_client_that_was_started_anew_goes_on_with_what_its_predecessor_sent(endpoint: SharedEndpoint, source: Path) -> None:
    first = Line(endpoint, Client("first life", "owner"))
    first.drop = lambda command: isinstance(command, Feed) and (command.offset or 0) >= 6 << 20
    _, watched = first.upload(source)
    watched.moved(6 << 20)
    # It dies without a word: its job stays, and waits for more.
    endpoint.leave(Client("first life", "owner"))
    first.drop = lambda command: True
    second = Line(endpoint, Client("second life", "owner"))
    _, again = second.upload(source)
    assert again.state(*ENDED).result["sha256"] == DIGEST
    assert next(command.offset for command in second.sent if isinstance(command, Feed)) == 6 << 20
    first.transfers[0].cancel()


@pytest.mark.rule("N52")
def test_an_upload_goes_on_after_the_server_was_started_anew(places: Places, source: Path) -> None:
    before = MAKERS["in-process"](places)
    before.open(lambda event: None)
    line = Line(before)
    line.drop = lambda command: isinstance(command, Feed) and (command.offset or 0) >= 6 << 20
    upload, watched = line.upload(source, stalled_s=0.3)
    watched.moved(6 << 20)
    before.close()
    assert len(files_under(places.models[0])) == 1
    after = MAKERS["in-process"](places)
    after.open(lambda event: None)
    line._endpoint = after
    line.drop = lambda command: False
    try:
        sent = len(line.sent)
        after.join(OWNER, line._hear)
        upload.reconnected()
        assert watched.state(*ENDED).result["sha256"] == DIGEST
        fed = [command.offset for command in line.sent[sent:] if isinstance(command, Feed) and command.data]
        assert 6 << 20 in fed
        assert min(offset for offset in fed if offset is not None) >= 5 << 20
    finally:
        after.close()


@pytest.mark.rule("N40", "N52")
def test_a_session_that_ends_keeps_what_came_and_a_cancel_does_not(endpoint: SharedEndpoint, source: Path, places: Places) -> None:
    line = Line(endpoint)
    line.drop = lambda command: isinstance(command, Feed) and (command.offset or 0) >= 6 << 20
    upload, watched = line.upload(source)
    watched.moved(6 << 20)
    endpoint.forget(OWNER)
    upload.cancel()
    endpoint.join(OWNER, line._hear)
    other = Line(endpoint, Client("later", "owner"))
    _, again = other.upload(source)
    assert again.state(*ENDED).result["sha256"] == DIGEST
    assert next(command.offset for command in other.sent if isinstance(command, Feed)) == 6 << 20
    assert files_under(places.models[0]) == ["checkpoints/mix.safetensors"]


@pytest.mark.rule("N30", "N33", "R114")
def test_guests_move_nothing_and_nobody_feeds_anothers_upload(endpoint: SharedEndpoint, source: Path, tmp_path: Path, places: Places) -> None:
    guest = Line(endpoint, Client("guest", "guest", "guest"))
    _, up = guest.upload(source)
    _, down = guest.fetch("mix.safetensors", tmp_path / "stolen.safetensors")
    assert up.state(*ENDED).code == down.state(*ENDED).code == "forbidden"
    assert files_under(places.models[0]) == []
    owner = Line(endpoint)
    owner.drop = lambda command: isinstance(command, Feed) and (command.offset or 0) >= 6 << 20
    upload, watched = owner.upload(source)
    watched.moved(6 << 20)
    job = next(command.job for command in owner.sent if isinstance(command, Submit))
    stranger = Line(endpoint, Client("stranger", "somebody else"))
    stranger.send(Feed(job=job, offset=6 << 20, data=b"evil"))
    stranger.send(Cancel(job=job))
    owner.drop = lambda command: False
    upload.reconnected()
    assert watched.state(*ENDED).result["sha256"] == DIGEST


def test_a_file_that_changes_or_goes_is_said(endpoint: SharedEndpoint, source: Path, tmp_path: Path) -> None:
    line = Line(endpoint)
    upload, watched = line.upload(source)

    def change(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 0:
            source.write_bytes(MODEL[: 3 << 20])

    line.on_event = change
    news = watched.state(*ENDED)
    assert (news.state, news.code) == ("failed", "transfer_damaged")
    assert upload.join(PATIENCE_S)
    _, watched = line.upload(tmp_path / "nothing.safetensors")
    assert "cannot be read" in watched.state(*ENDED).message


@pytest.mark.rule("D162")
def test_several_go_at_once(endpoint: SharedEndpoint, tmp_path: Path, places: Places) -> None:
    line = Line(endpoint)
    watching = []
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(MODEL[:-1] + bytes([number]))
        watching.append(line.upload(path)[1])
    assert [watched.state(*ENDED).state for watched in watching] == ["finished"] * 5
    assert len(files_under(places.models[0])) == 5


@pytest.mark.rule("D162", "N53")
def test_a_fetch_goes_on_with_what_an_earlier_one_left_and_takes_nothing_wrong(endpoint: SharedEndpoint, source: Path, tmp_path: Path, places: Places) -> None:
    line = Line(endpoint)
    line.upload(source)[1].state(*ENDED)
    target = tmp_path / "back" / "mix.safetensors"
    fetch, watched = line.fetch("mix.safetensors", target)
    line.on_event = lambda event: fetch.pause() if isinstance(event, Finished) else None
    held = watched.state("paused")
    assert 0 < held.done < len(MODEL)
    line.on_event = lambda event: None
    assert files_under(target.parent) == [".mix.safetensors.part"]
    fetch.go_on()
    assert watched.state(*ENDED).state == "finished"
    # A part of something else beside it: found out, and taken away.
    target.unlink()
    (target.parent / ".mix.safetensors.part").write_bytes(bytes(5 << 20))
    _, watched = line.fetch("mix.safetensors", target)
    assert watched.state(*ENDED).code == "transfer_damaged"
    (target.parent / ".mix.safetensors.part").write_bytes(bytes(len(MODEL) + 10))
    _, watched = line.fetch("mix.safetensors", target)
    assert watched.state(*ENDED).state == "finished", watched.news[-1]
    _, watched = line.fetch("mix.safetensors", target)
    assert watched.state(*ENDED).code == "name_taken"
    target.unlink()
    fetch, watched = line.fetch("mix.safetensors", target)
    fetch.cancel()
    assert watched.state(*ENDED).state in ("cancelled", "finished")
    _, watched = line.fetch("nothing.safetensors", tmp_path / "x.safetensors")
    assert watched.state(*ENDED).code == "model_not_found"


@pytest.mark.rule("D162")
def test_a_hostile_server_gives_no_file(tmp_path: Path) -> None:
    from sfumato.protocol.messages import Artifact

    good = {"offset": 0, "size": 10, "sha256": "0" * 64}
    for data, info in (
        (b"x" * 11, good),
        (b"x" * 9, good),
        (b"x" * 10, good),
        (b"x" * 10, good | {"offset": 5}),
        (b"x" * 10, good | {"size": -1}),
        (b"x" * 10, good | {"size": "10"}),
        (b"x" * 10, good | {"size": 1 << 60}),
        (b"x" * 10, {}),
        (b"", good | {"size": 0}),
    ):
        watched = Watched()
        holder: list[FileFetch] = []

        def answer(command: Command, data: bytes = data, info: dict[str, Any] = info, holder: list[FileFetch] = holder) -> None:
            if isinstance(command, Submit):
                said: list[JobEvent] = [
                    Artifact(job=command.job, seq=1, name="../../evil", media_type="text/html", data=data, info=info),
                    Finished(job=command.job, seq=2),
                ]
                threading.Thread(target=lambda: [holder[0].hear(event) for event in said]).start()

        holder.append(FileFetch(answer, "checkpoints", "mix.safetensors", tmp_path / "there" / "mix.safetensors", on_news=watched))
        holder[0].start()
        assert watched.state(*ENDED).code == "transfer_damaged", (data, info)
    assert not any(path.suffix == ".safetensors" for path in tmp_path.rglob("*"))


@pytest.mark.rule("D121", "X42")
def test_a_download_never_holds_up_what_is_painted_and_runs_outside_the_engine(places: Places, tmp_path: Path) -> None:
    local = LocalWeb()
    gate = threading.Event()
    local.put("127.0.0.1/mix.safetensors", Page(MODEL, gate=gate))
    places = Places(places.data, places.outputs, places.models, download_hosts=f"127.0.0.1:{local.port()}")
    endpoint = LocalInference(places, REGISTRARS)
    client = Listening()
    try:
        endpoint.open(client.hear)
        client.wait_for(Hello)
        address = f"http://127.0.0.1:{local.port()}/mix.safetensors"
        endpoint.send(Submit(job="load", kind="download", params={"address": address, "token": "tok-marked"}))
        client.wait_for(Progress, "load")
        for number in range(3):
            endpoint.send(Submit(job=f"paint-{number}", kind="count", params={"steps": 20}))
            assert isinstance(client.ending(f"paint-{number}"), Finished)
        assert not any(isinstance(event, Finished | Failed) for event in client.of("load"))
        endpoint.send(Submit(job="long", kind="count", params={"steps": 100_000, "pause_s": 0.001}))
        client.wait_for(Progress, "long")
        gate.set()
        ending = client.ending("load")
        assert isinstance(ending, Finished), ending
        assert ending.result["sha256"] == DIGEST
        assert not any(isinstance(event, Finished | Failed) for event in client.of("long"))
        endpoint.send(Cancel(job="long"))
        client.ending("long")
    finally:
        endpoint.close()
        local.close()
    # The token was in the request alone.
    assert not any("tok-marked" in repr(event) for event in client.events)
    assert not any(b"tok-marked" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_only_client_of_an_endpoint_needs_no_name(endpoint: SharedEndpoint, source: Path) -> None:
    line = Line(endpoint, LOCAL)
    assert line.upload(source)[1].state(*ENDED).state == "finished"


def test_a_part_that_is_lost_is_not_replaced_by_the_one_behind_it(places: Places, endpoint: SharedEndpoint, tmp_path: Path) -> None:
    content = random.Random(7).randbytes(4 * PART_LIMIT_BYTES + 100)  # no part is like another
    (places.models[0] / "checkpoints").mkdir(parents=True)
    (places.models[0] / "checkpoints" / "mix.safetensors").write_bytes(content)
    line = Line(endpoint)
    lost: list[str] = []

    def lose(command: Command) -> bool:
        if lost or not isinstance(command, Submit) or command.params.get("offset") != PART_LIMIT_BYTES:
            return False
        lost.append(command.job)
        return True

    line.drop = lose

    def end_it(event: Event) -> None:
        # The part behind the lost one is here before the loss is told.
        if lost and isinstance(event, Finished) and event.result["next"] > 2 * PART_LIMIT_BYTES:
            made.hear(Failed(job=lost[0], seq=1, code="worker_died", message="It died."))

    line.on_event = end_it
    target = tmp_path / "there" / "mix.safetensors"
    made, watched = line.fetch("mix.safetensors", target)
    assert watched.state(*ENDED).state == "finished", watched.news[-1]
    assert target.read_bytes() == content


def test_a_transfer_that_fails_inside_says_that_it_failed(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    def send(command: Command) -> None:
        raise RuntimeError("unforeseen")

    watched = Watched()
    made = FileUpload(send, source, on_news=watched)
    made.start()
    assert watched.state(*ENDED).code == "internal"
    assert made.join(PATIENCE_S)
    assert "a transfer failed inside" in caplog.text


def test_a_client_that_is_gone_gives_its_turn_away_and_loses_no_byte(
    places: Places, endpoint: SharedEndpoint, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.library.transfers.upload.SILENCE_S", 0.3)  # nobody waits two minutes here
    line = Line(endpoint, Client("gone", OWNER.identity))
    listening = Listening()
    line.on_event = listening.hear
    params = {"folder": "checkpoints", "name": "mix.safetensors", "size": len(MODEL), "sha256": DIGEST}
    line.send(Submit(job="silent", kind="upload", params=params))
    line.send(Feed(job="silent", offset=0, data=MODEL[: 1 << 20]))
    ending = listening.ending("silent")
    assert isinstance(ending, Failed)
    assert ending.code == "transfer_incomplete"
    monkeypatch.setattr("sfumato.library.transfers.upload.SILENCE_S", 60.0)
    _, watched = Line(endpoint).upload(source)
    assert watched.wait(lambda news: news.state in ("moving", "checking")).done >= 1 << 20
    assert watched.state(*ENDED).state == "finished"
