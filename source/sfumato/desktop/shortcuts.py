"""Every action of the window with its keys: one table that menus, tooltips, the sheet of shortcuts and the key bindings are drawn from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """`keys` work everywhere in the window unless `scope` says otherwise; the first one is shown. `title` is the menu's word."""

    id: str
    title: str
    sentence: str
    keys: tuple[str, ...] = ()
    scope: str = "window"
    menu: str = ""
    icon: str = ""


ACTIONS: tuple[Action, ...] = (
    Action(
        "generate",
        "Generate",
        "Make the picture; while busy, add it to the queue.",
        ("Ctrl+Return", "Ctrl+Enter", "Ctrl+`"),
        icon="sparkles",
    ),
    Action("cancel", "Cancel", "Cancel the running job.", ("Shift+Esc", "Alt+`"), icon="stop"),
    Action("cancel_all", "Cancel all", "Cancel the running job and everything that waits.", icon="stop"),
    Action("use_image", "Use as image", "Start the next picture from the one that is shown.", ("Ctrl+I",), icon="image"),
    Action("open_outputs", "Open outputs folder", "Show the folder of finished pictures.", (), menu="File", icon="folder-open"),
    Action("reload", "Reload engine", "End the engine and start it again; nothing is lost.", ("Ctrl+R",), menu="File", icon="refresh-cw"),
    Action("quit", "Quit", "Close the window and the engine.", ("Ctrl+Q", "Ctrl+Shift+Q"), menu="File", icon="log-out"),
    Action("theme_dark", "Dark theme", "Light text on a dark ground.", (), menu="View", icon="moon"),
    Action("theme_light", "Light theme", "Dark text on a light ground.", (), menu="View", icon="sun"),
    Action("advanced", "Advanced parameters", "Show or fold the parameters that are seldom needed.", (), menu="View", icon="sliders-horizontal"),
    Action("swap_side", "Swap side", "Move the parameters to the other side.", (), menu="View", icon="panel-right"),
    Action("full_screen", "Full screen", "Fill the screen with the window, or stop doing so.", ("F11",), menu="View", icon="maximize-2"),
    Action("shortcuts", "Shortcuts", "List every key of the window.", ("Ctrl+/",), menu="Help", icon="keyboard"),
    Action("about", "About", "Version and licences.", (), menu="Help", icon="info"),
    Action("view_open", "Open picture", "Show the chosen picture in full.", ("Return",), scope="outputs strip"),
    Action("view_close", "Close picture", "Return to the workspace.", ("Esc",), scope="full view"),
    Action("view_previous", "Previous picture", "Show the picture to the left.", ("Left",), scope="outputs strip, full view"),
    Action("view_next", "Next picture", "Show the picture to the right.", ("Right",), scope="outputs strip, full view"),
    Action("view_fit", "Fit or 100 %", "Switch between fitting the window and one pixel to one pixel.", ("Z",), scope="full view"),
    Action("view_clear", "Clear picture", "Remove the picture from the strip; its file stays.", ("Delete",), scope="outputs strip, full view"),
    Action("view_copy", "Copy picture", "Put the finished picture and its file on the clipboard.", ("Ctrl+C",), scope="outputs strip, full view"),
)


def rows() -> list[dict[str, object]]:
    """The table as QML reads it."""
    return [
        {
            "id": action.id,
            "title": action.title,
            "sentence": action.sentence,
            "keys": list(action.keys),
            "shown": shown(action.keys[0]) if action.keys else "",
            "scope": action.scope,
            "menu": action.menu,
            "icon": action.icon,
        }
        for action in ACTIONS
    ]


def shown(keys: str) -> str:
    """A sequence as people write it."""
    return keys.replace("Return", "Enter")


def hint(identity: str) -> str:
    """What an action does and its first key, for tooltips."""
    action = next(action for action in ACTIONS if action.id == identity)
    keys = f"  ({shown(action.keys[0])})" if action.keys else ""
    return action.sentence.rstrip(".") + keys
