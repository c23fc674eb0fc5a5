"""What of a picture is taken: a box of the target's aspect that a zoom makes smaller and a pan moves. Also what of it is repainted at all.

Lengths are shares of the picture's sides unless they are said to be pixels. No Qt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

ZOOM_LEAST, ZOOM_MOST = 1.0, 8.0
Size = tuple[int, int]


class Box(NamedTuple):
    """A rectangle in shares of a picture's sides, 0..1."""

    x: float
    y: float
    width: float
    height: float

    def pixels(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in a picture of `size`, at least one pixel each way, never outside."""
        left, top = round(self.x * size[0]), round(self.y * size[1])
        width, height = max(1, round(self.width * size[0])), max(1, round(self.height * size[1]))
        left, top = max(0, min(left, size[0] - width)), max(0, min(top, size[1] - height))
        return left, top, min(size[0], left + width), min(size[1], top + height)


WHOLE = Box(0, 0, 1, 1)


@dataclass(frozen=True)
class Crop:
    """`zoom` 1..8; `x`, `y` the middle of the box, 0..1 of the picture's sides. Where the box would leave the picture it is moved back."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @staticmethod
    def from_json(values: Any) -> Crop:
        if not isinstance(values, list) or len(values) != 3 or not all(isinstance(value, int | float) and value == value for value in values):
            return Crop()
        zoom, x, y = (float(value) for value in values)
        return Crop(_between(zoom, ZOOM_LEAST, ZOOM_MOST), _between(x, 0, 1), _between(y, 0, 1))

    def box(self, size: Size, aspect: float) -> Box:
        """The part that is taken of a picture of `size` pixels for a target of width/height `aspect`; an aspect of 0 is the picture's own.

        Always inside the picture, always of the target's aspect, so that nothing is left to fill.
        """
        own = size[0] / size[1] if size[0] > 0 and size[1] > 0 else 1.0
        aspect = aspect or own
        width, height = (1.0, own / aspect) if aspect >= own else (aspect / own, 1.0)
        width, height = width / self.zoom, height / self.zoom
        return Box(_between(self.x - width / 2, 0, 1 - width), _between(self.y - height / 2, 0, 1 - height), width, height)

    def panned(self, size: Size, aspect: float, dx: float, dy: float) -> Crop:
        """The picture moved by `dx`, `dy` of the box's sides (to the right and down with values above 0)."""
        box = self.box(size, aspect)
        return self._middle(size, aspect, box.x + box.width / 2 - dx * box.width, box.y + box.height / 2 - dy * box.height)

    def zoomed(self, size: Size, aspect: float, factor: float, at_x: float = 0.5, at_y: float = 0.5) -> Crop:
        """Nearer by `factor`; what is at (`at_x`, `at_y`) of the box stays there as far as the picture's edges allow."""
        before = self.box(size, aspect)
        nearer = replace(self, zoom=_between(self.zoom * factor, ZOOM_LEAST, ZOOM_MOST))
        after = nearer.box(size, aspect)
        x = before.x + at_x * before.width + (0.5 - at_x) * after.width
        y = before.y + at_y * before.height + (0.5 - at_y) * after.height
        return nearer._middle(size, aspect, x, y)

    def _middle(self, size: Size, aspect: float, x: float, y: float) -> Crop:
        """The box around (x, y), moved inside, so that a pan back acts at once."""
        box = replace(self, x=x, y=y).box(size, aspect)
        return replace(self, x=box.x + box.width / 2, y=box.y + box.height / 2)


def _between(value: float, least: float, most: float) -> float:
    return max(least, min(most, value))
