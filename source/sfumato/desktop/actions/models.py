"""What the Models page can do, and the ways into it."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

_IMPORTS = (
    ("checkpoints", "checkpoint", "box"),
    ("components", "component", "puzzle"),
    ("loras", "LoRA", "layers"),
    ("hypernetworks", "hypernetwork", "network"),
    ("embeddings", "embedding", "bookmark"),
    ("upscalers", "upscaler", "scaling"),
    ("faces", "face model", "scan-face"),
    ("control", "ControlNet", "waypoints"),
)

ROWS = (
    Action("tab_models", "Models page", "Turn to the page of models, networks and wildcards.", ("Ctrl+2", "F2"), icon="box"),
    Action("import_model", "Import model", "Copy or move a model file into the models folder.", (), menu="File", icon="import"),
    *(Action(f"import_{name}", f"Import {word}", f"Copy or move a {word} file into its folder.", (), icon=icon) for name, word, icon in _IMPORTS),
    Action("open_models", "Open models folder", "Show the folder of models.", (), menu="File", icon="folder-open"),
    Action("refresh_models", "Refresh models", "Look through the models folders again.", (), menu="Edit", icon="refresh-cw"),
    Action("model_search", "Search models", "Type what to look for.", ("Ctrl+F",), scope="models", icon="search"),
    Action("model_search_clear", "Clear search", "Show everything again.", ("Esc",), scope="models", icon="x"),
    Action("model_activate", "Use model", "Use the model, or stop using it.", ("Return",), scope="models", icon="check"),
    Action("model_favourite", "Favourite", "Mark as a favourite, or no longer.", ("F",), scope="models", icon="star"),
    Action("model_rename", "Rename model", "Give the file another name; what belongs to it follows.", ("F6",), scope="models", icon="pencil"),
    Action("model_delete", "Delete model", "Move the model and what belongs to it to the trash.", ("Delete",), scope="models", icon="trash-2"),
    Action("model_all", "Choose all", "Choose every model that is shown.", ("Ctrl+A",), scope="models", icon="list"),
    Action("model_larger", "Larger cards", "Make the cards larger.", ("Ctrl+=", "Ctrl++"), scope="models", icon="plus"),
    Action("model_smaller", "Smaller cards", "Make the cards smaller.", ("Ctrl+-",), scope="models", icon="minus"),
    Action("model_size_reset", "Usual cards", "Give the cards their usual size.", ("Ctrl+Shift+0",), scope="models", icon="layout-grid"),
)
