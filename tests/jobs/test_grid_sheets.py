"""Sheets from the cells of a grid: what they tell, cells found again by a click, failures, restarts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.picture import read_picture
from sfumato.jobs.grid_axes import Axis, Resolved, Setting, resolve
from sfumato.jobs.grid_plan import Cell, Plan
from sfumato.jobs.grid_sheets import LiveSheet, cell_at, finished_sheets, sheet_sizes, tile_size
from sfumato.jobs.grid_store import GridRecord, GridStore, owner_of, read_owner
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs, validate

FONT = Path(__file__).resolve().parents[2] / "qml" / "fonts" / "Inter-400.ttf"
PARAMS = {"prompt": "a red fox", "negative": "", "seed": 7, "steps": 25, "guidance": 7.0, "width": 64, "height": 64, "sampler": "Euler"}


def planned(*axes: Axis) -> Plan:
    setting = Setting({spec.name: spec for spec in specs(Generate)}, {}, PARAMS)
    x, y, z = (resolve(axis, setting) for axis in (*axes, *[Axis()] * (3 - len(axes))))
    plan = Plan((x, y, z))
    assert plan.problems == []
    return plan


def painted(params: dict[str, object], colour: str, side: int = 64) -> bytes:
    request = validate(Generate, params)
    own = own_document("generate", request.model_dump(mode="json"), {"index": 0, "seed": 7, "width": side, "height": side}, datetime.now(UTC))
    pairs = {"Steps": request.steps, "CFG scale": request.guidance, "Seed": 7, "Size": (side, side)}
    return encode(Image.new("RGB", (side, side), colour), write_infotext(request.prompt, "", pairs), own).data


def made(tmp_path: Path, plan: Plan, without: tuple[Cell, ...] = (), **values: object) -> tuple[GridRecord, GridStore]:
    store, record = GridStore(tmp_path), GridRecord("abc", plan, dict(PARAMS)).changed(**values)
    store.save(record)
    for cell in plan.cells():
        if cell not in without:
            store.keep("abc", cell, 0, painted(plan.params(cell, PARAMS), "red" if cell.x else "blue"))
    return record, store


@pytest.mark.rule("M5", "D107")
def test_a_sheet_tells_all_axes_and_the_infotext_of_its_first_cell(tmp_path: Path) -> None:
    plan = planned(Axis("steps", "10-20(5)"), Axis("replace", 'fox, "cat, small"'))
    [sheet] = finished_sheets(*made(tmp_path, plan), FONT)
    reading = read_picture(sheet.data)
    assert reading.own is not None and reading.infotext is not None and not reading.warnings
    assert reading.own["grid"]["axes"] == [
        {"name": "steps", "values": ["10", "15", "20"]}, {"name": "replace", "values": ["fox", "cat, small"]}, {"name": "", "values": []},
    ]  # fmt: skip
    assert reading.own["grid"]["cell"] == {"width": 64, "height": 64} and reading.own["request"]["steps"] == 10
    pairs = reading.infotext.pairs
    assert pairs["Script"] == "X/Y/Z plot" and pairs["X Type"] == "Steps" and pairs["X Values"] == "10-20(5)"
    assert pairs["Y Type"] == "Prompt S/R" and pairs["Y Values"] == 'fox, "cat, small"' and pairs["Steps"] == "10"
    assert (reading.width, reading.height) == (sheet.width, sheet.height) == sheet_sizes(plan, (64, 64), 1, FONT)[0]


@pytest.mark.rule("D107")
def test_every_cell_can_be_made_again_from_the_sheet(tmp_path: Path) -> None:
    plan = planned(Axis("steps", "10, 20"), Axis("guidance", "1, 2"), Axis("replace", "red, blue"))
    sheets = list(finished_sheets(*made(tmp_path, plan), FONT))
    assert len(sheets) == 2
    own = read_picture(sheets[1].data).own
    assert own is not None
    grid = own["grid"]
    found = cell_at(grid, grid["lefts"][1] + 3, grid["tops"][0] + 60)
    assert found is not None
    assert found[0] == {**PARAMS, "steps": 20, "guidance": 1.0, "prompt": "a blue fox"} and found[1] == "Steps: 20  ·  Guidance: 1  ·  blue"
    assert cell_at(grid, 0, 0) is None and cell_at({"cell": 3}, 5, 5) is None and cell_at({}, 5, 5) is None


@pytest.mark.rule("D107")
def test_a_failed_cell_is_marked_and_the_others_are_there(tmp_path: Path) -> None:
    plan = planned(Axis("steps", "10, 20"))
    [sheet] = finished_sheets(*made(tmp_path, plan, (Cell(1, 0, 0),), failed={"1-0-0": "Not enough memory."}), FONT)
    own = read_picture(sheet.data).own
    assert own is not None
    (tmp_path / "sheet.png").write_bytes(sheet.data)
    with Image.open(tmp_path / "sheet.png") as opened:
        lefts, [top] = own["grid"]["lefts"], own["grid"]["tops"]
        assert opened.getpixel((lefts[0] + 5, top + 5)) == (0, 0, 255) and opened.getpixel((lefts[1], top)) == (179, 38, 30)


@pytest.mark.rule("D107")
def test_a_grid_is_there_again_after_a_restart_with_what_was_made(tmp_path: Path) -> None:
    plan = planned(Axis("steps", "10, 20, 30"))
    record, store = made(tmp_path, plan, (Cell(2, 0, 0),), is_paused=True, failed={"2-0-0": "No."})
    assert store.load() == [record] and store.made(record) == {Cell(0, 0, 0), Cell(1, 0, 0)}
    (tmp_path / "abc" / "grid.json").write_text('{"axes": 3}')
    assert store.load() == []
    store.forget(["abc"])
    assert not list(tmp_path.iterdir())
    assert read_owner(owner_of("abc", Cell(1, 2, 3))) == ("abc", Cell(1, 2, 3))
    assert [read_owner(text) for text in ("", "grid:", "grid:a/../b:1-1-1", "grid:abc:1-1", "upscale:abc:1-1-1")] == [None] * 5


@pytest.mark.rule("D107")
def test_the_sheet_that_grows_shows_previews_and_survives_what_is_no_picture() -> None:
    plan = planned(Axis("steps", "1-100"), Axis("guidance", "1, 2"))
    record = GridRecord("abc", plan, dict(PARAMS))
    live = LiveSheet(record, tile_size(record, (512, 512)), FONT)
    before = live.shown(0)
    live.put(Cell(0, 0, 0), 0, b"no picture")
    assert live.shown(0) == before
    live.put(Cell(99, 1, 0), 0, painted(PARAMS, "red"))
    assert live.shown(0) != before


@pytest.mark.rule("D106")
def test_the_size_of_a_sheet_knows_the_largest_cell_and_the_batch() -> None:
    plan = planned(Axis("width", "64, 256"), Axis("hr_scale", "1, 2"))
    record = GridRecord("", plan, dict(PARAMS), 4)
    assert tile_size(record, (512, 512)) == (512, 128)
    [(width, height)] = sheet_sizes(plan, (512, 128), 4, FONT)
    assert width > 2 * 1024 and height > 2 * 256
    assert Resolved(Axis(), "").to_json()["values"] == []
