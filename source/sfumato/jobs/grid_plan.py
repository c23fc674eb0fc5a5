"""A grid as a whole: its cells in the order in which they are painted, and the job of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from sfumato.jobs.grid_axes import Resolved, put_in, slowness

# Beyond so many cells a person is asked.
ASKED_ABOVE = 100
CELLS_AT_MOST = 10_000
NAMES = ("X", "Y", "Z")


@dataclass(frozen=True)
class Cell:
    """One place of a grid: column, row and sheet."""

    x: int
    y: int
    z: int


@dataclass(frozen=True)
class Plan:
    """Three axes, X Y Z; one without a kind has one place."""

    axes: tuple[Resolved, Resolved, Resolved]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and sheets."""
        x, y, z = (max(1, len(axis.values)) for axis in self.axes)
        return x, y, z

    @property
    def count(self) -> int:
        columns, rows, sheets = self.shape
        return columns * rows * sheets

    @property
    def problems(self) -> list[str]:
        """Sentences on why this cannot be made."""
        found = [sentence for axis in self.axes for sentence in axis.problems]
        used = [axis.axis.kind for axis in self.axes if axis.axis.kind]
        if not used:
            found.append("Choose what changes from picture to picture for at least one axis.")
        if twice := [axis.title for number, axis in enumerate(self.axes) if axis.axis.kind in _once(used[: _used_before(self.axes, number)])]:
            found.append(f"{twice[0]} is on two axes; choose another one for the second.")
        if self.count > CELLS_AT_MOST:
            found.append(f"The grid has {self.count} cells; {CELLS_AT_MOST} is the most.")
        return found

    def cells(self) -> list[Cell]:
        """Every cell in the order of painting: the axis that is slowest to change turns outermost, of equal ones Z, then Y."""
        order = sorted((2, 1, 0), key=lambda number: -slowness(self.axes[number].axis.kind))
        found: list[Cell] = []
        for places in product(*(range(self.shape[number]) for number in order)):
            at = dict(zip(order, places, strict=True))
            found.append(Cell(at[0], at[1], at[2]))
        return found

    def params(self, cell: Cell, params: Mapping[str, Any]) -> dict[str, Any]:
        """The job of a cell, made from the job without a grid."""
        made = deepcopy(dict(params))
        for axis, place in zip(self.axes, (cell.x, cell.y, cell.z), strict=True):
            if axis.values:
                put_in(axis.axis.kind, axis.values[place].data, made)
        return made

    def labels(self) -> tuple[list[str], list[str], list[str]]:
        """What stands over the columns, beside the rows, and on each sheet; one empty text for an axis that is not used."""
        x, y, z = ([_label(axis, value.label) for value in axis.values] or [""] for axis in self.axes)
        return x, y, z


def _label(axis: Resolved, value: str) -> str:
    # A parameter's value means little without its name; words of the prompt speak for themselves.
    return value if axis.axis.kind in ("replace", "order", "matrix") else f"{axis.title}: {value}"


def _once(kinds: Sequence[str]) -> set[str]:
    # Replace and the matrix may be used twice, for different texts.
    return {kind for kind in kinds if kind not in ("replace", "matrix")}


def _used_before(axes: Sequence[Resolved], number: int) -> int:
    return sum(1 for axis in axes[:number] if axis.axis.kind)
