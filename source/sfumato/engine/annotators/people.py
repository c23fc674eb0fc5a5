"""People drawn as the picture a pose ControlNet knows, as an array; the drawing itself is `imaging.pose.drawing`, which the pose editor uses too (D72)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sfumato.imaging.pose import drawing
from sfumato.imaging.pose.skeleton import Person


def draw_people(people: Iterable[Person], width: int, height: int, parts: Iterable[str] = drawing.PARTS) -> NDArray[np.uint8]:
    """(height, width, 3), black where nobody is; of two people the later is in front. `parts` are those of `drawing.PARTS` that are drawn."""
    return np.frombuffer(drawing.draw_people(people, width, height, parts), np.uint8).reshape(height, width, 3)
