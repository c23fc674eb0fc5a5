"""What can be done with the cards of the inputs strip."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

_STRIP = "inputs strip"

ROWS = (
    Action("input_add", "Add input", "Choose a picture, mask or control that the next job starts from.", (), menu="Edit", icon="plus"),
    Action("input_open", "Open input", "Paint on the chosen card.", ("Return",), scope=_STRIP, icon="pencil"),
    Action("input_previous", "Card to the left", "Choose the card to the left.", ("Left",), scope=_STRIP),
    Action("input_next", "Card to the right", "Choose the card to the right.", ("Right",), scope=_STRIP),
    Action("input_left", "Move card left", "Move the card one place to the left.", ("Ctrl+Left",), scope=_STRIP),
    Action("input_right", "Move card right", "Move the card one place to the right.", ("Ctrl+Right",), scope=_STRIP),
    Action("input_copy", "Copy card", "Put the picture of the card on the clipboard.", ("Ctrl+C",), scope=_STRIP, icon="copy"),
    Action("input_paste", "Paste input", "Make what was copied a card.", ("Ctrl+V",), scope=_STRIP, instead="paste"),
    Action("input_remove", "Remove card", "Remove the card; its file stays.", ("Delete",), scope=_STRIP, icon="trash-2"),
    Action("input_toggle", "Card on or off", "Leave the card out of the next job, or take it in again.", ("Space",), scope=_STRIP, icon="eye"),
    Action("input_refresh", "Compute map", "Compute what the control card tells the model, and show it.", ("R",), scope=_STRIP, icon="refresh-cw"),
    Action("input_settings", "Control settings", "Set how the control steers.", ("S",), scope=_STRIP, icon="settings-2"),
    Action("input_menu", "Menu of the card", "Show everything that can be done with the card.", ("Menu", "Shift+F10"), scope=_STRIP),
    Action("input_nearer", "Crop nearer", "Take a smaller part of the picture.", ("+", "="), scope=_STRIP, icon="crop"),
    Action("input_farther", "Crop farther", "Take a larger part of the picture.", ("-",), scope=_STRIP),
    Action("input_pan_left", "Crop to the left", "Move the part that is taken to the left.", ("Shift+Left",), scope=_STRIP),
    Action("input_pan_right", "Crop to the right", "Move the part that is taken to the right.", ("Shift+Right",), scope=_STRIP),
    Action("input_pan_up", "Crop upwards", "Move the part that is taken up.", ("Shift+Up",), scope=_STRIP),
    Action("input_pan_down", "Crop downwards", "Move the part that is taken down.", ("Shift+Down",), scope=_STRIP),
    Action("input_file_previous", "Previous file", "Show the previous picture of a folder.", ("Up",), scope=_STRIP),
    Action("input_file_next", "Next file", "Show the next picture of a folder.", ("Down",), scope=_STRIP),
)
