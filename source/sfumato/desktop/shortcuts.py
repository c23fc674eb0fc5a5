"""Every action of the window with its keys: the table that menus, tooltips, the sheet and the bindings are drawn from; its rows are in actions/.

`Bindings` is the table with what the user changed: an action can have other sequences, two, or none. Knows no window; keys.py offers it to QML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from PyQt5.QtGui import QKeySequence

from sfumato.desktop.actions import ACTIONS, MENUS, Action
from sfumato.desktop.actions.action import EVERYWHERE, SCOPES
from sfumato.desktop.language import tr

__all__ = ["ACTIONS", "MENUS", "Action", "Bindings", "canonical", "rows", "shown"]

# What stands at the end of its menu. Below: what is typed as text where there is a text box.
_LAST = (
    *("open_outputs", "open_models", "reload", "restart", "quit"),
    *("find", "tab_settings"),
    *("theme_dark", "theme_light", "theme_system", "theme_contrast", "font_larger", "font_smaller", "font_normal", "full_screen"),
    *("open_data", "open_logs", "about"),
)
_PLAIN = re.compile(r"(Shift\+)?(.|Space)")


class Bindings:
    """Which keys run which action.

    Args:
        changed: action -> sequences of the user's own; unknown actions (of a newer version, of a plugin) are kept as they are.
    """

    def __init__(self, changed: Mapping[str, object] | None = None, actions: Sequence[Action] = ACTIONS) -> None:
        self.actions = {action.id: action for action in actions}
        self._defaults = {action.id: tuple(dict.fromkeys(canonical(key) for key in action.keys)) for action in actions}
        self._changed: dict[str, object] = dict(changed or {})

    def keys(self, identity: str) -> tuple[str, ...]:
        """The sequences that run an action; the first is shown."""
        own = self._changed.get(identity)
        if isinstance(own, list | tuple) and all(isinstance(key, str) for key in own):
            return tuple(key for key in (canonical(str(key)) for key in own) if key)
        return self._defaults[identity]

    def is_default(self, identity: str) -> bool:
        return self.keys(identity) == self._defaults[identity]

    def changes(self) -> dict[str, object]:
        """What differs from the defaults, for the settings."""
        return {name: value for name, value in self._changed.items() if name not in self.actions or not self.is_default(name)}

    def bind(self, identity: str, keys: Iterable[str]) -> None:
        """Give an action these sequences, none to unbind it; whoever else had them where both can be reached loses them."""
        wanted = tuple(dict.fromkeys(canonical(key) for key in keys))
        for key in wanted:
            for other in self.rivals(identity, key):
                self._changed[other.id] = [held for held in self.keys(other.id) if held != key]
        self._changed[identity] = list(wanted)

    def reset(self, identity: str) -> list[Action]:
        """Give an action its default keys; those now taken by others stay theirs, who are returned."""
        default = self._defaults[identity]
        free = [key for key in default if not self.rivals(identity, key)]
        self._changed[identity] = free
        return list({rival.id: rival for key in default for rival in self.rivals(identity, key)}.values())

    def reset_all(self) -> None:
        for identity in self.actions:
            self._changed.pop(identity, None)

    def rivals(self, identity: str, key: str) -> list[Action]:
        """Other actions that have this sequence and can be reached with the same focus."""
        action = self.actions[identity]
        return [other for other in self.actions.values() if other.id != identity and key in self.keys(other.id) and _meet(action, other)]

    def collisions(self) -> list[tuple[str, str, str]]:
        """(sequence, action, other action) wherever one sequence would mean two things; empty in a good table."""
        found = []
        for identity in self.actions:
            for key in self.keys(identity):
                found += [(key, identity, rival.id) for rival in self.rivals(identity, key) if identity < rival.id]
        return found

    def refusal(self, identity: str, key: str) -> str:
        """Why an action cannot have this sequence, one sentence, or ""."""
        if not key:
            return tr("That is no key of its own; press a letter, a digit or a function key with it.")
        if EVERYWHERE in self.actions[identity].scopes and _PLAIN.fullmatch(key):
            return tr("{key} is needed for typing and can only be used with Ctrl or Alt here.", key=shown(key))
        if key in {f"Alt+{tr(menu)[0]}" for menu in MENUS}:
            return tr("{key} opens a menu.", key=shown(key))
        if key in ("Tab", "Shift+Tab"):
            return tr("{key} walks through the window.", key=shown(key))
        return ""

    def found(self, scope: str, key: str) -> str:
        """The action that a sequence runs in a scope other than the window, or ""."""
        return next((action.id for action in self.actions.values() if scope in action.scopes and key in self.keys(action.id)), "")


def rows() -> list[dict[str, object]]:
    """The table as QML reads it, in the order of the menus: what belongs to the whole window comes last, under a line."""
    rows: list[dict[str, object]] = []
    for action in sorted(ACTIONS, key=lambda action: _LAST.index(action.id) if action.id in _LAST else -1):
        opens = action.id in _LAST and any(row["menu"] == action.menu and row["id"] not in _LAST for row in rows)
        line = opens and not any(row["menu"] == action.menu and row["line"] for row in rows)
        row = {"id": action.id, "title": tr(action.title), "sentence": tr(action.sentence), "scope": action.scope}
        rows.append(row | {"menu": tr(action.menu), "icon": action.icon, "line": line})
    return rows


def canonical(key: str) -> str:
    """A sequence as the table spells it; Enter of the number pad is Return."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText).replace("Enter", "Return")


def shown(key: str) -> str:
    """A sequence as people write it."""
    return re.sub(r"\bDel\b", "Delete", key.replace("Return", "Enter"))


def _meet(one: Action, other: Action) -> bool:
    """Whether both can be reached with one focus."""
    if one.instead == other.id or other.instead == one.id:
        return False
    return any(_within(scope, place) or _within(place, scope) for scope in one.scopes for place in other.scopes)


def _within(inner: str, outer: str) -> bool:
    while inner != outer and inner != EVERYWHERE:
        inner = SCOPES.get(inner, EVERYWHERE)
    return inner == outer
