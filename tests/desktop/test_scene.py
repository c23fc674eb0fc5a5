"""Properties of the whole scene: nothing unnamed, nothing clipped, nothing dead, every colour pair readable."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from PyQt5.QtCore import QPointF
from PyQt5.QtGui import QColor, QImage
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop import shortcuts
from tests.desktop.conftest import Open
from tests.support.painting import Painter, encoded, scene
from tests.support.window import PROGRAM, OpenWindow, accessible, items, until

QML = PROGRAM / "qml"


def fill(window: OpenWindow) -> None:
    """A picture, a notice and the advanced parameters, so that the scene has everything."""
    window.studio.prompts.setProperty("text", "a red circle")
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    window.painter.picture(encoded(scene()))
    window.painter.fail("internal", "Something went wrong.", detail="trace")
    until(lambda: window.studio.outputs.property("shown").get("state") == "saved")
    window.studio.act("advanced")
    for section in window.studio.parameters.advanced:
        window.studio.remember(f"group:{section.name}", True)
    until(lambda: "Deterministic" in [accessible(item, "name") for item in items(window.window.contentItem())])


@pytest.mark.rule("D185")
def test_everything_that_can_be_clicked_or_focused_has_a_role_and_a_name(shown: OpenWindow) -> None:
    fill(shown)
    nameless = []
    for item in items(shown.window.contentItem()):
        if item.activeFocusOnTab() and not (accessible(item, "name") and accessible(item, "role")):
            nameless.append(item.metaObject().className())
    assert not nameless
    names = [str(accessible(item, "name")) for item in items(shown.window.contentItem())]
    assert "Picture: a red circle" in names and "a red circle" in names


@pytest.mark.rule("D185")
@pytest.mark.parametrize("file", sorted(QML.rglob("*.qml")), ids=lambda path: path.name)
def test_no_mouse_area_without_a_name_beside_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if re.search(r"\b(MouseArea|TapHandler)\b", text) and file.name not in ("ParameterRow.qml", "FullView.qml", "Stage.qml"):
        assert "Accessible.role" in text
    assert len(text.splitlines()) < 150
    assert not re.search(r"QtGraphicalEffects|QtQuick\.Controls 1|QtQuick\.Dialogs|Qt\.labs", text)


@pytest.mark.rule("D38")
@pytest.mark.parametrize("size", [(1024, 600), (1280, 720), (2560, 1440)])
@pytest.mark.parametrize("side", [False, True], ids=["right", "left"])
def test_nothing_is_clipped_or_overlaps(shown: OpenWindow, size: tuple[int, int], side: bool) -> None:
    fill(shown)
    shown.studio.notices.dismiss()
    shown.studio.act("advanced")
    shown.studio.remember("parametersLeft", side)
    shown.window.setGeometry(0, 0, *size)
    until(lambda: (shown.window.width(), shown.window.height()) == size)
    QTest.qWait(50)
    for item in items(shown.window.contentItem()):
        name = accessible(item, "name")
        if item.activeFocusOnTab() and name:
            corner = item.mapToScene(QPointF(0, 0))
            end = item.mapToScene(QPointF(item.width(), item.height()))
            inside = corner.x() >= -4 and corner.y() >= -4 and end.x() <= size[0] + 4 and end.y() <= size[1] + 4
            assert inside or _scrolls(item), f"{name} at {corner.x():.0f},{corner.y():.0f}..{end.x():.0f},{end.y():.0f}"
        if item.property("truncated") is True:
            assert item.property("text") in ("",) or _may_shorten(item), f"'{item.property('text')}' is cut"


def _scrolls(item: QQuickItem) -> bool:
    parent = item.parentItem()
    while parent is not None:
        if "Flickable" in parent.metaObject().className() or "ListView" in parent.metaObject().className():
            return True
        parent = parent.parentItem()
    return False


def _may_shorten(item: QQuickItem) -> bool:
    """Texts of the user's own, however long."""
    return "Caption" in str(item.parentItem().metaObject().className())


def _luminance(colour: QColor) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (colour.redF(), colour.greenF(), colour.blueF())]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one: QColor, other: QColor) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


WORDS = ("text", "soft", "faint", "error", "warning")
GROUNDS = ("stage", "window", "panel", "field", "raised")


@pytest.mark.rule("D187")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_and_marks_can_be_read_on_every_ground(theme: str) -> None:
    colours = _tokens(theme)
    for ground in GROUNDS:
        for word in WORDS:
            assert _contrast(colours[word], colours[ground]) >= 4.5, f"{word} on {ground}"
        for mark in ("accent", "edge"):
            assert _contrast(colours[mark], colours[ground]) >= 3, f"{mark} on {ground}"
    for ground in ("accent", "accentHover", "accentPressed"):
        assert _contrast(colours["accentInk"], colours[ground]) >= 4.5, ground
    assert _contrast(colours["text"], colours["hover"]) >= 4.5


def _tokens(theme: str) -> dict[str, QColor]:
    rows = re.findall(r'color (\w+): light \? "(#\w+)" : "(#\w+)"', (QML / "Theme.qml").read_text(encoding="utf-8"))
    return {name: QColor(light if theme == "light" else dark) for name, light, dark in rows}


@pytest.mark.rule("D35", "R15")
def test_no_two_actions_of_one_scope_share_a_key_and_every_menu_item_acts(shown: OpenWindow) -> None:
    keys = sorted((key, action.id) for action in shortcuts.ACTIONS if action.scope == "window" for key in action.keys)
    assert all(one[0] != other[0] for one, other in pairwise(keys))
    happened: list[str] = []
    studio = shown.studio
    studio.viewAsked.connect(happened.append)
    studio.leaving.connect(lambda: happened.append("quit"))
    for action in shortcuts.ACTIONS:
        if not action.menu or action.id in ("open_outputs", "undo", "redo"):
            continue  # tested where there is something to open or to undo
        before = (studio.property("theme"), studio.recall("advanced", False), studio.recall("parametersLeft", False), shown.painter.restarts, len(happened))
        # A theme already in force changes nothing, so the other one goes first.
        studio.act("theme_light" if action.id == "theme_dark" else "theme_dark")
        middle = (studio.property("theme"), *before[1:])
        studio.act(action.id)
        if action.id == "reload":
            until(lambda: shown.painter.restarts == 1)
        after = (studio.property("theme"), studio.recall("advanced", False), studio.recall("parametersLeft", False), shown.painter.restarts, len(happened))
        assert after != middle, action.id
    assert (QML / "icons").is_dir()
    assert all((QML / "icons" / f"{action.icon}.svg").is_file() for action in shortcuts.ACTIONS if action.icon)


def test_a_small_picture_is_shown_enlarged_pixel_by_pixel(open_window: Open) -> None:
    window = open_window(Painter())
    window.window.setGeometry(0, 0, 1280, 720)
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    window.painter.picture(encoded(scene("red", "square", "white")))
    window.painter.finish()
    until(lambda: window.studio.outputs.property("shown").get("state") == "saved")
    stage = next(item for item in items(window.window.contentItem()) if "Picture" in item.metaObject().className() and item.width() > 400)
    until(lambda: stage.property("ready") and stage.property("factor") > 1)
    factor = stage.property("factor")
    assert factor == int(factor)
    until(lambda: stage.parentItem() is not None and stage.opacity() == 1)
    picture: QImage = window.window.grabWindow()
    corner = stage.mapToScene(QPointF((stage.width() - 64 * factor) / 2, (stage.height() - 64 * factor) / 2)).toPoint()
    colours = {picture.pixelColor(corner.x() + x, corner.y() + 3).name() for x in range(2, int(factor) * 10)}
    assert len(colours) == 1, "an edge of a flat ground is flat"
    centre = picture.pixelColor(corner.x() + int(32 * factor), corner.y() + int(32 * factor))
    assert centre.red() > 180 and centre.green() < 80
