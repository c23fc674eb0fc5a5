"""The map of a control at the size of a pass: of its own picture, or of the one that the pass starts from. Rules: E62, E75, E81.

A picture of its own lies over the whole picture that is painted on; where only a part of that is painted, the same part of it is taken. Every size begins
from the originals. What the preprocessor makes is kept between jobs by `annotators`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sfumato.engine.annotators import Workshop, annotate, preprocessor_of
from sfumato.engine.inputs.opening import open_pixels
from sfumato.engine.inputs.resizing import Size, fill, resized
from sfumato.engine.originals import Start
from sfumato.protocol.requests.control import ControlUnit


@dataclass(frozen=True, eq=False)
class UnitPictures:
    """What a unit brings.

    Attributes:
        source: bytes of its own picture, b"" if it has none.
        mask: its own, "L"; None if it has none.
        path: of the unit in the request.
    """

    unit: ControlUnit
    source: bytes
    mask: Image.Image | None
    path: str

    @property
    def hides(self) -> bool:
        """Whether its mask says what of the picture is hidden, instead of where the control acts."""
        row = preprocessor_of(self.unit.preprocessor)
        return row is not None and row.reads == "mask"

    def depends_on(self, start: Start | None) -> bool:
        """Whether the map shows something of what a pass starts from."""
        return start is not None and (not self.source or not _is_whole(start) or (self.hides and self.mask is None))

    @property
    def area(self) -> Image.Image | None:
        """Where the control acts, "L"; None is everywhere."""
        return None if self.hides else self.mask


def map_of(pictures: UnitPictures, size: Size, start: Start | None, workshop: Workshop) -> Tensor:
    """The map, (1, 3, H, W) float32 in 0..1, -1 where it is hidden.

    Args:
        size: (W, H).
        start: what the pass starts from, None from noise alone.

    Raises the errors of `annotate`.
    """
    unit, where = pictures.unit, f"{pictures.path}."
    if not pictures.source:
        assert start is not None  # a unit without a picture was refused where there is none to start from
        hidden = pictures.mask and _placed(pictures.mask, size, unit.resize_mode, start)
        if hidden is None and start.work is not None:
            hidden = resized(start.work.mask, size, "stretch")
        made = annotate(unit, resized(start.working, size, unit.resize_mode), size, workshop, hidden, where)
    elif _is_whole(start):
        hidden = pictures.mask if pictures.mask or start is None or start.work is None else resized(start.work.mask, size, "stretch")
        made = annotate(unit, pictures.source, size, workshop, hidden, where)
    elif (row := preprocessor_of(unit.preprocessor)) is not None and row.reads == "pose":
        assert start is not None
        assert start.work is not None
        # Joints lie on the whole picture; their lines are drawn there and then cut.
        drawn = annotate(unit, pictures.source, start.work.base.size, workshop, None, where)
        return _tensor(np.asarray(_part(drawn.picture(), size, start), np.float32) / 255)
    else:
        assert start is not None
        cut = _placed(open_pixels(pictures.source, f"{pictures.path}.image"), size, unit.resize_mode, start)
        hidden = _placed(pictures.mask, size, unit.resize_mode, start) if pictures.mask else start.work and resized(start.work.mask, size, "stretch")
        made = annotate(unit, cut, size, workshop, hidden, where)
    return _tensor(made.values())


def area_of(pictures: UnitPictures, size: Size, start: Start | None) -> Tensor | None:
    """Where the control acts, (1, 1, H, W) in 0..1; None is everywhere."""
    mask = pictures.area
    if mask is None:
        return None
    placed = _placed(mask, size, pictures.unit.resize_mode, start)
    return torch.from_numpy(np.asarray(placed, np.float32) / 255)[None, None]


def _is_whole(start: Start | None) -> bool:
    """Whether all of the picture is painted."""
    return start is None or start.work is None or start.work.box is None


def _placed(picture: Image.Image, size: Size, mode: str, start: Start | None) -> Image.Image:
    """A picture or mask of a unit's own, as it lies over what is painted."""
    if start is None or start.work is None or start.work.box is None:
        return resized(picture, size, mode)
    return _part(resized(picture, start.work.base.size, mode), size, start)


def _part(whole: Image.Image, size: Size, start: Start) -> Image.Image:
    assert start.work is not None
    assert start.work.box is not None
    return fill(whole.crop(start.work.box), size)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).permute(2, 0, 1)[None]
