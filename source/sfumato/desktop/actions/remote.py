"""Which machine makes the pictures."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("remote_settings", "Remote", "Connect to another computer, or to one that was saved.", (), menu="File", icon="server"),
    Action("remote_disconnect", "Disconnect", "End the line to the other computer; jobs for it wait.", (), menu="File", icon="unplug"),
    Action("remote_local", "Use this computer", "Make pictures on this computer.", (), menu="File", icon="monitor"),
)
