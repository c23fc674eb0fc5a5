"""The list of suggestions under the cursor: asked for while something is typed, searched away from the GUI thread, accepted as one step of undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.prompts.analyst import Analyst
from sfumato.desktop.prompts.box import PromptBox
from sfumato.desktop.prompts.knowledge import Knowledge
from sfumato.prompts.editing import Edit
from sfumato.prompts.suggesting import MODELS, Kind, Suggestion, Suggestions, Typed, typed_at

# Letters that one press of a key can make.
_TYPED_AT_ONCE = 2

Accepted = Callable[[PromptBox, Suggestion, Edit], None]
KINDS: Mapping[Kind, str] = {
    "lora": "LoRA",
    "hypernet": "Hypernetwork",
    "embedding": "Embedding",
    "wildcard": "Wildcard",
    "style": "Style",
    "word": "Word",
}


class Completion(QObject):
    """Suggestions for one box."""

    changed = pyqtSignal()

    def __init__(self, box: PromptBox, knowledge: Knowledge, analyst: Analyst, start: Callable[[], int], accepted: Accepted) -> None:
        super().__init__(box)
        self._box, self._knowledge, self._analyst = box, knowledge, analyst
        self._start, self._accepted = start, accepted
        self._subject = f"suggestions {box.is_negative}"
        self._typed: Typed | None = None
        self._found: list[Suggestion] = []
        self._asked_at = ""
        self._current = 0
        self._narrow = False
        self._forced = False
        self._quiet = False  # until something is typed again
        self._text = box.text
        self._focused = False
        box.textChanged.connect(self._text_changed)
        box.paused.connect(self._look)
        box.moved.connect(self._moved)

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        family = self._knowledge.family
        return [
            {
                "name": found.name,
                "kind": tr(KINDS[found.kind]),
                "count": _shown(found.count),
                "family": found.family,
                "foreign": bool(family and found.family and found.family != family),
            }
            for found in self._found
        ]

    @pyqtProperty(bool, notify=changed)
    def open(self) -> bool:
        return bool(self._found)

    @pyqtProperty(int, notify=changed)
    def current(self) -> int:
        return self._current

    @pyqtProperty(int, notify=changed)
    def start(self) -> int:
        """Where what is replaced begins, in the box's units."""
        from sfumato.prompts.places import Units

        return Units(self._box.text).to_units(self._typed.start) if self._typed else 0

    @pyqtSlot(bool)
    def focus(self, focused: bool) -> None:
        """Whether the box has the keyboard."""
        self._focused = focused
        if not focused:
            self.close()

    @pyqtSlot()
    def ask(self) -> None:
        """Open the list whatever was typed."""
        self._forced, self._quiet = True, False
        self._look()

    @pyqtSlot(bool)
    def narrow(self, narrow: bool) -> None:
        """Show models alone while a key is held."""
        if narrow != self._narrow:
            self._narrow = narrow
            if self._found or (self._forced and not narrow):
                self._look()

    @pyqtSlot(int)
    def move(self, distance: int) -> None:
        if self._found:
            self._current = (self._current + distance) % len(self._found)
            self.changed.emit()

    @pyqtSlot(result=bool)
    @pyqtSlot(int, result=bool)
    def accept(self, number: int = -1) -> bool:
        """Write the current suggestion, or that of a row; False where there is none."""
        if not self._found or self._typed is None:
            return False
        chosen = self._found[number if 0 <= number < len(self._found) else self._current]
        start, end = self._typed.start, self._box.cursor
        text = chosen.text
        self.close()
        self._accepted(self._box, chosen, Edit(start, end, text, (start + len(text), start + len(text))))
        self._quiet = True
        return True

    @pyqtSlot()
    def close(self) -> None:
        """Close the list until something else is typed."""
        self._analyst.forget(self._subject)
        self._forced = False
        self._quiet = True
        self._show(None, [])

    def _text_changed(self) -> None:
        grown = len(self._box.text) - len(self._text)
        self._text = self._box.text
        # Only typing opens the list: not a text put in as a whole, and not taking letters away.
        if 0 < grown <= _TYPED_AT_ONCE:
            self._quiet = False
        elif grown > 0 or not self._found:
            self._quiet = True

    def _moved(self) -> None:
        if self._found and self._typed is not None and not self._typed.start <= self._box.cursor <= self._typed.start + 200:
            self.close()

    def _look(self) -> None:
        start = self._start()
        if not self._focused or self._quiet or (not start and not self._forced):
            if self._found:
                self._show(None, [])
            return
        place = self._box.cursor
        readings = typed_at(self._box.text, place)
        if not self._forced:
            readings = [typed for typed in readings if typed.is_forced or len(typed.query.strip()) >= start]
        if not readings:
            self._show(None, [])
            return
        kinds = MODELS if self._narrow else None
        work = partial(_find, self._knowledge.now.suggestions, readings, self._knowledge.family, kinds)
        self._analyst.ask(self._subject, work, partial(self._found_at, self._box.text, place))

    def _found_at(self, text: str, place: int, found: tuple[Typed, list[Suggestion]] | None) -> None:
        if (text, place) != (self._box.text, self._box.cursor):
            return
        typed, suggestions = found or (None, [])
        if typed is not None and not self._forced and [suggestion.name for suggestion in suggestions] == [typed.query]:
            suggestions = []  # it stands there already
        self._show(typed, suggestions)

    def _show(self, typed: Typed | None, found: list[Suggestion]) -> None:
        if not found and not self._found:
            return
        self._typed, self._found, self._current = typed, found, 0
        self.changed.emit()


def _find(index: Suggestions, readings: list[Typed], family: str, kinds: frozenset[Kind] | None) -> tuple[Typed, list[Suggestion]] | None:
    return index.find(readings, family, kinds)


def _shown(count: int) -> str:
    """4114588 as "4.1M"."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count) if count else ""
