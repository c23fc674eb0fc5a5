"""Changes that take more than a frame: fills, feather, grow, invert, clear. Each is prepared on the GUI thread, computed elsewhere, and applied back on it.

`operation(canvas, ...)` gives `compute`, `compute()` gives `apply`, `apply()` gives the area that looks different. Nothing may be painted in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt5.QtCore import QPoint, QRect
from PyQt5.QtGui import QColor, QImage, QPainter

from sfumato.desktop.canvas import channel, flood
from sfumato.desktop.canvas.brush import Brush
from sfumato.desktop.canvas.changes import Selecting, difference
from sfumato.desktop.canvas.compositing import flat
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import MASK_FORMAT, PAINT, Layer, blank, shifted
from sfumato.desktop.canvas.stroke import Stroke, Target

if TYPE_CHECKING:
    from PIL.Image import Image

Apply = Callable[[], QRect]
Operation = Callable[[], Apply]


def fill(canvas: Canvas, x: int, y: int, tolerance: int, colour: QColor, opacity: float, erases: bool, everything: bool, words: str) -> Operation:
    """Fill what is joined to a pixel and like it.

    Args:
        tolerance: 0..255, how far a channel may be away.
        everything: look at the picture with its layers, not at the painted layer alone.
    """

    def compute() -> Apply:
        covered, area = _reached(canvas, x, y, tolerance, everything)

        def apply() -> QRect:
            stroke = Stroke(canvas, Brush(opacity=opacity), colour, erases)
            stroke.cover(covered, area)
            return stroke.finish(words)

        return apply

    return compute


def select_alike(canvas: Canvas, x: int, y: int, tolerance: int, how: str, words: str) -> Operation:
    """Select what a fill would reach in the picture with its layers."""

    def compute() -> Apply:
        covered, area = _reached(canvas, x, y, tolerance, True)
        return lambda: select(canvas, lambda stroke: stroke.cover(covered, area), how, words)

    return compute


def _reached(canvas: Canvas, x: int, y: int, tolerance: int, everything: bool) -> tuple[QImage, QRect]:
    layer = canvas.layer
    if everything:
        looked_at = channel.to_colour(flat(canvas))
    elif layer.kind == PAINT:
        looked_at = channel.to_colour(layer.piece(canvas.rect))
    else:
        looked_at = channel.to_grey(layer.piece(canvas.rect))
    image, (left, top, right, bottom) = flood.reached(looked_at, x, y, tolerance)
    return channel.from_grey(image, QImage.Format.Format_Grayscale8), QRect(left, top, right - left, bottom - top)


REPLACE, ADD, SUBTRACT = HOWS = ("replace", "add", "subtract")


def select(canvas: Canvas, cover: Callable[[Stroke], QRect], how: str, words: str) -> QRect:
    """Select what `cover` covers: instead of what is selected, added to it, or taken from it."""
    before = canvas.selection.image
    was, keeps = canvas.selecting, how != REPLACE and canvas.selecting
    held = QImage(before) if before is not None else None
    if not keeps:
        canvas.selection.image = None
    stroke = Stroke(canvas, Brush(), QColor(0, 0, 0), layers=[Target(canvas.selection, how == SUBTRACT)], within=False)
    cover(stroke)
    after = canvas.selection.pixels(canvas.size)
    stroke.forget()
    canvas.selecting = True
    canvas.done(words, Selecting(was), difference(canvas.selection, held, after, canvas.rect))
    return canvas.rect


def select_all(canvas: Canvas, words: str) -> QRect:
    def everything(stroke: Stroke) -> QRect:
        white = QImage(canvas.size, QImage.Format.Format_Grayscale8)
        white.fill(255)
        return stroke.cover(white, canvas.rect)

    return select(canvas, everything, REPLACE, words)


def select_none(canvas: Canvas, words: str) -> QRect:
    """Nothing is selected: paint goes everywhere again. What was selected is kept for undo."""
    if canvas.selecting:
        canvas.selecting = False
        canvas.done(words, Selecting(True))
    return canvas.rect


def alterable(canvas: Canvas) -> Layer | None:
    """What feather, grow and invert act on: the selection, else the mask or region that is painted on."""
    if canvas.selecting:
        return canvas.selection
    return canvas.layer if canvas.layer.kind != PAINT else None


def feather(canvas: Canvas, radius: int, words: str) -> Operation | None:
    """Soften edges over 1..512 pixels."""
    return _altered(canvas, lambda image: channel.feathered(image, radius), words)


def grow(canvas: Canvas, distance: int, words: str) -> Operation | None:
    """Widen by 1..512 pixels, or narrow by -512..-1."""
    return _altered(canvas, lambda image: channel.grown(image, distance), words)


def invert(canvas: Canvas, words: str) -> Operation | None:
    return _altered(canvas, channel.inverted, words)


def _altered(canvas: Canvas, alter: Callable[[Image], Image], words: str) -> Operation | None:
    layer = alterable(canvas)
    if layer is None:
        return None
    before = layer.image

    def compute() -> Apply:
        grey = channel.to_grey(before if before is not None else blank(canvas.size, MASK_FORMAT))
        after = channel.from_grey(alter(grey))
        return _put(canvas, layer, before, after, words)

    return compute


def clear(canvas: Canvas, words: str) -> Operation | None:
    """Empty the painted layer, where there is a selection only inside it; None where nothing is painted."""
    layer, before = canvas.layer, canvas.layer.image
    if before is None:
        return None
    selection = canvas.selection.image if canvas.selecting else None
    everywhere = not canvas.selecting

    def compute() -> Apply:
        after = blank(canvas.size, before.format()) if everywhere else before.copy()
        if selection is not None:
            painter = QPainter(after)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationOut)
            painter.drawImage(0, 0, selection)
            painter.end()
        return _put(canvas, layer, before, after, words)

    return compute


def _put(canvas: Canvas, layer: Layer, before: QImage | None, after: QImage, words: str) -> Apply:
    change = difference(layer, before, after, canvas.rect)

    def apply() -> QRect:
        layer.image = after
        layer.revision += 1
        if change.size_bytes:
            canvas.done(words, change)
        return canvas.rect

    return apply


class Move:
    """The painted layer, or the selected part of it, carried to another place; the selection goes along."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._layer = canvas.layer
        self._before = QImage(self._layer.image) if self._layer.image is not None else None
        self._selection = QImage(canvas.selection.image) if canvas.selecting and canvas.selection.image is not None else None
        self._at = QPoint(0, 0)
        self._area = QRect()
        if self._before is None:
            return
        self._lifted, self._rest = self._before, blank(canvas.size, self._before.format())
        if self._selection is not None:
            self._lifted, self._rest = self._before.copy(), self._before.copy()
            for image, mode in (
                (self._lifted, QPainter.CompositionMode.CompositionMode_DestinationIn),
                (self._rest, QPainter.CompositionMode.CompositionMode_DestinationOut),
            ):
                painter = QPainter(image)
                painter.setCompositionMode(mode)
                painter.drawImage(0, 0, self._selection)
                painter.end()
        self._area = channel.bounds(self._lifted)

    def to(self, across: int, down: int) -> QRect:
        """Carry it to (`across`, `down`) pixels from where it was."""
        if self._before is None or self._area.isEmpty():
            return QRect()
        old = self._area.translated(self._at)
        self._at = QPoint(across, down)
        changed = old.united(self._area.translated(self._at)).united(self._area).intersected(self._canvas.rect)
        painter = QPainter(self._layer.pixels(self._canvas.size))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(changed.topLeft(), self._rest, changed)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.drawImage(self._area.topLeft() + self._at, self._lifted, self._area)
        painter.end()
        return changed

    def finish(self, words: str) -> QRect:
        """Remember it as one step."""
        if self._before is None or self._at.isNull():
            return QRect()
        canvas, after = self._canvas, self._layer.pixels(self._canvas.size)
        area = self._area.united(self._area.translated(self._at))
        changes = [difference(self._layer, self._before, after, area)]
        if self._selection is not None:
            moved = shifted(self._selection, canvas.size, self._at.x(), self._at.y())
            changes.append(difference(canvas.selection, self._selection, moved, canvas.rect))
            canvas.selection.image = moved
        self._layer.revision += 1
        canvas.done(words, *changes)
        return canvas.rect
