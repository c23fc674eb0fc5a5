"""What the window takes while nothing happens, what it may reach, and what its scene may not do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PyQt5.QtCore import QAbstractEventDispatcher, QEventLoop, QTimer

from tests.support.window import PROGRAM, OpenWindow

PATIENCE_S = 120
DESKTOP = PROGRAM / "source" / "sfumato" / "desktop"
# A cursor that blinks wakes the window twice a second.
WAKES_A_SECOND = 5
REST_MS = 4000
PEAK = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(used.ru_maxrss)
sys.exit(process.returncode)
"""
ALL_PAGES = """
import sys
sys.path[:0] = sys.argv[1:3]
far = []
def hear(event, args):
    asked = event in ("socket.getaddrinfo", "urllib.Request")
    if asked or event in ("socket.connect", "socket.bind", "socket.sendto") and not isinstance(args[1], (str, bytes)):
        far.append((event, args))
from pathlib import Path
from tests.support.display import display_of_this_process
display_of_this_process()
sys.addaudithook(hear)
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from tests.support.painting import encoded, scene
from tests.support.window import OpenWindow, until
window = OpenWindow(Path(sys.argv[3]))
window.type("fox")
window.key(Qt.Key_Return, Qt.ControlModifier)
until(lambda: window.painter.submits)
window.painter.picture(encoded(scene()))
window.painter.finish()
for tab in window.studio.property("tabs"):
    window.studio.act(tab["action"])
    QTest.qWait(300)
window.close()
print(far)
"""


def rest() -> tuple[int, float]:
    """Let the event loop run; how often it woke up, and the processor's seconds it took."""
    loop = QEventLoop()
    QTimer.singleShot(1500, loop.quit)  # what a start leaves to be done
    loop.exec_()
    woken: list[int] = []
    dispatcher = QAbstractEventDispatcher.instance()
    count = dispatcher.awake.connect(lambda: woken.append(1))
    before = os.times()
    QTimer.singleShot(REST_MS, loop.quit)
    loop.exec_()
    after = os.times()
    dispatcher.awake.disconnect(count)
    return len(woken), after.user + after.system - before.user - before.system


@pytest.mark.rule("D197", "R134")
def test_a_window_at_rest_wakes_seldom_and_no_timer_is_fast(shown: OpenWindow) -> None:
    woken, _ = rest()
    assert woken / (REST_MS / 1000) <= WAKES_A_SECOND
    fast = [
        (timer.parent(), timer.interval())
        for timer in shown.studio.findChildren(QTimer)
        if timer.isActive() and not timer.isSingleShot() and timer.interval() < 1000
    ]
    assert not fast


@pytest.mark.rule("D200")
def test_the_scene_holds_no_queries_no_files_and_no_requests() -> None:
    forbidden = re.compile(
        r"LocalStorage|QtQuick\.LocalStorage|XMLHttpRequest|WebSocket|openDatabase|Qt\.labs\.(folderlistmodel|settings)|\b(SELECT|INSERT INTO|UPDATE|DELETE) .*\b(FROM|SET|VALUES)\b|https?://"
    )
    for path in sorted((PROGRAM / "qml").rglob("*.qml")):
        found = forbidden.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found.group()}"


@pytest.mark.rule("D200")
def test_no_part_of_the_window_speaks_sql() -> None:
    spoken = re.compile(r"from sqlite3|sqlite3\.(?!\w*Error)|\.execute(many|script)?\(|\"(SELECT|INSERT INTO|DELETE FROM|UPDATE \w+ SET|CREATE TABLE) ")
    for path in sorted(DESKTOP.rglob("*.py")):
        found = spoken.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found.group()}"


@pytest.mark.rule("D192", "R131")
def test_no_room_of_the_window_imports_what_only_the_engine_needs() -> None:
    modules = [".".join(path.relative_to(PROGRAM / "source").with_suffix("").parts).removesuffix(".__init__") for path in sorted(DESKTOP.rglob("*.py"))]
    heavy = ("torch", "diffusers", "transformers", "fastapi", "numpy")
    code = f"import sys\nfor name in {modules!r}:\n    __import__(name)\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, env={**os.environ, "PYTHONPATH": str(PROGRAM / "source")}
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.rule("D203")
def test_nothing_of_the_window_connects_to_another_machine(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALL_PAGES, str(PROGRAM), str(PROGRAM / "source"), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="asks the system for the memory of a process that has ended")
def test_a_started_window_takes_less_than_400_mib(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM / "source" / "main.py"), "--data", str(tmp_path), "--first-frame"]
    # By a small process: on Linux the peak of a child begins with what its parent had when it was forked, and that of a test run is large.
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    per_unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout.splitlines()[-1]) * per_unit < 400 * 1024**2
