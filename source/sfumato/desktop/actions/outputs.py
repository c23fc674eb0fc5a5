"""What can be done with pictures that were made."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("view_open", "Open picture", "Show the chosen picture in full.", ("Return",), scope="outputs strip"),
    Action("view_close", "Close picture", "Return to the workspace.", ("Esc",), scope="full view"),
    Action("view_previous", "Previous picture", "Show the picture to the left.", ("Left",), scope="outputs strip, full view"),
    Action("view_next", "Next picture", "Show the picture to the right.", ("Right",), scope="outputs strip, full view"),
    Action("view_fit", "Fit or 100 %", "Switch between fitting the window and one pixel to one pixel.", ("Z",), scope="full view"),
    Action("view_clear", "Clear picture", "Remove the picture from the strip; its file stays.", ("Delete",), scope="outputs strip, full view"),
    Action("view_copy", "Copy picture", "Put the finished picture and its file on the clipboard.", ("Ctrl+C",), scope="outputs strip, full view"),
)
