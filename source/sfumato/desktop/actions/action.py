"""One thing a person can do, with its keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """`keys` work everywhere in the window unless `scope` says otherwise; the first one is shown. `title` is the menu's word, `menu` the menu it stands in."""

    id: str
    title: str
    sentence: str
    keys: tuple[str, ...] = ()
    scope: str = "window"
    menu: str = ""
    icon: str = ""
