"""What stands around the prompts: history, styles, wildcards, the look ahead, the list of networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt

from sfumato.desktop.prompts.lookahead import expanded
from sfumato.prompts.names import EmptyLibrary, Lines
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.reader import read_prompt
from tests.desktop.conftest import Open
from tests.desktop.test_prompts import ALT, CTRL, data, painter, window, write
from tests.support.window import OpenWindow, accessible, items, until

__all__ = ["data", "window"]


def generate(window: OpenWindow, prompt: str, negative: str = "") -> None:
    window.studio.prompts.setProperty("text", prompt)
    window.studio.prompts.setProperty("negative", negative)
    count = window.studio.prompts.history.property("count")
    window.studio.act("generate")
    until(lambda: window.studio.prompts.history.property("count") > count, "the history")


@pytest.mark.rule("D100")
def test_earlier_prompts_come_back_by_keys_by_search_and_after_a_restart(window: OpenWindow, open_window: Open, data: Path) -> None:
    for prompt in ("a fox", "a cat", "a bird"):
        generate(window, prompt, "blur")
    window.studio.prompts.setProperty("text", "not sent yet")
    window.item("Prompt").forceActiveFocus()
    seen = []
    for _ in range(4):
        window.key(Qt.Key_Up, ALT)
        seen.append(window.studio.prompts.property("text"))
    assert seen == ["a bird", "a cat", "a fox", "a fox"]
    for _ in range(3):
        window.key(Qt.Key_Down, ALT)
    assert window.studio.prompts.property("text") == "not sent yet"
    window.key(Qt.Key_Z, CTRL)
    assert window.studio.prompts.property("text") == "a bird", "the box can take it back"

    window.studio.act("prompt_history")
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Search prompts")
    window.type("CAT")
    until(lambda: [row["prompt"] for row in window.studio.prompts.history.property("rows")] == ["a cat"])
    window.key(Qt.Key_Return)
    until(lambda: window.studio.prompts.property("text") == "a cat")
    window.close()
    again = open_window(painter(), data)
    until(lambda: again.studio.prompts.history.property("count") == 3)


@pytest.mark.rule("D102")
def test_styles_are_chips_in_order_sent_by_name_and_undone(window: OpenWindow) -> None:
    styles = window.studio.prompts.styles
    assert styles.save("", "Ink", "ink drawing", "photo", "for sketches") == ""
    until(lambda: len(styles.property("rows")) == 2, "the new style")
    styles.toggle("Ink")
    styles.toggle("Cinematic")
    styles.move("Cinematic", -1)
    window.studio.prompts.setProperty("text", "a fox")
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    sent = window.painter.submits[0].params
    assert (sent["prompt"], list(sent["styles"])) == ("a fox", ["Cinematic", "Ink"])
    window.studio.edits.undo()
    assert styles.names == ("Ink", "Cinematic")
    window.click(window.item("Style Ink"))
    assert styles.names == ("Cinematic",)


@pytest.mark.rule("D102", "P58")
def test_a_style_is_written_and_deleted_without_losing_anything_else_of_the_file(window: OpenWindow, data: Path) -> None:
    file = data / "styles.csv"
    file.write_text('name,prompt,negative_prompt,origin\n# heading,,,\nCinematic,"{prompt}, film",cartoon,"mine, old"\n', encoding="utf-8")
    styles = window.studio.prompts.styles
    until(lambda: styles.property("rows")[0]["prompt"] == "{prompt}, film", "the changed file")
    assert styles.save("Cinematic", "Cinema", "{prompt}, 35mm", "cartoon", "warm") == ""
    until(lambda: [row["name"] for row in styles.property("rows")] == ["Cinema"])
    text = file.read_text(encoding="utf-8")
    assert "# heading" in text and '"mine, old"' in text and "warm" in text
    assert "film" in (data / "styles.csv.bak").read_text(encoding="utf-8")
    styles.remove("Cinema")
    until(lambda: not styles.property("rows"))
    assert "# heading" in file.read_text(encoding="utf-8")
    window.studio.edits.undo()
    until(lambda: [row["name"] for row in styles.property("rows")] == ["Cinema"])
    assert "already" in styles.save("", "Cinema", "", "", "")
    assert "#" in styles.save("", "# x", "", "", "")


@pytest.mark.rule("D102")
def test_a_style_is_written_in_the_panel(window: OpenWindow) -> None:
    window.studio.act("prompt_styles")
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Search styles")
    window.click(window.item("New style"))
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Name of the style")
    window.type("Oil")
    window.key(Qt.Key_Tab)
    window.type("oil on canvas")
    window.click(window.item("Save style"))
    until(lambda: "Oil" in [row["name"] for row in window.studio.prompts.styles.property("rows")], "the style")
    window.click(window.item("Use style Oil"))
    assert window.studio.prompts.styles.names == ("Oil",)
    window.click(window.item("Close"))


@pytest.mark.rule("D91")
def test_wildcards_are_made_edited_marked_inserted_and_thrown_away(window: OpenWindow, data: Path) -> None:
    shelf = window.studio.prompts.wildcards
    window.studio.act("prompt_wildcards")
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Search, or the name of a new file")
    window.type("plants/tree")
    window.key(Qt.Key_Return)
    until(lambda: shelf.property("name") == "plants/tree", "the new file")
    window.click(window.item("Lines of plants/tree"))
    window.type("oak")
    window.click(window.item("Save lines"))
    file = data / "wildcards" / "plants" / "tree.txt"
    until(lambda: file.is_file() and file.read_text(encoding="utf-8") == "oak", "the file")
    until(lambda: "plants/tree" in window.studio.prompts.knowledge.now.wildcards)
    window.click(window.item("Vocabulary plants/tree"))
    assert window.studio._shell.settings["vocabulary"] == "tags, plants/tree"
    until(lambda: window.studio.prompts.knowledge.now.suggestions.search("oak"), "the word")
    window.click(window.item("Insert plants/tree"))
    assert window.studio.prompts.property("text") == "__plants/tree__"
    shelf.throwAway("plants/tree")
    until(lambda: not file.exists())
    assert [kept.read_text(encoding="utf-8") for kept in (data / "trash").glob("*/tree.txt")] == ["oak"]
    until(lambda: window.studio.edits.undoWords == "Delete wildcard plants/tree")
    window.studio.edits.undo()
    until(file.is_file, "the file again")
    assert shelf.create("../out") and shelf.create("a__b") and shelf.create("animal")
    window.key(Qt.Key_Escape)


@pytest.mark.rule("D96")
def test_the_look_ahead_says_what_the_engine_will_read() -> None:
    library = EmptyLibrary(wildcards={"animal": Lines.of(["fox", "cat", "{red|blue} bird"])})
    rows, sentences = expanded("a __animal__ {x|y|z}", "{p|q}", (), PromptOptions(), library, 7, -1, False)
    assert [row["seed"] for row in rows] == ["7", "8", "9", "10", "11"]
    for number, row in enumerate(rows):
        assert row["prompt"] == read_prompt("a __animal__ {x|y|z}", library=library, seed=7 + number, image_index=number).text
        assert row["negative"] == read_prompt("{p|q}", stream="negative", negative=True, seed=7 + number).text
    assert not sentences
    same, _ = expanded("a __animal__", "", (), PromptOptions(), library, 7, 3, False)
    assert len({row["prompt"] for row in same}) == 1
    every, _ = expanded("{x|y|z}", "", (), PromptOptions(), library, 7, -1, True)
    assert [row["prompt"] for row in every] == ["x", "y", "z", "x", "y"]


@pytest.mark.rule("D96", "R22")
def test_a_cycle_is_named_in_a_sentence_and_the_window_stays(window: OpenWindow, data: Path) -> None:
    (data / "wildcards" / "loop.txt").write_text("a __loop__\n", encoding="utf-8")
    until(lambda: "loop" in window.studio.prompts.knowledge.now.wildcards)
    write(window, "__loop__ {x|y}")
    window.studio.act("prompt_expand")
    until(lambda: window.studio.prompts.ahead.property("rows"), "the look ahead")
    assert any("loop" in sentence for sentence in window.studio.prompts.ahead.property("sentences"))
    row = window.studio.prompts.ahead.property("rows")[0]
    until(lambda: any(accessible(item, "name") == f"Use seed {row['seed']}" for item in items(window.window.contentItem())))
    window.click(window.item(f"Use seed {row['seed']}"))
    assert str(window.studio.parameters.value("seed")) == row["seed"]


def listed(window: OpenWindow) -> list[tuple[str, bool, float]]:
    networks = window.studio.prompts.networks
    roles = (
        {name.data().decode(): role for role, name in networks.roleNames().items()}
        if False
        else {name.decode(): role for role, name in networks.roleNames().items()}
    )
    return [tuple(networks.data(networks.index(row), roles[role]) for role in ("name", "on", "weight")) for row in range(networks.rowCount())]


def test_the_list_of_networks_and_the_tags_of_the_prompt_are_one_state(window: OpenWindow) -> None:
    networks = window.studio.prompts.networks
    write(window, "a fox <lora:ink-lines:0.8:start=3>, snow")
    until(lambda: listed(window) == [("ink-lines", True, 0.8)])
    networks.setWeight(0, 0.5)
    assert window.studio.prompts.property("text") == "a fox <lora:ink-lines:0.5:start=3>, snow"
    networks.setWeight(0, 0.6)
    networks.setClip(0, 0.2)
    assert window.studio.prompts.property("text") == "a fox <lora:ink-lines:0.2:0.6:start=3>, snow"
    networks.followClip(0)
    networks.setBlocks(0, "MIDD")
    assert window.studio.prompts.property("text") == "a fox <lora:ink-lines:0.6:start=3:lbw=MIDD>, snow"
    networks.switch(0, False)
    assert window.studio.prompts.property("text") == "a fox, snow"
    assert listed(window) == [("ink-lines", False, 0.6)]
    networks.setWeight(0, 0.9)
    networks.switch(0, True)
    assert window.studio.prompts.property("text") == "a fox, snow <lora:ink-lines:0.9:start=3:lbw=MIDD>"
    networks.remove(0)
    assert (window.studio.prompts.property("text"), listed(window)) == ("a fox, snow", [])
    window.studio.edits.undo()
    assert "<lora:ink-lines:0.9" in window.studio.prompts.property("text")


def test_networks_are_added_and_removed_in_the_panel_and_switched_off_over_a_restart(window: OpenWindow, open_window: Open, data: Path) -> None:
    window.studio.sections.fold("size")
    window.studio.sections.fold("sampling")
    window.click(window.item("Add network"))
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Search networks")
    window.type("ink")
    until(lambda: [row["name"] for row in window.studio.prompts.networks.offered("ink")] == ["ink-lines", "inkwell"])
    window.key(Qt.Key_Return)
    until(lambda: window.studio.prompts.property("text") == "<lora:ink-lines:1>")
    until(lambda: any(accessible(item, "name") == "Use ink-lines" for item in items(window.window.contentItem())))
    window.click(window.item("Use ink-lines"))
    assert window.studio.prompts.property("text") == ""
    window.studio._session.save_now()
    window.close()
    kept = json.loads((data / "session.json").read_text(encoding="utf-8"))
    assert kept["networks_off"] == [[False, "<lora:ink-lines:1>"]]
    again = open_window(painter(), data)
    assert listed(again) == [("ink-lines", False, 1.0)]


def test_the_tools_stand_under_the_prompt_where_there_is_room(shown: OpenWindow) -> None:
    shown.window.setGeometry(0, 0, 1280, 720)
    until(lambda: shown.window.width() == 1280)
    for action in ("prompt_styles", "prompt_history", "prompt_wildcards", "prompt_expand"):
        name = shown.studio.keys.hint(action)
        until(lambda name=name: any(accessible(item, "name") == name and item.isVisible() for item in items(shown.window.contentItem())), name)
