"""Grids of pictures by real keys: setting up axes, the sheet that grows and is saved, failures, restarts, and cells used again."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtTest import QTest

from sfumato.desktop.jobs import Job
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.picture import read_picture
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate
from tests.desktop.conftest import Open
from tests.support.painting import Painter, emerging, encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

CTRL = Qt.ControlModifier


def set_up(window: OpenWindow, *axes: tuple[str, str]) -> None:
    """Open the panel by its key and fill the axes: the parameter by its name, the values by typing."""
    window.key(Qt.Key_G, CTRL)
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "What changes on axis X", "the panel with the focus")
    for letter, (name, values) in zip("XYZ", axes, strict=False):
        chooser = window.item(f"What changes on axis {letter}", "Choice")
        chooser.forceActiveFocus()
        window.type(name)
        window.key(Qt.Key_Return)
        until(lambda letter=letter: window.studio.grid.property("axes")["XYZ".index(letter)]["used"], f"a parameter on {letter}")
        until(lambda letter=letter: window.item(f"Values of axis {letter}"), "the box of values")
        window.item(f"Values of axis {letter}", "TextArea").forceActiveFocus()
        window.type(values)


def start(window: OpenWindow) -> None:
    window.key(Qt.Key_Return, CTRL)
    until(lambda: window.painter.submits, "the first cell at the engine")
    until(lambda: all(job.is_stored for job in cells(window)))


def cells(window: OpenWindow) -> list[Job]:
    return [job for job in window.studio.jobs.rows.all() if job.owner.startswith("grid:")]


def paint(window: OpenWindow, colour: str = "red", pictures: int = 1) -> None:
    """Let the engine paint the cell it has."""
    sent, left = len(window.painter.submits), window.studio.jobs.waiting
    for number in range(pictures):
        window.painter.picture(encoded(scene(colour)), number)
    window.painter.finish()
    until(lambda: len(window.painter.submits) > sent if left else window.studio.jobs.running is None, "the next cell")


def saved(window: OpenWindow, count: int = 1) -> list[Path]:
    folder = window.studio.property("about")["outputs"]
    found: list[Path] = []

    def there() -> bool:
        found[:] = sorted(Path(folder, "grid").glob("*.png"))
        return len(found) >= count

    until(there, "the sheet")
    return found


@pytest.mark.rule("D103", "D106", "D107")
def test_a_grid_set_up_by_keys_becomes_one_labelled_sheet(shown: OpenWindow) -> None:
    shown.studio.prompts.text = "a fox"
    set_up(shown, ("Steps", "10-30(10)"), ("Guidance", "4, 8"))
    grid = shown.studio.grid
    assert grid.property("axes")[0]["chips"] == ["10", "20", "30"]
    assert "6 pictures" in grid.property("summary") and "sheet of" in grid.property("summary")
    start(shown)
    assert [(job.params["steps"], job.params["guidance"]) for job in cells(shown)] == [(10, 4.0), (20, 4.0), (30, 4.0), (10, 8.0), (20, 8.0), (30, 8.0)]
    assert len({job.params["seed"] for job in cells(shown)}) == 1
    shown.painter.stage("denoise", 5, 10, 4.0, (emerging(scene(), 0.5),))
    until(lambda: shown.studio.outputs.property("count") == 1 and shown.studio.outputs.property("shown")["source"], "the sheet that grows")
    for _ in range(6):
        paint(shown)
    [path] = saved(shown)
    until(lambda: shown.studio.outputs.property("shown")["path"] == str(path), "the saved sheet on the strip")
    assert shown.studio.outputs.property("count") == 1
    reading = read_picture(path)
    assert reading.own is None or reading.own["grid"]["axes"][0] == {"name": "steps", "values": ["10", "20", "30"]}
    with Image.open(path) as sheet:
        assert sheet.width > 3 * 64 and sheet.height > 2 * 64
    until(lambda: not list(Path(shown.studio.property("about")["data"], "grids").glob("*")), "nothing left of it in the data folder")


@pytest.mark.rule("D104", "D105")
def test_what_is_wrong_is_said_at_its_field_while_typing(shown: OpenWindow) -> None:
    shown.studio.prompts.text = "a fox"
    set_up(shown, ("Steps", "10, 500"), ("Replace", "wolf, cat"))
    grid = shown.studio.grid
    assert "500: Steps must be between 1 and 150." in grid.property("axes")[0]["problems"]
    until(lambda: shown.item("500: Steps must be between 1 and 150."), "the sentence at the field")
    until(lambda: shown.item("'wolf' does not occur in the prompts; write it as it stands there."), "the other sentence")
    shown.key(Qt.Key_Return, CTRL)
    assert not shown.painter.submits and not shown.studio.jobs.property("busy")
    until(lambda: not shown.item("Make the grid", "Button").isEnabled(), "a button that cannot act")
    grid.swap(0, 1)
    assert [row["kind"] for row in grid.property("axes")] == ["replace", "steps", ""]
    shown.studio.edits.undo()
    assert [row["kind"] for row in grid.property("axes")] == ["steps", "replace", ""]
    shown.studio.edits.undo()
    assert grid.property("axes")[1]["text"] == ""


@pytest.mark.rule("D106")
def test_above_100_cells_it_asks_and_a_cell_holds_its_batch(shown: OpenWindow) -> None:
    set_up(shown, ("Steps", "1-101"))
    shown.studio.parameters.commit("batch_count", "2")
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: shown.item("Make it all", "Button"), "the question")
    assert "202 pictures" in shown.studio.grid.property("summary") and not shown.studio.jobs.property("busy")
    start(shown)
    assert len(cells(shown)) == 101 and cells(shown)[0].expected == 2


@pytest.mark.rule("D107")
def test_a_grid_is_one_row_that_can_be_paused_continued_and_cancelled(shown: OpenWindow) -> None:
    set_up(shown, ("Steps", "10, 20, 30"))
    start(shown)
    listed = shown.studio.queue.property("list")
    assert shown.studio.jobs.rows.count == 3 and listed.property("count") == 1
    shown.studio.prompts.text = "alone"
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: listed.property("count") == 2)
    shown.key(Qt.Key_J, CTRL)
    until(lambda: shown.item("Jobs").hasActiveFocus(), "the list with the focus")
    until(lambda: len(shown.studio.jobs.rows.selected) == 3 and shown.studio.queue.property("chosen") == 1, "all cells chosen with their row")
    shown.key(Qt.Key_Space)
    assert [job.is_held for job in cells(shown)] == [False, True, True]
    paint(shown)
    assert shown.painter.submits[-1].params["prompt"] == "alone"
    paint_last(shown)
    shown.key(Qt.Key_Space)
    until(lambda: shown.painter.submits[-1].params["steps"] == 20, "the next cell")
    shown.key(Qt.Key_Backspace)
    until(lambda: shown.painter.cancels, "the running cell cancelled")
    shown.painter.cancelled()
    saved(shown)
    assert shown.studio.jobs.waiting == 0 and listed.property("count") == 2


def paint_last(window: OpenWindow) -> None:
    window.painter.picture(encoded(scene()))
    window.painter.finish()
    until(lambda: window.studio.jobs.running is None, "the end")


@pytest.mark.rule("D107")
def test_a_failed_cell_is_marked_and_the_rest_goes_on(shown: OpenWindow) -> None:
    set_up(shown, ("Steps", "10, 20"))
    start(shown)
    shown.painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: len(shown.painter.submits) == 2, "the next cell")
    paint(shown)
    [path] = saved(shown)
    with Image.open(path) as sheet:
        assert (179, 38, 30) in {colour for _, colour in sheet.convert("RGB").getcolors(1 << 20) or ()}
    listed = shown.studio.queue.property("list")
    role = next(role for role, name in listed.roleNames().items() if bytes(name) == b"problem")
    until(lambda: listed.data(listed.index(0, 0), role) == "1 cells failed" or "Not enough memory." in str(listed.data(listed.index(0, 0), role)))


@pytest.mark.rule("D107")
def test_a_grid_goes_on_after_a_restart_and_its_sheet_is_whole(open_window: Open, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = open_window(data=data)
    set_up(first, ("Steps", "10, 20, 30"))
    start(first)
    paint(first)
    first.close()
    second = open_window(Painter(), data)
    until(lambda: second.studio.queue.property("restored") == 2, "the cells that wait")
    assert second.studio.grid.property("axes")[0]["text"] == "10, 20, 30"
    until(lambda: second.studio.outputs.property("count") == 1, "the sheet with what was made")
    second.studio.jobs.resume()
    until(lambda: second.painter.submits and second.painter.submits[-1].params["steps"] == 20, "the second cell")
    paint(second)
    paint(second)
    [path] = saved(second)
    with Image.open(path) as sheet:
        reds = sum(count for count, colour in sheet.convert("RGB").getcolors(1 << 20) or () if colour[0] > 150 and colour[1] < 110 and colour[2] < 110)
    with Image.open(io.BytesIO(encoded(scene()))) as one:
        each = sum(count for count, colour in one.convert("RGB").getcolors(1 << 20) or () if colour[0] > 150 and colour[1] < 110 and colour[2] < 110)
    assert reds == 3 * each > 0


def told(params: dict[str, object]) -> bytes:
    """A picture that tells how it was made, as the engine's does."""
    request = validate(Generate, params).model_dump(mode="json")
    own = own_document("generate", request, {"index": 0, "seed": request["seed"], "width": 64, "height": 64}, datetime.now(UTC))
    return encode(scene(), write_infotext(str(params["prompt"]), "", {"Steps": request["steps"], "Seed": request["seed"], "Size": (64, 64)}), own).data


@pytest.mark.rule("M5", "D107")
def test_a_click_on_a_cell_of_the_sheet_offers_its_parameters_and_cells_are_saved_on_demand(shown: OpenWindow) -> None:
    shown.studio.prompts.text = "a fox"
    set_up(shown, ("Steps", "10, 20"), ("Replace", "fox, wolf"))
    shown.studio.grid.setSaveCells(True)
    start(shown)
    for left in (3, 2, 1, 0):
        shown.painter.picture(told(shown.painter.submits[-1].params))
        shown.painter.finish()
        until(lambda left=left: len(shown.painter.submits) == 5 - max(left, 1) and (left or shown.studio.jobs.running is None), "the next cell")
    [path] = saved(shown)
    assert len(list(path.parents[1].glob("txt2img/*.png"))) == 4
    grid = read_picture(path).own["grid"]  # type: ignore[index]  # the cells tell how they were made
    assert [axis["name"] for axis in grid["axes"]] == ["steps", "replace", ""]
    until(lambda: shown.studio.outputs.property("shown")["path"] == str(path), "the sheet on the stage")
    picture = shown.item("Grid: Steps × Replace in the prompt", "Picture")
    until(lambda: picture.property("naturalWidth") == shown.studio.outputs.property("shown")["pictureWidth"], "the sheet drawn")
    factor = picture.property("factor")
    x = (picture.width() - picture.property("paintedWidth")) / 2 + (grid["lefts"][1] + 20) * factor
    y = (picture.height() - picture.property("paintedHeight")) / 2 + (grid["tops"][1] + 20) * factor
    QTest.mouseClick(shown.window, Qt.LeftButton, Qt.NoModifier, picture.mapToScene(QPointF(x, y)).toPoint())
    until(lambda: shown.studio.grid.cells.property("words") == "Steps: 20  ·  wolf", "the cell that was clicked")
    shown.click(shown.item("Use the cell", "Button"))
    until(lambda: offered(shown), "the offer")


def offered(window: OpenWindow) -> bool:
    return any("a wolf" in str(item.property("text")) for item in items(window.window.contentItem()))
