"""The history over 100,000 pictures: how long a search takes, a new picture, the tab, and the longest frame while the grid is scrolled in software rendering.

Rows only, but for thumbnails: the files need not exist, and a few hundred that do are spread among them.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import ROOT, Row, compare, print_table, shown

sys.path.insert(0, str(ROOT))

COUNT = 100_000
SEARCHES = ("", "steps>30 sampler:euler model:7 red fox", "portrait", "portrait -masterpiece", "fo", "is:favourite OR rating:>3", "date:2026-03..2026-05")
ROUNDS = 7


def rows() -> list[Row]:
    """Searches, one insert, the tab, scrolling."""
    from sfumato.library.history.index import Index
    from sfumato.library.history.query import parse
    from sfumato.library.history.scanning import Scanner
    from tests.support.history import a_picture, fill

    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        index = Index(data / "history")
        fill(index, COUNT, folder=str(data / "outputs"))
        for text in SEARCHES:
            query = parse(text)
            seconds = []
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                first = index.search(query, limit=400)
                index.cells(first[:100])
                seconds.append(time.perf_counter() - began)
            found.append(compare(f"first page of '{text}' / 50 ms", seconds[1:], [0.05] * ROUNDS, 1.0))
        scanner, seconds = Scanner(index), []
        for number in range(ROUNDS):
            file = a_picture(data / "outputs/txt2img" / f"new{number}.png", prompt="a new picture")
            began = time.perf_counter()
            scanner.put(str(file))
            seconds.append(time.perf_counter() - began)
        found.append(compare("a new picture read and put / 500 ms", seconds, [0.5] * ROUNDS, 1.0))
        index.close()
        found += _window(data)
    return found


def _window(data: Path) -> list[Row]:
    """The real window in a process of its own, drawn by the processor."""
    from window import display

    with display() as environment:
        environment = {**environment, "QT_QUICK_BACKEND": "software", "PYTHONPATH": os.pathsep.join([str(ROOT / "source"), str(ROOT)])}
        command = [sys.executable, str(Path(__file__)), "--scroll", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    told = json.loads(done.stdout.splitlines()[-1])
    worst, frames = told["worst"], told["frames"]
    return [
        Row("tab to first pictures / 300 ms", shown(told["tab"]), "300.0 ms", told["tab"] / 0.3, 1.0),
        Row(f"longest of {frames} frames of scrolling / 100 ms", shown(worst), "100.0 ms", worst / 0.1, 1.0),
        Row("median frame of scrolling / 16.7 ms", shown(told["median"]), "16.7 ms", told["median"] / 0.0167),
    ]


def _scroll(data: Path) -> None:
    """Open the page on an index that is there, scroll by the wheel, and print what was measured as JSON."""
    import statistics

    from PyQt5.QtCore import QObject, Qt
    from PyQt5.QtTest import QTest

    from tests.support.history import a_picture
    from tests.support.window import OpenWindow, accessible, items, until

    for number in range(300):
        a_picture(data / "outputs/img2img" / f"{number * 5:08}.png", side=64, prompt="portrait")
    window = OpenWindow(data)
    window.window.setGeometry(0, 0, 1280, 720)
    QTest.qWait(500)
    history = window.studio.history
    # The rows are of files that are not there: they are to stay as they are.
    type(history).roots = property(lambda self: [])  # type: ignore[assignment]
    began = time.perf_counter()
    window.key(Qt.Key_3, Qt.ControlModifier)
    until(lambda: history.pictures.count and history.pictures.cell(history.pictures.numbers[0]))
    window.window.grabWindow()
    opened = time.perf_counter() - began
    until(lambda: history.pictures.count >= COUNT)
    QTest.qWait(1500)
    grid: QObject = next(item for item in items(window.window.contentItem()) if accessible(item, "name") == "Pictures found")
    marks: list[float] = []
    window.window.frameSwapped.connect(lambda: marks.append(time.perf_counter()))
    for turn in range(200):
        # A steady roll, then great leaps as with the bar.
        grid.setProperty("contentY", grid.property("contentY") + (90 if turn < 150 else 40_000))
        QTest.qWait(16)
    between = [after - before for before, after in itertools.pairwise(marks)]
    print(json.dumps({"tab": opened, "worst": max(between), "median": statistics.median(between), "frames": len(between)}))
    window.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--scroll"]:
        _scroll(Path(sys.argv[2]))
    else:
        print_table(rows())
