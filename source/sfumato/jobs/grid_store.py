"""A grid on disk while it is made: what it consists of, the pictures of its cells, and what went wrong. It is there again after a restart.

A folder for each, with `grid.json` and a file for every picture; gone when the sheet is saved and nothing can be tried again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.jobs.grid_axes import Resolved
from sfumato.jobs.grid_plan import Cell, Plan

FILE = "grid.json"
FORMAT = 1
OWNER = "grid:"


@dataclass(frozen=True)
class GridRecord:
    """A grid that was started.

    Attributes:
        id: names its folder and its jobs.
        plan: its axes with all their values.
        params: the job that the cells differ from.
        pictures: in each cell.
        created: seconds since 1970.
        is_paused: its jobs wait until it is continued.
        is_saved: the sheet is in the outputs; the folder is kept for another try of what failed.
        failed: cell name -> sentence.
    """

    id: str
    plan: Plan
    params: dict[str, Any]
    pictures: int = 1
    created: float = 0.0
    is_paused: bool = False
    is_saved: bool = False
    failed: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def title(self) -> str:
        """Its axes in few words."""
        return " × ".join(axis.title for axis in self.plan.axes if axis.axis.kind)

    def changed(self, **values: Any) -> GridRecord:
        return replace(self, **values)


def owner_of(grid: str, cell: Cell) -> str:
    """What the queue calls the owner of a cell's job."""
    return f"{OWNER}{grid}:{name_of(cell)}"


def read_owner(owner: str) -> tuple[str, Cell] | None:
    """The grid and the cell of a job, None for another's."""
    kind, _, rest = owner.partition(":")
    grid, _, name = rest.partition(":")
    places = name.split("-")
    if kind + ":" != OWNER or not grid.isalnum() or len(places) != 3 or not all(place.isdigit() for place in places):
        return None
    return grid, Cell(*map(int, places))


def name_of(cell: Cell) -> str:
    return f"{cell.x}-{cell.y}-{cell.z}"


class GridStore:
    """The folders of all grids. Writing raises `DiskFull` or `NotWritable`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[GridRecord]:
        """Every grid that was not done; a folder that cannot be read is left alone."""
        found: list[GridRecord] = []
        for path in sorted(self._folder.glob(f"*/{FILE}")):
            try:
                row = json.loads(path.read_text(encoding="utf-8"))
                x, y, z = (Resolved.from_json(axis) for axis in row["axes"])
                failed = {str(cell): str(sentence) for cell, sentence in row["failed"].items()}
                record = GridRecord(
                    path.parent.name, Plan((x, y, z)), dict(row["params"]), int(row["pictures"]), float(row["created"]), bool(row["paused"]),
                    bool(row["saved"]), failed,
                )  # fmt: skip
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            found.append(record)
        return found

    def save(self, record: GridRecord) -> None:
        make_folder(self._folder / record.id)
        row = {
            "format": FORMAT, "axes": [axis.to_json() for axis in record.plan.axes], "params": record.params, "pictures": record.pictures,
            "created": record.created, "paused": record.is_paused, "saved": record.is_saved, "failed": dict(record.failed),
        }  # fmt: skip
        replace_file(self._folder / record.id / FILE, json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))

    def keep(self, grid: str, cell: Cell, number: int, data: bytes) -> None:
        """Keep a picture of a cell, `number` counting from 0."""
        folder = self._folder / grid
        if folder.is_dir():
            replace_file(self.picture(grid, cell, number), data)

    def picture(self, grid: str, cell: Cell, number: int) -> Path:
        return self._folder / grid / f"{name_of(cell)}-{number}.picture"

    def made(self, record: GridRecord) -> set[Cell]:
        """The cells all of whose pictures are there."""
        names = {path.name for path in (self._folder / record.id).glob("*.picture")}
        return {cell for cell in record.plan.cells() if all(self.picture(record.id, cell, number).name in names for number in range(record.pictures))}

    def forget(self, grids: Iterable[str]) -> None:
        """Remove the folders of grids that are done."""
        for grid in grids:
            if grid.isalnum():
                shutil.rmtree(self._folder / grid, ignore_errors=True)
