"""Upscalers and face models for choosers, told by their headers: no weights are read, and spandrel is not asked, which would have to read them all."""

from __future__ import annotations

import re
from typing import Any

from sfumato.engine.faces.files import architecture_of
from sfumato.engine.upscalers import builtin
from sfumato.engine.upscalers.reading import read_shapes
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import SfumatoError

_SCALE = re.compile(r"(?<![0-9A-Za-z])(?:([1-8])x|x([1-8]))(?![0-9])", re.IGNORECASE)


def network_row(entry: ModelEntry) -> dict[str, Any]:
    """One file.

    `kind` is "model", or "detector" for what finds faces; `architecture` is "" where only opening the file would tell. The `scale` is then the one in its
    name, as nearly all are named ("4x-UltraSharp", "RealESRGAN_x2plus"), or 0.
    """
    row = unread_network_row(entry)
    if entry.reason:
        return {**row, "state": "unusable"}
    try:
        shapes, _ = read_shapes(entry.path)
    except SfumatoError as error:
        return {**row, "state": "unusable", "reason": error.message}
    if (face := architecture_of(shapes)) is not None:
        return {**row, "architecture": face.architecture, "kind": "detector" if face.is_detector else "model", "scale": 1}
    found = builtin.recognise(shapes)
    return {**row, "architecture": found.architecture, "scale": found.scale} if found is not None else row | {"scale": _scale_in(entry.name)}


def _scale_in(name: str) -> int:
    found = _SCALE.search(name)
    return int(found[1] or found[2]) if found else 0


def unread_network_row(entry: ModelEntry) -> dict[str, Any]:
    """A file of which nothing but the name is known."""
    return {"value": entry.name, "label": entry.name, "kind": "model", "architecture": "", "scale": 0, "state": "ready", "reason": entry.reason}
