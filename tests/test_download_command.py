"""`sfumato download` as a person uses it: one line out, one sentence per mistake, and a token that is no argument."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_files import header_bytes
from tests.support.transfer_context import files_under
from tests.support.web_server import LocalWeb, Page
from tests.test_cli import command, environment, run

MODEL = header_bytes({"model.diffusion_model.input_blocks.0.0.weight": ("F16", (512, 512))})


@pytest.fixture
def web(tmp_path: Path) -> Iterator[LocalWeb]:
    local = LocalWeb()
    local.put("127.0.0.1/mix.safetensors", Page(MODEL, etag='"one"'))
    (tmp_path / "settings.json").write_text(json.dumps({"version": 1, "download_hosts": f"127.0.0.1:{local.port()}"}))
    yield local
    local.close()


def address(web: LocalWeb) -> str:
    return f"http://127.0.0.1:{web.port()}/mix.safetensors"


@pytest.mark.rule("D121")
def test_a_model_is_fetched_and_named_in_one_line(web: LocalWeb, tmp_path: Path) -> None:
    done = run("download", address(web), "--name", "own/mix.safetensors", "--sha256", hashlib.sha256(MODEL).hexdigest(), data=tmp_path)
    assert (done.returncode, done.stdout) == (0, "checkpoints/own/mix.safetensors\n"), done.stderr
    assert (tmp_path / "models/checkpoints/own/mix.safetensors").read_bytes() == MODEL
    again = run("download", address(web), "--folder", "checkpoints", "--sha256", hashlib.sha256(MODEL).hexdigest(), data=tmp_path)
    assert (again.returncode, again.stdout) == (0, "checkpoints/own/mix.safetensors\n")
    assert "already" in again.stderr


@pytest.mark.rule("X36", "X50")
def test_mistakes_are_one_sentence_and_no_token_is_shown(web: LocalWeb, tmp_path: Path) -> None:
    for words, sentence, status in (
        (["http://10.0.0.1/x.safetensors", "--sha256", "0" * 64], "its own network", 1),
        (["nonsense"], "http://", 1),
        (["hf:nobody"], "hf:owner/repository/file", 2),
        ([address(web), "--name", "../../x.safetensors"], "cannot be used", 1),
        ([address(web), "--token-file", str(tmp_path / "nothing")], "--token-file", 2),
    ):
        done = run("download", *words, data=tmp_path)
        assert done.returncode == status, done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
    (tmp_path / "token").write_text("hf_marked0123456789\n")
    done = run("download", address(web), "--token-file", str(tmp_path / "token"), data=tmp_path)
    assert "told to no other site" in done.stderr
    assert "hf_marked" not in done.stderr + done.stdout


@pytest.mark.rule("N52")
def test_ctrl_c_keeps_what_came_and_the_same_command_goes_on(web: LocalWeb, tmp_path: Path) -> None:
    gate = threading.Event()
    page = web.pages["127.0.0.1/mix.safetensors"]
    page.gate, page.block = gate, 1 << 16
    process = subprocess.Popen(command("download", address(web), data=tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    parts = (path for _ in iter(lambda: process.poll() is None and not threading.Event().wait(0.05), False) for path in tmp_path.rglob("*.part"))
    assert any(path.stat().st_size >= 1 << 16 for path in parts)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    gate.set()
    assert process.returncode == 130
    assert "kept for a day" in errors
    assert any(path.endswith(".part") for path in files_under(tmp_path / "models"))
    assert run("download", address(web), data=tmp_path).returncode == 0
    assert web.asked[-1].headers["range"] == f"bytes={1 << 16}-"
