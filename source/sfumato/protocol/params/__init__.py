"""Parameters, each declared once.

A parameter is a type, its limits, its words and how a person meets it (`Ui`). Validation, the control in the window, the command-line flag, the
catalog and the generated reference are all drawn from the lines in this package; nothing else may repeat a limit or a default sentence.
"""

from sfumato.protocol.params import (
    control,
    guidance,
    highres,
    model,
    networks,
    operation,
    pictures,
    results,
    sampling,
    speed,
    text,
    tiled,
    transfers,
    upscaling,
)
from sfumato.protocol.params.model import SIZE_STEP_PX
from sfumato.protocol.params.sampling import SEED_MAX
from sfumato.protocol.params.ui import GROUPS, Ui

__all__ = [
    "GROUPS",
    "SEED_MAX",
    "SIZE_STEP_PX",
    "Ui",
    "control",
    "guidance",
    "highres",
    "model",
    "networks",
    "operation",
    "pictures",
    "results",
    "sampling",
    "speed",
    "text",
    "tiled",
    "transfers",
    "upscaling",
]
