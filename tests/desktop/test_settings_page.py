"""The Settings page by mouse and keys: what a row says, what it writes, when it acts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.config import SETTING_GROUPS, SETTINGS, Settings
from sfumato.desktop.finder import Finder
from tests.desktop.conftest import Open
from tests.support.window import OpenWindow, accessible, items, until

CTRL = Qt.ControlModifier


def settings_of(window: OpenWindow) -> dict[str, object]:
    file = window.studio._shell.places.data / "settings.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def turn(window: OpenWindow, section: str) -> None:
    """Open the page with Ctrl+, and press a section of its list."""
    window.key(Qt.Key_Comma, CTRL)
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Find a setting", "the page")
    window.window.grabWindow()
    window.click(window.item(section, "ItemDelegate"))


def names(window: OpenWindow) -> list[str]:
    return [str(accessible(item, "name")) for item in items(window.window.contentItem())]


def test_every_setting_of_a_section_has_words_and_a_control() -> None:
    for name, setting in SETTINGS.items():
        assert setting.group in ("", *SETTING_GROUPS), name
        if setting.group:
            assert setting.title and setting.description.endswith("."), name


@pytest.mark.rule("D147", "D148")
def test_a_setting_is_changed_acts_at_once_is_written_alone_and_reset(shown: OpenWindow) -> None:
    turn(shown, "Appearance")
    until(lambda: "Size of words" in names(shown))
    shown.window.grabWindow()
    shown.click(shown.item("Size of words: more"))
    until(lambda: shown.studio.appearance.property("scale") == 1.05)
    until(lambda: settings_of(shown) == {"font_size": 105, "version": 1})
    shown.window.grabWindow()
    shown.click(shown.item("Reset Size of words"))
    until(lambda: shown.studio.appearance.property("scale") == 1)
    until(lambda: settings_of(shown) == {"version": 1})


@pytest.mark.rule("D147")
def test_a_number_out_of_range_is_refused_where_it_was_typed(shown: OpenWindow) -> None:
    turn(shown, "Appearance")
    until(lambda: "Size of words" in names(shown))
    field = shown.item("Size of words", "Field")
    shown.window.grabWindow()
    shown.click(field)
    shown.key(Qt.Key_A, CTRL)
    shown.type("900")
    shown.key(Qt.Key_Return)
    until(lambda: any("at most 200" in name for name in names(shown)), "the reason")
    assert shown.studio.appearance.property("scale") == 1
    assert shown.studio.settings.cell("font_size", "text") == "900"
    for typed, sentence in (("abc", "not a number"), ("1e999", "not a number"), ("nan", "not a number"), ("100,5", "not a number")):
        assert not shown.studio.settings.commit("font_size", typed)
        assert sentence in shown.studio.settings.cell("font_size", "problem")
    assert shown.studio.settings.commit("weight_step", "0,25")
    assert shown.studio._shell.settings["weight_step"] == 0.25


@pytest.mark.rule("D147")
def test_a_search_finds_settings_of_all_sections_by_title_and_description(shown: OpenWindow) -> None:
    turn(shown, "Queue")
    shown.click(shown.item("Find a setting", "Field"))
    shown.type("desktop")
    until(lambda: shown.studio.settings.found.property("count") == 1)
    until(lambda: "Theme" in names(shown))
    shown.key(Qt.Key_Escape)
    until(lambda: shown.studio.settings.found.property("count") == sum(1 for setting in SETTINGS.values() if setting.group == "queue"))


@pytest.mark.rule("D147")
def test_what_acts_later_says_so_with_the_button_for_it(shown: OpenWindow, tmp_path: Path) -> None:
    turn(shown, "Files")
    until(lambda: "Outputs folder" in names(shown))
    assert "Restart" not in names(shown)
    field = shown.item("Outputs folder", "Field")
    shown.window.grabWindow()
    shown.click(field)
    shown.type(str(tmp_path))
    shown.key(Qt.Key_Return)
    until(lambda: "Restart" in names(shown), "the button")
    left: list[bool] = []
    shown.studio.leaving.connect(lambda: left.append(True))
    shown.window.grabWindow()
    shown.click(shown.item("Restart", "Button"))
    until(lambda: left)
    assert shown.studio.restarts
    assert shown.studio.settings.commit("outputs", "")
    until(lambda: "Restart" not in names(shown), "nothing is left to do")
    file = tmp_path / "a file"
    file.touch()
    assert not shown.studio.settings.commit("outputs", str(file))
    assert "is a file" in shown.studio.settings.cell("outputs", "problem")


def test_a_folder_is_chosen_by_walking_through_folders(shown: OpenWindow, tmp_path: Path) -> None:
    (tmp_path / "home" / "Pictures").mkdir(parents=True)
    shown.studio._shell.set("outputs", str(tmp_path / "home"))
    turn(shown, "Files")
    until(lambda: "Browse for Outputs folder" in names(shown))
    shown.window.grabWindow()
    shown.click(shown.item("Browse for Outputs folder"))
    until(lambda: "Pictures" in names(shown), "the folders")
    shown.key(Qt.Key_Return)
    until(lambda: shown.studio.dataFolder.property("folder") == str(tmp_path / "home" / "Pictures"))
    shown.window.grabWindow()
    shown.click(shown.item("Choose this folder"))
    until(lambda: shown.studio._shell.settings["outputs"] == str(tmp_path / "home" / "Pictures"))


@pytest.mark.rule("D144")
def test_the_data_folder_tells_sizes_and_is_cleaned_part_by_part(shown: OpenWindow) -> None:
    data = shown.studio._shell.places.data
    for name in ("thumbnails", "trash"):
        (data / name / "below").mkdir(parents=True, exist_ok=True)
        (data / name / "below" / "kept").write_bytes(b"x" * 2500)
    turn(shown, "Data folder")
    until(lambda: any(row["size"] == "2.5 KB" for row in shown.studio.dataFolder.property("rows")))
    shown.window.grabWindow()
    shown.click(shown.item("Clean Thumbnails"))
    until(lambda: not (data / "thumbnails" / "below").exists())
    shown.click(shown.item("Clean Trash"))
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Cancel", "the question")
    assert list((data / "trash").rglob("kept"))
    shown.window.grabWindow()
    shown.click(shown.item("Empty the trash"))
    until(lambda: not (data / "trash" / "below").exists())


def key_button(window: OpenWindow, title: str) -> QQuickItem:
    """The button that takes another key, with the action alone in the list."""
    field = window.item("Find an action or a key", "Field")
    window.click(field)
    window.key(Qt.Key_A, CTRL)
    window.type(title)
    until(lambda: [item for item in items(window.window.contentItem()) if accessible(item, "name") == f"Another key for {title}"], "the action")
    QTest.qWait(30)
    window.window.grabWindow()
    return window.item(f"Another key for {title}")


@pytest.mark.rule("D34", "D35")
def test_a_key_is_pressed_for_an_action_and_a_collision_asks(shown: OpenWindow) -> None:
    turn(shown, "Keyboard")
    until(lambda: "Find an action or a key" in names(shown))
    shown.click(key_button(shown, "Generate"))
    shown.key(Qt.Key_M, CTRL)
    until(lambda: shown.studio.keys.shown("generate") == "Ctrl+M")
    # One that another action has: it is named, and keeps its key until the person takes it.
    shown.click(key_button(shown, "Generate"))
    shown.key(Qt.Key_R, CTRL)
    until(lambda: any("Reload engine" in name and "Ctrl+R" in name for name in names(shown)), "the question")
    assert shown.painter.restarts == 0
    assert shown.studio.keys.shown("reload") == "Ctrl+R"
    shown.key(Qt.Key_Escape)
    until(lambda: "Take it" not in names(shown))
    shown.click(key_button(shown, "Generate"))
    shown.key(Qt.Key_R, CTRL)
    until(lambda: "Take it" in names(shown))
    shown.window.grabWindow()
    shown.click(shown.item("Take it"))
    until(lambda: shown.studio.keys.shown("generate") == "Ctrl+R")
    assert shown.studio.keys.shown("reload") == ""
    until(lambda: settings_of(shown).get("keys") == {"generate": ["Ctrl+R", "Ctrl+M"], "reload": []})
    # A letter alone would be typed.
    shown.click(key_button(shown, "Generate"))
    shown.key(Qt.Key_P)
    until(lambda: any("needed for typing" in name for name in names(shown)))
    shown.click(shown.item("Reset all"))
    until(lambda: shown.studio.keys.property("isDefault"))
    until(lambda: settings_of(shown) == {"version": 1})


@pytest.mark.rule("D37")
def test_ctrl_k_finds_an_action_a_parameter_and_a_setting(shown: OpenWindow) -> None:
    def find(text: str) -> None:
        shown.key(Qt.Key_K, CTRL)
        until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Find action", "the palette")
        shown.type(text)
        shown.key(Qt.Key_Return)

    find("light th")
    until(lambda: shown.studio.property("theme") == "light")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt", "the focus where it was")
    find("steps")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Steps", "the control")
    find("density")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Density", "the setting")
    assert shown.studio.property("tab") == "settings"


@pytest.mark.rule("D37")
def test_the_best_match_comes_first_and_what_cannot_act_is_said(shown: OpenWindow) -> None:
    finder: Finder = shown.studio.finder
    assert finder.search("steps")[0]["title"] == "Steps"
    undo = next(row for row in finder.search("undo") if row["id"] == "undo")
    assert undo["enabled"] is False
    assert finder.search("xyzzy") == []
    assert {row["kind"] for row in finder.search("")} == {"action"}


@pytest.mark.rule("D148")
def test_a_value_of_a_wrong_type_stays_in_the_file_and_an_older_file_is_kept(tmp_path: Path) -> None:
    before = json.dumps({"theme": 3, "from_the_future": 1, "queue_retry": False})
    (tmp_path / "settings.json").write_text(before)
    settings = Settings.load(tmp_path, tmp_path)
    assert settings["theme"] == "dark" and settings.complaints
    settings.set("density", "compact")
    written = json.loads((tmp_path / "settings.json").read_text())
    assert written == {"theme": 3, "from_the_future": 1, "queue_retry": False, "density": "compact", "version": 1}
    assert (tmp_path / "settings.version-0.json").read_text() == before
    settings.set("theme", "light")
    assert json.loads((tmp_path / "settings.json").read_text())["theme"] == "light"


@pytest.mark.rule("D148")
def test_a_damaged_file_is_kept_when_settings_are_written_again(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"theme": ')
    settings = Settings.load(tmp_path, tmp_path)
    settings.set("density", "compact")
    (kept,) = tmp_path.glob("settings.damaged-*.json")
    assert kept.read_text() == '{"theme": '


def test_a_setting_dropped_as_a_folder_is_a_path_and_a_file_is_not(shown: OpenWindow, tmp_path: Path) -> None:
    assert shown.studio.dataFolder.dropped(tmp_path.as_uri()) == str(tmp_path)
    assert shown.studio.dataFolder.dropped("https://example.org/folder") == ""


@pytest.mark.rule("D186")
def test_the_sections_are_walked_by_keys(shown: OpenWindow, open_window: Open) -> None:
    del open_window
    shown.key(Qt.Key_F12)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Find a setting")
    shown.key(Qt.Key_Down)
    assert accessible(shown.window.activeFocusItem(), "name") == "Program"
    shown.key(Qt.Key_Down)
    shown.key(Qt.Key_Down)
    until(lambda: "Theme" in names(shown))
    assert shown.item("Theme").mapToScene(QPointF(0, 0)).x() > 0
