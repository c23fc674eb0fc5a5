"""From a key press to a picture: the program as a process on a virtual display, real key events, the real engine, the model that ships."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.display import virtual_display
from tests.support.xdotool import window_of, xdotool

PROGRAM = Path(__file__).resolve().parents[2]
STARTER = PROGRAM / "models" / "checkpoints" / "sfumato-starter.safetensors"
PROMPT = "a red circle, white background"
SEED = 1
PATIENCE_S = 90


@pytest.fixture
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


def eventually(found: Callable[[], object], process: subprocess.Popen[bytes], what: str) -> object:
    """What `found` gives as soon as it gives something; fails at once when the program has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while not (result := found()):
        assert process.poll() is None, f"the program ended with {process.returncode} before there was {what}"
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.05)  # another process's window and files give no signal to wait for
    return result


def pictures(outputs: Path) -> list[Path]:
    return sorted(path for path in outputs.rglob("*.png") if not path.name.startswith("."))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the virtual display is X11")
def test_a_typed_prompt_becomes_a_saved_picture_of_what_was_asked(tmp_path: Path, display: str) -> None:
    # Given the program on a data folder that holds no more than a fixed seed
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "session.json").write_text(f'{{"parameters": {{"seed": {SEED}}}}}', encoding="utf-8")
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "QT_QUICK_BACKEND": "software"}
    log = (tmp_path / "said.log").open("wb")
    process = subprocess.Popen([sys.executable, str(PROGRAM / "source" / "main.py"), "--data", str(tmp_path / "data")], env=environment, stdout=log, stderr=log)
    try:
        window = str(eventually(lambda: window_of(display), process, "a window"))
        xdotool(display, "windowfocus", "--sync", window)

        # When a person types a prompt and presses Ctrl+Enter
        xdotool(display, "type", "--delay", "15", PROMPT)
        xdotool(display, "key", "ctrl+Return")

        # Then a file appears, whole, with the prompt in it, and shows what was asked
        found = eventually(lambda: pictures(tmp_path / "data" / "outputs"), process, "a picture")
        assert isinstance(found, list)
        with Image.open(found[0]) as picture:
            assert picture.text["parameters"].startswith(PROMPT)  # type: ignore[attr-defined]  # PNG pictures have texts
            shown = picture.convert("RGB")
        assert_red_circle_on_white(shown)

        # And Ctrl+Q ends the program and all it started
        xdotool(display, "key", "ctrl+q")
        assert process.wait(timeout=30) == 0
        assert PROMPT in (tmp_path / "data" / "session.json").read_text(encoding="utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()
    said = (tmp_path / "said.log").read_text(errors="replace")
    assert "Traceback" not in said and "qml" not in said, said


def assert_red_circle_on_white(picture: Image.Image) -> None:
    """Judged by colour: red rules the middle, white the border."""
    side = picture.width
    middle = picture.crop((side * 3 // 8, side * 3 // 8, side * 5 // 8, side * 5 // 8))
    red, green, blue = mean(middle)
    assert red > 140 and red > 1.6 * green and red > 1.6 * blue, f"the middle is {red:.0f}, {green:.0f}, {blue:.0f}"
    thickness = max(2, side // 16)
    for edge in (
        picture.crop((0, 0, side, thickness)),
        picture.crop((0, picture.height - thickness, side, picture.height)),
        picture.crop((0, 0, thickness, picture.height)),
        picture.crop((side - thickness, 0, side, picture.height)),
    ):
        assert min(mean(edge)) > 190, f"an edge is {mean(edge)}"


def mean(picture: Image.Image) -> tuple[float, float, float]:
    """The mean colour."""
    red, green, blue = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]  # an RGB picture's pixel is three numbers
    return float(red), float(green), float(blue)
