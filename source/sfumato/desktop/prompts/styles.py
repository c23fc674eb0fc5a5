"""Styles: which are chosen for the next job, in order, and the editor of the files they are in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import Draft
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.library.style_table import StyleRow, remove_style, save_style

if TYPE_CHECKING:
    from sfumato.desktop.prompts.knowledge import Knowledge

# Of the request.
AT_MOST = 64
LONGEST_NAME = 256


class StyleShelf(QObject):
    """`chosen` are names in the order in which they are applied; `rows` all there are."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, knowledge: Knowledge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell, self._knowledge = shell, knowledge
        kept = shell.session.restored("styles", list, [])
        self._chosen = tuple(dict.fromkeys(name for name in kept if isinstance(name, str)))[:AT_MOST]
        shell.session.keep("styles", lambda: list(self._chosen))
        shell.drafting.add(self._contribute)
        knowledge.changed.connect(self.changed)

    @property
    def names(self) -> tuple[str, ...]:
        return self._chosen

    @pyqtProperty("QVariantList", notify=changed)
    def chosen(self) -> list[dict[str, Any]]:
        """Each with what it adds, and whether it is missing."""
        known = {style.name: style for style in self._knowledge.now.styles}
        return [
            {"name": name, "missing": self._knowledge.is_read and name not in known, "words": _words(known[name]) if name in known else ""}
            for name in self._chosen
        ]

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        return [
            {"name": style.name, "prompt": style.prompt, "negative": style.negative, "notes": style.notes, "chosen": style.name in self._chosen}
            for style in self._knowledge.now.styles
        ]

    @pyqtSlot(str)
    def toggle(self, name: str) -> None:
        """Choose a style, as the last one, or leave it out again."""
        if name in self._chosen:
            self._choose(tuple(other for other in self._chosen if other != name), tr("Remove style {name}", name=name))
        elif len(self._chosen) < AT_MOST:
            self._choose((*self._chosen, name), tr("Add style {name}", name=name))

    @pyqtSlot(str, int)
    def move(self, name: str, distance: int) -> None:
        """Apply a style earlier or later than its neighbours."""
        place = self._chosen.index(name) if name in self._chosen else -1
        if place >= 0 and 0 <= place + distance < len(self._chosen):
            others = [other for other in self._chosen if other != name]
            others.insert(place + distance, name)
            self._choose(tuple(others), tr("Move style {name}", name=name))

    @pyqtSlot(str, str, str, str, str, result=str)
    def save(self, before: str, name: str, prompt: str, negative: str, notes: str) -> str:
        """Write a style, `before` being its name until now; why it cannot be, or ""."""
        name = name.strip()
        known = {style.name: style for style in self._knowledge.now.styles}
        if not name:
            return tr("A style needs a name.")
        if name.startswith("#"):
            return tr("The name of a style cannot begin with #: such rows are headings.")
        if len(name) > LONGEST_NAME:
            return tr("The name is longer than {limit} characters; shorten it.", limit=LONGEST_NAME)
        if name != before and name in known:
            return tr("There is a style called '{name}' already; choose another name.", name=name)
        style = StyleRow(name, prompt, negative, notes)
        old = known.get(before)
        if style != old:
            self._write(partial(save_style, self._shell.places.data, style, before))
            if before and before != name and before in self._chosen:
                self._take(tuple(name if other == before else other for other in self._chosen))
            if old is not None:
                undo = partial(self._write, partial(save_style, self._shell.places.data, old, name))
                redo = partial(self._write, partial(save_style, self._shell.places.data, style, before))
                self._shell.edits.push(tr("Change style {name}", name=name), undo, redo)
        return ""

    @pyqtSlot(str)
    def remove(self, name: str) -> None:
        """Take a style out of its file; Undo writes it again, and the file before is kept beside it."""
        style = next((style for style in self._knowledge.now.styles if style.name == name), None)
        if style is not None:
            redo = partial(self._write, partial(remove_style, self._shell.places.data, name))
            redo()
            self._shell.edits.push(tr("Delete style {name}", name=name), partial(self._write, partial(save_style, self._shell.places.data, style)), redo)
            self._take(tuple(other for other in self._chosen if other != name))

    def put(self, names: tuple[str, ...]) -> None:
        """Choose exactly these."""
        self._take(tuple(dict.fromkeys(names))[:AT_MOST])

    def _write(self, work: Callable[[], None]) -> None:
        self._shell.disk.run(work, lambda _: self._knowledge.refresh(), self._shell.complain)

    def _choose(self, names: tuple[str, ...], words: str) -> None:
        before = self._chosen
        self._take(names)
        self._shell.edits.push(words, partial(self._take, before), partial(self._take, names))

    def _take(self, names: tuple[str, ...]) -> None:
        if names != self._chosen:
            self._chosen = names
            self._shell.session.touch()
            self.changed.emit()

    def _contribute(self, draft: Draft) -> None:
        if self._chosen:
            draft.params["styles"] = list(self._chosen)


def _words(style: StyleRow) -> str:
    return "\n".join(part for part in (style.prompt, f"− {style.negative}" if style.negative else "", style.notes) if part)
