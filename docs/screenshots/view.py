"""What a view is for the script that takes its pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PyQt5.QtTest import QTest

from tests.support.painting import Painter
from tests.support.window import OpenWindow, until

Act = Callable[[OpenWindow], None]
VIEWS: dict[str, View] = {}


@dataclass(frozen=True)
class View:
    """How to come to a state of the window.

    Attributes:
        prepare: fills the data folder before the window opens.
        painter: the engine it opens with.
        real: painted by the real engine instead.
        shown: themes whose picture docs/pictures holds, "" for none.
        own: draws its own theme; it is taken once.
    """

    act: Act
    prepare: Callable[[Path], object] = lambda data: None
    painter: Callable[[Path], Painter] = lambda data: Painter()
    real: bool = False
    shown: tuple[str, ...] = field(default=())
    own: bool = False


def view(
    *shown: str,
    prepare: Callable[[Path], object] = lambda data: None,
    painter: Callable[[Path], Painter] = lambda data: Painter(),
    real: bool = False,
    own: bool = False,
) -> Callable[[Act], Act]:
    """Make a function a view by its name."""

    def enter(act: Act) -> Act:
        VIEWS[act.__name__.replace("_", "-")] = View(act, prepare, painter, real, shown, own)
        return act

    return enter


def wait(milliseconds: int = 120) -> None:
    QTest.qWait(milliseconds)


def data_of(window: OpenWindow) -> Path:
    return Path(window.studio.about["data"])


__all__ = ["VIEWS", "View", "data_of", "until", "view", "wait"]
