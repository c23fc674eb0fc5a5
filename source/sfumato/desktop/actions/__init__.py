"""The rows of shortcuts.py, one module per room of the window."""

from __future__ import annotations

from sfumato.desktop.actions import canvas, generate, grid, history, host, importing, inputs, models, outputs, pose, prompts, queue, remote, transfers, window
from sfumato.desktop.actions.action import Action

__all__ = ["ACTIONS", "MENUS", "Action"]

# In the order in which menus and the sheet show them.
ACTIONS: tuple[Action, ...] = (
    *window.ROWS,
    *remote.ROWS,
    *transfers.ROWS,
    *generate.ROWS,
    *grid.ROWS,
    *inputs.ROWS,
    *prompts.ROWS,
    *queue.ROWS,
    *outputs.ROWS,
    *models.ROWS,
    *history.ROWS,
    *host.ROWS,
    *importing.ROWS,
    *canvas.ROWS,
    *pose.ROWS,
)

# The menus in the order of the bar.
MENUS = ("File", "Edit", "View", "Help")
