"""The colour that is seen at a point of a canvas."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRect
from PyQt5.QtGui import QColor

from sfumato.desktop.canvas.compositing import Drawing
from sfumato.desktop.canvas.document import Canvas


def colour_at(canvas: Canvas, x: int, y: int) -> QColor | None:
    """Of the picture with its layers, without tints of masks; None beside the canvas or where there is nothing."""
    if not canvas.rect.contains(x, y):
        return None
    colour = Drawing(canvas, (), 1, QPointF(0, 0)).picture(QRect(x, y, 1, 1)).pixelColor(0, 0)
    return colour if colour.alpha() else None
