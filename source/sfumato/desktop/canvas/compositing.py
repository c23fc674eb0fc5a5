"""How a canvas looks: the picture, layers over it, masks and regions as tints. The same drawing serves the window, at any zoom, and the flattened picture."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QBrush, QColor, QImage, QPainter, QTransform

from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import COLOUR_FORMAT, ERASE, PAINT, Layer, blank

Mode = QPainter.CompositionMode
_TINT = 0.55
_OUTSIDE = QColor(12, 14, 20, 130)
_CHECKS_PX = 8
# Pixels are shown as squares from here on.
_CRISP = 2.0


def pyramid(picture: QImage) -> list[QImage]:
    """The picture and its halves down to 256 pixels, so that a small view of a large one is quick and smooth. Takes long: not for the GUI thread."""
    levels = [picture]
    while max(levels[-1].width(), levels[-1].height()) > 512:
        last = levels[-1]
        size = QSize(max(1, last.width() // 2), max(1, last.height() // 2))
        levels.append(last.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation))
    return levels


def draw_picture(painter: QPainter, canvas: Canvas, levels: Sequence[QImage], scale: float) -> None:
    """The picture and the layers of paint, onto transparent ground; in coordinates of the canvas."""
    if canvas.picture is not None:
        wanted = canvas.picture.width() * scale
        level = next((image for image in reversed(levels) if image.width() >= wanted), levels[0] if levels else canvas.picture)
        painter.drawImage(QRectF(canvas.picture_rect), level)
    for layer in canvas.layers:
        if layer.kind == PAINT and layer.visible and layer.image is not None:
            painter.setOpacity(layer.opacity)
            painter.setCompositionMode(Mode.CompositionMode_DestinationOut if layer.mode == ERASE else Mode.CompositionMode_SourceOver)
            painter.drawImage(0, 0, layer.image)
    painter.setOpacity(1)
    painter.setCompositionMode(Mode.CompositionMode_SourceOver)


def flat(canvas: Canvas) -> QImage:
    """The picture with its layers, transparent where there is neither; not for the GUI thread."""
    image = blank(canvas.size, COLOUR_FORMAT)
    painter = QPainter(image)
    draw_picture(painter, canvas, (), 1)
    painter.end()
    return image


class Drawing:
    """Draws the part of a canvas that a window shows.

    Args:
        scale: window pixels for a pixel of the canvas.
        origin: where the canvas's left upper corner is in the window.
        ratio: device pixels for a window pixel.
    """

    def __init__(self, canvas: Canvas, levels: Sequence[QImage], scale: float, origin: QPointF, ratio: float = 1.0) -> None:
        self._canvas = canvas
        self._levels = levels
        self._scale = scale
        self._origin = origin
        self._ratio = ratio

    def image(self, area: QRect) -> QImage:
        """What is seen in an area of the window; transparent beside the canvas."""
        seen, with_layers = self._ground(area), self.picture(area)
        painter = QPainter(seen)
        rect = QRectF(self._origin - QPointF(area.topLeft()), QRectF(self._canvas.rect).size() * self._scale)
        painter.setBrushOrigin(-area.topLeft())
        painter.fillRect(rect, QBrush(checks()))
        painter.drawImage(QPoint(0, 0), with_layers)
        for layer in self._canvas.layers:
            if layer.kind != PAINT and layer.visible and layer.image is not None:
                painter.setOpacity(_TINT * layer.opacity)
                painter.drawImage(QPoint(0, 0), self._tint(layer, area))
        painter.setOpacity(1)
        if self._canvas.selecting:
            painter.drawImage(QPoint(0, 0), self._outside(area))
        painter.end()
        return seen

    def picture(self, area: QRect) -> QImage:
        """The picture with its layers of paint alone, transparent where there is nothing."""
        image = self._ground(area)
        painter = self._painter(image, area)
        draw_picture(painter, self._canvas, self._levels, self._scale * self._ratio)
        painter.end()
        return image

    def _tint(self, layer: Layer, area: QRect) -> QImage:
        tint = self._ground(area)
        painter = self._painter(tint, area)
        painter.fillRect(self._canvas.rect, QColor(layer.colour))
        painter.setCompositionMode(Mode.CompositionMode_DestinationIn)
        painter.drawImage(0, 0, layer.image)
        painter.end()
        return tint

    def _outside(self, area: QRect) -> QImage:
        """Shade over what is not selected."""
        shade = self._ground(area)
        painter = self._painter(shade, area)
        painter.fillRect(self._canvas.rect, _OUTSIDE)
        if self._canvas.selection.image is not None:
            painter.setCompositionMode(Mode.CompositionMode_DestinationOut)
            painter.drawImage(0, 0, self._canvas.selection.image)
        painter.end()
        return shade

    def _ground(self, area: QRect) -> QImage:
        image = blank(QSize(round(area.width() * self._ratio), round(area.height() * self._ratio)), COLOUR_FORMAT)
        image.setDevicePixelRatio(self._ratio)
        return image

    def _painter(self, image: QImage, area: QRect) -> QPainter:
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._scale * self._ratio < _CRISP)
        left, top = self._origin.x() - area.left(), self._origin.y() - area.top()
        painter.setTransform(QTransform(self._scale, 0, 0, self._scale, left, top))
        return painter


def checks() -> QImage:
    """The chequered ground that stands for nothing."""
    image = QImage(2 * _CHECKS_PX, 2 * _CHECKS_PX, QImage.Format.Format_RGB32)
    image.fill(QColor("#8b8d92"))
    painter = QPainter(image)
    for corner in (0, _CHECKS_PX):
        painter.fillRect(corner, corner, _CHECKS_PX, _CHECKS_PX, QColor("#9a9ca1"))
    painter.end()
    return image
