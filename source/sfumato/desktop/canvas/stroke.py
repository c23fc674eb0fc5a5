"""One stroke, shape or fill: what it covers is gathered in one channel, and the layers are drawn anew below it from what they were before.

So a stroke of half opacity does not add to itself where it crosses itself, and what it replaced is at hand for undo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from PyQt5.QtCore import QPoint, QRect, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPainterPath

from sfumato.desktop.canvas import tiles
from sfumato.desktop.canvas.brush import Brush, placed, reach
from sfumato.desktop.canvas.changes import Tiles
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import COLOUR_FORMAT, MASK_FORMAT, REGION, Layer
from sfumato.desktop.canvas.tiles import Key, Tile

Mode = QPainter.CompositionMode


@dataclass
class Target:
    """A layer that a stroke draws on, and its tiles as they were."""

    layer: Layer
    erases: bool
    before: dict[Key, Tile] = field(default_factory=dict)


def targets(canvas: Canvas, erases: bool) -> list[Target]:
    """The layer that is painted on; paint on one region takes the others away (D64)."""
    found = [Target(canvas.layer, erases)]
    if canvas.layer.kind == REGION and not erases:
        found += [Target(other, True) for other in canvas.of_kind(REGION) if other is not canvas.layer and other.image is not None]
    return found


class Stroke:
    """From press to release. Each call gives the area that looks different."""

    def __init__(self, canvas: Canvas, brush: Brush, colour: QColor, erases: bool = False, layers: list[Target] | None = None, within: bool = True) -> None:
        self._canvas = canvas
        self._brush = brush
        self._colour = QColor(colour)
        self._targets = targets(canvas, erases) if layers is None else layers
        self._within = within
        self._coverage = canvas.coverage()
        self._touched = QRect()
        self._last: tuple[float, float, float] | None = None
        self._ahead = 0.0

    def to(self, x: float, y: float, pressure: float = 1.0) -> QRect:
        """Go on to a point."""
        dabs = [(x, y, pressure)] if self._last is None else self._between(self._last, (x, y, pressure))
        if self._last is None:
            self._ahead = self._brush.step(self._brush.pressed(pressure))
        self._last = (x, y, pressure)
        area = QRect()
        painter = QPainter(self._coverage)
        painter.setCompositionMode(Mode.CompositionMode_Lighten)
        for at_x, at_y, at_pressure in dabs:
            diameter = self._brush.pressed(at_pressure)
            image, left, top = placed(diameter, self._brush.hardness, at_x, at_y)
            painter.drawImage(left, top, image)
            area = area.united(reach(diameter, at_x, at_y))
        painter.end()
        return self._show(area)

    def _between(self, start: tuple[float, float, float], end: tuple[float, float, float]) -> list[tuple[float, float, float]]:
        """The dabs on the way to `end`; what is left over counts for the next way."""
        length = math.hypot(end[0] - start[0], end[1] - start[1])
        dabs, at = [], self._ahead
        while at <= length and length > 0:
            share = at / length
            x, y, pressure = (begin + (finish - begin) * share for begin, finish in zip(start, end))
            dabs.append((x, y, pressure))
            at += self._brush.step(self._brush.pressed(pressure))
        self._ahead = at - length
        return dabs

    def shape(self, path: QPainterPath) -> QRect:
        """Cover the inside of a path."""
        painter = QPainter(self._coverage)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(path, QColor(255, 255, 255))
        painter.end()
        return self._show(path.boundingRect().toAlignedRect().adjusted(-1, -1, 1, 1))

    def cover(self, covered: QImage, area: QRect) -> QRect:
        """Cover what is white in a grey image of the canvas's size."""
        painter = QPainter(self._coverage)
        painter.setCompositionMode(Mode.CompositionMode_Lighten)
        painter.drawImage(area.topLeft(), covered, area)
        painter.end()
        return self._show(area)

    def finish(self, words: str) -> QRect:
        """Remember the stroke as one step; the area of the whole of it."""
        changes = []
        for target in self._targets:
            if target.before:
                target.layer.revision += 1
                changes.append(Tiles(target.layer, target.before))
        if changes:
            self._canvas.done(words, *changes)
        return self._clear()

    def abandon(self) -> QRect:
        """Take the stroke back as if it had not been begun."""
        for target in self._targets:
            if target.before:
                Tiles(target.layer, target.before).exchange(self._canvas)
        return self._clear()

    def forget(self) -> QRect:
        """End the stroke; whoever drew it remembers it."""
        return self._clear()

    def _clear(self) -> QRect:
        area = self._touched
        painter = QPainter(self._coverage)
        painter.fillRect(area, QColor(0, 0, 0))
        painter.end()
        self._touched = QRect()
        return area

    def _show(self, area: QRect) -> QRect:
        """Draw the layers anew where the stroke grew."""
        area = area.intersected(self._canvas.rect)
        if area.isEmpty():
            return area
        self._touched = self._touched.united(area)
        ink = self._ink(area)
        for target in self._targets:
            self._keep(target, area)
            painter = QPainter(target.layer.pixels(self._canvas.size))
            painter.setCompositionMode(Mode.CompositionMode_Source)
            for key in tiles.keys(area):
                place = tiles.place(key, self._canvas.rect)
                part = place.intersected(area)
                painter.drawImage(part.topLeft(), target.before[key].image(), part.translated(-place.topLeft()))
            painter.setCompositionMode(Mode.CompositionMode_DestinationOut if target.erases else Mode.CompositionMode_SourceOver)
            painter.drawImage(area.topLeft(), ink)
            painter.end()
        return area

    def _keep(self, target: Target, area: QRect) -> None:
        for key in tiles.keys(area):
            if key not in target.before:
                target.before[key] = Tile(target.layer.piece(tiles.place(key, self._canvas.rect)))

    def _ink(self, area: QRect) -> QImage:
        """The colour where the stroke has been, as far as the selection lets it."""
        ink = QImage(area.size(), COLOUR_FORMAT)
        colour = QColor(self._colour)
        colour.setAlphaF(colour.alphaF() * self._brush.opacity)
        ink.fill(colour)
        painter = QPainter(ink)
        painter.setCompositionMode(Mode.CompositionMode_DestinationIn)
        # The same bytes, read as how much there is instead of how bright it is.
        self._coverage.reinterpretAsFormat(MASK_FORMAT)
        painter.drawImage(QPoint(0, 0), self._coverage, area)
        selection = self._canvas.selection.image
        if self._within and self._canvas.selecting and selection is not None:
            painter.drawImage(QPoint(0, 0), selection, area)
        elif self._within and self._canvas.selecting:
            ink.fill(Qt.GlobalColor.transparent)
        painter.end()
        self._coverage.reinterpretAsFormat(QImage.Format.Format_Grayscale8)
        return ink
