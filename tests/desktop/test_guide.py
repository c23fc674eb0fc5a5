"""Help, Guide: the page with its pictures, offline, by keys."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import Qt

from tests.support.window import OpenWindow, accessible, items, until


@pytest.mark.rule("D30")
def test_the_guide_opens_leads_to_a_section_and_gives_the_focus_back(shown: OpenWindow) -> None:
    until(lambda: shown.window.activeFocusItem() is not None, "the first focus")
    before = shown.window.activeFocusItem()
    shown.key(Qt.Key_H, Qt.AltModifier)
    until(lambda: any(accessible(item, "name") == "Guide" for item in items(shown.window.contentItem())), "the menu")
    shown.click(shown.item("Guide"))
    until(lambda: any(accessible(item, "name") == "Text of the guide" for item in items(shown.window.contentItem())), "the guide")
    page = shown.item("Text of the guide")
    until(page.hasActiveFocus, "the focus")
    until(lambda: page.property("contentHeight") > page.height(), "the text")
    shown.key(Qt.Key_PageDown)
    assert page.property("contentY") > 0
    place = page.property("contentY")
    shown.click(shown.item("The history"))
    until(lambda: page.property("contentY") > place, "the section")
    shown.key(Qt.Key_Escape)
    until(lambda: shown.window.activeFocusItem() is before, "the focus")
