"""The History page as a person uses it: real files, real keys, a real mouse."""

from __future__ import annotations

import json
import os
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.history.history import folder_rows
from sfumato.imaging.picture import read_picture
from sfumato.library.history.scanning import Change, Scanner
from tests.support.history import a_picture
from tests.support.painting import encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

Open = Callable[..., OpenWindow]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six pictures, the newest first: 5, 4, ... 0."""
    for number in range(6):
        a_picture(
            tmp_path / "data/outputs" / ("txt2img" if number % 2 else "img2img") / f"{number}.png",
            1_700_000_000 + number * 100,
            ("teal", "red", "blue", "gold", "green", "pink")[number],
            prompt=f"it's fox {number}" if number % 2 else f'a "hill" {number}',
            steps=20 + number,
            seed=number,
            sampler="Euler",
            model="dream",
        )
    return tmp_path / "data"


def visited(open_window: Open, data: Path) -> OpenWindow:
    window = open_window(data=data)
    window.window.setGeometry(0, 0, 1280, 720)
    window.key(Qt.Key_3, Qt.ControlModifier)
    history = window.studio.history
    until(lambda: not history.property("working") and not history.property("busy") and history.index is not None)
    until(lambda: history.pictures.count == len(list(data.joinpath("outputs").rglob("*.png"))))
    return window


@pytest.fixture
def page(open_window: Open, data: Path) -> OpenWindow:
    return visited(open_window, data)


def names(window: OpenWindow) -> list[str]:
    pictures = window.studio.history.pictures
    until(lambda: all(pictures.cell(number) for number in pictures.numbers))
    return [pictures.cell(number).name for number in pictures.numbers]  # type: ignore[union-attr]


def chosen(window: OpenWindow) -> list[str]:
    pictures = window.studio.history.pictures
    return [pictures.cell(number).name for number in pictures.chosen]  # type: ignore[union-attr]


def cell(window: OpenWindow, words: str) -> QQuickItem:
    def found() -> list[QQuickItem]:
        shown = items(window.window.contentItem())
        return [item for item in shown if words in str(accessible(item, "name") or "") and "HistoryCell" in item.metaObject().className()]

    until(found, f"the cell of '{words}'")
    return found()[0]


def there(window: OpenWindow, name: str, kind: str = "") -> QQuickItem:
    """The item of that name, as soon as it is there."""

    def found() -> list[QQuickItem]:
        return [item for item in items(window.window.contentItem()) if accessible(item, "name") == name and kind in item.metaObject().className()]

    until(found, f"'{name}'")
    return found()[0]


def search(window: OpenWindow, text: str, expected: list[str]) -> None:
    window.key(Qt.Key_F, Qt.ControlModifier)
    window.type(text)
    until(lambda: not window.studio.history.property("busy") and names(window) == expected, f"{expected} for {text}")


@pytest.mark.rule("D124", "D123")
def test_nothing_is_opened_before_the_first_visit(open_window: Open, data: Path) -> None:
    window = open_window(data=data)
    assert window.studio.history.index is None
    assert not (data / "history").exists()
    window.key(Qt.Key_3, Qt.ControlModifier)
    until(lambda: window.studio.history.pictures.count == 6)
    assert names(window) == [f"{number}.png" for number in (5, 4, 3, 2, 1, 0)]
    assert [row["title"] for row in window.studio.history.property("folders")[:4]] == ["All", "Favourites", "Txt2Img", "Img2Img"]


@pytest.mark.rule("D125", "R62", "R63")
def test_a_search_is_typed_and_says_when_it_is_plain_text(page: OpenWindow) -> None:
    search(page, "fox steps>22", ["5.png", "3.png"])
    assert page.studio.history.property("countWords") == "2 pictures"
    page.key(Qt.Key_Escape)  # the suggestions, if there are any
    until(lambda: (page.key(Qt.Key_Escape), page.studio.history.property("text") == "")[1])
    search(page, "it's", ["5.png", "3.png", "1.png"])
    page.studio.history.searchNow('steps:many "')
    until(lambda: not page.studio.history.property("busy") and page.studio.history.pictures.count == 0)
    assert "searched as it stands" in page.studio.history.property("problem")


@pytest.mark.rule("D125")
def test_fields_are_offered_and_taken(page: OpenWindow) -> None:
    until(lambda: page.studio.history.property("facets"))
    page.key(Qt.Key_F, Qt.ControlModifier)
    page.type("mode")
    there(page, "model:")
    page.key(Qt.Key_Down)
    page.key(Qt.Key_Return)
    page.key(Qt.Key_Down)
    page.key(Qt.Key_Return)
    until(lambda: page.studio.history.property("text") == "model:dream")


@pytest.mark.rule("D36", "D127")
def test_pictures_are_rated_marked_and_tagged_by_keys_and_it_can_be_undone(page: OpenWindow, data: Path) -> None:
    page.key(Qt.Key_Right)
    page.key(Qt.Key_4)
    page.key(Qt.Key_F)
    page.key(Qt.Key_T)
    until(there(page, "Tags", "Field").hasActiveFocus)
    page.type("keep, hill")
    page.key(Qt.Key_Return)
    history = page.studio.history
    until(lambda: history.details.property("tags") == ["hill", "keep"])
    until(lambda: history.details.property("shown")["rating"] == 4 and history.details.property("shown")["favourite"])
    kept = data / "history/ratings.json"  # written a moment later, and once for each key

    def opinions() -> list[tuple[object, ...]]:
        return [(told["rating"], told["favourite"], told["tags"]) for told in json.loads(kept.read_text())["pictures"].values()]

    until(lambda: kept.exists() and opinions() == [(4, True, ["keep", "hill"])])
    page.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: history.details.property("tags") == [])
    page.key(Qt.Key_Z, Qt.ControlModifier)
    page.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: history.details.property("shown")["rating"] == 0 and not history.details.property("shown")["favourite"])
    page.key(Qt.Key_Y, Qt.ControlModifier)
    until(lambda: history.details.property("shown")["rating"] == 4)


@pytest.mark.rule("D128")
def test_pictures_are_chosen_by_mouse_and_keys(page: OpenWindow) -> None:
    names(page)
    page.click(cell(page, "hill"))
    assert chosen(page) == ["4.png"]
    middle = cell(page, "fox 1").mapToScene(QPointF(40, 40)).toPoint()
    QTest.mouseClick(page.window, Qt.LeftButton, Qt.ShiftModifier, QPoint(middle.x(), middle.y()))
    assert chosen(page) == ["4.png", "3.png", "2.png", "1.png"]
    middle = cell(page, "fox 3").mapToScene(QPointF(40, 40)).toPoint()
    QTest.mouseClick(page.window, Qt.LeftButton, Qt.ControlModifier, QPoint(middle.x(), middle.y()))
    assert chosen(page) == ["4.png", "2.png", "1.png"]
    page.key(Qt.Key_Home)
    page.key(Qt.Key_Right, Qt.ShiftModifier)
    page.key(Qt.Key_Right, Qt.ShiftModifier)
    assert chosen(page) == ["5.png", "4.png", "3.png"]
    page.key(Qt.Key_End, Qt.ControlModifier)
    assert chosen(page) == ["5.png", "4.png", "3.png", "0.png"]
    page.key(Qt.Key_A, Qt.ControlModifier)
    assert len(chosen(page)) == 6


@pytest.mark.rule("R62", "D128")
def test_the_details_show_prompts_as_written(page: OpenWindow) -> None:
    page.key(Qt.Key_Right)
    rows = page.studio.history.details
    until(lambda: rows.property("rows"))
    told = {row["title"]: row["text"] for row in rows.property("rows")}
    assert told["Prompt"] == "it's fox 5"
    assert told["Steps"] == "25"
    rows.copyAll()
    assert "Prompt: it's fox 5" in QGuiApplication.clipboard().text()
    page.key(Qt.Key_C, Qt.ControlModifier)
    assert [url.fileName() for url in QGuiApplication.clipboard().mimeData().urls()] == ["5.png"]


@pytest.mark.rule("D128")
def test_full_view_goes_through_what_was_found(page: OpenWindow) -> None:
    page.key(Qt.Key_Right)
    page.key(Qt.Key_Return)
    until(there(page, "Full view of 5.png").hasActiveFocus)
    page.key(Qt.Key_Right)
    page.key(Qt.Key_3)
    until(lambda: page.studio.history.details.property("shown")["rating"] == 3)
    assert page.studio.history.details.property("shown")["name"] == "4.png"
    page.key(Qt.Key_Z)
    page.item("100 %")
    page.key(Qt.Key_Escape)
    until(there(page, "Pictures found").hasActiveFocus)


@pytest.mark.rule("D128", "R68")
def test_deleted_pictures_are_in_the_trash_and_come_back(page: OpenWindow, data: Path, said: list[str]) -> None:
    page.key(Qt.Key_Right)
    page.key(Qt.Key_Right, Qt.ShiftModifier)
    page.key(Qt.Key_Delete)
    until(lambda: page.studio.history.pictures.count == 4)
    assert not (data / "outputs/txt2img/5.png").exists() and not (data / "outputs/img2img/4.png").exists()
    page.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: page.studio.history.pictures.count == 6)
    assert (data / "outputs/txt2img/5.png").exists()
    assert names(page)[:2] == ["5.png", "4.png"]
    # Of a machine without a trash, where the data folder's own is used.
    said[:] = [message for message in said if "trash" not in message]


@pytest.mark.rule("D123")
def test_a_picture_in_a_format_of_its_own_is_shown_in_full(open_window: Open, data: Path) -> None:
    Image.new("RGB", (40, 30), "teal").save(data / "outputs/txt2img/z.avif")
    os.utime(data / "outputs/txt2img/z.avif", (1_900_000_000, 1_900_000_000))
    window = open_window(data=data)
    window.key(Qt.Key_3, Qt.ControlModifier)
    until(lambda: window.studio.history.pictures.count == 7)
    names(window)
    window.key(Qt.Key_Right)
    until(lambda: str(window.studio.history.details.property("shown").get("source")).endswith(".frame"))
    window.key(Qt.Key_Return)
    view = there(window, "Full view of z.avif")
    until(lambda: any(item.width() == 40 * 10 or item.property("naturalWidth") == 40 for item in items(view)))


@pytest.mark.rule("D132")
def test_a_folder_that_does_not_answer_does_not_stop_the_page(open_window: Open, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, look = threading.Event(), Scanner.look
    asked: list[str] = []

    def slow(self: Scanner, root: str, *how: Any) -> Change:
        asked.append(root)
        if "network" in root:
            hangs.wait(20)
        return look(self, root, *how)

    monkeypatch.setattr(Scanner, "look", slow)
    window = visited(open_window, data)
    (tmp_path / "network").mkdir()
    assert window.studio.history.addFolder(str(tmp_path / "network")) == ""
    until(lambda: str(tmp_path / "network") in asked)
    a_picture(data / "outputs/txt2img/new.png", 1_800_000_000, prompt="new")
    until(lambda: window.studio.history.pictures.count == 7, "the new picture", 2.0)
    search(window, "fox 5", ["5.png"])
    began = time.monotonic()
    window.close()
    assert time.monotonic() - began < 5
    hangs.set()


@pytest.mark.slow
@pytest.mark.rule("D123", "D130")
def test_two_thousand_files_are_read_once_walked_through_and_searched(open_window: Open, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(2000):
        a_picture(
            data / f"outputs/txt2img/{number % 7}/{number:05}.png",
            1_700_000_000 + number,
            prompt=f"picture {number}" + (" red fox" if number % 500 == 3 else ""),
            seed=number,
        )
    window = open_window(data=data)
    window.key(Qt.Key_3, Qt.ControlModifier)
    history = window.studio.history
    until(lambda: history.pictures.count == 2000 and not history.property("working"), "all of them", 60)
    assert history._follower.opened == 2000  # type: ignore[union-attr]  # counted, not trusted
    window.key(Qt.Key_End)
    until(lambda: history.details.property("shown").get("name") == "00000.png")
    window.key(Qt.Key_Home)
    for _ in range(5):
        window.key(Qt.Key_PageDown)
    assert 40 < history.pictures.property("current") < 400
    search(window, "red fox seed>=1000", ["01503.png", "01003.png"])
    window.close()
    again = open_window(data=data)
    again.key(Qt.Key_3, Qt.ControlModifier)
    until(lambda: again.studio.history.pictures.count == 2000 and not again.studio.history.property("working"))
    assert again.studio.history._follower.opened == 0  # type: ignore[union-attr]


@pytest.mark.rule("D129")
def test_chosen_pictures_are_compared_with_what_differs(page: OpenWindow) -> None:
    names(page)
    page.key(Qt.Key_Right)
    page.key(Qt.Key_Right, Qt.ShiftModifier)
    page.key(Qt.Key_C)
    there(page, "Comparison of 2 pictures")
    until(lambda: page.studio.history.details.property("differences"))
    rows = {row["title"]: row["values"] for row in page.studio.history.details.property("differences")}
    assert rows["Steps"] == ["25", "24"] and "Model" not in rows
    compare = there(page, "Comparison of 2 pictures")
    until(lambda: compare.property("natural").width() == 16)
    page.key(Qt.Key_Z)
    pictures = [item for item in items(compare) if str(accessible(item, "name")).startswith("Picture ")]
    assert len({(round(item.width()), round(item.y())) for item in pictures}) == 1
    page.click(page.item("Slider", "Button"))
    line = there(page, "Line between the two pictures")
    line.forceActiveFocus()
    before = compare.property("split")
    page.key(Qt.Key_Right)
    assert compare.property("split") > before
    page.key(Qt.Key_Escape)
    until(there(page, "Pictures found").hasActiveFocus)


@pytest.mark.rule("D132")
def test_what_other_programs_do_is_followed(page: OpenWindow, data: Path) -> None:
    history = page.studio.history
    a_picture(data / "outputs/txt2img/new.png", 1_800_000_000, prompt="new")
    until(lambda: history.pictures.count == 7, "the new picture", 2.0)
    assert names(page)[0] == "new.png"
    a_picture(data / "outputs/a/b/c/deep.png", 1_800_000_100, prompt="deep")
    until(lambda: history.pictures.count == 8, "the picture of a new folder", 2.0)
    (data / "outputs/txt2img/new.png").unlink()
    until(lambda: any((held := history.pictures.cell(number)) and held.gone for number in history.pictures.numbers), "the vanished picture", 2.0)
    assert history.pictures.count == 8


@pytest.mark.rule("D130", "R126")
def test_a_picture_that_was_just_made_appears_within_half_a_second(page: OpenWindow) -> None:
    history = page.studio.history
    opened = history._follower.opened  # type: ignore[union-attr]  # counted, not trusted
    page.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: page.painter.submits)
    page.painter.picture(encoded(scene()))
    page.painter.finish()
    until(lambda: page.studio.outputs.property("shown").get("state") == "saved")
    until(lambda: history.pictures.count == 7, "the picture", 0.5)
    until(lambda: not history.property("working"))
    assert history._follower.opened - opened == 1  # type: ignore[union-attr]


@pytest.mark.rule("D124")
def test_order_size_and_saved_searches_are_kept(page: OpenWindow, open_window: Open, data: Path) -> None:
    history = page.studio.history
    history.order("name", False)
    until(lambda: names(page) == [f"{number}.png" for number in range(6)])
    page.key(Qt.Key_Equal, Qt.ControlModifier)
    history.searchNow("fox")
    history.save("foxes")
    page.close()
    again = visited(open_window, data)
    until(lambda: names(again) == [f"{number}.png" for number in range(6)])
    assert again.studio.history.property("size") == 220
    assert again.studio.history.property("saved") == [{"name": "foxes", "text": "fox"}]
    again.click(again.item("foxes"))
    until(lambda: again.studio.history.pictures.count == 3)


@pytest.mark.rule("D126")
def test_a_facet_narrows_the_search(page: OpenWindow) -> None:
    until(lambda: page.studio.history.property("facets"))
    page.click(page.item("dream, 6 pictures"))
    until(lambda: page.studio.history.property("text") == "model=dream")
    page.click(page.item("Img2Img, 3 pictures"))
    until(lambda: page.studio.history.pictures.count == 3)


@pytest.mark.rule("D128")
def test_pictures_are_copied_moved_and_bundled(page: OpenWindow, data: Path, tmp_path: Path) -> None:
    history, deeds = page.studio.history, page.studio.history.deeds
    names(page)
    page.key(Qt.Key_Right)
    deeds.copyTo(str(tmp_path / "copies"))
    until(lambda: (tmp_path / "copies/5.png").exists())
    deeds.copyTo(deeds.favouritesFolder())
    until(lambda: history.pictures.count == 7)
    deeds.moveTo(str(data / "outputs/kept"))
    until(lambda: (data / "outputs/kept/5.png").exists() and not (data / "outputs/txt2img/5.png").exists())
    until(lambda: page.studio.edits.property("undoWords") != "")
    page.key(Qt.Key_Z, Qt.ControlModifier)
    until(lambda: (data / "outputs/txt2img/5.png").exists())
    until(lambda: history.pictures.count == 7 and names(page).count("5.png") == 2)
    page.key(Qt.Key_A, Qt.ControlModifier)
    until(lambda: len(chosen(page)) == 7)
    deeds.bundle(str(tmp_path / "told.zip"), True)
    deeds.bundle(str(tmp_path / "silent.zip"), False)
    until(lambda: (tmp_path / "silent.zip").exists())
    with zipfile.ZipFile(tmp_path / "told.zip") as told, zipfile.ZipFile(tmp_path / "silent.zip") as silent:
        assert len(told.namelist()) == len(set(silent.namelist())) == 7
        assert read_picture(told.read("4.png")).fields["prompt"] == 'a "hill" 4'
        assert read_picture(silent.read("4.png")).source == "none"
        with silent.open("4.png") as bare, Image.open(bare) as picture:
            assert picture.convert("RGB").getpixel((3, 3)) == (0, 128, 0)


def test_an_added_folder_is_followed_and_dropped(page: OpenWindow, tmp_path: Path) -> None:
    a_picture(tmp_path / "other/inner/x.png", 1_650_000_000, prompt="other")
    history = page.studio.history
    assert history.addFolder(str(tmp_path / "other")) == ""
    assert "already" in history.addFolder(str(tmp_path / "other/inner"))
    assert "whole path" in history.addFolder("pictures")
    until(lambda: history.pictures.count == 7)
    history.dropFolder(str(tmp_path / "other"))
    until(lambda: history.pictures.count == 6)
    assert (tmp_path / "other/inner/x.png").exists()


def test_an_empty_history_says_what_to_do(open_window: Open, tmp_path: Path) -> None:
    window = open_window(data=tmp_path / "data")
    window.key(Qt.Key_3, Qt.ControlModifier)
    there(window, "No pictures yet")
    window.click(window.item("Add a folder", "Button"))
    until(there(window, "Add a folder", "Field").hasActiveFocus)
    window.type("nowhere")
    window.key(Qt.Key_Return)
    until(lambda: any("whole path" in str(accessible(item, "name")) for item in items(window.window.contentItem())))
    window.key(Qt.Key_Escape)


def test_folders_are_counted_with_what_is_inside() -> None:
    rows = folder_rows([("/o", 1), ("/o/txt2img", 2), ("/o/txt2img/a/b", 3), ("/o/zoo", 1), ("/x/y", 5)], ["/o", "/x"], 4)
    told: list[tuple[Any, ...]] = [(row["title"], row["depth"], row["count"]) for row in rows]
    assert told == [("All", 0, 12), ("Favourites", 0, 4), ("Txt2Img", 0, 5), ("a", 1, 3), ("b", 2, 3), ("zoo", 0, 1), ("x", 0, 5), ("y", 1, 5)]


def test_files_with_odd_names_are_shown_and_handed_out(open_window: Open, tmp_path: Path) -> None:
    a_picture(tmp_path / "data/outputs/t xt/a #%é 'q'.png", prompt="odd")
    window = visited(open_window, tmp_path / "data")
    names(window)
    window.key(Qt.Key_Right)
    [address] = window.studio.history.deeds.addresses()
    assert address.startswith("file:///") and "%23" in address and " " not in address
    assert os.path.exists(window.studio.history.deeds.paths()[0])
