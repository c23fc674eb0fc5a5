"""What a person does with the inputs strip, by real key and mouse events, and what the engine is then asked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from PyQt5.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt5.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QGuiApplication, QImage, QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.inputs.cards import Card
from sfumato.desktop.inputs.strip import InputStrip
from sfumato.protocol.messages import Submit
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter, encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

CTRL, SHIFT, NONE = Qt.ControlModifier, Qt.ShiftModifier, Qt.NoModifier
CANNY = [
    {"field": "threshold_a", "title": "Low threshold", "default": 0.4, "minimum": 0, "maximum": 1, "step": 0.01, "unit": ""},
    {"field": "threshold_b", "title": "High threshold", "default": 0.8, "minimum": 0, "maximum": 1, "step": 0.01, "unit": ""},
]
CONTROLS: dict[str, Any] = {
    **CHOICES,
    "preprocessors": [
        {"value": "none", "label": "None", "description": "As it is.", "settings": [], "fields": [], "kind": "", "reads": "picture", "files": []},
        {"value": "canny", "label": "Canny", "description": "Thin lines.", "settings": CANNY, "fields": [], "kind": "canny", "reads": "picture", "files": []},
    ],
    "control_models": [{"value": "sd15_canny", "label": "sd15_canny", "kind": "ControlNet", "family": "SD1", "state": "ready", "maps": 0}],
}


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, str]:
    """Files: three pictures of 64 px, a wide one, a mask with a white middle and a black one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = {colour: scene(colour, "circle") for colour in ("red", "blue", "green")}
    drawn["wide"] = Image.linear_gradient("L").resize((128, 64)).convert("RGB")
    drawn["mask"] = Image.new("L", (64, 64))
    ImageDraw.Draw(drawn["mask"]).rectangle((24, 24, 39, 39), fill=255)
    drawn["black"] = Image.new("L", (64, 64))
    for name, picture in drawn.items():
        picture.save(folder / f"{name}.png")
    return {name: str(folder / f"{name}.png") for name in drawn}


@pytest.fixture
def steered(open_window: Open) -> OpenWindow:
    return open_window(painter=Painter(CONTROLS))


def strip(window: OpenWindow) -> InputStrip:
    return window.studio.inputs


def roles(window: OpenWindow) -> list[str]:
    return [card.role for card in strip(window).cards]


def shown_cards(window: OpenWindow) -> list[QQuickItem]:
    found = [item for item in items(window.window.contentItem()) if "InputCard" in item.metaObject().className()]
    return sorted(found, key=lambda item: item.mapToScene(QPointF(0, 0)).x())


def cell(window: OpenWindow, index: int, name: str) -> Any:
    return strip(window).data(strip(window).index(index), next(role for role, word in strip(window).roleNames().items() if bytes(word).decode() == name))


def add(window: OpenWindow, *given: tuple[str, str]) -> None:
    for path, role in given:
        strip(window).add(path, role)
    until(lambda: all(cell(window, index, "face") for index in range(strip(window).rowCount())), "the faces")
    until(lambda: len(shown_cards(window)) == len(strip(window).cards), "the cards")
    QTest.qWait(20)


def generate(window: OpenWindow) -> Submit:
    before = len(window.painter.submits)
    window.key(Qt.Key_Return, CTRL)
    until(lambda: len(window.painter.submits) > before, "the request")
    return window.painter.submits[-1]


def middle(item: QQuickItem, x: float = 0.5, y: float = 0.6) -> QPoint:
    return item.mapToScene(QPointF(item.width() * x, item.height() * y)).toPoint()


def drop(window: OpenWindow, at: QPoint, files: list[str], mime: QMimeData | None = None) -> None:
    data = mime or QMimeData()
    if files:
        data.setUrls([QUrl.fromLocalFile(file) for file in files])
    actions = Qt.CopyAction | Qt.MoveAction
    QCoreApplication.sendEvent(window.window, QDragEnterEvent(at, actions, data, Qt.LeftButton, NONE))
    QCoreApplication.sendEvent(window.window, QDragMoveEvent(at, actions, data, Qt.LeftButton, NONE))
    QCoreApplication.sendEvent(window.window, QDropEvent(QPointF(at), actions, data, Qt.LeftButton, NONE))
    QCoreApplication.processEvents()


def wheel(window: OpenWindow, at: QPoint, notches: int) -> None:
    turn = QPoint(0, 120 * notches)
    QCoreApplication.sendEvent(window.window, QWheelEvent(QPointF(at), QPointF(at), QPoint(), turn, Qt.NoButton, NONE, Qt.NoScrollPhase, False))
    QCoreApplication.processEvents()


@pytest.mark.rule("D54", "D55")
def test_a_picture_is_added_by_the_button_and_the_chooser(shown: OpenWindow, pictures: dict[str, str]) -> None:
    folder = str(Path(pictures["red"]).parent)
    shown.click(shown.item("Add image", "Button"))
    until(lambda: any(accessible(item, "name") == "Folder" for item in items(shown.window.contentItem())), "what can be added")
    shown.click(shown.item("Image", "Button"))
    field = shown.item("Folder", "Field")
    shown.click(field)
    shown.key(Qt.Key_A, CTRL)
    shown.type(folder)
    shown.key(Qt.Key_Return)
    until(lambda: any(accessible(item, "name") == "red.png" for item in items(shown.window.contentItem())), "the pictures of the folder")
    QTest.qWait(30)
    shown.click(shown.item("red.png", "ChooserCell"))
    shown.click(shown.item("Open", "Button"))
    until(lambda: roles(shown) == ["image"], "the card")
    assert strip(shown).cards[0].files == (pictures["red"],)
    assert generate(shown).blobs[generate_image(shown)] == Path(pictures["red"]).read_bytes()


def generate_image(window: OpenWindow) -> str:
    return window.painter.submits[-1].params["image"]


@pytest.mark.rule("D44", "D45")
def test_the_mode_stands_over_the_parameters_before_anything_is_sent(shown: OpenWindow, pictures: dict[str, str]) -> None:
    def mode() -> str:
        return next(str(name) for item in items(shown.window.contentItem()) if str(name := accessible(item, "name")).startswith("Mode: "))

    assert mode() == "Mode: Txt2Img"
    shown.studio.parameters.commit("hr_scale", "2")
    assert mode() == "Mode: Txt2Img + HR"
    add(shown, (pictures["red"], "image"))
    assert mode() == "Mode: Img2Img"
    add(shown, (pictures["black"], "mask"))
    until(lambda: "all black" in cell(shown, 1, "trouble"), "the card of the black mask to say so")
    assert mode() == "Mode: Img2Img"
    assert "mask" not in generate(shown).params
    add(shown, (pictures["blue"], "image"), (pictures["mask"], "mask"))
    strip(shown).enable(strip(shown).cards[0].id, False)
    assert mode() == "Mode: Inpainting"
    shown.studio.parameters.commit("strength", "0")
    strip(shown).remove(strip(shown).cards[3].id)
    assert mode() == "Mode: Upscaling"


@pytest.mark.rule("D45", "D42", "D57")
def test_a_mask_without_an_image_is_refused_at_the_card(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["mask"], "mask"))
    assert cell(shown, 0, "stops") and cell(shown, 0, "trouble").startswith("A mask needs an image")
    button = next(item for item in items(shown.window.contentItem()) if accessible(item, "name") == "Generate" and item.property("primary") is True)
    assert not button.isEnabled() and accessible(button, "description") == cell(shown, 0, "trouble")
    shown.key(Qt.Key_Return, CTRL)
    QTest.qWait(20)
    assert not shown.painter.submits
    assert shown.studio.notices.property("sentence") == cell(shown, 0, "trouble")
    add(shown, (pictures["red"], "image"))
    shown.click(shown_cards(shown)[1])
    shown.key(Qt.Key_Left, CTRL)
    until(lambda: roles(shown) == ["image", "mask"] and button.isEnabled(), "the image before its mask")
    assert cell(shown, 1, "tied")
    sent = generate(shown)
    assert set(sent.blobs) == {sent.params["image"], sent.params["mask"]}


@pytest.mark.rule("D32", "D57", "D186")
def test_cards_are_chosen_moved_switched_removed_and_brought_back_by_keys(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"), (pictures["blue"], "image"), (pictures["green"], "image"))
    order = [card.id for card in strip(shown).cards]
    shown.click(shown_cards(shown)[0])
    shown.key(Qt.Key_Right)
    assert strip(shown).property("current") == 1
    shown.key(Qt.Key_Right, CTRL)
    assert [card.id for card in strip(shown).cards] == [order[0], order[2], order[1]]
    assert strip(shown).property("current") == 2, "the card keeps the focus"
    shown.key(Qt.Key_Space)
    assert not strip(shown).cards[2].enabled
    shown.key(Qt.Key_Delete)
    assert len(strip(shown).cards) == 2
    for _ in range(3):
        shown.studio.act("undo")
    assert [(card.id, card.enabled) for card in strip(shown).cards] == [(identity, True) for identity in order]
    shown.studio.act("redo")
    assert [card.id for card in strip(shown).cards] == [order[0], order[2], order[1]]


@pytest.mark.rule("D59", "R130")
def test_wheel_and_middle_drag_crop_and_nothing_is_scaled_again(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["wide"], "image"))
    shown.studio.parameters.apply({"width": 64, "height": 64}, "Size")
    card = shown_cards(shown)[0]
    looks = strip(shown).faces.looks
    for _ in range(8):
        wheel(shown, middle(card), 1)
    assert strip(shown).cards[0].crop.zoom == pytest.approx(1.1**8)
    QTest.mousePress(shown.window, Qt.MiddleButton, NONE, middle(card))
    for step in range(100):
        QTest.mouseMove(shown.window, middle(card) + QPoint(step % 40, step // 10))
    QTest.mouseRelease(shown.window, Qt.MiddleButton, NONE, middle(card))
    assert strip(shown).cards[0].crop.x != 0.5
    assert strip(shown).faces.looks == looks == 1
    box = [cell(shown, 0, name) for name in ("boxWidth", "boxHeight")]
    sent = generate(shown)
    picture = Image.open(io.BytesIO(sent.blobs[sent.params["image"]]))
    assert picture.size == (round(box[0] * 128), round(box[1] * 64)) and picture.width == picture.height
    shown.studio.act("undo")
    assert strip(shown).cards[0].crop.zoom == 1, "one visit to the crop is one step"


@pytest.mark.rule("R125", "D195")
def test_typing_costs_no_work_on_pictures(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, *[(pictures[name], "image") for name in ("red", "blue", "green", "wide") for _ in range(3)][:10])
    looks, told = strip(shown).faces.looks, []
    strip(shown).dataChanged.connect(lambda first, last: told.append(first.row()))
    shown.studio.prompts.setProperty("text", "")
    shown.window.requestActivate()
    shown.type("a red circle")
    shown.studio.parameters.commit("steps", "12")
    assert strip(shown).faces.looks == looks == 4
    assert not told


@pytest.mark.rule("D55", "D56")
def test_drops_insert_at_an_edge_and_replace_in_the_middle(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"))
    card = shown_cards(shown)[0]
    drop(shown, middle(card, 0.05), [pictures["blue"]])
    until(lambda: [each.file for each in strip(shown).cards] == [pictures["blue"], pictures["red"]], "a card before")
    until(lambda: len(shown_cards(shown)) == 2)
    QTest.qWait(200)
    drop(shown, middle(shown_cards(shown)[1]), [pictures["green"]])
    until(lambda: [each.file for each in strip(shown).cards] == [pictures["blue"], pictures["green"]], "another picture on the card")
    folder = str(Path(pictures["red"]).parent)
    drop(shown, middle(shown_cards(shown)[1], 0.95), [folder])
    until(lambda: len(strip(shown).cards) == 3, "the folder's card")
    assert [Path(file).name for file in strip(shown).cards[2].files] == ["black.png", "blue.png", "green.png", "mask.png", "red.png", "wide.png"]
    assert cell(shown, 2, "place") == "1/6"
    until(lambda: len(shown_cards(shown)) == 3)
    QTest.qWait(200)
    moved = QMimeData()
    moved.setData("application/x-sfumato-card", strip(shown).cards[2].id.encode())
    drop(shown, middle(shown_cards(shown)[0], 0.05), [], moved)
    until(lambda: strip(shown).cards[0].is_bulk, "the card in front")


@pytest.mark.rule("D58", "D46")
def test_a_bulk_card_makes_a_job_for_each_picture_it_can_read(shown: OpenWindow, pictures: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "pictures" / "broken.png"
    broken.write_text("no picture")
    strip(shown).takeFiles([pictures["red"], str(broken), pictures["blue"]], "image", -1, "")
    until(lambda: strip(shown).rowCount() == 1 and "broken.png" in cell(shown, 0, "trouble"), "the file that cannot be read")
    shown.studio.parameters.commit("seed", "7")
    first = generate(shown)
    shown.painter.picture(encoded(scene()))
    shown.painter.finish()
    until(lambda: len(shown.painter.submits) == 2, "the second job")
    second = shown.painter.submits[1]
    assert (first.params["seed"], second.params["seed"]) == (7, 8)
    assert [Path(pictures[name]).read_bytes() for name in ("blue", "red")] == [sent.blobs[sent.params["image"]] for sent in (first, second)]
    shown.painter.finish()
    assert not shown.studio.jobs.property("waiting")
    shown.window.requestActivate()
    shown.click(shown_cards(shown)[0])
    shown.key(Qt.Key_Down)
    assert cell(shown, 0, "place") == "2/3"


@pytest.mark.rule("D60", "D61", "D62")
def test_a_control_is_set_and_its_map_computed_once(steered: OpenWindow, pictures: dict[str, str]) -> None:
    add(steered, (pictures["red"], "image"))
    strip(steered).addEmpty("control", "canny")
    until(lambda: len(shown_cards(steered)) == 2)
    QTest.qWait(50)
    steered.click(shown_cards(steered)[1])
    steered.key(Qt.Key_S)
    until(
        lambda: any(accessible(item, "name") == "Low threshold" and "Slider" in item.metaObject().className() for item in items(steered.window.contentItem()))
    )
    slider = steered.item("Low threshold", "Slider")
    slider.forceActiveFocus()
    steered.key(Qt.Key_Right)
    assert dict(strip(steered).cards[1].settings) == {"type": "canny", "threshold_a": 0.41}
    steered.key(Qt.Key_Escape)
    until(lambda: accessible(steered.window.activeFocusItem(), "role") is not None, "the focus back")

    steered.click(shown_cards(steered)[1])
    steered.key(Qt.Key_R)
    until(lambda: steered.painter.submits, "the job")
    sent = steered.painter.submits[0]
    assert sent.kind == "annotate"
    assert (sent.params["preprocessor"], sent.params["threshold_a"], sent.params["width"]) == ("canny", 0.41, 64)
    assert sent.blobs[sent.params["image"]] == Path(pictures["red"]).read_bytes()
    assert cell(steered, 1, "busy")
    steered.painter.picture(encoded(scene("white", "circle", "black")))
    steered.painter.finish(artifact="map")
    until(lambda: cell(steered, 1, "hasMap") and not cell(steered, 1, "busy") and not cell(steered, 1, "isStale"), "the map on the card")
    assert steered.studio.outputs.rowCount() == 0, "a map is no output"
    steered.key(Qt.Key_R)
    until(lambda: not cell(steered, 1, "busy"), "nothing to do")
    assert len(steered.painter.submits) == 1

    strip(steered).set(strip(steered).cards[1].id, "threshold_a", "0.5")
    assert cell(steered, 1, "isStale")
    job = generate(steered)
    unit = job.params["control"][0]
    assert (unit["preprocessor"], unit["model"], unit["threshold_a"], unit.get("image", "")) == ("canny", "sd15_canny", 0.5, "")
    painted = Path(pictures["blue"])
    strip(steered).take_painted(strip(steered).cards[1].id, str(painted))
    steered.painter.finish()
    unit = generate(steered).params["control"][0]
    assert unit["preprocessor"] == "none" and steered.painter.submits[-1].blobs[unit["image"]] == painted.read_bytes()


@pytest.mark.rule("D56")
def test_the_menu_of_a_card_does_what_it_says(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"))

    def pick(name: str) -> None:
        shown.click(shown_cards(shown)[0])
        shown.key(Qt.Key_F10, SHIFT)
        until(lambda: any(accessible(item, "name") == name for item in items(shown.window.contentItem())), name)
        QTest.qWait(20)
        shown.click(shown.item(name, "MenuItem"))
        QTest.qWait(20)

    pick("Duplicate")
    until(lambda: len(strip(shown).cards) == 2)
    assert strip(shown).cards[0].files == strip(shown).cards[1].files
    pick("Switch off")
    assert not strip(shown).cards[0].enabled
    pick("Switch on")
    pick("Use as reference") if strip(shown).property("offersReferences") else pick("Use as mask")
    assert strip(shown).cards[0].role != "image"
    pick("Clear")
    assert strip(shown).cards[0].files == ()
    pick("Remove")
    assert len(strip(shown).cards) == 1


@pytest.mark.rule("D55", "D56")
def test_pictures_come_from_the_clipboard_and_go_there(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"))
    shown.click(shown_cards(shown)[0])
    shown.key(Qt.Key_C, CTRL)
    clipboard = QGuiApplication.clipboard()
    until(lambda: clipboard.mimeData().hasUrls() and clipboard.mimeData().hasImage(), "the picture on the clipboard")
    assert clipboard.mimeData().urls()[0].toLocalFile() == pictures["red"]
    clipboard.setImage(QImage(pictures["blue"]))
    shown.key(Qt.Key_V, CTRL)
    until(lambda: len(strip(shown).cards) == 2, "the pasted card")
    pasted = Path(strip(shown).cards[1].file)
    assert pasted.is_file() and pasted.parent.name == "pasted"
    clipboard.clear()


@pytest.mark.rule("D59")
def test_the_part_that_is_painted_is_drawn_and_a_loss_of_detail_is_said(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"), (pictures["mask"], "mask"))
    assert cell(shown, 0, "extent") == []
    shown.studio.parameters.apply({"mask_padding": 8, "mask_blur": 0.0}, "Only masked")
    until(lambda: cell(shown, 0, "extent") == cell(shown, 1, "extent") == [0.25, 0.25, 0.5, 0.5])
    assert cell(shown, 0, "extentWords") == ""
    shown.studio.parameters.apply({"width": 64, "height": 64, "mask_padding": 0}, "Size")
    until(lambda: cell(shown, 1, "extent") == [0.375, 0.375, 0.25, 0.25])


@pytest.mark.rule("D98", "D50")
def test_cards_are_there_again_and_an_image_brings_its_size(shown: OpenWindow, open_window: Open, pictures: dict[str, str]) -> None:
    add(shown, (pictures["wide"], "image"), (pictures["mask"], "mask"))
    form = shown.studio.parameters
    until(lambda: (form.side("width"), form.side("height")) == (128, 64), "the size of the image")
    shown.window.requestActivate()
    shown.click(shown_cards(shown)[0])
    shown.key(Qt.Key_Plus)
    held = strip(shown).cards
    assert held[0].crop.zoom > 1
    shown.close()
    again = open_window()
    assert strip(again).cards == held
    until(lambda: cell(again, 1, "face") != "", "its face")
    assert all(isinstance(card, Card) for card in strip(again).cards)


@pytest.mark.rule("D45", "D56")
def test_a_mask_is_painted_and_the_next_job_inpaints(shown: OpenWindow, pictures: dict[str, str]) -> None:
    add(shown, (pictures["red"], "image"))
    shown.click(shown_cards(shown)[0])
    shown.studio.act("input_add")
    until(lambda: any(accessible(item, "name") == "Mask" for item in items(shown.window.contentItem())), "what can be added")
    QTest.qWait(30)
    shown.click(shown.item("Mask", "Button"))
    until(lambda: any(accessible(item, "name") == "Done" for item in items(shown.window.contentItem())), "the canvas")
    QTest.qWait(100)
    start = QPoint(shown.window.width() // 2 - 60, shown.window.height() // 2)
    QTest.mousePress(shown.window, Qt.LeftButton, NONE, start)
    for step in range(1, 9):
        QTest.mouseMove(shown.window, start + QPoint(8 * step, 2 * step))
    QTest.mouseRelease(shown.window, Qt.LeftButton, NONE, start + QPoint(64, 16))
    shown.click(shown.item("Done", "Button"))
    until(lambda: strip(shown).property("mode") == "Inpainting", "the painted mask on its card")
    sent = generate(shown)
    mask = Image.open(io.BytesIO(sent.blobs[sent.params["mask"]])).convert("L")
    assert mask.size == (64, 64) and mask.getextrema() == (0, 255)
    assert sent.blobs[sent.params["image"]] == Path(pictures["red"]).read_bytes()


@pytest.mark.rule("D64")
def test_regions_follow_the_parts_of_the_prompt(shown: OpenWindow, pictures: dict[str, str]) -> None:
    shown.studio.prompts.setProperty("text", "a hill")
    identity = strip(shown).addEmpty("regions", "")
    strip(shown).take_regions(identity, [pictures["mask"]], pictures["mask"])
    until(lambda: cell(shown, 0, "trouble").startswith("Region 1 has no text"), "the mark of the region")
    shown.studio.prompts.setProperty("text", "a hill AND a red house")
    until(lambda: cell(shown, 0, "trouble") == "", "the mark to go")
    sent = generate(shown)
    assert [sent.blobs[name] for name in sent.params["areas"]] == [Path(pictures["mask"]).read_bytes()]


def test_cards_that_just_fill_the_strip_keep_their_size(shown: OpenWindow, pictures: dict[str, str]) -> None:
    for index in range(7):
        strip(shown).add(pictures[("wide", "red")[index % 2]], "image")
    until(lambda: len(shown_cards(shown)) == 7 and all(card.property("aspect") for card in shown_cards(shown)), "the cards")
    shown.window.resize(1400, 700)
    until(lambda: shown.window.width() == 1400 and shown_cards(shown)[-1].width() > 0)
    QTest.qWait(250)
    extent = shown_cards(shown)[-1].mapToScene(QPointF(shown_cards(shown)[-1].width(), 0)).x()
    heights = {card.height() for card in shown_cards(shown)}
    # Around the width at which a bar is needed, a bar that took room of the cards would make them narrow enough to need none.
    listed = shown.item("Inputs")
    spare = listed.mapToScene(QPointF(listed.width(), 0)).x() - extent
    for width in range(int(1400 - spare) - 60, int(1400 - spare) + 60, 4):
        shown.window.resize(width, 700)
        QTest.qWait(3)
        heights |= {card.height() for card in shown_cards(shown)}
    assert len(heights) == 1


def test_a_duplicate_of_a_painted_card_has_a_canvas_of_its_own(shown: OpenWindow, pictures: dict[str, str]) -> None:
    cards = strip(shown)
    first = cards.add(pictures["red"], "image")
    folder = cards.layers(first)
    assert folder is not None
    folder.mkdir(parents=True)
    (folder / "canvas.json").write_text("{}", encoding="utf-8")
    (folder / "flat.png").write_bytes(encoded(scene("red")))
    cards.take_painted(first, str(folder / "flat.png"))
    cards.duplicate(first)
    until(lambda: len(cards.cards) == 2, "the duplicate")
    twin = cards.cards[1]
    other = cards.layers(twin)
    assert other is not None and other != folder and (other / "canvas.json").exists()
    assert Path(twin.painted) == other / "flat.png"
    (folder / "flat.png").write_bytes(encoded(scene("blue")))
    assert Path(twin.painted).read_bytes() == encoded(scene("red"))


def test_another_kind_of_control_shows_its_own_settings_alone(steered: OpenWindow, pictures: dict[str, str]) -> None:
    identity = strip(steered).add(pictures["red"], "control")
    until(lambda: len(shown_cards(steered)) == 1 and shown_cards(steered)[0].property("hasSettings"), "the card")
    steered.click(shown_cards(steered)[0])
    steered.key(Qt.Key_S)
    until(lambda: any(accessible(item, "name") == "Settings of the control" for item in items(steered.window.contentItem())), "the settings")
    QTest.qWait(50)
    before = len(strip(steered).settings(identity))
    strip(steered).set(identity, "type", "qr")
    assert len(strip(steered).settings(identity)) < before, "the thresholds are Canny's"
    QTest.qWait(50)
    focused = steered.window.activeFocusItem()
    assert focused is not None and focused.isVisible()
