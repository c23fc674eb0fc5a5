"""The layers of the open canvas as QML lists them: the uppermost first."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractListModel, QByteArray, QModelIndex, QObject, Qt

from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.layers import ERASE, MASK, REGION, Layer
from sfumato.desktop.language import tr

NAMES = ("layerId", "title", "number", "colour", "shown", "opacity", "erases", "isActive", "isPainted")


class LayerList(QAbstractListModel):
    """Rows of `NAMES`. A change of the canvas is taken by `refresh`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[dict[str, Any]] = []

    def refresh(self, canvas: Canvas | None) -> None:
        rows = [_row(layer, canvas) for layer in reversed(canvas.layers)] if canvas is not None else []
        if [row["layerId"] for row in rows] != [row["layerId"] for row in self._rows]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        for place, row in enumerate(rows):
            if row != self._rows[place]:
                self._rows[place] = row
                self.dataChanged.emit(self.index(place), self.index(place))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._rows[index.row()][NAMES[role - Qt.ItemDataRole.UserRole]]

    def roleNames(self) -> dict[int, QByteArray]:
        return {Qt.ItemDataRole.UserRole + place: QByteArray(name.encode()) for place, name in enumerate(NAMES)}


def title(layer: Layer) -> str:
    if layer.name:
        return layer.name
    if layer.kind == REGION:
        return tr("Region {number}", number=layer.number)
    return tr("Mask") if layer.kind == MASK else tr("Layer {number}", number=max(1, layer.number))


def _row(layer: Layer, canvas: Canvas) -> dict[str, Any]:
    is_painted = layer.image is not None
    values = (layer.id, title(layer), layer.number, layer.colour, layer.visible, layer.opacity, layer.mode == ERASE, layer.id == canvas.layer.id, is_painted)
    return dict(zip(NAMES, values))
