"""Every action of the window with its keys: the table that menus, tooltips, the sheet and the bindings are drawn from; its rows are in actions/."""

from __future__ import annotations

from sfumato.desktop.actions import ACTIONS, MENUS, Action

__all__ = ["ACTIONS", "MENUS", "Action", "hint", "rows", "shown"]


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
