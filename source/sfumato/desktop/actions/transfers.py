"""Model files on their way."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (Action("transfers", "Transfers", "Download a model by its address, and see what is on its way.", ("Ctrl+Shift+D",), menu="File", icon="arrow-down-up"),)
