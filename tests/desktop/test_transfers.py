"""Model files on their way, in the real window: fetched from a web server, sent to a machine over its relay, brought back, and taken up after a restart."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt

from sfumato.desktop.remote.vault import Vault
from sfumato.desktop.transfers.choices import models_of, pasted
from sfumato.desktop.transfers.row import Row, another_name
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Submit
from sfumato.transport.endpoint import InProcess
from sfumato.transport.transfers import News
from tests.desktop.conftest import Open
from tests.support import kinds
from tests.support.model_files import header_bytes
from tests.support.painting import Painter, catalog
from tests.support.served import Served
from tests.support.transfer_context import files_under
from tests.support.web_server import LocalWeb, Page
from tests.support.window import OpenWindow, accessible, items, until

MODEL = header_bytes({f"model.diffusion_model.input_blocks.0.{n}.weight": ("F16", (1024, 128)) for n in range(40)})
DIGEST = hashlib.sha256(MODEL).hexdigest()
REGISTRARS = [kinds.REGISTRAR, "tests.support.transfer_kinds:register_fetch", "tests.support.transfer_kinds:register_files"]
CTRL, SHIFT = Qt.ControlModifier, Qt.ShiftModifier
PATIENCE_S = 60.0


class Moving(Painter):
    """An engine that paints as it is told, and moves files as the program does."""

    def __init__(self, data: Path, web: LocalWeb | None = None) -> None:
        super().__init__()
        hosts = f"127.0.0.1:{web.port()}" if web is not None else ""
        self._files = InProcess(filled(REGISTRARS), Places(data, data / "outputs", (data / "models",), download_hosts=hosts))
        self._moves: set[str] = set()

    def open(self, on_event: Any) -> None:
        from sfumato.protocol.messages import JobEvent

        super().open(on_event)
        self._files.open(lambda event: on_event(event) if isinstance(event, JobEvent) else None)

    def send(self, command: Any) -> None:
        if isinstance(command, Submit) and command.kind in ("upload", "download", "fetch_model"):
            self._moves.add(command.job)
        if command.job in self._moves or command.job.startswith(("upload-", "download-", "fetch-")):
            self.sent.append(command)
            self._files.send(command)
        else:
            super().send(command)

    def close(self) -> None:
        self._files.close()
        super().close()


class ServedFiles(Served):
    """A machine that takes and gives model files, and lists them."""

    def _new_engine(self) -> InProcess:
        engine = InProcess(filled(REGISTRARS), self._places)
        engine.open(lambda event: None)
        return engine


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    made = LocalWeb()
    made.pages["127.0.0.1/mix.safetensors"] = Page(MODEL, etag='"one"')
    yield made
    made.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ServedFiles]:
    root = tmp_path / "machine"
    with ServedFiles(Places(root / "data", root / "outputs", (root / "models",))) as made:
        yield made


def address(web: LocalWeb, name: str = "mix.safetensors") -> str:
    return f"http://127.0.0.1:{web.port()}/{name}"


def first(window: OpenWindow) -> Row:
    return window.studio.transfers.rows.all()[0]


def wait_for(window: OpenWindow, *states: str, row: Callable[[OpenWindow], Row] = first) -> Row:
    until(lambda: row(window).news.state in states, f"one of {states}", PATIENCE_S)
    return row(window)


def begin(window: OpenWindow, address: str, **given: Any) -> str:
    asked = {"folder": "checkpoints", "name": "", "sha256": "", "token": "", "remember": False, "kept": False} | given
    return str(window.studio.transfers.download(address, *asked.values()))


def held(web: LocalWeb) -> threading.Event:
    """Let the first part of the file come at once, the rest not before the gate opens."""
    gate = threading.Event()
    page = web.pages["127.0.0.1/mix.safetensors"]
    page.gate, page.block = gate, 3 << 20
    return gate


def halfway(window: OpenWindow) -> Row:
    until(lambda: first(window).news.state == "moving" and 0 < first(window).news.done < len(MODEL), "the first bytes", PATIENCE_S)
    return first(window)


def connect(window: OpenWindow, machine: Served) -> None:
    assert window.studio.remote.connectWith(machine.link().endpoint, machine.secret.reveal(), "Studio", False)
    until(lambda: window.studio.remote.property("state") == "connected", "the line", PATIENCE_S)


# -- from the web ----------------------------------------------------------------------------------


@pytest.mark.rule("D121", "D145")
def test_an_address_is_typed_and_the_file_is_there_while_a_picture_is_made(open_window: Open, web: LocalWeb, data: Path) -> None:
    window = open_window(Moving(data, web), data)
    window.key(Qt.Key_Return, CTRL)
    until(lambda: window.studio.jobs.running is not None, "the picture's job")
    window.key(Qt.Key_D, CTRL | SHIFT)
    until(lambda: any(accessible(item, "name") == "Address" for item in items(window.window.contentItem())), "the panel")
    field = window.item("Address", "Field")
    until(lambda: field.property("activeFocus"), "the focus")
    window.type(address(web))
    window.key(Qt.Key_Return)
    row = wait_for(window, "finished", "failed")
    assert (row.news.state, row.news.result["sha256"]) == ("finished", DIGEST)
    assert (data / "models/checkpoints/mix.safetensors").read_bytes() == MODEL
    assert window.studio.jobs.running is not None, "the job went on beside it"
    until(lambda: window.painter.looks > 0, "a look at the folders")
    assert field.property("text") == ""


@pytest.mark.rule("D121", "D145")
def test_a_download_is_paused_and_goes_on_where_it_was(open_window: Open, web: LocalWeb, data: Path) -> None:
    gate = held(web)
    window = open_window(Moving(data, web), data)
    assert begin(window, address(web)) == ""
    row = halfway(window)
    window.studio.transfers.pause(row.key)
    wait_for(window, "paused")
    gate.set()
    assert not (data / "models/checkpoints/mix.safetensors").exists()
    window.studio.transfers.goOn(row.key)
    wait_for(window, "finished")
    assert (data / "models/checkpoints/mix.safetensors").read_bytes() == MODEL
    assert int(web.asked[-1].headers["range"].removeprefix("bytes=").removesuffix("-")) > 0


@pytest.mark.rule("D121", "D162")
def test_a_download_goes_on_after_a_restart_of_the_window(open_window: Open, web: LocalWeb, data: Path) -> None:
    gate = held(web)
    window = open_window(Moving(data, web), data)
    assert begin(window, address(web), token="sesame-sesame", remember=False) == ""
    halfway(window)
    window.close()
    kept = (data / "transfers/transfers.json").read_text(encoding="utf-8")
    assert "mix.safetensors" in kept
    assert "sesame" not in kept
    gate.set()
    again = open_window(Moving(data, web), data)
    until(lambda: len(again.studio.transfers.rows.all()) == 1, "the list")
    assert wait_for(again, "finished", "failed").news.state == "finished"
    assert (data / "models/checkpoints/mix.safetensors").read_bytes() == MODEL
    assert "range" in web.asked[-1].headers


@pytest.mark.rule("D121")
def test_a_taken_name_asks_and_a_wrong_checksum_keeps_nothing(open_window: Open, web: LocalWeb, data: Path) -> None:
    there = data / "models/checkpoints/mix.safetensors"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    window = open_window(Moving(data, web), data)
    window.studio.transfers.show(True)
    assert begin(window, address(web)) == ""
    row = wait_for(window, "failed")
    assert "already" in row.news.message
    assert there.read_bytes() == b"mine"
    until(lambda: any(accessible(item, "name") == "Keep both" for item in items(window.window.contentItem())), "the question")
    window.item("Keep both").forceActiveFocus()
    window.key(Qt.Key_Return)
    wait_for(window, "finished")
    assert (there.parent / "mix-2.safetensors").read_bytes() == MODEL
    assert there.read_bytes() == b"mine"
    assert begin(window, address(web), name="third.safetensors", sha256="0" * 64) == ""
    row = wait_for(window, "failed")
    assert "SHA-256" in row.news.message
    assert files_under(there.parent) == ["mix-2.safetensors", "mix.safetensors"]


@pytest.mark.rule("D121")
def test_private_addresses_are_refused_and_nonsense_is_told_at_once(open_window: Open, web: LocalWeb, data: Path) -> None:
    window = open_window(Moving(data), data)
    assert begin(window, address(web)) == ""
    row = wait_for(window, "failed")
    assert row.news.code == "address_refused"
    assert web.asked == []
    assert "64 digits" in begin(window, address(web), sha256="abc")
    assert begin(window, "  ") != ""
    window.studio.transfers.removeEnded()
    assert window.studio.transfers.property("summary") == ""


def test_a_download_is_cancelled_and_leaves_nothing(open_window: Open, web: LocalWeb, data: Path) -> None:
    held(web)
    window = open_window(Moving(data, web), data)
    assert begin(window, address(web)) == ""
    row = halfway(window)
    window.studio.transfers.cancel(row.key)
    wait_for(window, "cancelled")
    until(lambda: not [name for name in files_under(data / "models") if name.endswith(".part") or "mix" in name], "an empty folder", PATIENCE_S)


@pytest.mark.rule("D121", "D149")
def test_a_token_is_told_to_its_own_site_kept_in_the_vault_and_nowhere_else(open_window: Open, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.desktop.remote.vault.system_keyring", lambda: None)
    monkeypatch.setattr(Vault.__init__, "__defaults__", (lambda: None,))
    window = open_window(Painter(), data)
    transfers = window.studio.transfers
    assert transfers.site("https://civitai.com/models/12")["title"] == "Civitai"
    assert transfers.site("https://example.org/a.safetensors")["id"] == ""
    painter = window.painter
    page = "https://huggingface.co/a/b/blob/main/x.safetensors"
    assert begin(window, page, token="hf_sesame", remember=True) == ""
    until(lambda: any(submit.kind == "download" for submit in painter.submits), "the job")
    assert painter.submits[-1].params["token"] == "hf_sesame"
    assert begin(window, "https://example.org/x.safetensors", token="hf_sesame") == ""
    until(lambda: len(painter.submits) == 2, "the other job")
    assert "token" not in painter.submits[-1].params
    # The next one finds it in the vault.
    assert begin(window, page.replace("/x.", "/y."), kept=True) == ""
    until(lambda: len(painter.submits) == 3, "the third job")
    assert painter.submits[-1].params["token"] == "hf_sesame"
    window.close()
    written = [path for path in data.rglob("*") if path.is_file() and b"sesame" in path.read_bytes()]
    assert [path.name for path in written] == ["passwords.json"]
    assert written[0].stat().st_mode & 0o077 == 0


# -- to and from another machine -------------------------------------------------------------------


@pytest.mark.rule("D145", "D162")
def test_a_file_goes_to_another_machine_once_and_comes_back(open_window: Open, machine: ServedFiles, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mix.safetensors"
    file.write_bytes(MODEL)
    window = open_window(Moving(data), data)
    connect(window, machine)
    transfers = window.studio.transfers
    transfers.send([str(file)], "checkpoints")
    row = wait_for(window, "finished", "failed")
    assert (row.news.state, row.news.message) == ("finished", "")
    there = tmp_path / "machine/models/checkpoints/mix.safetensors"
    assert there.read_bytes() == MODEL
    # The same bytes under another name are not sent again.
    other = tmp_path / "copy.safetensors"
    other.write_bytes(MODEL)
    transfers.send([str(other)], "")
    row = wait_for(window, "finished", "failed")
    assert row.news.result["already"]
    assert "already" in row.state_in_words(True)
    # And back, into this computer's own folder.
    transfers.fetch("checkpoints|mix.safetensors")
    row = wait_for(window, "finished", "failed")
    assert row.news.state == "finished", row.news.message
    assert (data / "models/checkpoints/mix.safetensors").read_bytes() == MODEL


@pytest.mark.rule("D121", "D162")
def test_a_transfer_waits_for_its_machine_when_the_window_turns_away(open_window: Open, machine: ServedFiles, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mix.safetensors"
    file.write_bytes(MODEL)
    window = open_window(Moving(data), data)
    connect(window, machine)
    transfers = window.studio.transfers
    transfers.holdAll(True)
    transfers.send([str(file)], "checkpoints")
    transfers.pause(first(window).key)
    window.studio.remote.useThisComputer()
    until(lambda: window.studio.remote.property("state") == "local", "this computer")
    transfers.goOn(first(window).key)
    assert "Studio" in first(window).state_in_words(False)
    assert not (tmp_path / "machine/models/checkpoints/mix.safetensors").exists()
    assert not any(isinstance(command, Submit) and command.kind == "upload" for command in window.painter.sent), "nothing of it is told to this engine"
    connect(window, machine)
    assert wait_for(window, "finished", "failed").news.state == "finished"
    assert (tmp_path / "machine/models/checkpoints/mix.safetensors").read_bytes() == MODEL


@pytest.mark.rule("D121")
def test_a_file_dropped_on_the_models_page_may_go_to_the_other_machine(open_window: Open, machine: ServedFiles, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mix.safetensors"
    file.write_bytes(MODEL)
    window = open_window(Moving(data), data)
    connect(window, machine)
    window.studio.act("tab_models")
    window.studio.models.take([file.as_uri()])
    until(lambda: "Studio" in window.studio.models.asking.property("words"), "the question")
    window.studio.models.asking.give(0)
    wait_for(window, "finished")
    assert (tmp_path / "machine/models/checkpoints/mix.safetensors").read_bytes() == MODEL


# -- rules without a window ------------------------------------------------------------------------


def test_names_beside_taken_ones() -> None:
    assert another_name("mix.safetensors") == "mix-2.safetensors"
    assert another_name("mix-2.safetensors") == "mix-3.safetensors"
    assert another_name("v1.5-pruned") == "v1.5-pruned-2"
    assert another_name("sd-2024.ckpt") == "sd-2024-2.ckpt"


@pytest.mark.rule("D149")
def test_a_token_in_an_address_is_taken_out_of_it() -> None:
    found = pasted(" https://civitai.com/api/download/models/12?type=Model&token=sesame ")
    assert (found.address, found.site, found.token) == ("https://civitai.com/api/download/models/12?type=Model", "civitai", "sesame")
    assert pasted("https://example.org/a?token=x").address == "https://example.org/a?token=x"


def test_what_is_written_down_of_a_row_comes_back_and_damage_does_not() -> None:
    row = Row("upload", "wss://x", "Studio", "/a/mix.safetensors", name="mix.safetensors", is_paused=True, news=News("moving", 3, 9, 2.0))
    back = Row.restored(json.loads(json.dumps(row.kept())))
    assert back is not None
    assert (back.key, back.is_paused, back.news.state, back.news.done) == (row.key, True, "waiting", 3)
    for damage in ({}, [], None, row.kept() | {"way": "sideways"}, row.kept() | {"name": 3}, row.kept() | {"news": {"state": 1}}):
        assert Row.restored(damage) is None


def test_models_of_another_machine_are_told_by_their_folders() -> None:
    rows = models_of(catalog()["choices"] | {"loras": [{"value": "deep/detail", "label": "Detail"}, 3], "vaes": "nonsense"})
    assert [row["value"] for row in rows][:2] == ["checkpoints|sfumato-starter.safetensors", "checkpoints|landscape-v2.safetensors"]
    assert rows[-1]["value"] == "loras|deep/detail.safetensors"
