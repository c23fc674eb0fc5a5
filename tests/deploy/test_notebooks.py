"""The notebooks do what their text says: every cell runs, a window elsewhere connects with the link they show, and a saved one holds nothing of it."""

from __future__ import annotations

import contextlib
import functools
import http.server
import importlib.util
import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from sfumato.protocol.messages import Artifact, Finished, Hello, Submit
from sfumato.transport.link import Link
from sfumato.transport.remote import RemoteInference
from tests.support.listening import Listening
from tests.test_serve import leaks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "deploy" / "notebooks"
FILES = ("colab.ipynb", "kaggle.ipynb")
# What stands for the tunnel: it prints an address as cloudflared does, and notes where the relay really is.
TUNNEL = """
import sys, threading
open(sys.argv[1], "w").write(sys.argv[2])
print("INF |  https://early-fox.trycloudflare.com  |", flush=True)
threading.Event().wait()
"""


def builder() -> Any:
    found = importlib.util.spec_from_file_location("make_notebooks", NOTEBOOKS / "make_notebooks.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["make_notebooks"] = module  # its dataclass looks itself up
    found.loader.exec_module(module)
    return module


@pytest.mark.rule("R145")
def test_the_notebooks_are_what_their_maker_writes() -> None:
    made = builder()
    assert {host.file for host in made.HOSTS} == set(FILES)
    for host in made.HOSTS:
        assert (NOTEBOOKS / host.file).read_text(encoding="utf-8") == made.notebook(host)


@pytest.mark.rule("N61")
@pytest.mark.parametrize("file", FILES)
def test_a_notebook_as_it_ships_is_clean_and_names_its_hosts_terms_above_the_first_cell(file: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / file, as_version=4)
    nbformat.validate(notebook)
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.search(r"\[terms of (service|use)\]\(https://", first.source)
    assert "Before you run anything" in first.source
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    source = "\n".join(cell.source for cell in notebook.cells)
    assert '"--install-only"' in source
    assert '"serve", "--relay"' in source
    assert "sfk1." not in source
    if file == "colab.ipynb":
        assert notebook.metadata["colab"]["private_outputs"] is True


class Watcher(NotebookClient):
    """Runs a notebook, and tells of every text that a cell shows."""

    def __init__(self, notebook: Any, on_text: Any, **options: Any) -> None:
        super().__init__(notebook, **options)
        self._on_text = on_text

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        self._on_text(json.dumps(msg["content"], default=str))
        return super().process_message(msg, cell, cell_index)


@contextlib.contextmanager
def web_of(folder: Path) -> Iterator[int]:
    """A web server with the files of a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            del format, args

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Window:
    """A window elsewhere: waits for the link to be shown, connects, has a picture made, and leaves."""

    def __init__(self, noted: Path) -> None:
        self.link: Link | None = None
        self.catalog: dict[str, Any] = {}
        self.picture = b""
        self.trouble: BaseException | None = None
        self._noted = noted
        self._thread: threading.Thread | None = None

    def see(self, text: str) -> None:
        found = re.search(r"sfumato:\?[^\"\\\s]+", text)
        if found is not None and self._thread is None:
            self.link = Link.parse(found.group())
            self._thread = threading.Thread(target=self._visit)
            self._thread.start()

    def _visit(self) -> None:
        assert self.link is not None
        # The public address leads nowhere in a test; the relay is reached where the tunnel would.
        remote = RemoteInference(Link(f"ws://127.0.0.1:{self._noted.read_text()}/relay", self.link.secret), label="a window")
        listening = Listening()
        remote.open(listening.hear)
        try:
            self.catalog = listening.wait_for(Hello).catalog
            remote.send(Submit(job="first", kind="generate", params={"prompt": "a red circle", "steps": 2}))
            ending = listening.ending("first")
            assert isinstance(ending, Finished), ending
            self.picture = listening.wait_for(Artifact, "first").data
        except BaseException as error:  # noqa: BLE001  # told by the test's own thread
            self.trouble = error
        finally:
            remote.close()

    def join(self) -> None:
        assert self._thread is not None, "no link was shown"
        self._thread.join()
        if self.trouble is not None:
            raise self.trouble


@pytest.mark.rule("N61", "X54")
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", FILES)
def test_every_cell_runs_a_window_connects_and_the_saved_notebook_holds_no_secret(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, noted, tunnel = tmp_path / "data", tmp_path / "port", tmp_path / "tunnel.py"
    tunnel.write_text(TUNNEL)
    offered = tmp_path / "web"
    offered.mkdir()
    lora = next((ROOT / "models" / "loras").glob("*.safetensors"))
    (offered / "brought.safetensors").write_bytes(lora.read_bytes())
    notebook = nbformat.read(NOTEBOOKS / file, as_version=4)
    window = Window(noted)
    for name in ("JPY_PARENT_PID", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    with web_of(offered) as port:
        data.mkdir()
        (data / "settings.json").write_text(json.dumps({"download_hosts": f"127.0.0.1:{port}"}))
        settings = {
            "SFUMATO_SOURCE": str(ROOT),
            "MODE": "cpu",
            "MODELS": [(f"http://127.0.0.1:{port}/brought.safetensors", "loras")],
            "TUNNEL": shlex.join([sys.executable, str(tunnel), str(noted), "{port}"]),
            "IDLE_MINUTES": 0.1,
            "DATA": str(data),
        }
        chosen = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
        place = next(number for number, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(chosen))
        Watcher(notebook, window.see, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    window.join()
    saved = tmp_path / file
    nbformat.write(notebook, saved)

    assert window.link is not None
    assert window.link.endpoint == "wss://early-fox.trycloudflare.com:443/relay"
    assert window.picture.startswith(b"\x89PNG")
    assert (data / "models" / "loras" / "brought.safetensors").read_bytes() == lora.read_bytes()
    assert any("brought" in row["value"] for row in window.catalog["choices"]["loras"])
    assert window.link.secret is not None
    places = {str(path): path.read_bytes() for path in [saved, *data.rglob("*")] if path.is_file()}
    assert leaks({"key": window.link.secret.reveal().encode()}, places) == []
    text = saved.read_text()
    assert "The relay has ended, and with it its link" in text
    assert "1 client connected" in text
    assert "password=" not in text
    assert os.environ["IPYTHONDIR"]
