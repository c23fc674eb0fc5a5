"""A window without an engine of its own, and a machine with one in another process: a link is opened, a picture is painted there and saved here."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from PIL import Image

from tests.support.absent import do_without
from tests.support.serving import served
from tests.support.window import PROGRAM

PATIENCE_S = 300.0
HEAVY = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy")
# The window as a program of its own; it is told the link on its standard input, and says where the picture is.
WINDOW = """
import json, sys, time
from pathlib import Path
program, data, blocked = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(",") if sys.argv[3] else []
sys.path[:0] = [str(program / "source"), str(program)]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(name + " is not installed", name=name)

sys.meta_path.insert(0, Absent())
from PyQt5.QtTest import QTest
from sfumato.desktop.launch import Launch, application

def until(true, what):
    end = time.monotonic() + 240
    while not true():
        if time.monotonic() > end:
            studio = launch.studio
            raise SystemExit(f"{what} did not come about: {studio.engine.property('sentence')} {studio.notices.property('sentence')}")
        QTest.qWait(5)

held = application(program / "qml")
launch = Launch(program, data)
launch.start()
until(lambda: launch.window is not None or launch.failure is not None, "the window")
if launch.failure:
    raise launch.failure
studio = launch.studio
until(lambda: studio.remote.property("state") == "disconnected", "the empty state")
studio.remote.connectLink(sys.stdin.read())
until(lambda: studio.engine.property("state") == "ready", "the connection")
until(lambda: studio.remote.property("promise") and studio.remote.property("latency"), "what the other machine tells of itself")
studio.prompts.text = "a red circle on white"
studio.parameters.apply({"steps": 2, "seed": 5}, "a quick picture")
studio.act("generate")
until(lambda: studio.outputs.property("shown").get("path"), "the picture")
path = studio.outputs.property("shown")["path"]
until(lambda: not studio.jobs.property("busy"), "the end of the job")
found = [name for name in sys.argv[4].split(",") if name in sys.modules]
launch.close()
print(json.dumps({"path": path, "heavy": found}))
"""


def paint(python: Path, tmp_path: Path, blocked: str) -> None:
    """Let `python` open the window in mode remote, connect and paint."""
    data = tmp_path / "window"
    data.mkdir()
    (data / "settings.json").write_text('{"version": 1, "mode": "remote", "language": "en"}')
    with served(tmp_path / "server", real=True) as server:
        link = server.link()
        words = [str(python), "-c", WINDOW, str(PROGRAM), str(data), blocked, ",".join(HEAVY)]
        done = subprocess.run(words, input=link, capture_output=True, text=True, timeout=PATIENCE_S, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr + done.stdout
    told = done.stdout.strip().splitlines()[-1]
    assert '"heavy": []' in told, told
    pictures = list((data / "outputs").rglob("*.png"))
    assert len(pictures) == 1
    assert Image.open(pictures[0]).text["parameters"].startswith("a red circle on white")
    password = link.rpartition("password=")[2]
    assert not [path for path in data.rglob("*") if path.is_file() and password.encode() in path.read_bytes()], "the link's secret was written down"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.rule("D11", "D158")
def test_a_window_that_cannot_import_torch_paints_on_another_machine(tmp_path: Path) -> None:
    paint(Path(sys.executable), tmp_path, ",".join(HEAVY))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.rule("D11")
def test_the_requirements_of_mode_remote_alone_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = PROGRAM / "requirements_remote.txt"
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(wanted)], capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode:
        do_without(f"the packages cannot be had here: {done.stderr.strip().splitlines()[-1]}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 500 * 1000**2
    paint(python, tmp_path, "")
