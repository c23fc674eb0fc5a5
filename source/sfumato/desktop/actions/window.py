"""What the window itself can do."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("tab_generate", "Generate page", "Turn to the page where pictures are made.", ("Ctrl+1",), icon="sparkles"),
    Action("tab_settings", "Settings page", "Turn to the settings.", ("Ctrl+,", "Ctrl+0", "F12"), menu="Edit", icon="settings"),
    Action("undo", "Undo", "Take back the last change of this page.", ("Ctrl+Z",), menu="Edit", icon="undo-2"),
    Action("redo", "Redo", "Make the change again that was taken back.", ("Ctrl+Y", "Ctrl+Shift+Z"), menu="Edit", icon="redo-2"),
    Action("find", "Find action", "Find an action, a parameter or a setting by its name.", ("Ctrl+K",), menu="Edit", icon="search"),
    Action("open_outputs", "Open outputs folder", "Show the folder of finished pictures.", (), menu="File", icon="folder-open"),
    Action("reload", "Reload engine", "End the engine and start it again; nothing is lost.", ("Ctrl+R",), menu="File", icon="refresh-cw"),
    Action("quit", "Quit", "Close the window and the engine.", ("Ctrl+Q", "Ctrl+Shift+Q"), menu="File", icon="log-out"),
    Action("theme_dark", "Dark theme", "Light text on a dark ground.", (), menu="View", icon="moon"),
    Action("theme_light", "Light theme", "Dark text on a light ground.", (), menu="View", icon="sun"),
    Action("theme_system", "System theme", "Light or dark as the desktop is.", (), menu="View", icon="monitor"),
    Action("theme_contrast", "High contrast theme", "White on black with bright marks.", (), menu="View", icon="contrast"),
    Action("font_larger", "Larger words", "Make words and controls larger.", (), menu="View", icon="a-large-small"),
    Action("font_smaller", "Smaller words", "Make words and controls smaller.", (), menu="View", icon="minus"),
    Action("font_normal", "Normal words", "Give words and controls their usual size.", (), menu="View", icon="type"),
    Action("full_screen", "Full screen", "Fill the screen with the window, or stop doing so.", ("F11",), menu="View", icon="maximize-2"),
    Action("guide", "Guide", "Show the guide that comes with the program.", (), menu="Help", icon="book-open"),
    Action("shortcuts", "Shortcuts", "List every key of the window.", ("F1", "Ctrl+/"), menu="Help", icon="keyboard"),
    Action("settings_keyboard", "Change shortcuts", "Give actions other keys.", (), menu="Help", icon="key-round"),
    Action("open_data", "Open data folder", "Show the folder of settings, session and logs.", (), menu="Help", icon="folder"),
    Action("open_logs", "Open logs", "Show the folder of what the program wrote down.", (), menu="Help", icon="folder"),
    Action("change_mode", "Change mode", "Choose on what pictures are made, and install what that needs.", (), menu="File", icon="cpu"),
    Action("restart", "Restart", "End the program and start it again.", (), menu="File", icon="rotate-ccw"),
    Action("about", "About", "Version and licences.", (), menu="Help", icon="info"),
)
