"""A brush and the dabs it is made of: discs that fade from their hardness to their edge, drawn once per size and reused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from PyQt5.QtCore import QPointF, QRect, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QRadialGradient

from sfumato.desktop.canvas.layers import blank

SIZE_LEAST_PX, SIZE_MOST_PX = 1.0, 500.0
# Below this a dab is placed between pixels; above it nobody sees the difference.
FINE_PX = 24
_PLACES = 4
# What a pen that barely touches still paints, as a share of the size.
LIGHTEST = 0.1


@dataclass(frozen=True)
class Brush:
    """`size` is the diameter in pixels, 1..500; `hardness`, `spacing` (of the size) and `opacity` are shares, 0.01..1."""

    size: float = 40.0
    hardness: float = 0.8
    spacing: float = 0.1
    opacity: float = 1.0

    def pressed(self, pressure: float) -> float:
        """The diameter under a pressure of 0..1."""
        return max(SIZE_LEAST_PX, self.size * (LIGHTEST + (1 - LIGHTEST) * max(0.0, min(1.0, pressure))))

    def step(self, diameter: float) -> float:
        """Pixels from one dab to the next."""
        return max(0.5, self.spacing * diameter)


def placed(diameter: float, hardness: float, x: float, y: float) -> tuple[QImage, int, int]:
    """The dab around a point, and where its left upper corner comes."""
    diameter = round(diameter * 2) / 2 if diameter < FINE_PX else float(round(diameter))
    side = math.ceil(diameter) + 2
    left, top = x - side / 2, y - side / 2
    column, row = math.floor(left), math.floor(top)
    if diameter >= FINE_PX:
        return _dab(diameter, hardness, 0, 0), round(left), round(top)
    across, down = round((left - column) * _PLACES), round((top - row) * _PLACES)
    return _dab(diameter, hardness, across % _PLACES, down % _PLACES), column + across // _PLACES, row + down // _PLACES


@lru_cache(maxsize=128)
def _dab(diameter: float, hardness: float, across: int, down: int) -> QImage:
    side = math.ceil(diameter) + 2 + (1 if across or down else 0)
    image = blank(QSize(side, side), QImage.Format.Format_Grayscale8)
    middle = QPointF((math.ceil(diameter) + 2) / 2 + across / _PLACES, (math.ceil(diameter) + 2) / 2 + down / _PLACES)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    if hardness >= 1:
        painter.setBrush(QColor(255, 255, 255))
    else:
        gradient = QRadialGradient(middle, diameter / 2)
        gradient.setColorAt(0, QColor(255, 255, 255))
        for number in range(9):
            share = number / 8
            light = round(255 * (1 - share * share * (3 - 2 * share)))
            gradient.setColorAt(hardness + (1 - hardness) * share, QColor(light, light, light))
        painter.setBrush(gradient)
    painter.drawEllipse(middle, diameter / 2, diameter / 2)
    painter.end()
    return image


def reach(diameter: float, x: float, y: float) -> QRect:
    """The pixels a dab may touch."""
    half = diameter / 2 + 2
    return QRect(math.floor(x - half), math.floor(y - half), math.ceil(2 * half) + 1, math.ceil(2 * half) + 1)
