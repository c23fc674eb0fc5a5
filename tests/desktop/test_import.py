"""Opening, pasting and dropping pictures and texts, by real keys and the real clipboard."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt5.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QGuiApplication
from PyQt5.QtTest import QTest

from sfumato.desktop.importing.importer import Importer
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.library.fetching import Fetched
from sfumato.protocol.errors import ImageUnreadable
from sfumato.protocol.requests.generate import Generate
from tests.support.painting import scene
from tests.support.window import OpenWindow, until

CTRL, SHIFT = Qt.ControlModifier, Qt.ShiftModifier
INFOTEXT = """a red fox
Negative prompt: blurry
Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 77, Size: 512x768, Model: landscape-v3, Weird key: "a, b", Version: v1.10.1"""


def importer(window: OpenWindow) -> Importer:
    return window.studio.importer


def choosing(window: OpenWindow) -> None:
    until(lambda: importer(window).property("state") == "choosing", "the import dialog")
    until(lambda: getattr(window.window.activeFocusItem(), "metaObject", lambda: None)() is not None, "the focus")


def rows(window: OpenWindow) -> dict[str, dict[str, Any]]:
    model = importer(window).rows
    names = {bytes(name).decode(): role for role, name in model.roleNames().items()}
    return {model.index(row).data(names["name"]): {name: model.index(row).data(role) for name, role in names.items()} for row in range(model.rowCount())}


def clip(text: str = "", urls: tuple[str, ...] = (), data: bytes = b"") -> None:
    mime = QMimeData()
    if text:
        mime.setText(text)
    if urls:
        mime.setUrls([QUrl(url) for url in urls])
    if data:
        mime.setData("image/png", data)
    QGuiApplication.clipboard().setMimeData(mime)


@pytest.mark.rule("D151", "D154")
def test_pasted_parameters_are_chosen_by_keys_and_taken_back_in_one_step(shown: OpenWindow) -> None:
    shown.type("a cat")
    clip(INFOTEXT)
    shown.key(Qt.Key_V, CTRL | SHIFT)
    choosing(shown)
    found = rows(shown)
    assert (found["steps"]["words"], found["steps"]["now"], found["steps"]["chosen"]) == ("30", "25", True)
    assert found["model"]["note"] == "closest: landscape-v2"
    assert importer(shown).property("unknown") == [{"key": "Weird key", "value": "a, b"}]
    # The second row is the negative prompt: Space clears its box, Enter takes the rest.
    shown.key(Qt.Key_Down)
    shown.key(Qt.Key_Space)
    shown.key(Qt.Key_Return)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    form, prompts = shown.studio.parameters, shown.studio.prompts
    assert (form.value("steps"), form.value("schedule"), form.value("model"), form.value("seed")) == (30, "karras", "landscape-v2", 77)
    assert (prompts.text, prompts.negative) == ("a red fox", "")

    shown.studio.act("undo")
    assert (form.set_values(), prompts.text) == ({}, "a cat")
    shown.studio.act("redo")
    assert (form.value("steps"), prompts.text) == (30, "a red fox")


@pytest.mark.rule("D151")
def test_none_all_and_the_pointer_drawn_along_the_boxes(shown: OpenWindow) -> None:
    clip(INFOTEXT)
    shown.key(Qt.Key_V, CTRL | SHIFT)
    choosing(shown)
    shown.key(Qt.Key_D, CTRL)
    assert importer(shown).rows.property("count") == 0
    shown.key(Qt.Key_A, CTRL)
    assert importer(shown).rows.property("count") == len([row for row in rows(shown).values() if not row["blocked"]])
    until(lambda: shown.item("Values", "ImportList").property("count") > 3, "the rows")
    box = shown.item("Prompt: a red fox", "ImportRow").mapToScene(QPointF(16, 16)).toPoint()
    end = shown.item("Negative prompt: blurry", "ImportRow").mapToScene(QPointF(16, 16)).toPoint()
    QTest.mousePress(shown.window, Qt.LeftButton, Qt.NoModifier, box)
    QTest.mouseMove(shown.window, end)
    QTest.mouseRelease(shown.window, Qt.LeftButton, Qt.NoModifier, end)
    until(lambda: not rows(shown)["negative"]["chosen"], "the cleared boxes")
    assert not rows(shown)["prompt"]["chosen"]
    shown.key(Qt.Key_Escape)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    assert shown.studio.parameters.set_values() == {}


@pytest.mark.rule("D151")
def test_reset_others_gives_what_is_not_told_its_default(shown: OpenWindow) -> None:
    shown.studio.parameters.commit("hr_scale", "2")
    importer(shown).openText("x\nSteps: 9, Seed: 4, CFG scale: 3")
    choosing(shown)
    shown.click(shown.item("Reset others", "Check"))
    shown.click(shown.item(f"Import {importer(shown).rows.property('count')} values"))
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    assert (shown.studio.parameters.value("hr_scale"), shown.studio.parameters.value("steps")) == (1.0, 9)


@pytest.mark.rule("D153")
def test_write_read_and_apply_restores_every_parameter(shown: OpenWindow, tmp_path: Path) -> None:
    form = shown.studio.parameters
    wanted = {
        "steps": 12, "guidance": 4.5, "seed": 2**40, "width": 320, "height": 448, "sampler": "DPM++ 2M", "schedule": "karras", "model": "landscape-v2",
        "clip_skip": 2, "hr_scale": 1.5, "hr_strength": 0.35, "batch_size": 2, "variation_strength": 0.25, "variation_seed": 9, "cfg_rescale": 0.4,
        "emphasis": "no_norm", "tiling": "both", "s_noise": 1.01, "sigmas": (3.0, 1.5, 0.0), "comments": False,
    }  # fmt: skip
    shown.studio.prompts.text, shown.studio.prompts.negative = 'a "fox", (red:1.2)\nin snow', "bad, worse"
    assert form.apply(wanted, "Test") == []
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: shown.painter.submits, "the request")
    sent = Generate.model_validate(shown.painter.submits[-1].params)
    own = own_document("generate", sent.model_dump(mode="json"), {"index": 0, "seed": sent.seed, "width": 8, "height": 8}, datetime.now(UTC))
    file = tmp_path / "made.png"
    file.write_bytes(encode(scene(), "", own).data)

    form.resetAll()
    shown.studio.prompts.text = shown.studio.prompts.negative = ""
    importer(shown).openFile(str(file))
    choosing(shown)
    shown.key(Qt.Key_Return)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    again = Generate.model_validate({**shown.studio.parameters.request(), "prompt": shown.studio.prompts.text, "negative": shown.studio.prompts.negative})
    assert again == sent


@pytest.mark.rule("D156")
def test_an_address_is_fetched_away_from_the_window_and_a_refusal_is_one_sentence(shown: OpenWindow) -> None:
    asked: list[tuple[str, str]] = []

    def fetch(url: str) -> Fetched:
        asked.append((url, threading.current_thread().name))
        if "bad" in url:
            raise ImageUnreadable("The address at 'bad'", "it lies on this computer or in its own network")
        return Fetched(encode(scene(), INFOTEXT).data, "fox.png")

    importer(shown)._fetch = fetch
    clip("https://example.org/fox.png")
    assert asked == []  # nothing is fetched before somebody asks
    shown.key(Qt.Key_V, CTRL | SHIFT)
    choosing(shown)
    assert asked[0][0] == "https://example.org/fox.png"
    assert asked[0][1] != threading.current_thread().name
    assert rows(shown)["steps"]["words"] == "30"
    shown.key(Qt.Key_Escape)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    importer(shown).openUrl("https://bad/fox.png")
    until(lambda: shown.studio.notices.property("present"), "the refusal")
    assert "its own network" in shown.studio.notices.property("sentence")
    assert importer(shown).property("state") == ""


@pytest.mark.rule("D151", "D152")
def test_a_dropped_file_and_a_copied_picture_show_what_they_tell(shown: OpenWindow, tmp_path: Path) -> None:
    file = tmp_path / "fuchs ä.png"
    file.write_bytes(encode(scene(), INFOTEXT).data)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    middle = QPoint(shown.window.width() // 3, shown.window.height() // 2)
    held = (Qt.CopyAction, mime, Qt.LeftButton, Qt.NoModifier)
    QCoreApplication.sendEvent(shown.window, QDragEnterEvent(middle, *held))
    QCoreApplication.sendEvent(shown.window, QDragMoveEvent(middle, *held))
    QCoreApplication.sendEvent(shown.window, QDropEvent(QPointF(middle), *held))
    choosing(shown)
    assert (importer(shown).property("name"), importer(shown).property("source")) == ("fuchs ä.png", "AUTOMATIC1111")
    shown.key(Qt.Key_Escape)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    clip(data=file.read_bytes())
    shown.key(Qt.Key_V, CTRL | SHIFT)
    choosing(shown)
    assert rows(shown)["seed"]["words"] == "77"


@pytest.mark.rule("D155")
def test_a_damaged_picture_and_an_empty_clipboard_are_told_in_a_sentence(shown: OpenWindow, tmp_path: Path) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    importer(shown).openFile(str(file))
    until(lambda: shown.studio.notices.property("present"), "the sentence")
    assert "broken.png" in shown.studio.notices.property("sentence")
    importer(shown).openFile(str(tmp_path / "absent.png"))
    until(lambda: "absent.png" in shown.studio.notices.property("sentence"), "the sentence")
    QGuiApplication.clipboard().clear()
    shown.key(Qt.Key_V, CTRL | SHIFT)
    until(lambda: "clipboard" in shown.studio.notices.property("sentence"), "the sentence")


@pytest.mark.rule("D151")
def test_inspect_takes_the_prompt_box_itself_apart(shown: OpenWindow) -> None:
    shown.studio.prompts.text = INFOTEXT
    shown.studio.act("import_prompt")
    choosing(shown)
    shown.key(Qt.Key_Return)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    assert (shown.studio.prompts.text, shown.studio.prompts.negative, shown.studio.parameters.value("steps")) == ("a red fox", "blurry", 30)


@pytest.mark.rule("D151")
def test_pasting_outside_of_text_makes_pictures_inputs_and_imports_texts(shown: OpenWindow, tmp_path: Path) -> None:
    file = tmp_path / "fox.png"
    file.write_bytes(encode(scene(), INFOTEXT).data)
    # In a text box the keys are the box's own.
    clip("a dog")
    shown.key(Qt.Key_V, CTRL)
    assert (shown.studio.prompts.text, importer(shown).property("state")) == ("a dog", "")
    shown.click(shown.item("Steps", "Slider"))
    for what in (lambda: clip(urls=(QUrl.fromLocalFile(str(file)).toString(),)), lambda: clip(data=file.read_bytes())):
        before = shown.studio.inputs.property("count")
        what()
        shown.key(Qt.Key_V, CTRL)
        until(lambda before=before: shown.studio.inputs.property("count") == before + 1, "the input")
    clip(INFOTEXT)
    shown.click(shown.item("Steps", "Slider"))
    shown.key(Qt.Key_V, CTRL)
    choosing(shown)
    assert rows(shown)["prompt"]["words"] == "a red fox"


@pytest.mark.rule("D153")
def test_styles_come_back_with_the_other_values_and_go_with_them(shown: OpenWindow) -> None:
    shown.studio.prompts.styles.put(("ink",))
    own = own_document("generate", Generate(prompt="x", styles=("oil", "dawn")).model_dump(mode="json"), {"index": 0, "seed": 3}, datetime.now(UTC))
    importer(shown).openText(json.dumps(own))
    choosing(shown)
    shown.key(Qt.Key_Return)
    until(lambda: importer(shown).property("state") == "", "the end of the dialog")
    assert shown.studio.prompts.styles.names == ("oil", "dawn")
    shown.studio.act("undo")
    assert shown.studio.prompts.styles.names == ("ink",)
