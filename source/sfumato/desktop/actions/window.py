"""What the window itself can do."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("tab_generate", "Generate page", "Turn to the page where pictures are made.", ("Ctrl+1",), icon="sparkles"),
    Action("undo", "Undo", "Take back the last change of this page.", ("Ctrl+Z",), menu="Edit", icon="undo-2"),
    Action("redo", "Redo", "Make the change again that was taken back.", ("Ctrl+Y", "Ctrl+Shift+Z"), menu="Edit", icon="redo-2"),
    Action("open_outputs", "Open outputs folder", "Show the folder of finished pictures.", (), menu="File", icon="folder-open"),
    Action("reload", "Reload engine", "End the engine and start it again; nothing is lost.", ("Ctrl+R",), menu="File", icon="refresh-cw"),
    Action("quit", "Quit", "Close the window and the engine.", ("Ctrl+Q", "Ctrl+Shift+Q"), menu="File", icon="log-out"),
    Action("theme_dark", "Dark theme", "Light text on a dark ground.", (), menu="View", icon="moon"),
    Action("theme_light", "Light theme", "Dark text on a light ground.", (), menu="View", icon="sun"),
    Action("full_screen", "Full screen", "Fill the screen with the window, or stop doing so.", ("F11",), menu="View", icon="maximize-2"),
    Action("shortcuts", "Shortcuts", "List every key of the window.", ("Ctrl+/",), menu="Help", icon="keyboard"),
    Action("about", "About", "Version and licences.", (), menu="Help", icon="info"),
)
