"""A window under strain: pictures of 50 megapixels on cards, an engine that talks without pause, and a person who types, scrolls, turns pages and paints."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from PyQt5.QtCore import QCoreApplication, QPoint, QPointF, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtTest import QTest

from sfumato.desktop.watchdog import Beat, Watchdog
from tests.support.painting import Painter, emerging, scene
from tests.support.window import OpenWindow, until

LARGE = (8660, 5774)
TOLD_EACH_S, PREVIEW_EACH = 1 / 200, 25
PATIENCE_S = 120.0
TAB_GENERATE, TAB_MODELS, TAB_HISTORY = Qt.Key_1, Qt.Key_2, Qt.Key_3


def large_pictures(folder: Path, count: int = 3) -> list[Path]:
    """Photographs' size in JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = Image.linear_gradient("L").resize(LARGE).convert("RGB")
    paths = [folder / f"large{number}.jpg" for number in range(count)]
    for path in paths:
        drawn.save(path, quality=85)
    return paths


@contextmanager
def talking(painter: Painter, side: int = 1024) -> Iterator[None]:
    """200 times a second the engine says how far it is, and eight times it shows a preview: from a thread of its own, as the real one's reader does."""
    previews = [emerging(scene(side=side), share / 4) for share in range(4)]
    ended = threading.Event()

    def talk() -> None:
        told = 0
        while not ended.wait(TOLD_EACH_S):
            shown = (previews[told // PREVIEW_EACH % 4],) if told % PREVIEW_EACH == 0 else ()
            painter.stage("Sampling", told % 1000, 1000, 3.0, shown)
            told += 1

    thread = threading.Thread(target=talk, name="engine's words")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def strained(window: OpenWindow, pictures: list[Path], turns: int = 40) -> dict[str, list[Beat]]:
    """What a watchdog measured while each thing was done `turns` times, from the moment on in which the job runs."""
    inputs = window.studio.inputs
    cards = [inputs.add(str(path)) for path in pictures]
    QTest.qWait(1000)
    window.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: window.painter.submits, "the job", PATIENCE_S)
    watchdog = Watchdog(limit_s=0.05, beat_s=0.005)
    found: dict[str, list[Beat]] = {}

    def phase(name: str, act: Callable[[int], None]) -> None:
        watchdog.beats.clear()
        for turn in range(turns):
            act(turn)
            QTest.qWait(20)
        found[name] = list(watchdog.beats)

    def page(key: int) -> None:
        window.key(key, Qt.ControlModifier)
        QTest.qWait(500)

    def wheel(turn: int, share: float = 0.4) -> None:
        middle = QPointF(window.window.width() * share, window.window.height() * 0.5)
        event = QWheelEvent(middle, middle, QPoint(), QPoint(0, -120 if turn % 20 < 10 else 120), Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False)
        QCoreApplication.sendEvent(window.window, event)

    def painted() -> bool:
        canvas = window.studio.canvas.canvas
        return canvas is not None and canvas.layer.image is not None

    with talking(window.painter):
        watchdog.start()
        phase("typing", lambda turn: window.type("a fox in the snow, "[turn % 19]))
        phase("scrolling the parameters", lambda turn: wheel(turn, 0.9))
        page(TAB_MODELS)
        phase("scrolling the models", wheel)
        page(TAB_HISTORY)
        phase("scrolling the history", wheel)
        page(TAB_GENERATE)
        window.studio.canvas.open(cards[0])
        until(lambda: window.studio.canvas.property("isReady"), "the canvas", PATIENCE_S)
        QTest.qWait(500)
        place = QPoint(window.window.width() // 3, window.window.height() // 2)
        QTest.mousePress(window.window, Qt.LeftButton, Qt.NoModifier, place)
        phase("painting", lambda turn: QTest.mouseMove(window.window, place + QPoint(4 * turn, turn % 7)))
        QTest.mouseRelease(window.window, Qt.LeftButton, Qt.NoModifier, place + QPoint(4 * turns, 0))
        watchdog.stop()
        assert painted(), "nothing was painted"
    return found
