"""The program as a process: what it prints, how it ends, what it never imports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sfumato.desktop import last_words
from sfumato.protocol.secret import Secret
from tests.support.window import PROGRAM

MAIN = PROGRAM / "source" / "main.py"
PATIENCE_S = 60


def start(*arguments: str, program: Path = MAIN, **environment: str | None) -> subprocess.Popen[str]:
    values = {**os.environ, **environment}
    return subprocess.Popen(
        [sys.executable, str(program), *arguments],
        env={name: value for name, value in values.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def copy_program(target: Path) -> None:
    for folder in ("qml", "launcher", "source"):
        shutil.copytree(PROGRAM / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, error = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, error


def test_without_a_display_there_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    code, out, error = ended(start("--data", str(tmp_path), DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None))
    assert (code, out) == (2, "")
    assert len(error.strip().splitlines()) == 1
    assert "needs a display" in error


def test_a_display_that_does_not_answer_is_named_instead_of_an_abort(tmp_path: Path) -> None:
    code, out, error = ended(start("--data", str(tmp_path), DISPLAY=":987", WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None))
    assert (code, out) == (2, "")
    assert "nothing answers at :987" in error


def test_first_frame_is_reported_as_json_and_the_program_quits(tmp_path: Path) -> None:
    code, out, error = ended(start("--data", str(tmp_path), "--first-frame"))
    assert code == 0, error
    report = json.loads(out)
    assert 0 < report["splash_ms"] < report["window_ms"]


@pytest.mark.rule("D6")
def test_starting_runs_no_program_and_writes_nothing_into_its_own_folder(tmp_path: Path) -> None:
    copy_program(tmp_path / "program")
    before = sorted(path.relative_to(tmp_path) for path in (tmp_path / "program").rglob("*"))
    code = """
import runpy, sys
bad = []
outside = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")
# An address that is a text is a socket of this machine: the display is asked whether it answers.
local = lambda event, args: event == "socket.connect" and isinstance(args[1], (str, bytes))
sys.addaudithook(lambda event, args: bad.append((event, args)) if event in outside and not local(event, args) else None)
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code and not bad, bad
"""
    main = tmp_path / "program" / "source" / "main.py"
    command = [sys.executable, "-B", "-c", code, str(main), "--data", str(tmp_path / "data"), "--first-frame"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "program").rglob("*")) == before


@pytest.mark.rule("D19")
def test_a_failure_before_the_window_is_told_logged_and_ends_with_an_error(tmp_path: Path) -> None:
    program = tmp_path / "a b é %" / "program"
    copy_program(program)
    (program / "qml" / "StatusBar.qml").write_text("import QtQuick 2.15\nItem { nonsense: 5 }\n", encoding="utf-8")
    process = start("--data", str(tmp_path / "data"), program=program / "source" / "main.py", QT_QPA_PLATFORM="offscreen")
    code, _, error = ended(process)
    assert code == 1
    assert "could not open its window" in error and "StatusBar" in error
    assert "nonsense" in (tmp_path / "data" / "logs" / "crash.log").read_text(encoding="utf-8")


@pytest.mark.rule("D4")
def test_it_starts_from_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    program = tmp_path / "a b é 漢字 % ! & ' (x) #"
    copy_program(program)
    code, out, error = ended(start("--data", str(tmp_path / "dätä #1"), "--first-frame", program=program / "source" / "main.py"))
    assert code == 0, error
    assert json.loads(out)["window_ms"] > 0


@pytest.mark.rule("D192", "R77", "R131")
def test_the_window_never_imports_what_only_the_engine_needs() -> None:
    modules = sorted(f"sfumato.desktop.{path.stem}" for path in (PROGRAM / "source" / "sfumato" / "desktop").glob("*.py") if path.stem != "__init__")
    heavy = ("torch", "diffusers", "transformers", "fastapi", "numpy")
    code = f"import sys\nfor name in {modules!r}:\n    __import__(name)\nprint([name for name in {heavy!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM / "source")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_quits_and_takes_the_engine_along(tmp_path: Path, number: signal.Signals) -> None:
    process = start("--data", str(tmp_path))
    deadline = time.monotonic() + PATIENCE_S
    while not (engine := children(process.pid)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)  # a process of another's making gives no signal to wait for
    process.send_signal(number)
    code, _, error = ended(process)
    assert code == 0, error
    assert not [child for child in engine if Path(f"/proc/{child}").exists()]
    assert (tmp_path / "session.json").is_file()


def children(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += task.read_text().split()
        except OSError:
            continue
    return found


@pytest.mark.rule("D17")
def test_a_second_start_hands_over_to_the_first_and_a_dead_one_leaves_no_lock(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start("--data", str(data))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (data / "window.lock").exists():
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        began = time.monotonic()
        code, _, error = ended(start("--data", str(data), "sfumato:?endpoint=ws://elsewhere:28888&password=secret"))
        took_s = time.monotonic() - began
        assert code == 0, error
        assert took_s < 10, "within a second on an idle machine; this one may be busy"
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate(timeout=10)
    # Killed, it holds nothing: the next start is the window.
    code, out, error = ended(start("--data", str(data), "--first-frame"))
    assert code == 0, error
    assert json.loads(out)["window_ms"] > 0
    assert "secret" not in "".join(path.read_text(errors="replace") for path in data.rglob("*") if path.is_file())


@pytest.mark.rule("R111", "X52")
def test_the_file_of_a_crash_holds_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = Secret("marked words of a fox")
    link = f"sfumato:?endpoint=ws://far.example:1/relay&password={secret.reveal()}"
    with pytest.raises(ValueError, match="broke") as broken:
        raise ValueError(f"It broke at {link}") from RuntimeError(secret.reveal())
    assert last_words.say(broken.value, str(tmp_path), with_dialog=False) == 1
    written = (tmp_path / "logs" / "crash.log").read_text(encoding="utf-8")
    shown = capsys.readouterr()
    assert "ValueError: It broke at" in written and "RuntimeError" in written
    assert "It broke at" in shown.err
    assert "marked words" not in written + shown.err + shown.out
