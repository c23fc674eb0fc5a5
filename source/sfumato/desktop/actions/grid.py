"""Making many pictures that differ in chosen ways."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

PANEL = "grid"

ROWS = (
    Action("grid", "XYZ grid", "Make pictures that differ in up to three ways, on one labelled sheet.", ("Ctrl+G",), menu="Edit", icon="layout-grid"),
    Action("grid_start", "Make the grid", "Queue a picture for each cell.", ("Ctrl+Return",), PANEL, icon="layout-grid", instead="generate"),
)
