"""The window under test: a virtual display, the real QML, an engine that does as it is told, and no tolerance for stray messages of Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt5.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from tests.support.display import display_of_this_process
from tests.support.painting import Painter
from tests.support.window import OpenWindow

Open = Callable[..., OpenWindow]
# Said by Qt about how tests are run, not about the program.
HARMLESS = ("QStandardPaths: XDG_RUNTIME_DIR not set", "QStandardPaths: wrong permissions on runtime directory", "QUnifiedTimer::stopAnimationDriver")


@pytest.fixture(scope="session", autouse=True)
def display() -> str:
    return display_of_this_process()


@pytest.fixture(autouse=True)
def said() -> Iterator[list[str]]:
    """What Qt said; anything left in the list at the end fails the test, so a test that provokes a message takes it out."""
    messages: list[str] = []

    def take(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        del context
        if kind != QtMsgType.QtInfoMsg and not message.startswith(HARMLESS):
            messages.append(message)

    before = qInstallMessageHandler(take)
    yield messages
    qInstallMessageHandler(before)
    assert not messages, "\n".join(messages)


@pytest.fixture
def open_window(tmp_path: Path, said: list[str]) -> Iterator[Open]:
    """Opens the window on a data folder of the test's own; again with `painter=` for a restart."""
    opened: list[OpenWindow] = []

    def make(painter: Painter | None = None, data: Path | None = None) -> OpenWindow:
        opened.append(OpenWindow(data or tmp_path / "data", painter))
        return opened[-1]

    yield make
    for window in opened:
        if window.launch.window is not None:
            window.close()


@pytest.fixture
def shown(open_window: Open) -> OpenWindow:
    return open_window()
