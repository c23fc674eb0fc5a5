"""What the window can do about sharing its engine."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("host_settings", "Host", "Let others paint with the engine of this computer.", (), menu="File", icon="radio-tower"),
    Action("host_copy_link", "Copy connection link", "Put the link on the clipboard by which others connect to this computer.", (), icon="link"),
)
