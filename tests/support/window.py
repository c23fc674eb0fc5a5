"""The real window, driven by real key events, with an engine that does as it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PyQt5.QtCore import QCoreApplication, QObject, QPoint, QPointF, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtQml import QQmlEngine, QQmlProperty
from PyQt5.QtQuick import QQuickItem, QQuickWindow
from PyQt5.QtTest import QTest

from sfumato.desktop.launch import Launch, application
from sfumato.desktop.studio import Studio
from tests.support.painting import Painter

PROGRAM = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0


def until(true: Callable[[], object], what: str = "it", patience_s: float = PATIENCE_S) -> None:
    """Run the event loop until `true()`; AssertionError when it does not come about."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come about"
        QTest.qWait(2)


@cache
def application_of_this_process() -> QGuiApplication:
    """One application for every window, held until the process ends: Qt draws with what the first one chose."""
    return application(PROGRAM / "qml")


class OpenWindow:
    """A started program in this process."""

    def __init__(self, data: Path, painter: Painter | None = None, real_engine: bool = False) -> None:
        self.painter = painter or Painter()
        self.application = application_of_this_process()
        self.launch = Launch(PROGRAM, str(data), None if real_engine else lambda on_state: self.painter)
        self.launch.start()
        until(lambda: self.launch.window is not None or self.launch.failure is not None, "the window")
        if self.launch.failure is not None:
            raise self.launch.failure
        if real_engine:
            return
        until(lambda: self.painter.opened, "the engine")
        until(lambda: not self.painter.greets or self.studio.engine.property("state") == "ready", "the greeting")

    @property
    def studio(self) -> Studio:
        assert self.launch.studio is not None
        return self.launch.studio

    @property
    def window(self) -> QQuickWindow:
        assert self.launch.window is not None
        return self.launch.window

    def item(self, name: str, kind: str = "") -> QQuickItem:
        """The visible item with that accessible name, of the QML type `kind` if that is said."""
        found = [item for item in items(self.window.contentItem()) if accessible(item, "name") == name and kind in item.metaObject().className()]
        assert found, f"nothing is called '{name}'"
        return found[0]

    def key(self, key: int, modifiers: int = Qt.NoModifier) -> None:
        QTest.keyClick(self.window, key, modifiers)
        QCoreApplication.processEvents()

    def type(self, text: str) -> None:
        for character in text:
            QTest.keyClick(self.window, character)
        QCoreApplication.processEvents()

    def click(self, item: QQuickItem) -> None:
        middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2)).toPoint()
        QTest.mouseClick(self.window, Qt.LeftButton, Qt.NoModifier, QPoint(middle.x(), middle.y()))
        QCoreApplication.processEvents()

    def close(self) -> None:
        self.launch.close()
        QCoreApplication.processEvents()


def items(root: QQuickItem) -> list[QQuickItem]:
    """All visible items below `root`, in depth-first order."""
    found = []
    for child in root.childItems():
        if child.isVisible():
            found.append(child)
            found += items(child)
    return found


def accessible(item: QObject, what: str) -> object:
    """A property of the item's `Accessible` attachment, None where it has none."""
    context = QQmlEngine.contextForObject(item)
    return QQmlProperty(item, f"Accessible.{what}", context).read() if context is not None else None
