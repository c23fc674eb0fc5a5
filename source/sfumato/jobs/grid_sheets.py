"""The sheets of a grid from the pictures of its cells: a small one while it is painted, and the whole ones with everything that tells how they were made."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sfumato.imaging.document import grid_of
from sfumato.imaging.encoding import encode
from sfumato.imaging.grid import Layout, blank, layouts, mark_failed, put_pictures, style_for, tiles_of
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.picture import Reading, read_picture
from sfumato.jobs.grid_axes import MATRIX, NETWORK, NONE, ORDER, REPLACE, STYLE, Resolved
from sfumato.jobs.grid_plan import NAMES, Cell, Plan
from sfumato.jobs.grid_store import GridRecord, GridStore, name_of
from sfumato.jobs.grid_values import quoted

# A sheet that is only looked at while it grows.
LIVE_SIDE = 2048
LIVE_CELL_LEAST, LIVE_CELL_MOST = 24, 512
SCRIPT = "X/Y/Z plot"
# What AUTOMATIC1111 calls the axes it has too.
_THEIR_NAMES = {
    REPLACE: "Prompt S/R", ORDER: "Prompt order", STYLE: "Styles", MATRIX: "Prompt matrix", "model": "Checkpoint name", "guidance": "CFG Scale", "seed": "Seed",
    "steps": "Steps", "sampler": "Sampler", "schedule": "Schedule type", "strength": "Denoising", "vae": "VAE", "clip_skip": "Clip skip", "eta": "Eta",
    "variation_seed": "Var. seed", "variation_strength": "Var. strength", "hr_upscaler": "Hires upscaler", "hr_steps": "Hires steps",
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A finished sheet: the bytes of its file and its size in pixels."""

    data: bytes
    width: int
    height: int


def headings(plan: Plan) -> list[str]:
    return plan.labels()[2]


def tile_size(record: GridRecord, usual: tuple[int, int]) -> tuple[int, int]:
    """The largest picture of any cell as far as the jobs tell; `usual` is the size where a job does not name one."""
    sizes: list[tuple[int, int]] = []
    for cell in corners(record.plan):
        params = record.plan.params(cell, record.params)
        width, height = int(params.get("width") or usual[0]), int(params.get("height") or usual[1])
        scale = float(params.get("hr_scale") or 1)
        sizes.append((int(params.get("hr_width") or round(width * scale)), int(params.get("hr_height") or round(height * scale))))
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def corners(plan: Plan) -> list[Cell]:
    """A cell for each value of each axis: what the largest of anything is found among, unless two axes multiply it."""
    x, y, z = plan.shape
    if plan.count <= 400:
        return plan.cells()
    return [*(Cell(n, y - 1, z - 1) for n in range(x)), *(Cell(x - 1, n, z - 1) for n in range(y)), *(Cell(x - 1, y - 1, n) for n in range(z))]


def cell_size(tile: tuple[int, int], pictures: int) -> tuple[int, int]:
    columns, rows = tiles_of(pictures)
    return tile[0] * columns, tile[1] * rows


def sheet_sizes(plan: Plan, tile: tuple[int, int], pictures: int, font: Path) -> list[tuple[int, int]]:
    """The size of each sheet that a grid will have."""
    columns, rows, sheets = plan.labels()
    cell = cell_size(tile, pictures)
    return [part.size for heading in sheets for part in layouts(columns, rows, heading, cell, style_for(font, cell))]


class LiveSheet:
    """The sheets while they are painted, small enough to be shown again and again. One thread at a time."""

    def __init__(self, record: GridRecord, tile: tuple[int, int], font: Path) -> None:
        columns, rows, self._headings = record.plan.labels()
        whole = cell_size(tile, record.pictures)
        share = min(1.0, LIVE_SIDE / (len(columns) * whole[0]), LIVE_SIDE / (len(rows) * whole[1]), LIVE_CELL_MOST / max(whole))
        cell = max(LIVE_CELL_LEAST, round(whole[0] * share)), max(LIVE_CELL_LEAST, round(whole[1] * share))
        self._record, self._style = record, style_for(font, cell)
        self._layouts = [layouts(columns, rows, heading, cell, self._style, 10**9)[0] for heading in self._headings]
        self._sheets: dict[int, Image.Image] = {}
        self._pictures: dict[Cell, list[Image.Image | None]] = {}

    def put(self, cell: Cell, number: int, data: bytes) -> None:
        """Show a picture, or what emerges, in its place. Bytes that are no picture are passed over."""
        try:
            with Image.open(io.BytesIO(data)) as opened:
                opened.draft("RGB", self._layouts[cell.z].cell)
                picture = opened.convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            return
        picture.thumbnail(self._layouts[cell.z].cell)
        held = self._pictures.setdefault(cell, [None] * self._record.pictures)
        if number < len(held):
            held[number] = picture
            put_pictures(self._sheet(cell.z), self._layouts[cell.z], cell.x, cell.y, held, self._record.pictures)

    def fail(self, cell: Cell, sentence: str) -> None:
        mark_failed(self._sheet(cell.z), self._layouts[cell.z], cell.x, cell.y, sentence)

    def shown(self, sheet: int) -> bytes:
        """One sheet as JPEG."""
        file = io.BytesIO()
        self._sheet(sheet).save(file, "JPEG", quality=88)
        return file.getvalue()

    def _sheet(self, number: int) -> Image.Image:
        if number not in self._sheets:
            self._sheets[number] = blank(self._layouts[number])
        return self._sheets[number]


def finished_sheets(record: GridRecord, store: GridStore, font: Path) -> Iterator[Sheet]:
    """The whole sheets, one after the other; none if not a single picture was made."""
    made = _pictures_made(record, store)
    if not made:
        return
    tile = _largest(made.values())
    columns, rows, sheets = record.plan.labels()
    cell = cell_size(tile, record.pictures)
    for number, heading in enumerate(sheets):
        for layout in layouts(columns, rows, heading, cell, style_for(font, cell)):
            if not any(
                (place := Cell(layout.first[0] + x, layout.first[1] + y, number)) in made or name_of(place) in record.failed for x, y in _places(layout)
            ):
                continue
            yield _finished(record, layout, number, made)


def _finished(record: GridRecord, layout: Layout, number: int, made: Mapping[Cell, list[Path | None]]) -> Sheet:
    sheet = blank(layout)
    first: bytes | None = None
    for x, y in _places(layout):
        place = Cell(layout.first[0] + x, layout.first[1] + y, number)
        if place in made:
            put_pictures(sheet, layout, x, y, [_opened(path) for path in made[place]], record.pictures)
            if first is None:
                first = next(path for path in made[place] if path is not None).read_bytes()
        elif name_of(place) in record.failed:
            mark_failed(sheet, layout, x, y, record.failed[name_of(place)])
    # A sheet of failures alone tells what its grid was.
    first = first or next(path for paths in made.values() for path in paths if path is not None).read_bytes()
    reading = read_picture(first)
    data = encode(sheet, _infotext(reading, record.plan), _document(reading, record, layout, number)).data
    return Sheet(data, sheet.width, sheet.height)


def _places(layout: Layout) -> list[tuple[int, int]]:
    return [(x, y) for y in range(len(layout.rows)) for x in range(len(layout.columns))]


def _pictures_made(record: GridRecord, store: GridStore) -> dict[Cell, list[Path | None]]:
    found: dict[Cell, list[Path | None]] = {}
    for cell in record.plan.cells():
        paths = [path if (path := store.picture(record.id, cell, number)).is_file() else None for number in range(record.pictures)]
        if any(paths):
            found[cell] = paths
    return found


def _largest(paths: Iterable[list[Path | None]]) -> tuple[int, int]:
    sizes = [(1, 1)]
    for path in (path for some in paths for path in some if path is not None):
        try:
            with Image.open(path) as opened:
                sizes.append(opened.size)
        except (OSError, ValueError):
            continue
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def _opened(path: Path | None) -> Image.Image | None:
    try:
        with Image.open(path) as opened:  # type: ignore[arg-type]  # None is caught below
            return opened.convert("RGB")
    except (OSError, ValueError, AttributeError, Image.DecompressionBombError):
        return None


def _infotext(reading: Reading, plan: Plan) -> str:
    """The infotext of the first cell, with the axes as AUTOMATIC1111 writes them."""
    if reading.infotext is None:
        return reading.text
    pairs: dict[str, Any] = {**reading.infotext.pairs, "Script": SCRIPT}
    for name, axis in zip(NAMES, plan.axes, strict=True):
        if axis.axis.kind != NONE:
            pairs |= {f"{name} Type": their_name(axis), f"{name} Values": axis.axis.text.replace("\n", ", ")}
            if axis.axis.kind == "seed":
                pairs[f"Fixed {name} Values"] = ", ".join(quoted(value.label) for value in axis.values)
    return write_infotext(reading.infotext.prompt, reading.infotext.negative, pairs)


def their_name(axis: Resolved) -> str:
    """What AUTOMATIC1111 calls an axis, our own name where it has none."""
    return _THEIR_NAMES.get(axis.axis.kind, axis.title)


def _document(reading: Reading, record: GridRecord, layout: Layout, number: int) -> dict[str, Any] | None:
    """The record of the first cell with what the grid is, so that every cell can be made again from the sheet."""
    if reading.own is None:
        return None
    grid = grid_of([(axis.axis.kind.removeprefix(NETWORK), [value.label for value in axis.values]) for axis in record.plan.axes], layout.cell)
    grid |= {
        "table": [axis.to_json() for axis in record.plan.axes],
        "params": record.params,
        "sheet": number,
        "first": list(layout.first),
        "lefts": [layout.place(column, 0)[0] for column in range(len(layout.columns))],
        "tops": [layout.place(0, row)[1] for row in range(len(layout.rows))],
    }
    image = {**reading.own.get("image", {}), "width": layout.size[0], "height": layout.size[1]}
    return {**reading.own, "image": image, "grid": grid}


def cell_at(grid: Mapping[str, Any], x: float, y: float) -> tuple[dict[str, Any], str] | None:
    """What was asked of the cell at a place of a sheet, and its labels in words.

    Args:
        grid: the `grid` of the sheet's record, from any file.
        x, y: in pixels of the sheet.

    Returns:
        None beside the cells, and for a record of another program.
    """
    try:
        width, height = int(grid["cell"]["width"]), int(grid["cell"]["height"])
        column = next((n for n, left in enumerate(grid["lefts"]) if left <= x < left + width), None)
        row = next((n for n, top in enumerate(grid["tops"]) if top <= y < top + height), None)
        if column is None or row is None:
            return None
        first, second, third = (Resolved.from_json(axis) for axis in grid["table"])
        place = Cell(column + int(grid["first"][0]), row + int(grid["first"][1]), int(grid["sheet"]))
        plan = Plan((first, second, third))
        labels = [text for texts, at in zip(plan.labels(), (place.x, place.y, place.z), strict=True) if (text := texts[at])]
        return plan.params(place, dict(grid["params"])), "  ·  ".join(labels)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
