"""Upscalers and face models for choosers, told by their headers: no weights are read, and spandrel is not asked, which would have to read them all."""

from __future__ import annotations

from typing import Any

from sfumato.engine.faces.files import architecture_of
from sfumato.engine.upscalers import builtin
from sfumato.engine.upscalers.reading import read_shapes
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import SfumatoError


def network_row(entry: ModelEntry) -> dict[str, Any]:
    """One file.

    `kind` is "model", or "detector" for what finds faces; `architecture` and `scale` are "" and 0 where only opening the file would tell.
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
    return {**row, "architecture": found.architecture, "scale": found.scale} if found is not None else row


def unread_network_row(entry: ModelEntry) -> dict[str, Any]:
    """A file of which nothing but the name is known."""
    return {"value": entry.name, "label": entry.name, "kind": "model", "architecture": "", "scale": 0, "state": "ready", "reason": entry.reason}
