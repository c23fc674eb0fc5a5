"""The changes a step consists of: tiles of a layer, the list of layers with its properties, the size of the canvas, the selection's being there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt5.QtCore import QRect, QSize
from PyQt5.QtGui import QImage, QPainter

from sfumato.desktop.canvas import tiles
from sfumato.desktop.canvas.layers import Layer, shifted
from sfumato.desktop.canvas.tiles import Key, Tile

if TYPE_CHECKING:
    from sfumato.desktop.canvas.document import Canvas


class Tiles:
    """Squares of one layer as they were."""

    def __init__(self, layer: Layer, held: dict[Key, Tile]) -> None:
        self.layer = layer
        self._held = held

    def exchange(self, canvas: Canvas) -> QRect:
        whole = canvas.rect
        now = {key: Tile(self.layer.piece(tiles.place(key, whole))) for key in self._held}
        painter = QPainter(self.layer.pixels(canvas.size))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        area = QRect()
        for key, tile in self._held.items():
            place = tiles.place(key, whole)
            painter.drawImage(place.topLeft(), tile.image())
            area = area.united(place)
        painter.end()
        self._held = now
        self.layer.revision += 1
        return area

    def pack(self) -> None:
        for tile in tuple(self._held.values()):
            tile.pack()

    @property
    def size_bytes(self) -> int:
        return sum(tile.size_bytes for tile in tuple(self._held.values()))


def difference(layer: Layer, before: QImage | None, after: QImage, area: QRect) -> Tiles:
    """What an operation on a whole layer replaced: the tiles in which `before` and `after` are not the same."""
    held: dict[Key, Tile] = {}
    was = Layer(layer.kind, image=before)
    for key in tiles.keys(area.intersected(after.rect())):
        place = tiles.place(key, after.rect())
        old = was.piece(place)
        if old != after.copy(place):
            held[key] = Tile(old)
    return Tiles(layer, held)


@dataclass(frozen=True)
class Properties:
    name: str
    number: int
    visible: bool
    opacity: float
    mode: str

    @staticmethod
    def of(layer: Layer) -> Properties:
        return Properties(layer.name, layer.number, layer.visible, layer.opacity, layer.mode)

    def put(self, layer: Layer) -> None:
        layer.name, layer.number, layer.visible, layer.opacity, layer.mode = self.name, self.number, self.visible, self.opacity, self.mode


class Structure:
    """The layers in their order with what is said of them, and which one is painted on. Make it before the change."""

    def __init__(self, canvas: Canvas) -> None:
        self._take(canvas)

    def _take(self, canvas: Canvas) -> None:
        self._layers = [(layer, Properties.of(layer)) for layer in canvas.layers]
        self._active = canvas.active
        self._canvas_layers = canvas.layers

    def exchange(self, canvas: Canvas) -> QRect:
        layers, active = self._layers, self._active
        self._take(canvas)
        canvas.layers[:] = [layer for layer, _ in layers]
        for layer, properties in layers:
            properties.put(layer)
        canvas.active = active
        return canvas.rect

    def pack(self) -> None:
        pass

    @property
    def size_bytes(self) -> int:
        """A layer that only this step holds costs its memory."""
        return sum(layer.memory_bytes for layer, _ in self._layers if layer not in self._canvas_layers)


class Extent:
    """The size of the canvas: pixels added on each side, or cut off where the number is negative. What is cut off is held."""

    def __init__(self, left: int, top: int, right: int, bottom: int) -> None:
        self._sides = (left, top, right, bottom)
        self._cut: dict[Layer, QImage] = {}

    def exchange(self, canvas: Canvas) -> QRect:
        left, top, right, bottom = self._sides
        size = QSize(canvas.width + left + right, canvas.height + top + bottom)
        back, self._cut = self._cut, {}
        cuts = min(self._sides) < 0
        for layer in (*canvas.layers, canvas.selection):
            image = layer.image
            if image is None:
                continue
            layer.image = back.get(layer) or shifted(image, size, left, top)
            layer.revision += 1
            if cuts and not back:
                self._cut[layer] = image
        canvas.resize(size, left, top)
        self._sides = (-left, -top, -right, -bottom)
        return canvas.rect

    def pack(self) -> None:
        pass

    @property
    def size_bytes(self) -> int:
        return sum(image.sizeInBytes() for image in self._cut.values())


class Selecting:
    """Whether there is a selection."""

    def __init__(self, is_there: bool) -> None:
        self._was = is_there

    def exchange(self, canvas: Canvas) -> QRect:
        canvas.selecting, self._was = self._was, canvas.selecting
        return canvas.rect

    def pack(self) -> None:
        pass

    @property
    def size_bytes(self) -> int:
        return 0
