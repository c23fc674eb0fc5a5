"""Every page and every dialog: what can be clicked has a role and a name, the keyboard reaches it and is never trapped, no word is cut however large it is.

Pages are taken from the table of tabs, dialogs are whatever the actions of the table open, so that new ones are walked without being named here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from PyQt5.QtCore import QMetaObject, QObject, QPointF, Qt
from PyQt5.QtQuick import QQuickItem

from sfumato.desktop import shortcuts, tabs
from tests.support.window import PROGRAM, OpenWindow, accessible, items, until

PAGES = [tab.id for tab in tabs.TABS]
# What ends, leaves or covers the window, or belongs to the desktop, opens no dialog here.
NOT_HERE = ("quit", "restart", "reload", "full_screen", "open_outputs", "open_models", "open_data", "open_logs")
# What is read from a file before it opens.
LATER = ("guide",)
STOPS_AT_MOST = 250


def press(window: OpenWindow, key: int, modifiers: int = Qt.NoModifier) -> None:
    window.key(key, modifiers)


def named(window: OpenWindow) -> None:
    """Every visible item that takes the focus or the mouse has a role and a name."""
    nameless = []
    for item in items(window.window.contentItem()):
        kind = item.metaObject().className()
        if (item.activeFocusOnTab() or item.property("down") is not None) and item.isEnabled() and item.width() > 0:
            if accessible(item, "ignored") is True or _part_of_a_named(item):
                continue
            if not (accessible(item, "name") and accessible(item, "role")):
                nameless.append(f"{kind} in {_path(item)}")
    assert not nameless, "\n".join(nameless)


def _part_of_a_named(item: QQuickItem) -> bool:
    """A file of its own around a control of Qt carries the name of the whole."""
    parent = item.parentItem()
    return parent is not None and bool(accessible(parent, "name")) and accessible(parent, "role") not in (None, 0, 2, 16)


def _path(item: QQuickItem) -> str:
    parts: list[str] = []
    parent = item.parentItem()
    while parent is not None and len(parts) < 4:
        parts.append(parent.metaObject().className().split("_QML")[0])
        parent = parent.parentItem()
    return " < ".join(parts)


def round_of_tab(window: OpenWindow) -> list[QObject]:
    """Walk with Tab until the focus is where it has been; every stop is visible and named."""
    seen: list[QObject] = []
    for _ in range(STOPS_AT_MOST):
        item = window.window.activeFocusItem()
        assert item is not None, "the focus is nowhere"
        if item in seen:
            return seen
        if not seen and not item.isVisible():
            press(window, Qt.Key_Tab)  # what had the focus went away meanwhile
            continue
        assert item.isVisible() and item.isEnabled(), _path(item)
        assert accessible(item, "name"), f"{item.metaObject().className()} in {_path(item)}"
        seen.append(item)
        press(window, Qt.Key_Tab)
    raise AssertionError("the round does not end: " + ", ".join(str(accessible(item, "name")) for item in seen[-6:]))


def dialogs(window: OpenWindow) -> list[str]:
    """Names of the dialogs that are open."""
    return [str(accessible(item, "name")) for item in items(window.window.contentItem()) if accessible(item, "role") == 18]


def opened(window: OpenWindow) -> Iterator[str]:
    """Each dialog that an action opens, one after the other; the focus is back where it was before the next."""
    for action in shortcuts.ACTIONS:
        if "window" not in action.scopes or action.id in NOT_HERE or action.id.startswith("tab_"):
            continue
        before, tab = window.window.activeFocusItem(), window.studio.property("tab")
        window.studio.act(action.id)
        if action.id in LATER:
            until(lambda: dialogs(window), action.id)
        if not dialogs(window):
            continue
        yield action.id
        until(lambda: dialogs(window), action.id)
        press(window, Qt.Key_Escape)
        until(lambda: not dialogs(window), f"{action.id} to close")
        if window.studio.property("tab") == tab:
            until(lambda before=before: window.window.activeFocusItem() is before, f"the focus to come back after {action.id}")
        window.studio.show(tab)


@pytest.mark.rule("D185", "D186")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_named_and_walked_by_keys(shown: OpenWindow, page: str) -> None:
    shown.studio.show(page)
    until(lambda: shown.window.activeFocusItem() is not None)
    named(shown)
    stops = round_of_tab(shown)
    assert len(stops) > 1


@pytest.mark.rule("D185", "D186")
def test_every_dialog_is_named_walked_and_gives_the_focus_back(shown: OpenWindow) -> None:
    walked = []
    for action in opened(shown):
        named(shown)
        round_of_tab(shown)
        walked.append(action)
    assert {"shortcuts", "about", "find"} <= set(walked)


def cut(window: OpenWindow) -> list[str]:
    """Texts that neither fit nor say by dots that they go on."""
    found = []
    for item in items(window.window.contentItem()):
        if "Text" not in item.metaObject().className() and "Label" not in item.metaObject().className():
            continue
        text, elide, wrap = item.property("text"), item.property("elide"), item.property("wrapMode")
        if not text or elide is None or item.width() <= 0:
            continue
        wide = item.property("contentWidth") > item.width() + 1 and elide == Qt.ElideNone
        high = item.property("contentHeight") > item.height() + 2
        if wide or high:
            needed = f"{item.property('contentWidth'):.0f}x{item.property('contentHeight'):.0f}"
            found.append(f"'{text}' ({wrap}) needs {needed} of {item.width():.0f}x{item.height():.0f}: {_path(item)}")
    return found


def outside(window: OpenWindow) -> list[str]:
    """Controls of a dialog beyond the edges of the window."""
    size = window.window.size()
    found = []
    for item in items(window.window.contentItem()):
        if accessible(item, "role") == 18:
            corner = item.mapToScene(QPointF(0, 0))
            end = item.mapToScene(QPointF(item.width(), item.height()))
            if corner.x() < 0 or corner.y() < 0 or end.x() > size.width() or end.y() > size.height():
                found.append(str(accessible(item, "name")))
    return found


@pytest.mark.rule("D188", "R141")
@pytest.mark.parametrize("percent", [75, 100, 200])
def test_no_word_is_cut_at_any_size_of_words_in_the_smallest_window(shown: OpenWindow, percent: int) -> None:
    shown.window.setGeometry(0, 0, 1024, 600)
    shown.studio._shell.set("font_size", percent)
    until(lambda: shown.window.contentItem().width() == 1024 and shown.studio.appearance.property("scale") == percent / 100)
    problems = []
    for page in PAGES:
        shown.studio.show(page)
        shown.window.grabWindow()
        problems += [f"{page}: {words}" for words in cut(shown)]
    for action in opened(shown):
        shown.window.grabWindow()
        problems += [f"{action}: {words}" for words in cut(shown)]
        until(lambda: not outside(shown), f"{action} inside the window", patience_s=3)
    assert not problems, "\n".join(dict.fromkeys(problems))


WALK = """
import faulthandler, sys, tempfile
faulthandler.dump_traceback_later(90, exit=True)
from pathlib import Path
from tests.support.display import display_of_this_process
display_of_this_process()
from tests.desktop.test_accessibility import PAGES, beyond, cut
from tests.support.window import PROGRAM, OpenWindow, until
window = OpenWindow(Path(tempfile.mkdtemp()) / "data")
assert window.window.effectiveDevicePixelRatio() == float(sys.argv[1])
window.window.setGeometry(0, 0, 1024, 600)
until(lambda: window.window.contentItem().width() == 1024 and window.window.contentItem().height() == 600)
for page in PAGES:
    window.studio.show(page)
    window.window.grabWindow()
    for words in cut(window) + beyond(window):
        print(page, words)
window.close()
"""


def beyond(window: OpenWindow) -> list[str]:
    """Controls outside of the window that no scrolling brings in."""
    found = []
    for item in items(window.window.contentItem()):
        if item.activeFocusOnTab() and accessible(item, "name") and not _scrolls(item):
            corner, end = item.mapToScene(QPointF(0, 0)), item.mapToScene(QPointF(item.width(), item.height()))
            if corner.x() < -4 or corner.y() < -4 or end.x() > window.window.width() + 4 or end.y() > window.window.height() + 4:
                found.append(f"'{accessible(item, 'name')}' is outside: {_path(item)}")
    return found


def _scrolls(item: QQuickItem) -> bool:
    parent = item.parentItem()
    while parent is not None and not isinstance(parent.property("contentY"), float):
        parent = parent.parentItem()
    return parent is not None


@pytest.mark.slow
@pytest.mark.rule("R141")
@pytest.mark.parametrize("factor", ["1.25", "1.5", "1.75", "2"])
def test_nothing_is_cut_or_outside_on_scaled_screens(factor: str) -> None:
    environment = os.environ | {"QT_SCALE_FACTOR": factor, "PYTHONPATH": os.pathsep.join(("source", "."))}
    done = subprocess.run([sys.executable, "-c", WALK, factor], capture_output=True, text=True, timeout=100, env=environment, cwd=PROGRAM)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_a_switch_acts_when_a_screen_reader_presses_it(shown: OpenWindow) -> None:
    switch = shown.item("Advanced parameters", "Toggle")
    QMetaObject.invokeMethod(switch, "click")
    assert shown.studio.recall("advanced", False) is True
