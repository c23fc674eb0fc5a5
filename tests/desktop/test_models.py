"""The Models page in the real window: what a person does with keys and mouse, and what is on the disk afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PyQt5.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt5.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PyQt5.QtTest import QTest

from sfumato.desktop.models import Models
from sfumato.desktop.models.importing import Arrival
from sfumato.library.carrying import carry, copy
from sfumato.protocol.errors import SfumatoError
from tests.desktop.conftest import Open
from tests.support.model_files import write_bomb, write_model
from tests.support.painting import CHOICES, Painter, encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

TENSORS = {"lora_unet_x.lora_down.weight": ("F16", (4, 8)), "lora_unet_x.lora_up.weight": ("F16", (8, 4))}
FAMILIES = {"ink": "SD1", "wide": "SDXL", "plain": ""}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(first: Path, second: Path) -> bool:
    try:
        return digest(first) == digest(second)
    except FileNotFoundError:
        return False


class Room:
    """The window at the Models page, with a few networks on the disk."""

    def __init__(self, opened: OpenWindow, folder: Path) -> None:
        self.opened = opened
        self.folder = folder
        self.models: Models = opened.studio.models
        opened.studio.act("tab_models")
        self.show("loras")
        until(lambda: self.models.shelf.count > 0 and not self.models.busy, "the cards")

    def show(self, category: str) -> None:
        self.models.showCategory(category)
        self.models.showFolder("")

    def names(self) -> list[str]:
        return [row.name for row in self.models.shelf.rows]

    def pick(self, name: str) -> None:
        """Click a card."""
        until(lambda: name in self.names() and self.has(name), name)
        self.opened.click(self.opened.item(name, "ModelCard"))
        until(lambda: self.models.current.endswith(f"{name}.safetensors") or name in self.models.current, name)

    def has(self, name: str) -> bool:
        return any(accessible(item, "name") == name for item in items(self.opened.window.contentItem()))

    def settle(self, done: Callable[[], object], what: str) -> None:
        until(done, what)


@pytest.fixture
def lora_files(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "models" / "loras"
    for name, family in FAMILIES.items():
        write_model(folder / f"{name}.safetensors", TENSORS, {"modelspec.trigger_phrase": f"{name} words"} if family else None)
    (folder / "ink.preview.png").write_bytes(encoded(scene()))
    (folder / "ink.txt").write_text("Wet paper. <script>x</script>", encoding="utf-8")
    return folder


@pytest.fixture
def room(open_window: Open, lora_files: Path) -> Room:
    return Room(open_window(painter(lora_files)), lora_files)


def painter(folder: Path) -> Painter:
    rows = [
        {"value": name, "label": name, "path": str(folder / f"{name}.safetensors"), "family": family, "kind": "LoRA", "state": "ready"}
        for name, family in FAMILIES.items()
    ]
    return Painter({**CHOICES, "loras": rows})


@pytest.mark.rule("D108", "D109", "D22")
def test_the_page_lists_cards_by_category_and_says_what_they_are(room: Room) -> None:
    assert "sfumato-hourglass" in room.names()  # of the program's own folder
    room.opened.item("LoRAs", "Line")
    room.pick("ink")
    until(lambda: room.models.details.get("facts") and room.models.details["preview"], "the details")
    assert {fact["name"]: fact["value"] for fact in room.models.details["facts"]}["Precision"] == "FP16"
    assert room.models.details["words"] == ["ink words"]
    assert "<script" not in room.models.details["description"] and "Wet paper." in room.models.details["description"]
    room.opened.click(room.opened.item("Upscalers"))
    until(lambda: room.models.category == "upscalers", "the upscalers")


@pytest.mark.rule("D108", "R63")
def test_R63_typing_searches_and_escape_shows_everything_again(room: Room) -> None:
    room.opened.key(Qt.Key_F, Qt.ControlModifier)
    until(lambda: room.opened.window.activeFocusItem().property("placeholderText"), "the search field")
    room.opened.type("ink;wet")
    until(lambda: room.names() == ["ink"], "the match")
    room.opened.type("'%\"")
    until(lambda: room.names() == [], "no match")
    assert "matches" in room.models.emptyWords
    room.opened.key(Qt.Key_Escape)
    until(lambda: "plain" in room.names(), "everything")


@pytest.mark.rule("D114", "R52")
def test_F6_renames_the_file_with_what_belongs_to_it_and_undo_takes_it_back(room: Room) -> None:
    before = digest(room.folder / "ink.safetensors")
    room.pick("ink")
    room.models.toggleFavourite()
    room.opened.key(Qt.Key_F6)
    until(lambda: room.opened.window.activeFocusItem().property("text") == "ink", "the name's field")
    room.opened.type("wash.v2")
    room.opened.key(Qt.Key_Return)
    new = room.folder / "wash.v2.safetensors"
    until(lambda: new.exists() and "wash.v2" in room.names(), "the new name")
    assert digest(new) == before and (room.folder / "wash.v2.preview.png").exists() and (room.folder / "wash.v2.txt").exists()
    until(lambda: room.models.current == str(new), "the choice to follow")
    assert room.models.details["favourite"]
    room.opened.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: (room.folder / "ink.safetensors").exists() and "ink" in room.names(), "the old name")
    assert digest(room.folder / "ink.safetensors") == before and not new.exists()
    room.opened.key(Qt.Key_Y, Qt.ControlModifier)
    until(lambda: new.exists() and "wash.v2" in room.names(), "the new name again")


@pytest.mark.slow
@pytest.mark.rule("D114")
def test_a_checkpoint_that_is_renamed_stays_chosen(room: Room, tmp_path: Path) -> None:
    file = write_model(tmp_path / "data" / "models" / "checkpoints" / "first.safetensors", {"model.diffusion_model.x": ("F16", (2, 2))})
    room.show("checkpoints")
    room.pick("first")
    room.opened.key(Qt.Key_Return)
    until(lambda: room.opened.studio.parameters.value("model") == "first", "the checkpoint")
    room.models.rename("second")
    until(lambda: room.opened.studio.parameters.value("model") == "second", "the new name")
    room.opened.studio.act("undo")
    until(lambda: room.opened.studio.parameters.value("model") == "first" and file.exists(), "the old name")


@pytest.mark.slow
def test_escape_leaves_the_name_as_it_was(room: Room) -> None:
    room.pick("ink")
    room.opened.key(Qt.Key_F6)
    until(lambda: room.opened.window.activeFocusItem().property("text") == "ink", "the name's field")
    room.opened.type("other")
    room.opened.key(Qt.Key_Escape)
    QTest.qWait(30)
    assert (room.folder / "ink.safetensors").exists()
    assert room.opened.studio.edits.undoWords == ""


@pytest.mark.rule("D115", "R54")
def test_R54_delete_asks_once_several_go_to_the_trash_and_undo_brings_them_back(room: Room) -> None:
    before = {name: digest(room.folder / f"{name}.safetensors") for name in ("ink", "plain")}
    room.pick("ink")
    card = room.opened.item("plain", "ModelCard")
    middle = card.mapToScene(QPointF(card.width() / 2, card.height() / 3)).toPoint()
    QTest.mouseClick(room.opened.window, Qt.LeftButton, Qt.ControlModifier, QPoint(middle.x(), middle.y()))
    until(lambda: room.models.chosenCount == 2, "two chosen")
    room.opened.key(Qt.Key_Delete)
    until(lambda: "2 models" in room.models.asking.words, "the question")
    room.opened.key(Qt.Key_Escape)
    until(lambda: room.models.asking.words == "", "no question")
    assert (room.folder / "ink.safetensors").exists()
    room.opened.key(Qt.Key_Delete)
    until(lambda: room.models.asking.words, "the question again")
    room.opened.key(Qt.Key_Return)
    until(lambda: "ink" not in room.names() and "plain" not in room.names(), "an emptier page")
    assert not list(room.folder.glob("ink*"))
    room.opened.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: "ink" in room.names() and "plain" in room.names(), "both again")
    assert {name: digest(room.folder / f"{name}.safetensors") for name in before} == before
    assert (room.folder / "ink.preview.png").exists()


@pytest.mark.rule("D111")
def test_using_a_network_writes_its_tag_and_a_second_time_takes_it_out(room: Room) -> None:
    room.pick("plain")
    room.opened.key(Qt.Key_Return)
    until(lambda: room.opened.studio.prompts.text == "<lora:plain:1>", "the tag")
    until(lambda: room.models.details.get("active"), "the mark")
    card = room.opened.item("plain", "ModelCard")
    assert "in use" in str(accessible(card, "description"))
    middle = card.mapToScene(QPointF(card.width() / 2, card.height() / 3)).toPoint()
    QTest.mouseDClick(room.opened.window, Qt.LeftButton, Qt.NoModifier, QPoint(middle.x(), middle.y()))
    until(lambda: room.opened.studio.prompts.text == "", "no tag")


@pytest.mark.slow
@pytest.mark.rule("D111")
def test_using_a_checkpoint_chooses_it(room: Room, tmp_path: Path) -> None:
    write_model(tmp_path / "data" / "models" / "checkpoints" / "landscape-v2.safetensors", {"model.diffusion_model.x": ("F16", (2, 2))})
    room.show("checkpoints")
    room.pick("landscape-v2")
    room.opened.key(Qt.Key_Return)
    until(lambda: room.opened.studio.parameters.value("model") == "landscape-v2", "the checkpoint")
    until(lambda: room.models.details.get("active"), "the mark")


@pytest.mark.slow
@pytest.mark.rule("D111")
def test_an_embedding_of_a_negative_folder_goes_into_the_negative_prompt(room: Room, tmp_path: Path) -> None:
    write_model(tmp_path / "data" / "models" / "embeddings" / "Negative" / "blurry.safetensors", {"emb_params": ("F16", (2, 768))})
    write_model(tmp_path / "data" / "models" / "embeddings" / "good.safetensors", {"emb_params": ("F16", (2, 768))})
    room.show("embeddings")
    room.pick("blurry")
    room.opened.key(Qt.Key_Return)
    until(lambda: room.opened.studio.prompts.negative == "blurry", "the negative prompt")
    room.pick("good")
    room.opened.key(Qt.Key_Return)
    until(lambda: room.opened.studio.prompts.text == "good", "the prompt")


@pytest.mark.rule("D111", "R142")
def test_R142_networks_of_another_family_are_hidden_and_dimmed(room: Room) -> None:
    until(lambda: room.models.family == "SD1", "the checkpoint's family")
    until(lambda: "wide" not in room.names() and room.models.hidden == 1, "the other family to go")
    room.opened.click(room.opened.item("Compatible only"))
    until(lambda: "wide" in room.names(), "every family")
    shelf = room.models.shelf
    dim = next(role for role, name in shelf.roleNames().items() if name == b"dim")
    assert [shelf.index(row).data(dim) for row in (shelf.index_of(str(room.folder / f"{name}.safetensors")) for name in ("wide", "ink"))] == [True, False]


@pytest.mark.rule("D122")
def test_a_file_that_comes_appears_by_itself_also_one_that_grows(room: Room) -> None:
    data = (room.folder / "ink.safetensors").read_bytes()
    looks = room.opened.painter.looks
    late = room.folder / "late.safetensors"
    late.write_bytes(data[:40])
    until(lambda: "late" in room.names(), "the new card", 2.0)
    late.write_bytes(data)
    until(lambda: next(row for row in room.models.shelf.rows if row.name == "late").reason == "", "the whole file", 3.0)
    until(lambda: room.opened.painter.looks > looks, "the engine to look as well")
    late.unlink()
    until(lambda: "late" not in room.names(), "the card to go", 2.0)


def drop(room: Room, item_name: str, kind: str, *files: Path) -> None:
    """Let files fall on an item, as another program does."""
    item = room.opened.item(item_name, kind)
    place = item.mapToScene(QPointF(item.width() / 2, item.height() / 3)).toPoint()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    arguments = (Qt.CopyAction | Qt.MoveAction, data, Qt.LeftButton, Qt.NoModifier)
    QGuiApplication.sendEvent(room.opened.window, QDragEnterEvent(place, *arguments))
    QGuiApplication.sendEvent(room.opened.window, QDropEvent(QPointF(place), *arguments))


@pytest.mark.rule("D113")
def test_a_picture_dropped_on_a_card_becomes_its_picture(room: Room, tmp_path: Path) -> None:
    picture = tmp_path / "given.png"
    picture.write_bytes(encoded(scene("blue")))
    until(lambda: room.has("plain"), "the card")
    drop(room, "plain", "ModelCard", picture)
    preview = room.folder / "plain.preview.png"
    until(preview.exists, "the picture")
    assert digest(preview) == digest(picture)
    until(lambda: room.models.details.get("preview") == str(preview), "the card to show it")
    room.opened.studio.act("undo")
    until(lambda: not preview.exists(), "no picture")


@pytest.mark.slow
@pytest.mark.rule("D31")
def test_a_model_dropped_on_the_page_is_filed_by_its_header_after_asking(room: Room, tmp_path: Path) -> None:
    # Given a checkpoint that is dropped while LoRAs are shown
    source = write_model(tmp_path / "elsewhere" / "big.safetensors", {"model.diffusion_model.input_blocks.0.0.weight": ("F16", (4, 4))})
    drop(room, "Models", "GridView", source)
    until(lambda: "checkpoints" in room.models.asking.words, "the question")
    # When it is copied
    room.opened.key(Qt.Key_Return)
    target = tmp_path / "data" / "models" / "checkpoints" / "big.safetensors"
    until(target.exists, "the copy")
    assert digest(target) == digest(source)
    # Then a second time the page says that the name is taken, and the old file goes to the trash
    write_model(source, {"model.diffusion_model.input_blocks.0.0.weight": ("F16", (8, 8))})
    drop(room, "Models", "GridView", source)
    until(lambda: "is there already" in room.models.asking.words, "the question")
    room.opened.key(Qt.Key_Return)
    until(lambda: target.exists() and not room.models.asking.words and same(target, source), "the new file")


@pytest.mark.rule("D113")
def test_a_card_dragged_to_a_folder_moves_after_asking(room: Room) -> None:
    write_model(room.folder / "style" / "other.safetensors", TENSORS)
    until(lambda: room.has("style") and not room.models.busy, "the folder")
    room.pick("plain")  # the pane is there, and nothing moves any more
    until(lambda: room.models.details, "the pane")
    QTest.qWait(QGuiApplication.styleHints().mouseDoubleClickInterval() + 50)  # else the press is the second of a double click
    window = room.opened.window
    card, folder = room.opened.item("plain", "ModelCard"), room.opened.item("style", "Line")
    start = card.mapToScene(QPointF(card.width() / 2, card.height() / 3)).toPoint()
    end = folder.mapToScene(QPointF(folder.width() / 2, folder.height() / 2)).toPoint()
    QTest.mousePress(window, Qt.LeftButton, Qt.NoModifier, start)
    for step in range(1, 9):
        QTest.mouseMove(window, start + (end - start) * step / 8)
        QTest.qWait(5)
    QTest.mouseRelease(window, Qt.LeftButton, Qt.NoModifier, end)
    until(lambda: "'plain.safetensors' to 'style'" in room.models.asking.words, "the question")
    assert (room.folder / "plain.safetensors").exists()
    room.opened.key(Qt.Key_Return)
    until((room.folder / "style" / "plain.safetensors").exists, "the move")
    room.opened.key(Qt.Key_Z, Qt.ControlModifier)
    until((room.folder / "plain.safetensors").exists, "the way back")


@pytest.mark.slow
@pytest.mark.rule("D113")
def test_an_edit_is_written_beside_the_file_and_undone(room: Room) -> None:
    room.pick("plain")
    room.models.edit({"description": "Fine lines", "words": "thin, line", "tags": "pen", "weight": "0,7"})
    file = room.folder / "plain.json"
    until(file.exists, "the note")
    assert json.loads(file.read_text(encoding="utf-8"))["preferred weight"] == 0.7
    until(lambda: room.models.details.get("words") == ["thin", "line"], "the words")
    until(lambda: room.has("thin"), "the trigger word's chip")
    room.opened.click(room.opened.item("thin"))
    until(lambda: room.opened.studio.prompts.text == "thin", "the trigger word")
    room.opened.studio.act("undo")
    until(lambda: not file.exists(), "no note")


@pytest.mark.slow
@pytest.mark.rule("R112", "D110")
def test_R112_a_link_is_asked_about_and_anything_but_a_page_does_nothing(room: Room) -> None:
    for address in ("file:///etc/passwd", "javascript:alert(1)", "sfumato:?endpoint=x", "data:text/html,x"):
        room.models.askLink(address)
        assert room.models.asking.words == ""
    room.models.askLink("https://example.org/page")
    assert "https://example.org/page" in room.models.asking.words
    room.models.asking.give(-1)


@pytest.mark.rule("D117", "R98")
def test_a_pickle_offers_conversion_and_is_never_used(room: Room, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    write_bomb(room.folder / "old.pt", marker)
    room.pick("old")
    room.opened.key(Qt.Key_Return)
    until(lambda: "Convert 'old.pt'" in room.models.asking.words, "the question")
    room.opened.key(Qt.Key_Return)
    until(lambda: any(submit.kind == "convert" and submit.params == {"file": "loras/old.pt"} for submit in room.opened.painter.submits), "the job")
    assert room.opened.studio.prompts.text == "" and not marker.exists()
    room.opened.painter.fail("conversion_refused", "'old.pt' was not converted.")
    until(lambda: "not converted" in room.opened.studio.notices.property("sentence"), "the reason")


@pytest.mark.slow
@pytest.mark.rule("D118")
def test_the_checksum_is_computed_copied_and_kept(room: Room) -> None:
    room.pick("ink")
    room.models.copyHash()
    until(lambda: QGuiApplication.clipboard().text() == digest(room.folder / "ink.safetensors"), "the checksum")
    until(lambda: any(fact["name"] == "Checksum" for fact in room.models.details["facts"]), "the line")
    write_model(room.folder / "twin.safetensors", TENSORS, {"modelspec.trigger_phrase": "ink words"})
    until(lambda: "twin" in room.names(), "the twin")
    room.models.findDuplicates()
    until(lambda: "2 times" in room.opened.studio.notices.property("sentence"), "the duplicates")


@pytest.mark.slow
@pytest.mark.rule("D108")
def test_keys_walk_zoom_and_switch_to_text(room: Room) -> None:
    room.pick("ink")
    room.opened.key(Qt.Key_Right)
    until(lambda: room.models.currentIndex == room.models.shelf.index_of(str(room.folder / "ink.safetensors")) + 1, "the next card")
    size = room.models.cardSize
    room.opened.key(Qt.Key_Equal, Qt.ControlModifier)
    assert 150 <= size < room.models.cardSize <= 450
    QTest.keyPress(room.opened.window, Qt.Key_Shift)
    QTest.keyRelease(room.opened.window, Qt.Key_Shift)
    until(lambda: room.models.textOnly, "lines of text")
    room.opened.key(Qt.Key_F)
    until(lambda: room.models.details["favourite"], "the mark")
    room.show("favourites")
    until(lambda: len(room.names()) == 1, "the favourite")


@pytest.mark.slow
def test_the_page_is_as_it_was_after_a_restart(room: Room, open_window: Open) -> None:
    room.models.sort("size")
    room.models.zoom(1)
    size = room.models.cardSize
    room.opened.close()
    again: Any = open_window(painter(room.folder)).studio.models
    assert (again.category, again.order, again.cardSize) == ("loras", "size", size)


@pytest.mark.rule("D119")
def test_the_inspector_opens_finds_copies_and_inserts(room: Room) -> None:
    metadata = {"nested": json.dumps({"deep": {"needle": [1, 2, 3]}}), "ss_tag_frequency": json.dumps({"a": {"red circle": 7, "white": 2}})}
    write_model(room.folder / "told.safetensors", TENSORS, metadata)
    room.pick("told")
    room.models.inspect()
    tree = room.models.inspector
    until(lambda: tree.rowCount() > 2 and tree.property("tags"), "the tree")
    room.opened.type("needle")
    until(lambda: tree.property("foundCount") == 1, "the place")
    room.opened.click(room.opened.item("Copy all"))
    until(lambda: "needle" in QGuiApplication.clipboard().text(), "the copy")
    room.opened.click(room.opened.item("Tags"))
    until(lambda: room.has("red circle"), "the tags")
    room.opened.click(room.opened.item("Insert red circle"))
    until(lambda: room.opened.studio.prompts.text == "red circle", "the tag in the prompt")
    room.opened.key(Qt.Key_Escape)
    until(lambda: tree.property("path") == "", "the inspector to close")


@pytest.mark.rule("D30", "D32")
def test_an_import_that_is_undone_and_made_again_is_one_step(room: Room, tmp_path: Path) -> None:
    source, target = tmp_path / "new.safetensors", room.folder / "ink.safetensors"
    write_model(source, TENSORS, {"modelspec.title": "new"})
    old, edits = digest(target), room.opened.studio.edits
    room.models._importing._bring([Arrival(source, target, True)], copy)
    until(lambda: edits.undoWords.startswith("Import"), "the step")
    for _ in range(2):
        edits.undo()
        until(lambda: target.exists() and digest(target) == old, "the old file")
        assert not edits.undoWords
        edits.redo()
        until(lambda: target.exists() and same(target, source), "the new file")
    edits.undo()
    until(lambda: target.exists() and digest(target) == old, "the old file")


def test_of_files_that_cannot_all_come_none_comes_and_nothing_is_replaced(room: Room, tmp_path: Path) -> None:
    source, target = tmp_path / "new.safetensors", room.folder / "ink.safetensors"
    write_model(source, TENSORS, {"modelspec.title": "new"})
    old, kept = digest(target), digest(source)
    absent = Arrival(tmp_path / "absent.safetensors", room.folder / "absent.safetensors", False)
    with pytest.raises(SfumatoError):
        room.models._importing._brought([Arrival(source, target, True), absent], carry)
    assert (digest(target), digest(source)) == (old, kept)


@pytest.mark.rule("D113")
def test_undo_of_a_new_picture_brings_back_the_one_of_another_kind(room: Room, tmp_path: Path) -> None:
    picture, before = tmp_path / "given.webp", room.folder / "ink.preview.png"
    Image.new("RGB", (8, 8), "blue").save(picture)
    was, row = digest(before), next(row for row in room.models.shelf.rows if row.name == "ink")
    room.models._changes.set_preview(row, picture)
    after = room.folder / "ink.preview.webp"
    until(lambda: room.opened.studio.edits.undoWords.startswith("Set the picture"), "the step")
    assert after.exists() and not before.exists()
    room.opened.studio.edits.undo()
    until(lambda: before.exists() and not after.exists(), "the older picture")
    assert digest(before) == was
    room.opened.studio.edits.redo()
    until(lambda: after.exists() and not before.exists(), "the new picture")
