"""One layer of a canvas: a mask or a region in one channel, or paint in colour. Its pixels exist from the first stroke on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from PyQt5.QtCore import QRect, QSize
from PyQt5.QtGui import QImage, QPainter

MASK, PAINT, REGION, SELECTION = KINDS = ("mask", "paint", "region", "selection")
NORMAL, ERASE = MODES = ("normal", "erase")
LAYERS_AT_MOST = 64
COLOUR_FORMAT = QImage.Format.Format_ARGB32_Premultiplied
MASK_FORMAT = QImage.Format.Format_Alpha8
# Told apart also by those who see no difference between red and green; each region carries its number as well.
REGION_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#7b61ff", "#d55e00", "#cc79a7", "#b8e04a", "#0072b2", "#c9c9c9")
MASK_COLOUR = "#ff4d6d"


def new_id() -> str:
    return uuid.uuid4().hex[:8]


@dataclass(eq=False)
class Layer:
    """`number` counts regions from 1; `revision` rises with every change of the pixels, so that only what changed is saved."""

    kind: str
    name: str = ""
    number: int = 0
    id: str = field(default_factory=new_id)
    visible: bool = True
    opacity: float = 1.0
    mode: str = NORMAL
    image: QImage | None = None
    revision: int = 0

    @property
    def is_colour(self) -> bool:
        return self.kind == PAINT

    @property
    def colour(self) -> str:
        """In which colour a mask or region is shown."""
        return REGION_COLOURS[(self.number - 1) % len(REGION_COLOURS)] if self.kind == REGION else MASK_COLOUR

    def pixels(self, size: QSize) -> QImage:
        """The layer's image, made empty at the first call."""
        image = self.image
        if image is None:
            image = self.image = blank(size, COLOUR_FORMAT if self.is_colour else MASK_FORMAT)
        return image

    def piece(self, area: QRect) -> QImage:
        """A copy of a part; empty pixels where nothing was painted yet."""
        return self.image.copy(area) if self.image is not None else blank(area.size(), COLOUR_FORMAT if self.is_colour else MASK_FORMAT)

    @property
    def memory_bytes(self) -> int:
        return self.image.sizeInBytes() if self.image is not None else 0


def blank(size: QSize, form: QImage.Format) -> QImage:
    image = QImage(size, form)
    image.fill(0)
    return image


def shifted(image: QImage, size: QSize, left: int, top: int) -> QImage:
    """The image on a ground of another size, moved; what leaves it is cut off."""
    moved = blank(size, image.format())
    painter = QPainter(moved)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.drawImage(left, top, image)
    painter.end()
    return moved
