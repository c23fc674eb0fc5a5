"""Files over the encrypted line: through cuts in the middle of parts, a relay that is started anew, and a secret that is told to nobody."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Event, Failed, Finished, Hello, Submit
from sfumato.transport.downloading import FileFetch
from sfumato.transport.endpoint import InProcess
from sfumato.transport.remote import RemoteInference
from sfumato.transport.transfers import ENDED, Transfer
from sfumato.transport.uploading import FileUpload
from tests.support import kinds
from tests.support.bad_proxy import GOOD, BadProxy, Manners
from tests.support.listening import Listening
from tests.support.model_files import header_bytes
from tests.support.served import Served, States, remote
from tests.support.transfer_context import files_under
from tests.support.web_server import LocalWeb, Page
from tests.transport.test_uploading import Watched

MODEL = header_bytes({"model.diffusion_model.input_blocks.0.0.weight": ("F32", (1024, 1024, 4))})
DIGEST = hashlib.sha256(MODEL).hexdigest()


class ServedFiles(Served):
    """A machine that takes and gives model files."""

    def _new_engine(self) -> InProcess:
        registrars = [kinds.REGISTRAR, "tests.support.transfer_kinds:register_fetch", "tests.support.transfer_kinds:register_files"]
        engine = InProcess(filled(registrars), self._places)
        engine.open(lambda event: None)
        return engine


class Routed:
    """A remote endpoint whose events reach transfers and whose line is told to them when it is there again."""

    def __init__(self, served: Served, port: int | None = None, **options: object) -> None:
        self.transfers: list[Transfer] = []
        self.client = Listening()
        self.states = States()
        self.endpoint: RemoteInference = remote(served, port, states=self.states, **options)
        self.endpoint.open(self._hear)
        self.client.wait_for(Hello)

    def _hear(self, event: Event) -> None:
        for transfer in self.transfers:
            transfer.hear(event)
        self.client.hear(event)

    def upload(self, path: Path, name: str = "") -> Watched:
        watched = Watched()
        self.transfers.append(FileUpload(self.endpoint.send, path, "checkpoints", name, on_news=watched))
        self.transfers[-1].start()
        return watched

    def fetch(self, name: str, target: Path) -> Watched:
        watched = Watched()
        self.transfers.append(FileFetch(self.endpoint.send, "checkpoints", name, target, on_news=watched))
        self.transfers[-1].start()
        return watched

    def close(self) -> None:
        self.endpoint.close()
        for transfer in self.transfers:
            assert transfer.join(30)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))


@pytest.fixture
def served(places: Places, tmp_path: Path) -> Iterator[ServedFiles]:
    with ServedFiles(places, sessions_path=tmp_path / "sessions.json") as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mix.safetensors"
    path.write_bytes(MODEL)
    return path


@pytest.mark.rule("N51", "N52", "N53", "D162")
@pytest.mark.parametrize("artifacts", ["inline", "on_demand"])
def test_files_go_both_ways_through_a_line_that_breaks_in_their_middle(served: ServedFiles, source: Path, tmp_path: Path, artifacts: str) -> None:
    def manners(number: int) -> Manners:
        return Manners(cut_up_bytes=1_700_000 * (number + 1), cut_down_bytes=5_000_000) if number < 6 else GOOD

    with BadProxy(served.port, manners) as proxy:
        routed = Routed(served, proxy.port, artifacts=artifacts)
        try:
            up = routed.upload(source).state(*ENDED)
            assert (up.state, up.result.get("sha256")) == ("finished", DIGEST), up
            down = routed.fetch("mix.safetensors", tmp_path / "back.safetensors").state(*ENDED)
            assert (down.state, down.result.get("sha256")) == ("finished", DIGEST), down
        finally:
            routed.close()
        assert proxy.connections > 2
    assert (tmp_path / "back.safetensors").read_bytes() == MODEL
    assert files_under(tmp_path / "models") == ["checkpoints/mix.safetensors"]


@pytest.mark.rule("N52")
@pytest.mark.parametrize("with_engine", [False, True])
def test_an_upload_goes_on_behind_a_server_that_was_started_anew(served: ServedFiles, source: Path, places: Places, with_engine: bool) -> None:
    routed = Routed(served)
    try:
        watched = routed.upload(source)
        watched.moved(2 << 20)
        served.restart(with_engine=with_engine)
        news = watched.state(*ENDED)
        assert (news.state, news.result.get("sha256")) == ("finished", DIGEST), news
    finally:
        routed.close()
    assert files_under(places.models[0]) == ["checkpoints/mix.safetensors"]


@pytest.mark.rule("N53", "N62", "D121", "R111")
def test_a_token_travels_inside_the_channel_and_is_kept_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    local = LocalWeb()
    local.put("127.0.0.1/mix.safetensors", Page(MODEL))
    caplog.set_level(logging.DEBUG)
    places = Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",), download_hosts=f"127.0.0.1:{local.port()}")
    token = "tok-marked-0123456789"
    try:
        with ServedFiles(places, sessions_path=tmp_path / "sessions.json") as served:
            routed = Routed(served)
            try:
                for job, address in (("good", f"http://127.0.0.1:{local.port()}/mix.safetensors"), ("bad", "https://127.0.0.1/x.safetensors"), ("worse", "::")):
                    routed.endpoint.send(Submit(job=job, kind="download", params={"address": address, "token": token}))
                    assert isinstance(routed.client.ending(job), Finished if job == "good" else Failed)
                routed.endpoint.send(Submit(job="invalid", kind="download", params={"address": 7, "token": token * 100, "size": token}))
                assert isinstance(routed.client.ending("invalid"), Failed)
            finally:
                routed.close()
    finally:
        local.close()
    assert token not in repr(routed.client.events)
    assert token not in caplog.text
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.rule("D162")
def test_several_files_and_a_job_share_a_line(served: ServedFiles, tmp_path: Path) -> None:
    routed = Routed(served)
    try:
        watching: list[Watched] = []
        for number in range(3):
            path = tmp_path / f"{number}.safetensors"
            path.write_bytes(MODEL[:-1] + bytes([number]))
            watching.append(routed.upload(path))
        routed.endpoint.send(Submit(job="paint", kind="count", params={"steps": 50}))
        assert isinstance(routed.client.ending("paint"), Finished)
        assert [watched.state(*ENDED).state for watched in watching] == ["finished"] * 3
    finally:
        routed.close()
