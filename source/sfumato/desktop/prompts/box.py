"""One prompt box: its text, the document it is typed in, the edits that keys make in it (each one step of the box's own undo), its marks and its count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QTextCursor, QTextDocument
from PyQt5.QtQuick import QQuickTextDocument

from sfumato.desktop.prompts.examining import Examined
from sfumato.desktop.prompts.highlighter import Highlighter
from sfumato.desktop.prompts.marks import Marks
from sfumato.prompts.editing import Edit, reweigh
from sfumato.prompts.parts import move_part
from sfumato.prompts.places import Units

PAUSE_MS = 50
_STEPS_KEPT = 50


class Step(NamedTuple):
    """An edit made here, so that undo and redo also bring the selection back."""

    before: str
    after: str
    selected_before: tuple[int, int]
    selected_after: tuple[int, int]


class PromptBox(QObject):
    """Places given by and to QML are Qt's: units of UTF-16."""

    textChanged = pyqtSignal()
    paused = pyqtSignal()  # nothing was typed for a moment
    moved = pyqtSignal()  # the cursor
    selectAsked = pyqtSignal(int, int)
    marked = pyqtSignal()
    counted = pyqtSignal()

    def __init__(self, text: str, negative: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_negative = negative
        self._text = text
        self._document: QTextDocument | None = None
        self._highlighter: Highlighter | None = None
        self._marks = Marks()
        self._steps: list[Step] = []
        self._key = ""
        self._cursor = len(text)
        self._count, self._limit, self._counted_by = 0, 75, ""
        self._colours: dict[str, str] = {}
        self._active = True
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self.paused)

    # -- the text --------------------------------------------------------------------------------

    def _get_text(self) -> str:
        return self._text

    def _set_text(self, text: str) -> None:
        if text == self._text:
            return
        if self._document is not None:
            self.edit(difference(self._text, text))
        else:
            self._text = text
            self._cursor = len(text)
            self.textChanged.emit()
            self._pause.start()

    text = pyqtProperty(str, _get_text, _set_text, notify=textChanged)

    @pyqtSlot(QQuickTextDocument)
    def attach(self, quick: QQuickTextDocument) -> None:
        """Take the document of a text area, which holds the text already."""
        document = quick.textDocument()
        if document is None:
            return
        self._document = document
        document.destroyed.connect(self._detach)
        # Before the highlighter listens, so that marks have moved when it draws.
        document.contentsChange.connect(self._changed)
        self._highlighter = Highlighter(document, self._marks, self._colours, self._active)
        self._pause.start()

    @pyqtSlot(int)
    def setCursor(self, units: int) -> None:
        self._cursor = units
        self.moved.emit()

    @property
    def cursor(self) -> int:
        """The cursor's place in `text`."""
        return Units(self._text).to_place(self._cursor)

    def edit(self, edit: Edit, selected: tuple[int, int] | None = None, key: str = "") -> None:
        """Make a change as one step of undo.

        Args:
            selected: what was, to be selected again when it is taken back.
            key: changes of one key in a row, such as those of a slider, are one step.
        """
        units = Units(self._text)
        before = self._text
        after = edit.applied(before)
        if after == before:
            return
        selected_after = tuple(map(Units(after).to_units, edit.selected))
        if self._document is None:
            self._text = after
            self._cursor = selected_after[1]
            self.textChanged.emit()
            self._pause.start()
            return
        cursor = QTextCursor(self._document)
        joined = bool(key) and key == self._key and bool(self._steps) and self._steps[-1].after == before
        if joined:
            cursor.joinPreviousEditBlock()
        else:
            cursor.beginEditBlock()
        cursor.setPosition(units.to_units(edit.start))
        cursor.setPosition(units.to_units(edit.end), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(edit.text)
        cursor.endEditBlock()
        here = (self._cursor, self._cursor)
        self._key = key
        if joined:
            first = self._steps.pop()
            before, here = first.before, first.selected_before
        self._steps = [*self._steps, Step(before, after, selected or here, (selected_after[0], selected_after[1]))][-_STEPS_KEPT:]
        self.selectAsked.emit(*selected_after)

    def insert(self, text: str) -> None:
        """Write at the cursor, with a comma and blanks where words would touch."""
        place = self.cursor
        before, after = self._text[:place], self._text[place:]
        lead = "" if not before.strip() or before[-1] in "([{\n" else " " if before.rstrip()[-1:] == "," or text.startswith("<") else ", "
        if before.endswith(" "):
            lead = lead.lstrip(" ")
        tail = (
            ", "
            if after.strip() and after.lstrip()[0] not in ",)]}" and not text.startswith("<")
            else " "
            if after and not after[0].isspace() and after[0] not in ",)]}"
            else ""
        )
        written = lead + text + tail
        end = place + len(lead) + len(text)
        self.edit(Edit(place, place, written, (end, end)))

    # -- keys ------------------------------------------------------------------------------------

    def reweigh(self, start: int, end: int, steps: int, step: float, tag_step: float) -> bool:
        """Change the weight of a selection, or of what is around the cursor; False where there is nothing to weigh."""
        units = Units(self._text)
        edit = reweigh(self._text, units.to_place(start), units.to_place(end), steps, step=step, tag_step=tag_step)
        if edit is not None:
            self.edit(edit, (start, end))
        return edit is not None

    @pyqtSlot(int, int, int)
    def movePart(self, start: int, end: int, distance: int) -> None:
        """Let the part between commas change places with its neighbour."""
        units = Units(self._text)
        edit = move_part(self._text, units.to_place(start), units.to_place(end), distance)
        if edit is not None:
            self.edit(edit, (start, end))

    @pyqtSlot(result="QVariantList")
    def undoing(self) -> list[int]:
        """What to select after the next undo, [] for nothing in particular."""
        return next((list(step.selected_before) for step in reversed(self._steps) if step.after == self._text), [])

    @pyqtSlot(result="QVariantList")
    def redoing(self) -> list[int]:
        return next((list(step.selected_after) for step in reversed(self._steps) if step.before == self._text), [])

    # -- marks and count -------------------------------------------------------------------------

    def show(self, examined: Examined, counted_by: str) -> None:
        """Take what was found, if the text is still the same. `counted_by`: names of the encoders, "" where they are not known."""
        if examined.text != self._text:
            return
        changed = self._marks.take(examined.marks)
        if changed and self._highlighter is not None:
            self._highlighter.show(changed)
        if changed:
            self.marked.emit()
        counts = (examined.count, examined.limit, counted_by)
        if counts != (self._count, self._limit, self._counted_by):
            self._count, self._limit, self._counted_by = counts
            self.counted.emit()

    def colour(self, colours: Mapping[str, str], active: bool) -> None:
        """Draw with these colours from now on."""
        if (dict(colours), active) != (self._colours, self._active):
            self._colours, self._active = dict(colours), active
            if self._highlighter is not None:
                self._highlighter.set_colours(self._colours, active)

    @pyqtSlot(int, result="QVariantMap")
    def doubtAt(self, place: int) -> dict[str, object]:
        """The doubtful place there: its sentence, start and end; empty if none is."""
        mark = self._marks.at(place)
        return {"sentence": mark.sentence, "start": mark.start, "end": mark.end} if mark else {}

    @pyqtSlot(result=int)
    def nextDoubt(self) -> int:
        """The doubtful place behind the cursor, or the first one."""
        places = sorted({mark.start for mark in self._marks.all() if mark.sentence})
        return next((place for place in places if place > self._cursor), places[0] if places else self._cursor)

    @pyqtProperty(int, notify=marked)
    def doubts(self) -> int:
        """How many places are doubtful."""
        return len({(mark.start, mark.end) for mark in self._marks.all() if mark.sentence})

    @pyqtProperty("QStringList", notify=marked)
    def sentences(self) -> list[str]:
        """What is doubtful, each once."""
        return list(dict.fromkeys(mark.sentence for mark in self._marks.all() if mark.sentence))

    @pyqtProperty(str, notify=counted)
    def tokens(self) -> str:
        """The count as it is shown; an estimate carries a mark."""
        return f"{'' if self._counted_by else '~'}{self._count}/{self._limit}" if self._limit else ""

    @pyqtProperty(int, notify=counted)
    def tokenCount(self) -> int:
        return self._count

    @pyqtProperty(str, notify=counted)
    def encoders(self) -> str:
        """Names of the text encoders the count is for, "" where they are not known."""
        return self._counted_by

    @property
    def painted(self) -> int:
        """Paragraphs coloured so far."""
        return self._highlighter.painted if self._highlighter is not None else 0

    def _changed(self, place: int, removed: int, added: int) -> None:
        assert self._document is not None
        text = self._document.toRawText().replace("\u2029", "\n").replace("\u2028", "\n")
        if text == self._text:
            return
        self._marks.shift(place, removed, added)
        self._text = text
        self.textChanged.emit()
        self._pause.start()

    def _detach(self, gone: QObject) -> None:
        # A page that was made anew has attached its own by now. A method, for Qt forgets it together with the box: a function would be called at the very end.
        if gone is self._document:
            self._document = self._highlighter = None


def difference(before: str, after: str) -> Edit:
    """The smallest single replacement that makes one text of another; the cursor goes to its end."""
    shortest = min(len(before), len(after))
    start = next((place for place in range(shortest) if before[place] != after[place]), shortest)
    tail = next((place for place in range(shortest - start) if before[-1 - place] != after[-1 - place]), shortest - start)
    end = len(after) - tail
    return Edit(start, len(before) - tail, after[start:end], (end, end))
