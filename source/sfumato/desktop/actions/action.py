"""One thing a person can do, with its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EVERYWHERE = "window"

# Scope -> the scope around it. A scope that is not named here lies in the window itself.
SCOPES: Mapping[str, str] = {
    "outputs strip": "generate",
    "inputs strip": "generate",
    "prompt": "generate",
    "history grid": "history",
    "history view": "history",
    "history compare": "history",
}


@dataclass(frozen=True)
class Action:
    """A row of the table.

    Attributes:
        title: the menu's word; `sentence` says what it does.
        keys: sequences; the first is shown. They work everywhere in the window unless `scope` says otherwise, several scopes with commas between them.
        menu: the menu it stands in, "" for none.
        instead: the action whose place it takes while the focus is in its scope; they may share their keys (the canvas has an undo of its own).
    """

    id: str
    title: str
    sentence: str
    keys: tuple[str, ...] = ()
    scope: str = EVERYWHERE
    menu: str = ""
    icon: str = ""
    instead: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.scope.split(","))
