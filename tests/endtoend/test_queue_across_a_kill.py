"""The program is killed while it paints and started again: nothing is lost, nothing painted twice. Real window, keys and engine in their own processes."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.display import virtual_display
from tests.support.xdotool import window_of, xdotool

PROGRAM = Path(__file__).resolve().parents[2]
PATIENCE_S = 110
PICTURES = 3
PROMPTS = ("a red circle", "a blue star", "a green square")


class Running:
    """The program on a display."""

    def __init__(self, display: str, data: Path, log: Path) -> None:
        environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "QT_QUICK_BACKEND": "software", "OMP_NUM_THREADS": "1"}
        self.display = display
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM / "source" / "main.py"), "--data", str(data)], env=environment, stdout=said, stderr=said
            )
        self.window = str(self.until(lambda: window_of(display), "a window"))
        xdotool(display, "windowfocus", "--sync", self.window)

    def until(self, found: Callable[[], object], what: str) -> object:
        deadline = time.monotonic() + PATIENCE_S
        while not (result := found()):
            assert self.process.poll() is None, f"the program ended with {self.process.returncode} before there was {what}"
            assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
            time.sleep(0.02)  # another process's files give no signal to wait for
        return result

    def key(self, *names: str) -> None:
        xdotool(self.display, "key", "--delay", "40", *names)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def jobs(data: Path) -> list[tuple[str, int, str]]:
    """State, pictures and prompt of each job on the disk, in order."""
    file = data / "queue" / "queue.sqlite"
    if not file.exists():
        return []
    # Copied, so that a look never holds what the program writes.
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as connection:
        rows = connection.execute("SELECT j.state, j.pictures, j.params, b.params FROM jobs j JOIN bases b ON b.id = j.base ORDER BY j.place").fetchall()
    connection.close()
    found = []
    for state, pictures, own, base in rows:
        prompt = re.search(r'"prompt": "([^"]*)"', own) or re.search(r'"prompt": "([^"]*)"', base)
        assert prompt is not None
        found.append((state, pictures, prompt[1]))
    return found


def painted(data: Path) -> Counter[tuple[str, str]]:
    """How often each prompt and seed is among the finished pictures."""
    found: Counter[tuple[str, str]] = Counter()
    for path in (data / "outputs").rglob("*.png"):
        if not path.name.startswith("."):
            with Image.open(path) as picture:
                text = picture.text["parameters"]  # type: ignore[attr-defined]  # PNG pictures have texts
            seed = re.search(r"Seed: (\d+)", text)
            assert seed is not None
            found[text.splitlines()[0], seed[1]] += 1
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.rule("D84", "R137", "R72", "D82")
@pytest.mark.skipif(sys.platform != "linux", reason="the virtual display is X11")
def test_a_killed_window_goes_on_where_it_was_and_every_picture_is_made_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "session.json").write_text(f'{{"parameters": {{"steps": 12, "batch_count": {PICTURES}}}}}', encoding="utf-8")
    with virtual_display() as display:
        # Given three queued jobs of three pictures, of which the first has made one
        first = Running(display, data, tmp_path / "said.log")
        try:
            for prompt in PROMPTS:
                first.key("ctrl+a")
                xdotool(display, "type", "--delay", "15", prompt)
                first.key("ctrl+Return")
            first.until(lambda: len(jobs(data)) == len(PROMPTS), "three jobs on the disk")
            first.until(lambda: any(pictures for _, pictures, _ in jobs(data)), "a picture")
        finally:
            first.kill()
        before, made = jobs(data), painted(data)
        assert [prompt for _, _, prompt in before] == list(PROMPTS)
        cut = sum(state == "running" for state, _, _ in before)

        # When the program is started again
        second = Running(display, data, tmp_path / "said.log")
        try:
            second.until(lambda: [state for state, _, _ in jobs(data)].count("interrupted") == cut, "the interrupted job")
            assert painted(data) == made, "the queue waits for a word"
            open_jobs = [prompt for state, _, prompt in jobs(data) if state in ("interrupted", "waiting")]
            assert open_jobs == [prompt for state, _, prompt in before if state != "finished"]

            # Then one key lets it go on, in order, until all is done
            second.key("ctrl+shift+j")
            second.until(lambda: jobs(data) and all(state == "finished" for state, _, _ in jobs(data)), "the end of all jobs")
            second.key("ctrl+q")
            assert second.process.wait(timeout=30) == 0
        finally:
            if second.process.poll() is None:
                second.kill()
    found = painted(data)
    assert set(found.values()) == {1}, found
    assert Counter(prompt for prompt, _ in found) == dict.fromkeys(PROMPTS, PICTURES)
    said = (tmp_path / "said.log").read_text(errors="replace")
    assert "Traceback" not in said and "qml" not in said, said
