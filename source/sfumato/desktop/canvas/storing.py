"""The folder of a canvas: a picture file for each layer that was painted on, and `canvas.json`, which names them. Written whole or not at all.

Reading and writing are not for the GUI thread. What was selected, and what can be undone, is of one session and not kept.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QSize
from PyQt5.QtGui import QImage

from sfumato.desktop.canvas import channel
from sfumato.desktop.canvas.document import PIXELS_MOST, SIDE_MOST_PX, Canvas
from sfumato.desktop.canvas.layers import COLOUR_FORMAT, KINDS, LAYERS_AT_MOST, MASK_FORMAT, MODES, NORMAL, PAINT, Layer
from sfumato.protocol.errors import ImageUnreadable

FILE = "canvas.json"
VERSION = 1
# Qt's scale; little work for the processor, files a little larger.
_QUICK_PNG = 90


def write(folder: Path, canvas: Canvas, written: dict[str, int]) -> dict[str, int]:
    """Save what changed since `written` (layer id -> revision); returns what is on disk now. Raises `DiskFull` or `NotWritable`."""
    from sfumato.imaging.writing import make_folder, replace_file  # late: not needed before something is painted

    make_folder(folder)
    done: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for layer in canvas.layers:
        row = {name: getattr(layer, name) for name in ("id", "kind", "name", "number", "visible", "opacity", "mode")}
        if layer.image is not None:
            row["file"] = _file_of(layer)
            if written.get(layer.id) != layer.revision or not (folder / row["file"]).exists():
                replace_file(folder / row["file"], _png(layer.image))
            done[layer.id] = layer.revision
        rows.append(row)
    document = {
        "version": VERSION,
        "kind": canvas.kind,
        "width": canvas.width,
        "height": canvas.height,
        "origin": [canvas.origin.x(), canvas.origin.y()],
        "active": canvas.active,
        "layers": rows,
    }
    replace_file(folder / FILE, json.dumps(document, ensure_ascii=False, indent=1).encode())
    for gone in set(written) - {layer.id for layer in canvas.layers}:
        with suppress(OSError):
            (folder / f"layer-{gone}.png").unlink(missing_ok=True)
    return done


def read(folder: Path, canvas: Canvas) -> dict[str, int]:
    """Put the layers of an earlier session into a fresh canvas; returns what is on disk, as `write` does. A damaged folder leaves the canvas fresh."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="utf-8"))
        size = QSize(int(document["width"]), int(document["height"]))
        origin = QPoint(*(int(value) for value in document["origin"]))
        rows = [row for row in document["layers"] if row["kind"] in KINDS[:3]][:LAYERS_AT_MOST]
        if document["kind"] != canvas.kind or not rows or not _is_possible(size):
            return {}
        layers = [_layer(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {}
    own = canvas.picture.size() if canvas.picture is not None else size
    # Another picture came below the layers: they are fitted to it.
    fits = canvas.picture is None or (origin.x() + own.width() <= size.width() and origin.y() + own.height() <= size.height())
    if not fits:
        size, origin = own, QPoint(0, 0)
    for layer, row in zip(layers, rows):
        layer.image = _image(folder / _file_of(layer), layer.kind, size) if row.get("file") else None
    canvas.size, canvas.origin, canvas.layers = size, origin, layers
    canvas.active = next((layer.id for layer in layers if layer.id == document.get("active")), layers[-1].id)
    return {layer.id: layer.revision for layer in layers if layer.image is not None}


def _is_possible(size: QSize) -> bool:
    return 0 < size.width() <= SIDE_MOST_PX and 0 < size.height() <= SIDE_MOST_PX and size.width() * size.height() <= PIXELS_MOST


def _layer(row: dict[str, Any]) -> Layer:
    identity = str(row["id"])
    if not identity.isalnum():
        raise ValueError("a layer's id is part of its file's name")
    opacity = max(0.0, min(1.0, float(row.get("opacity", 1))))
    mode = row.get("mode") if row.get("mode") in MODES else NORMAL
    return Layer(row["kind"], str(row.get("name", "")), int(row.get("number", 0)), identity, row.get("visible") is not False, opacity, str(mode))


def _file_of(layer: Layer) -> str:
    return f"layer-{layer.id}.png"


def _png(image: QImage) -> bytes:
    if image.format() == MASK_FORMAT:
        image = image.copy()
        image.reinterpretAsFormat(QImage.Format.Format_Grayscale8)
    held = QByteArray()
    buffer = QBuffer(held)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG", _QUICK_PNG)
    return bytes(held)


def _image(path: Path, kind: str, size: QSize) -> QImage | None:
    image = QImage(str(path))
    if image.isNull():
        return None
    if image.size() != size:
        image = image.scaled(size)
    if kind == PAINT:
        return image.convertToFormat(COLOUR_FORMAT)
    image = image.convertToFormat(QImage.Format.Format_Grayscale8)
    image.reinterpretAsFormat(MASK_FORMAT)
    return image


def read_picture(path: Path) -> QImage:
    """A picture upright and in sRGB, as it is sent. Raises `ImageUnreadable`."""
    from PIL import Image  # late: as above

    from sfumato.desktop.inputs.reading import FORMATS, glance, sent, upright_colours

    if glance(path).problem:
        sent(path)  # says the same as an error
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return channel.from_colour(upright_colours(image))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageUnreadable(f"'{path.name}'", "it is damaged", remedy="Choose another file.") from error
