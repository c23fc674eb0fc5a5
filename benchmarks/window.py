"""From the start of the process to the first frame of the real window, against the smallest window PyQt5 and QML can open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from measuring import ROOT, Row, compare, measure, timed

_SMALLEST = """
import sys
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtQml import QQmlApplicationEngine
application = QGuiApplication(sys.argv)
engine = QQmlApplicationEngine()
engine.loadData(b"import QtQuick 2.15; import QtQuick.Controls 2.15; ApplicationWindow { visible: true; onFrameSwapped: Qt.quit() }")
application.exec_()
"""


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """An environment with a display: the person's own, else a virtual one."""
    if os.environ.get("DISPLAY"):
        yield dict(os.environ)
        return
    if shutil.which("Xvfb") is None:
        raise SystemExit("The window's rows need a display or Xvfb: apt-get install xvfb")
    read, write = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-noreset"], pass_fds=[write], stderr=subprocess.DEVNULL
    ) as server:
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        yield os.environ | {"DISPLAY": f":{number}", "QT_QUICK_BACKEND": "software"}
        server.terminate()


def rows(rounds: int = 5) -> list[Row]:
    """First frame of the splash and of the window."""
    with display() as environment, tempfile.TemporaryDirectory() as scratch:
        splash: list[float] = []

        def first_frame() -> float:
            command = [sys.executable, str(ROOT / "source" / "main.py"), "--data", scratch, "--first-frame"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            report = json.loads(done.stdout.splitlines()[-1])
            splash.append(report["splash_ms"] / 1000)
            return report["window_ms"] / 1000

        smallest = timed(lambda: subprocess.run([sys.executable, "-c", _SMALLEST], check=True, env=environment, capture_output=True))
        found = measure({"window": first_frame, "smallest": smallest}, rounds)
    window = found["window"]
    return [
        compare("process start to first frame / smallest QML window", window, found["smallest"]),
        compare("process start to first frame / 1 s", window, [1.0] * rounds, 1.0),
        compare("process start to splash / 0.3 s", splash[1:], [0.3] * rounds, 1.0),
    ]
