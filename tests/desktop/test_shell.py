"""The window around its pages: title, tabs, a page that cannot be made, the divider, the state below."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PyQt5.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt
from PyQt5.QtGui import QDragEnterEvent, QGuiApplication
from PyQt5.QtTest import QTest

from sfumato.desktop import launch, tabs
from tests.desktop.conftest import Open
from tests.support.window import OpenWindow, accessible, items, until


def names(window: OpenWindow) -> list[str]:
    return [str(accessible(item, "name")) for item in items(window.window.contentItem())]


@pytest.mark.rule("D21")
def test_the_title_says_how_far_the_work_is_and_that_all_is_logged(shown: OpenWindow) -> None:
    assert shown.window.title() == "Sfumato"
    shown.studio._shell.set("debug_log", True)
    until(lambda: shown.window.title() == "Sfumato [DEBUG]")
    assert logging.getLogger("sfumato").level == logging.DEBUG
    shown.studio._shell.set("debug_log", False)
    assert logging.getLogger("sfumato").level == logging.INFO
    shown.studio.act("generate")
    until(lambda: shown.painter.submits)
    shown.studio.act("generate")
    shown.painter.stage("denoise", 5, 20, 4.0)
    until(lambda: shown.window.title() == "25 % (+1) · Sfumato")


@pytest.mark.rule("D22")
def test_what_is_dragged_over_a_tab_opens_it_after_a_moment(shown: OpenWindow) -> None:
    shown.window.grabWindow()
    button = shown.item("Settings", "TabButton")
    place = button.mapToScene(QPointF(button.width() / 2, button.height() / 2)).toPoint()
    data = QMimeData()
    data.setText("something")
    QCoreApplication.sendEvent(shown.window, QDragEnterEvent(place, Qt.CopyAction, data, Qt.LeftButton, Qt.NoModifier))
    assert shown.studio.property("tab") == "generate"
    until(lambda: shown.studio.property("tab") == "settings", "the page", patience_s=5)


@pytest.mark.rule("D23")
def test_a_page_is_made_at_its_first_visit_and_keeps_its_state(shown: OpenWindow) -> None:
    assert "Find a setting" not in [str(accessible(item, "name")) for item in shown.window.contentItem().findChildren(type(shown.window.contentItem()))]
    shown.studio.act("tab_settings")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Find a setting")
    shown.type("theme")
    shown.studio.act("tab_generate")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt")
    shown.studio.act("tab_settings")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Find a setting")
    assert shown.window.activeFocusItem().property("text") == "theme"


@pytest.mark.rule("D23")
def test_a_broken_page_says_so_in_its_place_and_can_be_tried_again(open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "Broken.qml"
    page.write_text("import QtQuick 2.15\nItem { nothing: of that name }")
    monkeypatch.setattr(tabs, "TABS", (*tabs.TABS, tabs.Tab("broken", "Broken", page.as_uri(), "box")))
    window = open_window()
    window.studio.show("broken")
    until(lambda: "Broken could not be shown" in names(window), "the reason")
    window.window.grabWindow()
    window.click(window.item("Copy details"))
    assert "Broken.qml:2" in QGuiApplication.clipboard().text()
    window.studio.show("generate")
    until(lambda: "Prompt" in names(window), "the other pages")
    window.studio.show("broken")
    page.write_text('import QtQuick 2.15\nItem { Accessible.role: Accessible.Pane; Accessible.name: "Mended" }')
    until(lambda: "Retry" in names(window))
    window.window.grabWindow()
    window.click(window.item("Retry"))
    until(lambda: "Mended" in names(window), "the mended page")


@pytest.mark.rule("D28")
def test_the_divider_dropped_on_the_other_side_swaps_the_sides(shown: OpenWindow) -> None:
    shown.window.setGeometry(0, 0, 1280, 720)
    until(lambda: shown.window.width() == 1280)
    shown.window.grabWindow()

    def drag(to: int) -> None:
        divider = shown.item("Width of the parameters")
        start = divider.mapToScene(QPointF(divider.width() / 2, 200)).toPoint()
        QTest.mousePress(shown.window, Qt.LeftButton, Qt.NoModifier, start)
        for share in range(1, 11):
            QTest.mouseMove(shown.window, QPoint(start.x() + (to - start.x()) * share // 10, start.y()))
            QCoreApplication.processEvents()
        QTest.mouseRelease(shown.window, Qt.LeftButton, Qt.NoModifier, QPoint(to, start.y()))
        QCoreApplication.processEvents()

    def side() -> float:
        return shown.item("Parameters", "ParameterPanel").mapToScene(QPointF(0, 0)).x()

    until(lambda: side() == 1280 - 344, "the new size")
    right = side()
    drag(int(right) - 60)
    assert right - 90 < side() < right - 30, "it is wider"
    drag(200)
    until(lambda: side() == 0, "the other side")
    assert shown.studio.recall("parametersLeft", False)
    drag(1100)
    until(lambda: side() > 600, "back")


@pytest.mark.rule("D33")
def test_a_restart_ends_everything_first(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(launch.sys, "platform", "linux")
    given: dict[str, str] = {}

    def execve(program: str, command: list[str], environ: dict[str, str]) -> None:
        started.append([program, *command])
        given.update(environ)

    monkeypatch.setattr(launch.os, "execve", execve)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as the window sets it for an engine without cards
    launch.start_again({"SFUMATO_DATA": "/somewhere", "SFUMATO_ABSENT": "torch"})
    assert started and started[0][0] == started[0][1]
    assert given == {"SFUMATO_DATA": "/somewhere"}


@pytest.mark.rule("D17")
def test_an_address_that_another_start_hands_over_is_asked_about(shown: OpenWindow) -> None:
    shown.launch._called("sfumato:?endpoint=wss://far.example:1&password=secret")
    assert shown.studio.property("links").property("isAsking")
    assert shown.studio.property("remote").property("endpoint") == ""


@pytest.mark.rule("D33")
def test_a_restart_that_was_not_confirmed_is_none_when_the_window_is_closed_later(shown: OpenWindow) -> None:
    left = list[bool]()
    shown.studio.leaving.disconnect(shown.launch._application_quit)
    shown.studio.leaving.connect(lambda: left.append(shown.studio.restarts))
    shown.studio.jobs.pause()
    shown.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: shown.studio.jobs.property("busy"), "a job that waits")
    shown.studio.act("restart")
    assert not left, "it asks first"
    shown.studio.jobs.cancelAll()
    shown.studio.act("quit")
    assert left == [False]
    shown.studio.act("restart")
    assert left == [False, True]
