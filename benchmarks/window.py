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
from dataclasses import replace
from pathlib import Path

from measuring import ROOT, Row, compare, measure, timed

PICTURES, MODELS, CARDS, OUTPUTS = 100_000, 10_000, 20, 200
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


def _furnish(data: Path) -> None:
    """What years of use leave: an index of pictures and one of models, cards in the strip and pictures below it."""
    from PyQt5.QtTest import QTest

    import models
    from sfumato.library.history.index import Index
    from sfumato.library.models_index import ModelsIndex
    from tests.support.display import display_of_this_process
    from tests.support.history import fill
    from tests.support.painting import encoded, scene
    from tests.support.window import OpenWindow, until

    index = Index(data / "history")
    fill(index, PICTURES, folder=str(data / "outputs"))
    index.close()
    models._fill(data / "models" / "loras", MODELS)
    stock = ModelsIndex(data, [data / "models"])
    stock.rescan()
    stock.close()
    os.environ.setdefault("QT_QUICK_BACKEND", "software")
    display_of_this_process()
    window = OpenWindow(data)
    card = data / "card.png"
    card.write_bytes(encoded(scene(side=512)))
    window.type("a fox")
    window.studio.act("generate")
    until(lambda: window.painter.submits, "the job")
    for number in range(OUTPUTS):
        window.painter.picture(encoded(scene()), number)
        QTest.qWait(5)
    window.painter.finish()
    for _ in range(CARDS):
        window.studio.inputs.add(str(card))
    QTest.qWait(3000)
    print(f"restored: {window.studio.inputs.property('count')} cards, {window.studio.outputs.property('count')} pictures", file=sys.stderr)
    window.close()


def rows(rounds: int = 5) -> list[Row]:
    """First frame of the splash and of the window, of a new data folder and of a full one."""
    bare = _rows(rounds)
    with tempfile.TemporaryDirectory() as scratch:
        # In a process of its own: this one must stay without a display.
        subprocess.run(
            [sys.executable, __file__, "--furnish", scratch], check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT / 'source'}{os.pathsep}{ROOT}"}
        )
        full = _rows(rounds, scratch)
    return bare + [replace(row, name=f"{row.name}, {PICTURES:,} pictures, {MODELS:,} models, {CARDS} cards, {OUTPUTS} outputs") for row in full[1:2]]


def _rows(rounds: int, data: str = "") -> list[Row]:
    with display() as environment, tempfile.TemporaryDirectory() as scratch:
        splash: list[float] = []

        def first_frame() -> float:
            command = [sys.executable, str(ROOT / "source" / "main.py"), "--data", data or scratch, "--first-frame"]
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


if __name__ == "__main__" and sys.argv[1:2] == ["--furnish"]:
    _furnish(Path(sys.argv[2]))
