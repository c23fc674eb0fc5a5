"""Downloads: resumed by range, verified by checksum, guarded like everything that is fetched, and as careful with names as uploads."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfumato.library.transfers import download
from sfumato.library.transfers.download import Patience, fetch
from sfumato.library.transfers.quarantine import FOLDER
from sfumato.protocol.errors import (
    AddressRefused,
    CorruptFile,
    DiskFull,
    DownloadFailed,
    Invalid,
    ModelUnsupported,
    NameTaken,
    PickleRefused,
    Stopped,
    TransferDamaged,
    TransferIncomplete,
    UnsafeName,
)
from sfumato.protocol.requests.download import Download
from sfumato.protocol.requests.upload import Stored
from tests.support.hostile_names import HOSTILE_MODELS, Canary
from tests.support.model_files import header_bytes, write_model
from tests.support.transfer_context import Around, files_under
from tests.support.web_server import LocalWeb, Page

MODEL = header_bytes({f"model.diffusion_model.input_blocks.0.{n}.weight": ("F16", (512, 64)) for n in range(8)})
OTHER = MODEL[:-100] + b"\xff" * 100
DIGEST = hashlib.sha256(MODEL).hexdigest()
QUICK = Patience(idle_s=5, tries=2, pause_s=0, slow_bytes=1)
HOST = "files.example"


@pytest.fixture
def local() -> Iterator[LocalWeb]:
    made = LocalWeb()
    made.put(f"{HOST}/mix.safetensors", Page(MODEL, etag='"one"'))
    yield made
    made.close()


def get(local: LocalWeb, around: Around, address: str = f"https://{HOST}/mix.safetensors", patience: Patience = QUICK, **params: Any) -> Stored:
    web = local.web(**params.pop("web", {}))
    return fetch(Download(**{"address": address, "folder": "checkpoints", **params}), around, web, patience)


@pytest.mark.rule("N53", "D121")
def test_a_file_is_fetched_named_and_filed(local: LocalWeb, tmp_path: Path) -> None:
    around = Around(tmp_path)
    stored = get(local, around, folder="auto")
    assert stored == Stored(folder="checkpoints", name="mix.safetensors", size=len(MODEL), sha256=DIGEST, kind="safetensors")
    assert files_under(around.models) == ["checkpoints/mix.safetensors"]
    assert (around.models / "checkpoints/mix.safetensors").read_bytes() == MODEL
    assert around.told[0][:3] == ("download", 0, len(MODEL))
    assert around.told[-1][:3] == ("download", len(MODEL), len(MODEL))
    assert get(local, around, name="sub/own name.safetensors", sha256=DIGEST).already


@pytest.mark.rule("N53")
def test_a_download_that_broke_off_goes_on_by_range_within_a_job_and_in_the_next(local: LocalWeb, tmp_path: Path) -> None:
    page = local.pages[f"{HOST}/mix.safetensors"]
    page.cut_after, page.cuts = 1 << 17, 1
    around = Around(tmp_path)
    assert get(local, around).sha256 == DIGEST
    assert local.asked[-1].headers["range"] == f"bytes={1 << 17}-"
    assert local.asked[-1].headers["if-range"] == '"one"'
    # The same over two jobs, of which the first gives up.
    (around.models / "checkpoints/mix.safetensors").unlink()
    page.cuts = 1
    local.asked.clear()
    with pytest.raises(DownloadFailed, match="kept for a day"):
        get(local, around, patience=Patience(tries=1, pause_s=0, slow_bytes=1 << 30))
    again = Around(tmp_path)
    assert get(local, again).sha256 == DIGEST
    assert again.told[0][1] >= 1 << 17
    assert [asked.headers.get("range") for asked in local.asked] == [None, f"bytes={1 << 17}-"]


@pytest.mark.rule("N53")
def test_a_file_that_changed_meanwhile_is_begun_anew_and_never_mixed(local: LocalWeb, tmp_path: Path) -> None:
    for etag, ranges in (('"two"', True), ("", True), ('"two"', False), ('W/"one"', True)):
        around = Around(tmp_path / f"{etag}{ranges}".replace('"', "").replace("/", ""))
        page = local.pages[f"{HOST}/mix.safetensors"] = Page(OTHER, etag='"one"', cut_after=1 << 17, cuts=1)
        with pytest.raises(DownloadFailed):
            get(local, around, patience=Patience(tries=1, pause_s=0, slow_bytes=1 << 30))
        assert page.cuts == 0
        local.pages[f"{HOST}/mix.safetensors"] = Page(MODEL, etag=etag, ranges=ranges)
        assert get(local, around, sha256="").sha256 == DIGEST


def test_a_part_without_a_mark_goes_on_only_if_the_checksum_is_known(local: LocalWeb, tmp_path: Path) -> None:
    for digest in (DIGEST, ""):
        around = Around(tmp_path / (digest or "unknown"))
        page = local.pages[f"{HOST}/mix.safetensors"] = Page(MODEL, cut_after=1 << 17, cuts=1)
        local.asked.clear()
        assert get(local, around, sha256=digest).sha256 == DIGEST
        assert page.cuts == 0
        assert ("range" in local.asked[-1].headers) == bool(digest)


@pytest.mark.rule("N53", "D121")
def test_the_checksum_is_that_of_the_request_or_of_the_site(local: LocalWeb, tmp_path: Path) -> None:
    around = Around(tmp_path)
    with pytest.raises(TransferDamaged, match="SHA-256 differs"):
        get(local, around, sha256="0" * 64)
    assert files_under(around.models) == []
    for digest, fine in (("0" * 64, False), (DIGEST, True)):
        local.put("cdn.example/blob", Page(MODEL, etag='"x"', headers={"X-Linked-Etag": f'"{"1" * 64}"'}))
        linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(MODEL))}
        local.put("huggingface.co/a/b/resolve/main/mix.safetensors", Page(status=302, location="https://cdn.example/blob", headers=linked))
        if fine:
            assert get(local, around, "hf:a/b/mix.safetensors", token="hf_marked").sha256 == DIGEST
            assert get(local, around, "https://huggingface.co/a/b/blob/main/mix.safetensors").already
        else:
            with pytest.raises(TransferDamaged):
                get(local, around, "hf:a/b/mix.safetensors", token="hf_marked")
    assert {asked.host: asked.headers.get("authorization") for asked in local.asked if "authorization" in asked.headers} == {
        "huggingface.co": "Bearer hf_marked"
    }


@pytest.mark.rule("N53", "R111")
def test_civitai_names_the_file_its_checksum_and_its_folder(local: LocalWeb, tmp_path: Path) -> None:
    data = pickle.dumps({"a": 1}, 2) + bytes(100)
    url = "https://civitai.com/api/download/models/678"
    file = {"id": 1, "name": "4x.pth", "type": "Model", "hashes": {"SHA256": hashlib.sha256(data).hexdigest()}, "downloadUrl": url}
    local.put("civitai.com/api/v1/model-versions/678", Page(json.dumps({"files": [file], "model": {"type": "Upscaler"}}).encode()))
    local.put("civitai.com/api/download/models/678", Page(status=307, location="https://cdn.example/signed?x=1", needs={"authorization": "Bearer tok"}))
    local.put("cdn.example/signed", Page(data, headers={"Content-Disposition": 'attachment; filename="../../evil.pth"'}))
    around = Around(tmp_path)
    with pytest.raises(AddressRefused, match="token"):
        get(local, around, "civitai:12345@678", folder="auto")
    stored = get(local, around, "civitai:12345@678", folder="auto", token="tok")
    assert (stored.folder, stored.name, stored.kind) == ("upscalers", "4x.pth", "pickle")
    assert "authorization" not in local.asked[-1].headers
    assert local.asked[-1].host == "cdn.example"
    # It stands in no address, here or there.
    assert not any("tok" in asked.path for asked in local.asked)


@pytest.mark.rule("D121", "X51", "R111")
def test_a_token_is_told_to_no_other_site_and_shown_nowhere(local: LocalWeb, tmp_path: Path) -> None:
    around = Around(tmp_path)
    for address in (f"https://{HOST}/mix.safetensors", "https://huggingface.co.evil.example/a", "http://huggingface.co/a/b/blob/main/x.gguf", "civitai:1@2"):
        with pytest.raises(Invalid, match="told to no other site") as caught:
            get(local, around, address, token="hf_marked")
        assert "hf_marked" not in f"{caught.value.message}{caught.value.detail}"
    with pytest.raises(Invalid, match="plain letters"):
        get(local, around, token="tok\r\nX-Evil: 1")
    assert local.asked == []
    request = Download(address=f"https://{HOST}/", token="tok-marked")
    assert "tok-marked" not in f"{request}{request!r}"
    with pytest.raises(AddressRefused) as refused:
        get(local, around, f"https://{HOST}/nothing.safetensors", token="tok-marked")
    assert "tok-marked" not in f"{refused.value.message}{refused.value.detail}"
    assert not any(b"marked" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.rule("D121", "X36", "R115")
def test_private_addresses_are_refused_unless_allowed_by_name(local: LocalWeb, tmp_path: Path) -> None:
    local.names["nas.local"] = ("192.168.0.9",)
    local.put("nas.local/mix.safetensors", Page(MODEL))
    local.put(f"{HOST}/in", Page(status=302, location="https://nas.local/mix.safetensors"))
    around = Around(tmp_path)
    for address in ("https://nas.local/mix.safetensors", f"https://{HOST}/in", "https://127.0.0.1/mix.safetensors", "https://[::1]/mix.safetensors"):
        with pytest.raises(AddressRefused, match="own network"):
            get(local, around, address, name="mix.safetensors")
    assert get(local, around, "https://nas.local/mix.safetensors", web={"allowed": frozenset({"nas.local"})}).sha256 == DIGEST


@pytest.mark.rule("X36")
def test_an_unprotected_address_needs_a_checksum_or_leave_by_name(local: LocalWeb, tmp_path: Path) -> None:
    address = f"http://{HOST}/mix.safetensors"
    with pytest.raises(AddressRefused, match="not protected"):
        get(local, Around(tmp_path), address)
    assert get(local, Around(tmp_path / "a"), address, sha256=DIGEST).size == len(MODEL)
    assert get(local, Around(tmp_path / "b"), address, web={"allowed": frozenset({HOST})}).size == len(MODEL)


@pytest.mark.rule("D121")
def test_the_handler_itself_takes_its_leave_from_the_setting(local: LocalWeb, tmp_path: Path) -> None:
    local.put("127.0.0.1/mix.safetensors", Page(MODEL))
    address = f"http://127.0.0.1:{local.port()}/mix.safetensors"
    with pytest.raises(AddressRefused, match="port"):
        download.run(Download(address=address), Around(tmp_path))
    around = Around(tmp_path, download_hosts=f"nas.local, 127.0.0.1:{local.port()}")
    assert download.run(Download(address=address), around).sha256 == DIGEST


@pytest.mark.rule("D121", "N51")
def test_no_file_is_ever_replaced(local: LocalWeb, tmp_path: Path) -> None:
    around = Around(tmp_path)
    kept = write_model(around.models / "checkpoints" / "mix.safetensors")
    before = kept.read_bytes()
    with pytest.raises(NameTaken):
        get(local, around)
    with pytest.raises(NameTaken):
        get(local, around, folder="auto")
    assert kept.read_bytes() == before


@pytest.mark.rule("N53", "X15", "X17")
def test_no_hostile_name_touches_anything(local: LocalWeb, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "models"
    root.mkdir(parents=True)
    around = Around(tmp_path / "deep")
    canary = Canary(tmp_path, root, around.places.data)
    for name in filter(None, HOSTILE_MODELS):
        with pytest.raises((UnsafeName, Invalid, ValueError)):
            get(local, around, name=name)
    assert local.asked == []
    # Names that the other side suggests are made plain, or refused.
    for number, name in enumerate(HOSTILE_MODELS):
        quoted = name.encode("utf-8", "surrogatepass").decode("latin-1").replace("\r", "").replace("\n", "").replace("\0", "")[:200]
        data = MODEL[:-4] + number.to_bytes(4, "little")
        local.put(f"{HOST}/blob{number}", Page(data, headers={"Content-Disposition": f'attachment; filename="{quoted}"'}))
        try:
            get(local, around, f"https://{HOST}/blob{number}", folder="auto")
        except (UnsafeName, Invalid, NameTaken, AddressRefused):
            continue
    canary.assert_untouched()
    assert all(path.startswith(("checkpoints/", FOLDER)) and path.count("/") <= 2 for path in files_under(root))
    for path in root.joinpath("checkpoints").iterdir():
        assert path.is_file()
        assert path.suffix in (".safetensors", ".sft")


@pytest.mark.rule("X2", "X3", "N53")
@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (pickle.dumps({"a": 1}, 2) + bytes(1 << 20), PickleRefused, "sfumato convert"),
        (MODEL[:-1], CorruptFile, "ends behind"),
        (b"#!/bin/sh\necho\n", ModelUnsupported, "no model file"),
    ],
)
def test_what_is_no_model_is_refused_and_gone(local: LocalWeb, tmp_path: Path, data: bytes, error: type[Exception], words: str) -> None:
    local.put(f"{HOST}/mix.safetensors", Page(data))
    with pytest.raises(error, match=words):
        get(local, Around(tmp_path))
    assert files_under(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("page", "error", "words"),
    [
        (Page(b"<html>", media="text/html; charset=utf-8"), AddressRefused, "a page and no file"),
        (Page(status=404), AddressRefused, "nothing at this address"),
        (Page(status=403), AddressRefused, "token"),
        (Page(status=500), DownloadFailed, "answers 500"),
        (Page(status=418), AddressRefused, "answers 418"),
        (Page(MODEL, headers={"Content-Encoding": "gzip"}), AddressRefused, "compressed"),
        (Page(MODEL, status=206), DownloadFailed, "not asked for"),
    ],
)
def test_answers_that_are_no_file_are_told_in_a_sentence(local: LocalWeb, tmp_path: Path, page: Page, error: type[Exception], words: str) -> None:
    local.put(f"{HOST}/mix.safetensors", page)
    with pytest.raises(error, match=words):
        get(local, Around(tmp_path))
    assert "html" not in words


@pytest.mark.rule("X36")
def test_slow_silent_endless_and_lying_answers_end(local: LocalWeb, tmp_path: Path) -> None:
    local.put(f"{HOST}/silent.safetensors", Page(silent=True))
    with pytest.raises(DownloadFailed):
        get(local, Around(tmp_path), f"https://{HOST}/silent.safetensors", Patience(idle_s=0.2, tries=1, pause_s=0))
    local.put(f"{HOST}/drip.safetensors", Page(MODEL, block=1000, length=None))
    with pytest.raises(DownloadFailed, match="slowly"):
        get(local, Around(tmp_path), f"https://{HOST}/drip.safetensors", Patience(slow_s=0, slow_bytes=1 << 30, tries=1, pause_s=0))
    local.put(f"{HOST}/endless.safetensors", Page(MODEL, endless=True, length=None))
    around = Around(tmp_path / "small")
    small = download.Quarantine(around.models, "owner")
    assert small.room(0) > 0


@pytest.mark.rule("X13", "X36")
def test_an_endless_file_ends_when_the_room_does(local: LocalWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.library.transfers import quarantine

    monkeypatch.setattr(download, "_ROOM_BYTES", 1 << 20)
    monkeypatch.setattr(quarantine.Quarantine, "room", lambda self, done: (4 << 20) - done)
    local.put(f"{HOST}/endless.safetensors", Page(MODEL, endless=True, length=None))
    with pytest.raises(DiskFull):
        get(local, Around(tmp_path), f"https://{HOST}/endless.safetensors")
    local.put(f"{HOST}/large.safetensors", Page(MODEL, length=1 << 40))
    with pytest.raises(DiskFull):
        get(local, Around(tmp_path / "other"), f"https://{HOST}/large.safetensors")
    assert files_under(tmp_path / "other" / "models") == []


@pytest.mark.rule("N52", "D162")
def test_a_cancel_removes_the_part_and_an_end_that_nobody_asked_for_keeps_it(local: LocalWeb, tmp_path: Path) -> None:
    local.put(f"{HOST}/mix.safetensors", Page(MODEL, etag='"one"', gate=threading.Event(), block=1 << 16))
    for abandoned in (True, False):
        around = Around(tmp_path)
        around.is_abandoned = abandoned
        around._on_progress = lambda done, around=around: threading.Timer(0.2, around.stopped.set).start()
        with pytest.raises(Stopped):
            get(local, around)
        assert any(path.endswith(".part") for path in files_under(around.models)) == abandoned


@pytest.mark.rule("D121")
def test_a_client_that_lets_go_ends_the_job_and_what_came_is_gone_on_with(local: LocalWeb, tmp_path: Path) -> None:
    gate = threading.Event()
    local.put(f"{HOST}/mix.safetensors", Page(MODEL, etag='"one"', gate=gate, block=1 << 18))
    around = Around(tmp_path)
    letting_go = threading.Timer(0.5, setattr, (around, "is_let_go", True))
    around._on_progress = lambda done: None if letting_go.is_alive() or letting_go.finished.is_set() else letting_go.start()
    with pytest.raises(TransferIncomplete):
        get(local, around)
    gate.set()
    letting_go.join()
    around.is_let_go = False
    assert get(local, around).sha256 == DIGEST
    assert int(local.asked[-1].headers["range"].removeprefix("bytes=").removesuffix("-")) > 0


def test_a_whole_part_is_not_fetched_again(local: LocalWeb, tmp_path: Path) -> None:
    nothing = header_bytes({"something.counter": ("I64", (3,)), "something.other": ("I64", (2, 2))})
    local.put(f"{HOST}/what.safetensors", Page(nothing, etag='"one"'))
    around = Around(tmp_path)
    with pytest.raises(Invalid, match="choose its folder"):
        get(local, around, f"https://{HOST}/what.safetensors", folder="auto")
    assert get(local, around, f"https://{HOST}/what.safetensors", folder="vae").folder == "vae"
    assert local.asked[-1].headers["range"] == f"bytes={len(nothing)}-"
    assert files_under(around.models) == ["vae/what.safetensors"]


def test_a_site_that_gives_no_name_needs_one(local: LocalWeb, tmp_path: Path) -> None:
    local.put(f"{HOST}/get", Page(MODEL))
    with pytest.raises(Invalid, match="Name is required"):
        get(local, Around(tmp_path), f"https://{HOST}/get")
    assert get(local, Around(tmp_path), f"https://{HOST}/get", name="a/mix.safetensors").name == "a/mix.safetensors"


@pytest.mark.rule("R49")
def test_no_kind_of_job_has_a_remote_default() -> None:
    from sfumato.jobs.builtin import REGISTRAR
    from sfumato.jobs.registry import filled
    from sfumato.protocol.specs import specs

    kinds = filled([REGISTRAR]).kinds
    assert {name for name, kind in kinds.items() if kind.lane == "transfer"} == {"upload", "download", "fetch_model"}
    assert all(kinds[name].writes for name in ("upload", "download", "fetch_model"))
    for kind in kinds.values():
        for spec in specs(kind.request):
            assert "://" not in str(spec.default)
            assert "/" not in str(spec.default), (kind.name, spec.name)
