"""The prompt boxes in the real window: colours, marks, suggestions, counters, weight keys and their undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QCoreApplication, QPoint, QPointF, Qt
from PyQt5.QtGui import QColor, QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.prompts.box import PromptBox
from sfumato.desktop.prompts.completion import Completion
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter
from tests.support.window import OpenWindow, accessible, items, until

CTRL, SHIFT, ALT = Qt.ControlModifier, Qt.ShiftModifier, Qt.AltModifier
LORAS = [
    {"value": "ink-lines", "label": "ink-lines", "family": "SD1"},
    {"value": "inkwell", "label": "inkwell", "family": "SDXL"},
]


def painter(**more: object) -> Painter:
    models = [{**row, "encoders": ["clip_l"]} for row in CHOICES["models"]]
    return Painter({**CHOICES, "models": models, "loras": LORAS, "hypernetworks": [], "embeddings": [], **more})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with wildcards, a vocabulary and styles."""
    folder = tmp_path / "data"
    (folder / "wildcards").mkdir(parents=True)
    (folder / "wildcards" / "animal.txt").write_text("fox\ncat\n", encoding="utf-8")
    (folder / "wildcards" / "tags.csv").write_text("red_hair,0,412345,x\nred eyes,0,93456,\nmiku (vocaloid),4,5000,\n", encoding="utf-8")
    (folder / "styles.csv").write_text('name,prompt,negative_prompt\nCinematic,"{prompt}, film grain",cartoon\n', encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps({"vocabulary": "tags", "version": 1}), encoding="utf-8")
    return folder


@pytest.fixture
def window(open_window: Open, data: Path) -> OpenWindow:
    opened = open_window(painter(), data)
    until(lambda: opened.studio.prompts.knowledge.is_read and opened.studio.prompts.knowledge.family)
    until(lambda: len(opened.studio.prompts.knowledge.now.suggestions) >= 7, "the names")
    return opened


def box(window: OpenWindow, negative: bool = False) -> PromptBox:
    return window.studio.prompts.boxes[negative]


def completion(window: OpenWindow) -> Completion:
    return window.studio.prompts.property("positiveCompletion")


def names(window: OpenWindow) -> list[str]:
    return [row["name"] for row in completion(window).property("rows")]


def write(window: OpenWindow, text: str) -> QQuickItem:
    """Put a text into the prompt and give it the keyboard."""
    window.studio.prompts.setProperty("text", text)
    area = window.item("Prompt")
    assert area.property("text") == text
    return area


def colours(window: OpenWindow, negative: bool = False) -> dict[str, str]:
    """Piece of the text -> colour, of the first paragraph."""
    document = box(window, negative)._document
    assert document is not None
    block = document.firstBlock()
    units = block.text().encode("utf-16-le")
    return {
        units[2 * form.start : 2 * (form.start + form.length)].decode("utf-16-le"): form.format.foreground().color().name() for form in block.layout().formats()
    }


def theme(window: OpenWindow, name: str) -> str:
    return QColor(window.studio.prompts._colours[name]).name()


# -- colours and marks ---------------------------------------------------------------------------


@pytest.mark.rule("D92")
def test_tags_wildcards_keywords_brackets_and_comments_have_their_colours(window: OpenWindow) -> None:
    write(window, "a (b [c]:1.2) BREAK <lora:ink-lines:1> __animal__ # note")
    found = colours(window)
    for piece, name in (
        ("(", "depth0"),
        ("[", "depth1"),
        (":1.2)", "depth0"),
        ("BREAK", "keyword"),
        ("<lora:ink-lines:1>", "network"),
        ("__animal__", "wildcard"),
    ):
        assert found[piece] == theme(window, name), (piece, found)
    assert found["# note"] == theme(window, "comment")


@pytest.mark.rule("D92")
def test_a_missing_network_is_red_with_the_nearest_name_and_stops_nothing(window: OpenWindow) -> None:
    write(window, "x <lora:ink-line:1> (open")
    until(lambda: box(window).property("doubts") == 2, "the marks")
    assert colours(window)["ink-line"] == theme(window, "missing")
    sentences = " ".join(box(window).property("sentences"))
    assert "Closest: 'ink-lines'" in sentences and "never closed" in sentences
    assert "Closest" in box(window).doubtAt(9)["sentence"] and box(window).doubtAt(0) == {}
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    assert window.painter.submits[0].params["prompt"] == "x <lora:ink-line:1> (open"


@pytest.mark.rule("D92")
def test_the_sentence_of_a_doubtful_place_is_shown_under_the_pointer(window: OpenWindow) -> None:
    area = write(window, "x (open")
    until(lambda: box(window).property("doubts") == 1)
    area.setProperty("cursorPosition", 2)
    sign = area.property("cursorRectangle")
    QTest.mouseMove(window.window, area.mapToScene(QPointF(sign.x() + 2, sign.y() + 8)).toPoint())
    until(lambda: any("never closed" in str(item.property("text")) for item in items(window.window.contentItem())), "the sentence")


@pytest.mark.rule("R125", "D195", "D89")
def test_a_key_colours_one_paragraph(window: OpenWindow) -> None:
    write(window, "\n".join(f"line {number} (of:1.1) many <lora:ink-lines:1>" for number in range(40)))
    QTest.qWait(1)
    until(lambda: box(window).painted >= 40)
    before = box(window).painted
    window.type("x")
    assert box(window).painted == before + 1
    window.key(Qt.Key_Return)
    assert box(window).painted <= before + 3


@pytest.mark.rule("D93")
def test_every_character_is_passed_on(window: OpenWindow) -> None:
    text = "a\u00a0b 𝒳😀\n\n  two  blanks\t\\(é"
    window.studio.prompts.setProperty("text", text)
    window.type("!")
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    assert window.painter.submits[0].params["prompt"] == text + "!"


@pytest.mark.rule("D92")
def test_marks_stand_right_behind_wide_characters(window: OpenWindow) -> None:
    write(window, "😀😀 <lora:nothing:1> b")
    until(lambda: box(window).property("doubts") == 1)
    assert "nothing" in colours(window)


@pytest.mark.rule("D187")
@pytest.mark.parametrize("scheme", ["dark", "light", "contrast"])
def test_the_colours_of_the_language_can_be_read(window: OpenWindow, scheme: str) -> None:
    window.studio._shell.set("theme", scheme)
    ground = QColor({"dark": "#141517", "light": "#ffffff", "contrast": "#000000"}[scheme])
    until(lambda: window.item("Prompt").property("color") != ground)

    def light(colour: QColor) -> float:
        parts = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (colour.redF(), colour.greenF(), colour.blueF()))
        return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    QTest.qWait(1)
    assert len(window.studio.prompts._colours) >= 14
    for name, colour in window.studio.prompts._colours.items():
        low, high = sorted((light(QColor(colour)), light(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


# -- the count -----------------------------------------------------------------------------------


@pytest.mark.rule("D95")
def test_a_counter_shows_the_tokens_of_the_longest_part_and_choice(window: OpenWindow) -> None:
    write(window, "a red circle")
    until(lambda: box(window).property("tokens") == "3/75")
    assert box(window).property("encoders") == "CLIP-L"
    write(window, "a red circle AND {one|one two three four five} # not counted")
    until(lambda: box(window).property("tokens") == "5/75")
    write(window, "a BREAK b")
    until(lambda: box(window).property("tokens") == "76/150")
    assert any(accessible(item, "name") == "Tokens: 76/150" for item in items(window.window.contentItem()))


@pytest.mark.rule("D95")
def test_a_count_for_unknown_encoders_is_marked_as_an_estimate(open_window: Open, data: Path) -> None:
    window = open_window(Painter(), data)
    write(window, "a red circle")
    until(lambda: box(window).property("tokens") == "~3/75")


# -- suggestions ---------------------------------------------------------------------------------


@pytest.mark.rule("D90")
def test_typing_suggests_and_tab_accepts(window: OpenWindow) -> None:
    window.type("a, re")
    until(lambda: names(window) == ["red_hair", "red eyes"], "the list")
    rows = completion(window).property("rows")
    assert (rows[0]["kind"], rows[0]["count"]) == ("Word", "412.3k")
    window.key(Qt.Key_Down)
    window.key(Qt.Key_Tab)
    assert window.studio.prompts.property("text") == "a, red eyes"
    assert not completion(window).property("open")
    assert accessible(window.window.activeFocusItem(), "name") == "Prompt"
    window.key(Qt.Key_Z, CTRL)
    assert window.studio.prompts.property("text") == "a, re"


@pytest.mark.rule("D90", "D34")
def test_escape_closes_the_list_ctrl_space_opens_it_and_ctrl_narrows_it_to_models(window: OpenWindow) -> None:
    window.type("i")
    until(lambda: names(window) == ["ink-lines", "inkwell"])
    rows = completion(window).property("rows")
    assert [row["foreign"] for row in rows] == [False, True]
    window.key(Qt.Key_Escape)
    assert not completion(window).property("open")
    window.key(Qt.Key_Backspace)
    window.type("\b")
    window.key(Qt.Key_Space, CTRL)
    until(lambda: len(names(window)) >= 5, "everything")
    QTest.keyPress(window.window, Qt.Key_Control, CTRL)
    until(lambda: "ink-lines" in names(window) and not {"red_hair", "animal", "Cinematic"} & set(names(window)), "models only")
    QTest.keyRelease(window.window, Qt.Key_Control)
    until(lambda: "red_hair" in names(window), "everything again")


@pytest.mark.rule("D90")
def test_a_network_is_inserted_with_its_weight_and_trigger_words(open_window: Open, data: Path) -> None:
    folder = data / "models" / "loras"
    folder.mkdir(parents=True)
    (folder / "brush.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    (folder / "brush.json").write_text(json.dumps({"preferred weight": 0.7, "activation text": "oil brush"}), encoding="utf-8")
    window = open_window(painter(), data)
    until(lambda: ("lora", "brush") in window.studio.prompts.knowledge.now.paths)
    window.type("bru")
    until(lambda: names(window) == ["brush"])
    window.key(Qt.Key_Return)
    until(lambda: window.studio.prompts.property("text") == "<lora:brush:0.7> oil brush")
    window.studio.prompts.setProperty("text", "")
    window.studio._shell.set("trigger_words", False)
    window.type("<lora:br")
    until(lambda: names(window) == ["brush"])
    window.key(Qt.Key_Tab)
    until(lambda: window.studio.prompts.property("text") == "<lora:brush:0.7>")


@pytest.mark.rule("D90")
def test_names_are_escaped_and_a_style_becomes_a_chip(window: OpenWindow) -> None:
    window.type("mik")
    until(lambda: names(window) == ["miku (vocaloid)"])
    window.key(Qt.Key_Tab)
    assert window.studio.prompts.property("text") == r"miku \(vocaloid\)"
    window.type(", cine")
    until(lambda: names(window) == ["Cinematic"])
    window.key(Qt.Key_Tab)
    assert window.studio.prompts.property("text") == r"miku \(vocaloid\), "
    assert window.studio.prompts.styles.names == ("Cinematic",)
    assert window.item("Style Cinematic").isVisible()


@pytest.mark.rule("D90")
def test_the_list_never_covers_the_line_that_is_typed(window: OpenWindow) -> None:
    write(window, "one\ntwo\nthree\n")
    window.type("re")
    until(lambda: completion(window).property("open"))
    area = window.item("Prompt")
    until(lambda: any(accessible(item, "name") == "Suggestions" for item in items(window.window.contentItem())))
    popup = window.item("Suggestions")
    top, bottom = popup.mapToScene(QPointF(0, 0)).y(), popup.mapToScene(QPointF(0, popup.height())).y()
    line = area.property("cursorRectangle")
    first = area.mapToScene(QPointF(0, line.y())).y()
    assert bottom <= first or top >= first + line.height()


@pytest.mark.rule("D90")
def test_nothing_is_suggested_before_as_many_letters_as_are_set(window: OpenWindow) -> None:
    window.studio._shell.set("autocomplete", 3)
    window.type("re")
    QTest.qWait(150)
    assert not completion(window).property("open")
    window.type("d")
    until(lambda: completion(window).property("open"))
    window.key(Qt.Key_Escape)
    window.studio.act("autocomplete")
    window.type("\b")
    assert window.studio._shell.settings["autocomplete"] == 0


@pytest.mark.rule("D91")
def test_word_files_are_read_again_when_they_change(window: OpenWindow, data: Path) -> None:
    (data / "wildcards" / "tags.csv").write_text("zebra stripes,77\n", encoding="utf-8")
    (data / "wildcards" / "plant.txt").write_text("oak\n", encoding="utf-8")
    until(lambda: "plant" in window.studio.prompts.knowledge.now.wildcards, "the new file")
    window.type("zeb")
    until(lambda: names(window) == ["zebra stripes"], "the new word")


# -- keys ----------------------------------------------------------------------------------------


def select(window: OpenWindow, start: int, end: int) -> None:
    window.item("Prompt").setProperty("cursorPosition", start)
    for _ in range(end - start):
        window.key(Qt.Key_Right, SHIFT)


def selected(window: OpenWindow) -> str:
    return str(window.item("Prompt").property("selectedText"))


@pytest.mark.rule("D94", "R139", "P62")
def test_the_weight_key_is_one_step_of_the_boxs_own_undo_with_text_and_selection(window: OpenWindow) -> None:
    window.type("a red fox")
    window.key(Qt.Key_Escape)
    select(window, 2, 5)
    window.key(Qt.Key_Up, CTRL)
    assert (window.studio.prompts.property("text"), selected(window)) == ("a (red:1.1) fox", "red")
    window.key(Qt.Key_Up, CTRL)
    assert window.studio.prompts.property("text") == "a (red:1.2) fox"
    window.key(Qt.Key_Z, CTRL)
    assert (window.studio.prompts.property("text"), selected(window)) == ("a (red:1.1) fox", "red")
    window.key(Qt.Key_Z, CTRL)
    assert (window.studio.prompts.property("text"), selected(window)) == ("a red fox", "red")
    window.key(Qt.Key_Y, CTRL)
    assert (window.studio.prompts.property("text"), selected(window)) == ("a (red:1.1) fox", "red")
    window.key(Qt.Key_Down, CTRL)
    assert window.studio.prompts.property("text") == "a red fox"
    for _ in range(2):
        window.key(Qt.Key_Z, CTRL)
    assert window.studio.prompts.property("text") == "a red fox", "before the keys nothing was lost"
    window.key(Qt.Key_Z, CTRL)
    assert window.studio.prompts.property("text") == ""


@pytest.mark.rule("D94")
def test_network_tags_change_by_a_twentieth(window: OpenWindow) -> None:
    write(window, "<lora:ink-lines:1>")
    window.item("Prompt").setProperty("cursorPosition", 5)
    window.key(Qt.Key_Down, CTRL)
    assert window.studio.prompts.property("text") == "<lora:ink-lines:0.95>"


def wheel(window: OpenWindow, area: QQuickItem, up: bool, modifiers: int) -> None:
    place = area.mapToScene(QPointF(30, 14))
    delta = QPoint(0, 120 if up else -120)
    event = QWheelEvent(place, window.window.mapToGlobal(place.toPoint()), QPoint(), delta, Qt.NoButton, modifiers, Qt.NoScrollPhase, False)
    QCoreApplication.sendEvent(window.window, event)


@pytest.mark.rule("D94", "D34")
def test_ctrl_and_the_wheel_weigh_too_and_with_shift_finely(window: OpenWindow) -> None:
    area = write(window, "a fox")
    wheel(window, area, True, CTRL)
    assert window.studio.prompts.property("text") == "a (fox:1.1)"
    wheel(window, area, False, CTRL | SHIFT)
    assert window.studio.prompts.property("text") == "a (fox:1.05)"


@pytest.mark.rule("D34")
def test_a_part_between_commas_is_moved(window: OpenWindow) -> None:
    write(window, "one, two, three")
    window.item("Prompt").setProperty("cursorPosition", 6)
    window.key(Qt.Key_Left, ALT)
    assert window.studio.prompts.property("text") == "two, one, three"
    window.key(Qt.Key_Right, ALT)
    window.key(Qt.Key_Right, ALT)
    assert window.studio.prompts.property("text") == "one, three, two"
    window.key(Qt.Key_Z, CTRL)
    assert window.studio.prompts.property("text") == "one, two, three"


def test_insert_writes_at_the_cursor_and_takes_out_again(window: OpenWindow) -> None:
    insert: Callable[..., None] = window.studio.prompts.insert
    write(window, "a fox, snow")
    window.item("Prompt").setProperty("cursorPosition", 5)
    insert("__animal__")
    assert window.studio.prompts.property("text") == "a fox, __animal__, snow"
    insert("__animal__")
    assert window.studio.prompts.property("text") == "a fox, snow"
    insert("<lora:ink-lines:0.8>")
    assert "<lora:ink-lines:0.8>" in window.studio.prompts.property("text")
    assert window.studio.prompts.holds("<lora:ink-lines:1>")
    insert("<lora:ink-lines:1>")
    assert window.studio.prompts.property("text") == "a fox, snow"
    insert("bad hands", True)
    assert window.studio.prompts.property("negative") == "bad hands"


@pytest.mark.rule("D28")
def test_a_hidden_negative_prompt_is_sent_and_a_mark_says_so(window: OpenWindow) -> None:
    window.studio.prompts.setProperty("negative", "blur")
    window.studio.act("negative_prompt")
    until(lambda: not any(accessible(item, "name") == "Negative prompt" for item in items(window.window.contentItem())))
    assert window.item("negative prompt is sent").isVisible()
    window.studio.act("generate")
    until(lambda: window.painter.submits)
    assert window.painter.submits[0].params["negative"] == "blur"


def test_the_tools_under_the_prompt_never_cover_the_tokens(shown: OpenWindow) -> None:
    shown.window.setGeometry(0, 0, 1024, 600)
    shown.type("a fox (")
    for _ in range(10):
        shown.studio.act("font_larger")
    QTest.qWait(300)
    edge = next(item for item in items(shown.window.contentItem()) if "PromptEdge" in item.metaObject().className())
    tokens = next(item for item in items(edge) if str(accessible(item, "name")).startswith("Tokens"))
    tools = [item for item in items(edge) if item.property("act")]
    assert all(tool.mapToScene(QPointF(tool.width(), 0)).x() <= tokens.mapToScene(QPointF(0, 0)).x() for tool in tools)
