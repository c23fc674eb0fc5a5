"""What the Generate page can do."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action(
        "generate",
        "Generate",
        "Make the picture; while busy, add it to the queue.",
        ("Ctrl+Return", "Ctrl+`"),
        icon="sparkles",
    ),
    Action("cancel", "Cancel", "Cancel the running job.", ("Shift+Esc", "Alt+`", "Ctrl+Backspace"), icon="stop"),
    Action("cancel_all", "Cancel all", "Cancel the running job and everything that waits.", icon="stop"),
    Action("live", "Live", "Make a picture after each change; nothing is saved until it is kept.", ("Ctrl+L",), icon="radio"),
    Action("live_keep", "Keep the live picture", "Save the picture that Live shows.", (), icon="save"),
    Action("presets", "Presets", "Take a set of values you saved.", (), menu="Edit", icon="bookmark"),
    Action("save_preset", "Save a preset", "Keep values you set under a name.", ("Ctrl+S",), menu="Edit", icon="bookmark-plus"),
    Action("reset_parameters", "Reset parameters", "Give every parameter its default.", (), menu="Edit", icon="rotate-ccw"),
    Action("advanced", "Advanced parameters", "Show or fold the parameters that are seldom needed.", (), menu="View", icon="sliders-horizontal"),
    Action("swap_side", "Swap side", "Move the parameters to the other side.", (), menu="View", icon="panel-right"),
)
