"""Squares of a layer as they were before a change. A tile is held as it is at first and packed later, away from the GUI thread."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PyQt5.QtCore import QRect
from PyQt5.QtGui import QImage

SIDE_PX = 128
Key = tuple[int, int]


def keys(area: QRect) -> Iterator[Key]:
    """The tiles that an area of the canvas touches."""
    if area.isEmpty():
        return
    for row in range(area.top() // SIDE_PX, area.bottom() // SIDE_PX + 1):
        for column in range(area.left() // SIDE_PX, area.right() // SIDE_PX + 1):
            yield column, row


def place(key: Key, whole: QRect) -> QRect:
    """Where a tile lies; those at the right and lower edge are smaller."""
    return QRect(key[0] * SIDE_PX, key[1] * SIDE_PX, SIDE_PX, SIDE_PX).intersected(whole)


class Tile:
    """Pixels of one square. `pack` may run on another thread while `image` is asked for."""

    def __init__(self, image: QImage) -> None:
        self._image: QImage | None = image
        self._packed = b""
        self._shape = (image.width(), image.height(), image.bytesPerLine(), image.format())

    def image(self) -> QImage:
        held = self._image
        if held is not None:
            return held
        width, height, stride, form = self._shape
        # copy() because the bytes go away with this frame.
        return QImage(zlib.decompress(self._packed), width, height, stride, form).copy()

    def pack(self) -> None:
        """Hold the pixels compressed: most of a layer is empty or of one colour."""
        held = self._image
        if held is not None:
            self._packed = zlib.compress(held.constBits().asstring(held.sizeInBytes()), 1)
            self._image = None

    @property
    def size_bytes(self) -> int:
        held = self._image
        return held.sizeInBytes() if held is not None else len(self._packed)
