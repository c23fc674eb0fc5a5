"""Which of its kinds of maps a union model is told a picture is: by the unit's own word, or by the preprocessor that made it.

The numbers are those of the published models (xinsir's union with six kinds, ProMax with eight).
"""

from __future__ import annotations

from collections.abc import Mapping

from sfumato.engine.annotators.table import PREPROCESSORS
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.control import ControlUnit

TYPES: Mapping[str, int] = {"pose": 0, "depth": 1, "softedge": 2, "canny": 3, "normal": 4, "segmentation": 5, "tile": 6, "inpaint": 7}
_AUTO = "auto"


def union_type(unit: ControlUnit, types: int, file: str, path: str) -> int:
    """The kind's number. Raises `Invalid` where nothing tells it, or the model has no such kind."""
    name = unit.union_type
    if name == _AUTO:
        row = PREPROCESSORS.get(unit.preprocessor)
        name = row.kind if row else ""
    if name not in TYPES:
        sentence = f"'{file}' understands several kinds of maps and cannot see which one this is: choose the kind of map."
        raise Invalid([Problem(f"{path}.union_type", sentence)])
    if TYPES[name] >= types:
        known = ", ".join(each for each, number in TYPES.items() if number < types)
        raise Invalid([Problem(f"{path}.union_type", f"'{file}' does not understand maps of the kind {name}; it understands {known}.")])
    return TYPES[name]
