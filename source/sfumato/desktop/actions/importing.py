"""What can be done with pictures and texts of others."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("paste", "Paste", "Make what was copied an input, or import it if it is text.", ("Ctrl+V",), menu="Edit", icon="clipboard-paste"),
    Action("import_clipboard", "Import from clipboard", "Show the parameters in what was copied.", ("Ctrl+Shift+V",), menu="Edit", icon="clipboard-list"),
    Action("import_prompt", "Inspect prompt", "Take the text in the prompt box apart into prompts and parameters.", (), menu="Edit", icon="scan-text"),
    Action("import_accept", "Import", "Take over what is checked.", ("Return",), scope="import dialog"),
    Action("import_close", "Close", "Import nothing.", ("Esc",), scope="import dialog"),
    Action("import_toggle", "Check or clear", "Check or clear the value that is marked.", ("Space",), scope="import dialog"),
    Action("import_all", "Check all", "Check every value.", ("Ctrl+A",), scope="import dialog"),
    Action("import_none", "Check none", "Clear every box.", ("Ctrl+D",), scope="import dialog"),
)
