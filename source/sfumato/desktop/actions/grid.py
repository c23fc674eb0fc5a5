"""Making many pictures that differ in chosen ways."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (Action("grid", "XYZ grid", "Make pictures that differ in up to three ways, on one labelled sheet.", ("Ctrl+G",), menu="Edit", icon="layout-grid"),)
