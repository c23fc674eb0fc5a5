"""No display is one sentence and exit status 2, before Qt can abort."""

from __future__ import annotations

import socket
from pathlib import Path

from launcher.display import obstacle
from tests.launcher.conftest import Program, give_environment


def test_no_display_is_one_sentence_and_status_2(program: Program) -> None:
    give_environment(program, "echo started")
    done = program.start()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set;")
    assert done.stderr.count("\n") == 1


def test_a_display_that_nobody_answers_at_is_named(program: Program) -> None:
    give_environment(program, "echo started")
    done = program.start("sfumato:?endpoint=ws://localhost:1", DISPLAY=":4711")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing answers at :4711" in done.stderr


def test_the_command_line_needs_no_display(program: Program) -> None:
    give_environment(program, 'echo "$@"')
    done = program.start("--skip-install", "generate", "a red circle", "-o", "--mode")
    assert (done.returncode, done.stdout) == (0, "-P -m sfumato generate a red circle -o --mode\n")


def test_what_answers_is_a_display(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-0"))
        server.listen()
        wayland = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
        assert obstacle(wayland, "linux") == ""
        assert obstacle({**wayland, "DISPLAY": ":4711"}, "linux") == ""
    assert "wayland-0" in obstacle(wayland, "linux")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0/tmp/.X11-unix/X4712")
        server.listen()
        assert obstacle({"DISPLAY": ":4712.0"}, "linux") == ""


def test_offscreen_and_other_systems_need_no_display() -> None:
    assert obstacle({"QT_QPA_PLATFORM": "offscreen"}, "linux") == ""
    assert obstacle({}, "win32") == obstacle({}, "darwin") == ""
    assert obstacle({"QT_QPA_PLATFORM": "xcb"}, "linux") != ""
