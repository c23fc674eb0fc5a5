"""One field that finds every action, control, setting and page by its words, and leads there (Ctrl+K)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal, pyqtSlot

from sfumato.desktop.actions.action import EVERYWHERE
from sfumato.desktop.commands import Commands
from sfumato.desktop.keys import Keys
from sfumato.desktop.language import tr
from sfumato.desktop.settings_page import SettingsPage
from sfumato.desktop.shell import Shell
from sfumato.desktop.shortcuts import ACTIONS

ROWS_AT_MOST = 50
UNLIKE = 9


@dataclass(frozen=True)
class Thing:
    """Something that can be found: `kind` is "action", "control" or "setting"."""

    kind: str
    id: str
    title: str
    words: str
    note: str
    icon: str
    enabled: bool = True


class Finder(QObject):
    """`studio.finder`."""

    controlAsked = pyqtSignal(str)  # the focus should go to the control of this parameter

    def __init__(self, shell: Shell, keys: Keys, commands: Commands, settings: SettingsPage, act: Callable[[str], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell, self._keys, self._commands, self._settings, self._act = shell, keys, commands, settings, act

    @pyqtSlot(str, result="QVariantList")
    def search(self, text: str) -> list[dict[str, Any]]:
        """What matches, best first: rows {kind, id, title, words, note, icon, enabled}."""
        wanted = text.casefold().split()
        rated = [(rating(thing, wanted), thing) for thing in self._things()]
        found = sorted(((rate, thing) for rate, thing in rated if rate < UNLIKE), key=lambda pair: (pair[0], not pair[1].enabled, pair[1].title.casefold()))
        return [dict(vars(thing)) for _, thing in found[:ROWS_AT_MOST]]

    @pyqtSlot(str, str)
    def choose(self, kind: str, identity: str) -> None:
        """Run the action, or move the focus to the control or setting."""
        if kind == "action":
            self._act(identity)
        elif kind == "control":
            self._act("tab_generate")
            if self._shell.parameters.specs[identity].advanced and not self._shell.parameters.advanced:
                self._act("advanced")
            self.controlAsked.emit(identity)
        elif kind == "setting":
            self._act("tab_settings")
            self._settings.reveal(identity)

    def _things(self) -> Iterator[Thing]:
        for action in ACTIONS:
            # What acts on the picture or card in hand has no meaning from here.
            if EVERYWHERE in action.scopes and action.id != "find":
                can = self._commands.can(action.id)
                yield Thing(
                    "action", action.id, self._commands.title(action.id, ""), tr(action.sentence), self._keys.shown(action.id), action.icon or "play", can
                )
        for spec, _ in self._shell.parameters.in_force():
            yield Thing("control", spec.name, tr(spec.title), tr(spec.description), tr("Parameter"), "sliders-horizontal")
        for name, title, words in self._settings.titled():
            yield Thing("setting", name, title, words, tr("Setting"), "settings")


def rating(thing: Thing, wanted: list[str]) -> int:
    """How well a thing fits what was typed: 0 best, `UNLIKE` not at all."""
    title = thing.title.casefold()
    if not wanted:
        return 5 if thing.kind == "action" else UNLIKE
    text = " ".join(wanted)
    if title == text:
        return 0
    if title.startswith(text):
        return 1
    parts = title.split()
    if all(any(part.startswith(word) for part in parts) for word in wanted):
        return 2
    if all(word in title for word in wanted):
        return 3
    words = f"{title} {thing.words.casefold()}"
    return 4 if all(word in words for word in wanted) else UNLIKE
