"""Image encoders for a chooser, told by their headers."""

from __future__ import annotations

import logging
from typing import Any

from sfumato.engine.control.rows import unread_control_row
from sfumato.engine.image_prompts.kinds import open_encoder
from sfumato.engine.image_prompts.shapes import encoder_shape
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import CorruptFile, SfumatoError

log = logging.getLogger(__name__)


def encoder_row(entry: ModelEntry) -> dict[str, Any]:
    """One image encoder. `widths`: of the tokens and of the embedding that it makes of a picture."""
    row = {**unread_control_row(entry), "widths": [], "state": "unusable"}
    if entry.reason:
        return row
    try:
        file = open_encoder(entry.path)
        shape = encoder_shape(file)
    except SfumatoError as error:
        return {**row, "reason": error.message}
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # One file that nobody foresaw must not take the list of all others with it.
        log.warning("%s cannot be understood", entry.path, exc_info=True)
        return {**row, "reason": CorruptFile(entry.path.name, f"it cannot be understood ({type(error).__name__})").message}
    return {**row, "label": file.title, "kind": file.kind.title, "widths": [shape.width, shape.projection_width], "state": "ready"}
