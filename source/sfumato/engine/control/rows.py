"""Control models for a chooser, told by their headers."""

from __future__ import annotations

import logging
from typing import Any

from sfumato.engine.control.files import open_control
from sfumato.engine.control.kinds import KINDS
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import CorruptFile, SfumatoError

log = logging.getLogger(__name__)


def control_row(entry: ModelEntry) -> dict[str, Any]:
    """One control model. `kind` in words; `family` whose networks it acts on, "" if that is not told; `maps`: the kinds of maps it must be told apart, 0 for
    models of one kind."""
    row = {**unread_control_row(entry), "state": "unusable"}
    if entry.reason:
        return row
    try:
        file = open_control(entry.path, KINDS)
        shape = file.shape
        union = getattr(shape, "union", None)
        found = {"label": _label(entry, file.name), "kind": file.kind.title, "family": file.family, "maps": union.types if union else 0}
    except SfumatoError as error:
        return {**row, "reason": error.message}
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # One file that nobody foresaw must not take the list of all others with it.
        log.warning("%s cannot be understood", entry.path, exc_info=True)
        return {**row, "reason": CorruptFile(entry.path.name, f"it cannot be understood ({type(error).__name__})").message}
    return {**row, **found, "state": "ready"}


def unread_control_row(entry: ModelEntry) -> dict[str, Any]:
    """A control model of which nothing but the name is known."""
    path = str(entry.path).encode("utf-8", "replace").decode()
    return {"value": entry.name, "label": entry.name, "kind": "", "family": "", "maps": 0, "state": "ready", "reason": entry.reason, "path": path}


def _label(entry: ModelEntry, name: str) -> str:
    """The weights of a diffusers folder are called as the folder."""
    return name if name != entry.path.name else entry.name
