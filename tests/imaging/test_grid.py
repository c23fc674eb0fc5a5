"""The sheet of a grid: labels whole and inside, pictures in their places, failures marked, and splitting."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from sfumato.imaging.grid import EMPTY, FAILED, PAPER, Layout, Style, blank, layouts, mark_failed, put_pictures, style_for, tiles_of, wrapped

FONT = Path(__file__).resolve().parents[2] / "qml" / "fonts" / "Inter-400.ttf"


def sheet_of(columns: list[str], rows: list[str], heading: str = "", cell: tuple[int, int] = (64, 64)) -> tuple[Layout, Image.Image]:
    [layout] = layouts(columns, rows, heading, cell, style_for(FONT, cell))
    return layout, blank(layout)


def written(sheet: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """Where in a box something is written."""
    part = sheet.crop(box)
    return ImageChops.difference(part, Image.new("RGB", part.size, PAPER)).getbbox()


@pytest.mark.rule("D107")
def test_long_labels_are_wrapped_and_every_letter_is_inside_its_head() -> None:
    long = "a very long label of many words and oneverylongwordthatnolinecanholdatall"
    layout, sheet = sheet_of([long, "short"], [long, "x"], f"Model: {long}")
    assert sheet.size == layout.size
    for number in range(2):
        left, _ = layout.place(number, 0)
        found = written(sheet, (left, layout.title_height, left + 64, layout.title_height + layout.top_head))
        assert found is not None and found[1] > 0 and found[3] < layout.top_head and found[0] >= 0 and found[2] <= 64
        # Between the columns nothing is written: no label reaches over.
        assert written(sheet, (left - layout.style.gap, layout.title_height, left, layout.title_height + layout.top_head)) is None
        _, upper = layout.place(0, number)
        found = written(sheet, (0, upper, layout.side_head, upper + layout.row_heights[number]))
        assert found is not None and found[0] > 0 and found[2] < layout.side_head
    assert layout.row_heights[0] > 64 == layout.row_heights[1]
    assert "".join(wrapped(long, layout.style, 62)).replace(" ", "") == long.replace(" ", "")
    assert all(layout.style.font.getlength(line) <= 62 for line in wrapped(long, layout.style, 62))


@pytest.mark.rule("D107")
def test_pictures_stand_in_their_cells_and_a_failed_one_is_marked() -> None:
    layout, sheet = sheet_of(["1", "2"], ["a", "b"])
    put_pictures(sheet, layout, 1, 0, [Image.new("RGB", (64, 64), "red")], 1)
    mark_failed(sheet, layout, 0, 1, "Not enough memory.")
    x, y = layout.place(1, 0)
    assert sheet.crop((x, y, x + 64, y + 64)).getcolors() == [(64 * 64, (255, 0, 0))]
    x, y = layout.place(0, 0)
    assert sheet.crop((x, y, x + 64, y + 64)).getcolors() == [(64 * 64, tuple(int(EMPTY[i : i + 2], 16) for i in (1, 3, 5)))]
    x, y = layout.place(0, 1)
    assert sheet.getpixel((x, y)) == tuple(int(FAILED[i : i + 2], 16) for i in (1, 3, 5))
    assert len(sheet.crop((x + 4, y + 4, x + 60, y + 60)).getcolors() or ()) > 2


@pytest.mark.rule("D106")
def test_a_cell_tiles_its_batch() -> None:
    assert [tiles_of(count) for count in (1, 2, 3, 4, 5, 9)] == [(1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 3)]
    layout, sheet = sheet_of([""], [""], cell=(128, 64))
    put_pictures(sheet, layout, 0, 0, [Image.new("RGB", (64, 64), "red"), Image.new("RGB", (32, 32), "blue")], 2)
    x, y = layout.place(0, 0)
    assert sheet.getpixel((x + 1, y + 1)) == (255, 0, 0) and sheet.getpixel((x + 126, y + 62)) == (0, 0, 255)


@pytest.mark.rule("D107")
def test_a_sheet_beyond_the_limit_is_split_and_each_part_has_its_heads() -> None:
    style = style_for(FONT, (64, 64))
    parts = layouts([f"c{n}" for n in range(30)], [f"r{n}" for n in range(20)], "", (64, 64), style, limit=600)
    assert all(max(part.size) <= 600 for part in parts)
    covered = [(part.first[0] + x, part.first[1] + y) for part in parts for x in range(len(part.columns)) for y in range(len(part.rows))]
    assert sorted(covered) == sorted((x, y) for x in range(30) for y in range(20))
    assert all(part.columns[0] == f"c{part.first[0]}" and part.side_head and part.top_head for part in parts)
    assert len(layouts(["a"], ["b"], "", (700, 700), style, limit=600)) == 1


def test_letters_grow_with_the_cells() -> None:
    sizes = [style_for(FONT, (side, side)).font.size for side in (64, 512, 2048)]
    assert sizes == sorted(set(sizes)) and isinstance(style_for(FONT, (8, 8)), Style)
