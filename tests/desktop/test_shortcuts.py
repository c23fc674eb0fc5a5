"""The table of actions: no key means two things, every key can be changed, and what is shown is what works."""

from __future__ import annotations

import json
import re

import pytest
from PyQt5.QtCore import QPointF, Qt

from sfumato.config import SETTINGS
from sfumato.desktop import shortcuts
from sfumato.desktop.actions.action import Action
from sfumato.desktop.shortcuts import Bindings
from tests.desktop.conftest import Open
from tests.support.window import PROGRAM, OpenWindow, accessible, items, until

CTRL, SHIFT, ALT = Qt.ControlModifier, Qt.ShiftModifier, Qt.AltModifier
TABLE = (
    Action("paint", "Paint", "Paint.", ("Ctrl+P", "F5")),
    Action("undo", "Undo", "Take back.", ("Ctrl+Z",)),
    Action("stroke_undo", "Undo stroke", "Take a stroke back.", ("Ctrl+Z",), scope="canvas", instead="undo"),
    Action("fit", "Fit", "Fit.", ("Z",), scope="full view"),
    Action("flip", "Flip", "Flip.", ("Z",), scope="canvas"),
    Action("strip", "Strip", "Strip.", ("Left",), scope="outputs strip"),
    Action("page", "Page", "Page.", ("Right",), scope="generate"),
)


@pytest.mark.rule("D35", "R15")
def test_no_two_actions_that_can_be_reached_together_share_a_key() -> None:
    assert Bindings().collisions() == []


@pytest.mark.rule("D36")
def test_default_keys_leave_typing_and_altgr_alone() -> None:
    bindings = Bindings()
    for action in shortcuts.ACTIONS:
        for key in bindings.keys(action.id):
            assert bindings.refusal(action.id, key) == "", (action.id, key)
            assert not key.startswith("Ctrl+Alt+"), (action.id, key)


def test_the_table_names_each_action_once_and_its_pictures_are_there() -> None:
    names = [action.id for action in shortcuts.ACTIONS]
    assert len(names) == len(set(names))
    assert all((PROGRAM / "qml" / "icons" / f"{action.icon}.svg").is_file() for action in shortcuts.ACTIONS if action.icon)
    assert all(action.menu in ("", *shortcuts.MENUS) for action in shortcuts.ACTIONS)


@pytest.mark.rule("D34")
def test_the_scene_names_only_actions_of_the_table() -> None:
    names = {action.id for action in shortcuts.ACTIONS}
    for file in sorted((PROGRAM / "qml").rglob("*.qml")):
        named = re.findall(r'studio\.(?:hint|act)\("(\w+)"\)', file.read_text(encoding="utf-8"))
        assert set(named) <= names, file.name


@pytest.mark.rule("D34")
def test_an_action_is_bound_twice_unbound_and_reset_and_only_what_differs_is_kept() -> None:
    bindings = Bindings({"of_a_newer_version": ["F9"]}, TABLE)
    assert bindings.changes() == {"of_a_newer_version": ["F9"]}
    bindings.bind("paint", ("Ctrl+L", "Ctrl+Enter"))
    assert bindings.keys("paint") == ("Ctrl+L", "Ctrl+Return")
    assert bindings.changes() == {"of_a_newer_version": ["F9"], "paint": ["Ctrl+L", "Ctrl+Return"]}
    bindings.bind("paint", ())
    assert bindings.keys("paint") == ()
    bindings.reset("paint")
    assert bindings.keys("paint") == ("Ctrl+P", "F5")
    assert bindings.changes() == {"of_a_newer_version": ["F9"]}


@pytest.mark.rule("D35")
def test_keys_collide_where_both_can_be_reached_and_nowhere_else() -> None:
    bindings = Bindings({}, TABLE)
    assert bindings.collisions() == []
    assert [rival.id for rival in bindings.rivals("paint", "Z")] == ["fit", "flip"]
    assert [rival.id for rival in bindings.rivals("strip", "Right")] == ["page"], "the strip lies in the page"
    assert bindings.rivals("fit", "Left") == []
    assert bindings.rivals("stroke_undo", "Ctrl+Z") == [], "it stands in for the window's"
    bindings.bind("strip", ("Right",))
    assert bindings.keys("page") == ()
    assert bindings.collisions() == []
    # What another has now is not taken from it by a reset.
    assert [rival.id for rival in bindings.reset("page")] == ["strip"]
    assert bindings.collisions() == []


@pytest.mark.rule("D36")
def test_letters_alone_and_keys_of_menus_are_refused_with_a_reason() -> None:
    bindings = Bindings({}, TABLE)
    assert "typing" in bindings.refusal("paint", "P")
    assert "typing" in bindings.refusal("paint", "Shift+7")
    assert bindings.refusal("fit", "P") == ""
    assert "menu" in bindings.refusal("paint", "Alt+F")
    assert bindings.refusal("paint", "")


def test_damaged_keys_fall_back_to_the_defaults() -> None:
    assert Bindings({"paint": 3, "undo": [None]}, TABLE).keys("paint") == ("Ctrl+P", "F5")


@pytest.mark.rule("D34")
def test_a_rebound_key_works_at_once_is_shown_and_survives_a_restart(shown: OpenWindow, open_window: Open) -> None:
    shown.studio.keys.add("generate", "Ctrl+M")
    shown.key(Qt.Key_M, CTRL)
    until(lambda: shown.painter.submits, "the request by the new key")
    assert "(Ctrl+M)" in shown.studio.keys.hint("generate")
    data = shown.studio._shell.places.data
    until(lambda: (data / "settings.json").exists() and json.loads((data / "settings.json").read_text())["keys"] == {"generate": ["Ctrl+M", "Ctrl+Return"]})
    shown.painter.finish()
    until(lambda: shown.studio.jobs.property("busy") is False)
    shown.close()
    again = open_window(data=data)
    again.studio.keys.remove("generate", 0)
    again.studio.keys.remove("generate", 0)
    again.key(Qt.Key_Return, CTRL)
    again.key(Qt.Key_M, CTRL)
    assert not again.painter.submits, "it is unbound"
    again.studio.keys.reset("generate")
    again.key(Qt.Key_Return, CTRL)
    until(lambda: again.painter.submits)


@pytest.mark.rule("D34")
def test_the_sheet_opens_with_f1_groups_by_place_and_finds(shown: OpenWindow) -> None:
    shown.key(Qt.Key_F1)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Find a shortcut", "the sheet")
    sheet = shown.item("Shortcuts", "ListView")
    assert sheet.property("count") == len([action for action in shortcuts.ACTIONS if action.keys])
    shown.type("f12")
    until(lambda: sheet.property("count") == 1)
    row = next(item for item in items(sheet) if str(accessible(item, "name")).startswith("Ctrl+,, Ctrl+0, F12: "))
    assert row.mapToScene(QPointF(0, 0)).x() > 0
    shown.key(Qt.Key_Escape)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt", "the focus where it was")


@pytest.mark.rule("D35")
def test_a_place_of_its_own_takes_the_windows_key_while_it_has_the_focus(shown: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = shown.studio.keys
    monkeypatch.setitem(keys._bindings.actions, "stroke_undo", TABLE[2])
    monkeypatch.setitem(keys._bindings._defaults, "stroke_undo", ("Ctrl+Z",))
    keys.enter("canvas", True)
    assert "undo" in keys.property("taken")
    keys.enter("canvas", False)
    assert "undo" not in keys.property("taken")


@pytest.mark.rule("D30")
def test_what_cannot_act_is_disabled_in_its_menu_and_undo_says_what_it_takes_back(shown: OpenWindow) -> None:
    studio = shown.studio
    assert not studio.commands.can("undo")
    done: list[str] = []
    studio.edits.push("Change Steps", lambda: done.append("undo"), lambda: done.append("redo"))
    shown.key(Qt.Key_E, ALT)
    until(lambda: any(accessible(item, "name") == "Undo Change Steps" for item in items(shown.window.contentItem())), "the menu")
    redo = shown.item("Redo", "MenuItem")
    assert redo.property("enabled") is False
    shown.click(shown.item("Undo Change Steps", "MenuItem"))
    assert done == ["undo"]
    assert studio.commands.title("redo", "") == "Redo Change Steps" and studio.commands.can("redo")


@pytest.mark.rule("D30")
def test_every_action_of_a_menu_has_somebody_who_runs_it(shown: OpenWindow) -> None:
    happened: list[str] = []
    shown.studio.viewAsked.connect(happened.append)
    scene = "".join(file.read_text(encoding="utf-8") for file in (PROGRAM / "qml").rglob("*.qml"))
    for action in shortcuts.ACTIONS:
        if action.menu and action.id not in shown.studio._shell.handlers:
            assert re.search(rf'\b{action.id}: |=== "{action.id}"', scene), action.id


@pytest.mark.rule("D36", "D34")
def test_ctrl_backspace_cancels_outside_of_text_boxes_and_edits_inside(shown: OpenWindow) -> None:
    shown.type("red fox")
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: shown.painter.submits)
    shown.key(Qt.Key_Backspace, CTRL)
    until(lambda: shown.studio.prompts.property("text").strip() == "red")
    assert shown.painter.cancels == []
    shown.item("Settings", "TabButton").forceActiveFocus(Qt.TabFocusReason)
    shown.key(Qt.Key_Backspace, CTRL)
    until(lambda: shown.painter.cancels, "the cancel")


@pytest.mark.rule("D34")
def test_every_action_has_somebody_who_carries_it_out(shown: OpenWindow) -> None:
    # What no part of the window does is a key of a table of functions in the scene.
    scene = "\n".join(path.read_text(encoding="utf-8") for path in (PROGRAM / "qml").rglob("*.qml"))
    done = set(shown.studio._shell.handlers)
    assert not [action.id for action in shortcuts.ACTIONS if action.id not in done and not re.search(rf'(\b{action.id}:|"{action.id}")', scene)]
    assert done <= {action.id for action in shortcuts.ACTIONS}, "nobody does what is no action"


def test_every_setting_is_read_by_somebody() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for folder in ("source", "launcher") for path in (PROGRAM / folder).rglob("*.py"))
    rows = re.compile(r'^    "[a-z_]+": Setting\(', re.MULTILINE)
    assert not [name for name in SETTINGS if f'"{name}"' not in rows.sub("", source)]
