"""Painting on a large canvas: each part of a stroke, with what a window shows of it, against the time of one frame at 60 a second."""

from __future__ import annotations

import time

from measuring import Row, compare
from PyQt5.QtCore import QPointF, QRectF, QSize
from PyQt5.QtGui import QColor, QImage

from sfumato.desktop.canvas.brush import Brush
from sfumato.desktop.canvas.compositing import Drawing, pyramid
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import COLOUR_FORMAT, MASK, PAINT
from sfumato.desktop.canvas.stroke import Stroke

SIDE_PX, BRUSH_PX, SEGMENTS = 4096, 200, 80
FRAME_S = 1 / 60
# A window of this width shows all of the canvas.
_FITTED, _WHOLE = 0.22, 1.0


def segments(kind: str, zoom: float) -> list[float]:
    """Seconds for each part of one stroke: painted on the layer, and drawn as the window would."""
    picture = QImage(SIDE_PX, SIDE_PX, COLOUR_FORMAT)
    picture.fill(QColor("#4080c0"))
    canvas, levels = Canvas(kind, QSize(SIDE_PX, SIDE_PX), picture), pyramid(picture)
    canvas.layer.pixels(canvas.size)
    canvas.coverage()
    drawing = Drawing(canvas, levels, zoom, QPointF(0, 0))
    stroke = Stroke(canvas, Brush(BRUSH_PX, 0.5, 0.1, 0.8), QColor("#c04040"))
    taken = []
    for number in range(SEGMENTS):
        began = time.perf_counter()
        area = stroke.to(300 + 40 * number, 400 + 30 * number)
        seen = QRectF(area.x() * zoom, area.y() * zoom, area.width() * zoom, area.height() * zoom).toAlignedRect()
        if not seen.isEmpty():
            drawing.image(seen)
        taken.append(time.perf_counter() - began)
    stroke.finish("Brush stroke")
    return taken


def rows() -> list[Row]:
    """A brush of 200 pixels on 4096 x 4096."""
    return [
        compare(
            f"{BRUSH_PX} px brush on {SIDE_PX} px, {kind}, {zoom:.0%}: part of a stroke / a frame at 60 a second",
            segments(kind, zoom),
            [FRAME_S] * SEGMENTS,
            1.0,
        )
        for kind in (MASK, PAINT)
        for zoom in (_FITTED, _WHOLE)
    ]
