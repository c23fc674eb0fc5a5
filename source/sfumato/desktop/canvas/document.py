"""A canvas: a picture that is never changed, layers over it, a selection, and what can be undone. Images of Qt, but no window.

Coordinates are pixels of the canvas. The picture lies at `origin`, which moves when the canvas is extended to the left or above it.
"""

from __future__ import annotations

from dataclasses import replace

from PyQt5.QtCore import QPoint, QRect, QSize
from PyQt5.QtGui import QImage

from sfumato.desktop.canvas.changes import Extent, Structure
from sfumato.desktop.canvas.history import Background, Change, History, Step, at_once
from sfumato.desktop.canvas.layers import LAYERS_AT_MOST, MASK, PAINT, REGION, SELECTION, Layer, blank

SIDE_MOST_PX = 16_384
PIXELS_MOST = 300_000_000
# Canvases grow by what a latent can hold.
EXTENSION_PX = 8


class Canvas:
    """What is painted on one card.

    Args:
        kind: what its layers are: "mask", "paint" or "region".
        size: of the picture, or of an empty canvas.
        picture: what is painted over; None for an empty canvas.
        background: runs the packing of undo steps away from the GUI thread.
    """

    def __init__(self, kind: str, size: QSize, picture: QImage | None = None, background: Background = at_once) -> None:
        self.kind = kind
        self.size = QSize(size)
        self.picture = picture
        self.origin = QPoint(0, 0)
        self.layers: list[Layer] = [Layer(kind, number=1)]
        self.active = self.layers[0].id
        self.selection = Layer(SELECTION)
        self.selecting = False
        self.history = History(background)
        self._coverage: QImage | None = None

    @property
    def width(self) -> int:
        return self.size.width()

    @property
    def height(self) -> int:
        return self.size.height()

    @property
    def rect(self) -> QRect:
        return QRect(QPoint(0, 0), self.size)

    @property
    def picture_rect(self) -> QRect:
        """Where the picture lies; all of an empty canvas."""
        return QRect(self.origin, self.picture.size()) if self.picture is not None else self.rect

    @property
    def layer(self) -> Layer:
        """The one that is painted on."""
        return next((layer for layer in self.layers if layer.id == self.active), self.layers[-1])

    def of_kind(self, kind: str) -> list[Layer]:
        return [layer for layer in self.layers if layer.kind == kind]

    @property
    def is_painted(self) -> bool:
        return any(layer.image is not None for layer in self.layers) or self.is_extended

    @property
    def is_extended(self) -> bool:
        return self.picture is not None and self.picture.size() != self.size

    def still(self) -> Canvas:
        """The canvas as it is now, for another thread to read; its pixels are shared until one of them changes."""
        copy = Canvas(self.kind, self.size, self.picture)
        copy.origin = QPoint(self.origin)
        copy.layers = [replace(layer, image=QImage(layer.image) if layer.image is not None else None) for layer in self.layers]
        copy.active, copy.selecting = self.active, self.selecting
        copy.selection = replace(self.selection, image=QImage(self.selection.image) if self.selection.image is not None else None)
        return copy

    def coverage(self) -> QImage:
        """Where the stroke being drawn has been, black (0) to white (255); whoever draws in it clears it again."""
        if self._coverage is None or self._coverage.size() != self.size:
            self._coverage = blank(self.size, QImage.Format.Format_Grayscale8)
        return self._coverage

    def resize(self, size: QSize, left: int, top: int) -> None:
        """Called by `Extent` alone, which has moved the layers."""
        self.size = size
        self.origin = self.origin + QPoint(left, top)
        self._coverage = None

    # -- undo ------------------------------------------------------------------------------------

    def done(self, words: str, *changes: Change) -> None:
        """Remember what was just changed."""
        self.history.push(Step(words, changes))

    def undo(self) -> QRect:
        return self.history.undo(self)

    def redo(self) -> QRect:
        return self.history.redo(self)

    # -- layers ----------------------------------------------------------------------------------

    def select(self, identity: str) -> None:
        """Paint on another layer; not a step of its own."""
        if any(layer.id == identity for layer in self.layers):
            self.active = identity

    def add_layer(self, words: str, kind: str = "", above: str = "") -> Layer | None:
        """An empty layer above another one (the active one), which is painted on from now on; None where no more fit."""
        if len(self.layers) >= LAYERS_AT_MOST or self.kind == MASK:
            return None
        before = Structure(self)
        kind = kind or (REGION if self.kind == REGION else PAINT)
        layer = Layer(kind, number=max((other.number for other in self.layers), default=0) + 1)
        place = self.place(above or self.active)
        self.layers.insert(place + 1 if kind != REGION else len(self.layers), layer)
        self.active = layer.id
        self.done(words, before)
        return layer

    def duplicate_layer(self, words: str, identity: str) -> Layer | None:
        if len(self.layers) >= LAYERS_AT_MOST or self.kind != PAINT:
            return None
        before, place = Structure(self), self.place(identity)
        original = self.layers[place]
        number = max(other.number for other in self.layers) + 1
        copy = Layer(original.kind, original.name, number, visible=original.visible, opacity=original.opacity, mode=original.mode)
        copy.image, copy.revision = (QImage(original.image) if original.image is not None else None), 1
        self.layers.insert(place + 1, copy)
        self.active = copy.id
        self.done(words, before)
        return copy

    def remove_layer(self, words: str, identity: str) -> bool:
        """False for the last layer: a canvas has one at least."""
        if len(self.layers) < 2:
            return False
        before, place = Structure(self), self.place(identity)
        del self.layers[place]
        if self.kind == REGION:
            # The numbers are those of the parts between the ANDs: no gaps.
            for number, layer in enumerate(self.layers, 1):
                layer.number = number
        if self.active == identity:
            self.active = self.layers[min(place, len(self.layers) - 1)].id
        self.done(words, before)
        return True

    def move_layer(self, words: str, identity: str, distance: int) -> bool:
        """Up with a positive distance; False at the end of the stack."""
        place = self.place(identity)
        target = max(0, min(len(self.layers) - 1, place + distance))
        if target == place:
            return False
        before = Structure(self)
        self.layers.insert(target, self.layers.pop(place))
        if self.kind == REGION:
            for number, layer in enumerate(self.layers, 1):
                layer.number = number
        self.done(words, before)
        return True

    def describe_layer(self, words: str, identity: str, **properties: object) -> None:
        """Change name, visible, opacity or mode."""
        layer = self.layers[self.place(identity)]
        if any(getattr(layer, name) != value for name, value in properties.items()):
            before = Structure(self)
            for name, value in properties.items():
                setattr(layer, name, value)
            self.done(words, before)

    def place(self, identity: str) -> int:
        return next((index for index, layer in enumerate(self.layers) if layer.id == identity), len(self.layers) - 1)

    # -- size ------------------------------------------------------------------------------------

    def extension(self, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int]:
        """What can be added of the pixels asked for: multiples of 8, within the largest canvas, and never less than the picture."""
        inner, whole = self.picture_rect, self.rect
        room = (inner.left(), inner.top(), whole.right() - inner.right(), whole.bottom() - inner.bottom())
        wanted = [
            max(round(side / EXTENSION_PX) * EXTENSION_PX, -(held // EXTENSION_PX) * EXTENSION_PX) for side, held in zip((left, top, right, bottom), room)
        ]
        for axis, length in ((0, self.width), (1, self.height)):
            spare = (SIDE_MOST_PX - length) // EXTENSION_PX * EXTENSION_PX
            wanted[axis] = min(wanted[axis], spare)
            wanted[axis + 2] = min(wanted[axis + 2], spare - max(0, wanted[axis]))
        fits = (self.width + wanted[0] + wanted[2]) * (self.height + wanted[1] + wanted[3]) <= PIXELS_MOST
        return tuple(wanted) if fits else (0, 0, 0, 0)  # type: ignore[return-value]  four of them

    def extend(self, words: str, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int]:
        """Add pixels on each side, for outpainting; what was added, see `extension`."""
        sides = self.extension(left, top, right, bottom)
        if any(sides):
            change = Extent(*sides)
            change.exchange(self)
            self.done(words, change)
        return sides
