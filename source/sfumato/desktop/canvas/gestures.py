"""From press to release: what each tool does with the way of the pointer. Points are pixels of the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PyQt5.QtCore import QPointF, QRect, QRectF
from PyQt5.QtGui import QColor, QPainterPath, QPolygonF

from sfumato.desktop.canvas.brush import Brush
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import REGION
from sfumato.desktop.canvas.operations import ADD, REPLACE, SUBTRACT, Move, select
from sfumato.desktop.canvas.stroke import Stroke

RECTANGLE, ELLIPSE, LASSO = SHAPES = ("rectangle", "ellipse", "lasso")
# A shape of less is a click that was not meant.
_LEAST_PX = 0.5


@dataclass(frozen=True)
class Hand:
    """What a gesture is made with.

    Attributes:
        erases: takes away instead of putting down.
        selects: shapes select instead of painting.
        how: shapes add to the selection, or take from it.
    """

    brush: Brush
    colour: QColor
    erases: bool = False
    selects: bool = False
    how: str = REPLACE


class Gesture(Protocol):
    """Each call gives the area of the canvas that looks different."""

    def to(self, x: float, y: float, pressure: float, constrained: bool) -> QRect: ...

    def finish(self, words: str) -> QRect: ...

    def abandon(self) -> QRect: ...

    def outline(self) -> QPainterPath | None:
        """What is drawn over the canvas meanwhile."""
        ...


class Painting:
    """A stroke of the brush."""

    def __init__(self, canvas: Canvas, hand: Hand) -> None:
        self._stroke = Stroke(canvas, hand.brush, hand.colour, hand.erases)

    def to(self, x: float, y: float, pressure: float, constrained: bool) -> QRect:
        del constrained
        return self._stroke.to(x, y, pressure)

    def finish(self, words: str) -> QRect:
        return self._stroke.finish(words)

    def abandon(self) -> QRect:
        return self._stroke.abandon()

    def outline(self) -> QPainterPath | None:
        return None


class Shape:
    """A rectangle, an ellipse or a lasso, painted or selected when it is let go."""

    def __init__(self, canvas: Canvas, hand: Hand, shape: str) -> None:
        self._canvas = canvas
        self._hand = hand
        self._shape = shape
        self._points: list[QPointF] = []

    def to(self, x: float, y: float, pressure: float, constrained: bool) -> QRect:
        del pressure
        if self._shape != LASSO and self._points:
            start = self._points[0]
            if constrained:
                # A square or a circle.
                side = max(abs(x - start.x()), abs(y - start.y()))
                x = start.x() + (side if x >= start.x() else -side)
                y = start.y() + (side if y >= start.y() else -side)
            self._points[1:] = [QPointF(x, y)]
        else:
            self._points.append(QPointF(x, y))
        return QRect()

    def outline(self) -> QPainterPath | None:
        path = QPainterPath()
        if len(self._points) < 2:
            return None
        if self._shape == LASSO:
            path.addPolygon(QPolygonF(self._points))
            path.closeSubpath()
            return path
        box = QRectF(self._points[0], self._points[1]).normalized()
        if self._shape == RECTANGLE:
            # Whole pixels: the edges of a rectangle are never half covered.
            box = QRectF(round(box.left()), round(box.top()), round(box.right()) - round(box.left()), round(box.bottom()) - round(box.top()))
            path.addRect(box)
        else:
            path.addEllipse(box)
        return path

    def finish(self, words: str) -> QRect:
        path = self.outline()
        if path is None or path.boundingRect().width() < _LEAST_PX or path.boundingRect().height() < _LEAST_PX:
            return QRect()
        if self._hand.selects:
            return select(self._canvas, lambda stroke: stroke.shape(path), self._hand.how, words)
        stroke = Stroke(self._canvas, Brush(opacity=self._hand.brush.opacity), self._hand.colour, self._hand.erases)
        stroke.shape(path)
        return stroke.finish(words)

    def abandon(self) -> QRect:
        self._points.clear()
        return QRect()


class Carrying:
    """Moving what is painted or selected."""

    def __init__(self, canvas: Canvas) -> None:
        self._move = Move(canvas)
        self._start: tuple[float, float] | None = None

    def to(self, x: float, y: float, pressure: float, constrained: bool) -> QRect:
        del pressure
        if self._start is None:
            self._start = (x, y)
        across, down = round(x - self._start[0]), round(y - self._start[1])
        if constrained:
            across, down = (across, 0) if abs(across) >= abs(down) else (0, down)
        return self._move.to(across, down)

    def finish(self, words: str) -> QRect:
        return self._move.finish(words)

    def abandon(self) -> QRect:
        return self._move.to(0, 0)

    def outline(self) -> QPainterPath | None:
        return None


def how_to_select(adds: bool, takes: bool) -> str:
    return SUBTRACT if takes else ADD if adds else REPLACE


def in_one_colour(canvas: Canvas) -> bool:
    """Masks and regions know only painted and not painted."""
    return canvas.layer.kind == REGION or not canvas.layer.is_colour
