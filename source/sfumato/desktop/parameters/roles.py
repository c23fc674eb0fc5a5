"""What QML reads of a row of the form, by name."""

from __future__ import annotations

from PyQt5.QtCore import Qt

ROLES = (
    "name", "title", "description", "control", "text", "value", "isSet", "minimum", "maximum", "step", "snap", "unit", "choices",
    "group", "problem", "placeholder", "source",
)  # fmt: skip
ROLE = {name: Qt.ItemDataRole.UserRole + 1 + index for index, name in enumerate(ROLES)}
