"""The two prompts, as the user wrote them, and everything the window knows about them."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QColor

from sfumato.desktop.drafts import Draft
from sfumato.desktop.edits import Edits
from sfumato.desktop.prompts.analyst import Analyst
from sfumato.desktop.prompts.box import PromptBox
from sfumato.desktop.prompts.completion import Completion
from sfumato.desktop.prompts.examining import Examined, examine
from sfumato.desktop.prompts.history import PromptHistory
from sfumato.desktop.prompts.knowledge import Knowledge
from sfumato.desktop.prompts.lookahead import LookAhead
from sfumato.desktop.prompts.networks import NetworkList
from sfumato.desktop.prompts.styles import StyleShelf
from sfumato.desktop.prompts.wildcards import WildcardShelf
from sfumato.desktop.session import Session
from sfumato.desktop.shell import Shell
from sfumato.library.network_notes import NetworkNotes, notes_of
from sfumato.prompts.editing import Edit
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.suggesting import Suggestion
from sfumato.prompts.tag_editing import listed_tags, with_tag, without_tag


class Prompts(QObject):
    """`text` and `negative`; every character is kept and passed on. What they mean is read away from the GUI thread when typing pauses."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self.analyst = Analyst("prompt analyst", self)
        self.knowledge = Knowledge(shell, self)
        self.boxes = tuple(PromptBox(shell.session.restored(name, str, ""), bool(side), self) for side, name in enumerate(("prompt", "negative")))
        self._completions = tuple(
            Completion(box, self.knowledge, self.analyst, lambda: int(shell.settings["autocomplete"]), self._accept) for box in self.boxes
        )
        self._styles = StyleShelf(shell, self.knowledge, self)
        self._last = self.boxes[0]  # that had the keyboard
        self._options, self._calls = PromptOptions(), 25
        self._colours: dict[str, str] = {}
        for box, name in zip(self.boxes, ("prompt", "negative"), strict=True):
            shell.session.keep(name, partial(getattr, box, "text"))
            box.textChanged.connect(self._edited)
            box.paused.connect(partial(self._examine, box))
        shell.drafting.add(self._contribute)
        self._history = PromptHistory(self, shell)
        self._wildcards = WildcardShelf(self, shell)
        self._ahead = LookAhead(self)
        self._networks = NetworkList(self)
        for happened in (self.knowledge.changed, self.knowledge.modelChanged, self._styles.changed):
            happened.connect(self._examine_all)
        shell.parameters.changed.connect(self._look_at_form)
        self._look_at_form()
        shell.observe("highlight", self._draw)
        shell.register({"autocomplete": self._switch_autocomplete})

    # -- the texts -------------------------------------------------------------------------------

    def _get_text(self) -> str:
        return self.boxes[0].text

    def _set_text(self, text: str) -> None:
        self.boxes[0].text = text

    def _get_negative(self) -> str:
        return self.boxes[1].text

    def _set_negative(self, text: str) -> None:
        self.boxes[1].text = text

    text = pyqtProperty(str, _get_text, _set_text, notify=changed)
    negative = pyqtProperty(str, _get_negative, _set_negative, notify=changed)

    @property
    def pair(self) -> tuple[str, str]:
        return self.boxes[0].text, self.boxes[1].text

    def put(self, prompt: str, negative: str) -> None:
        """Replace both texts; each box can take it back."""
        self._set_text(prompt)
        self._set_negative(negative)

    @pyqtSlot(str)
    @pyqtSlot(str, bool)
    def insert(self, text: str, negative: bool = False) -> None:
        """Write at the cursor of a box, or take out what stands there already."""
        box = self.boxes[negative]
        if not self._take_out(box, text):
            box.insert(text)

    @pyqtSlot(str, result=bool)
    @pyqtSlot(str, bool, result=bool)
    def holds(self, text: str, negative: bool = False) -> bool:
        """Whether `insert` would take out."""
        box = self.boxes[negative]
        return bool(_tags_like(box, text)) if text.startswith("<") else _found(box.text, text) >= 0

    def add_network(self, kind: str, name: str) -> None:
        """Write a network's tag behind the prompt."""
        box = self.boxes[0]

        def write(notes: NetworkNotes) -> None:
            text = _written(kind, name, notes)
            box.edit(with_tag(box.text, text))
            self._networks.look()

        self._with_notes(kind, name, write)

    # -- parts -----------------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def positiveBox(self) -> PromptBox:
        return self.boxes[0]

    @pyqtProperty(QObject, constant=True)
    def negativeBox(self) -> PromptBox:
        return self.boxes[1]

    @pyqtProperty(QObject, constant=True)
    def positiveCompletion(self) -> Completion:
        return self._completions[0]

    @pyqtProperty(QObject, constant=True)
    def negativeCompletion(self) -> Completion:
        return self._completions[1]

    @pyqtProperty(QObject, constant=True)
    def styles(self) -> StyleShelf:
        return self._styles

    @pyqtProperty(QObject, constant=True)
    def history(self) -> PromptHistory:
        return self._history

    @pyqtProperty(QObject, constant=True)
    def wildcards(self) -> WildcardShelf:
        return self._wildcards

    @pyqtProperty(QObject, constant=True)
    def ahead(self) -> LookAhead:
        return self._ahead

    @pyqtProperty(QObject, constant=True)
    def networks(self) -> NetworkList:
        return self._networks

    @property
    def session(self) -> Session:
        return self._shell.session

    @property
    def edits(self) -> Edits:
        return self._shell.edits

    # -- what the boxes ask ----------------------------------------------------------------------

    @pyqtSlot(QObject, int, int, int, bool)
    def reweigh(self, box: PromptBox, start: int, end: int, steps: int, fine: bool) -> None:
        """Weigh a selection or what is around the cursor; finely by the step of network tags."""
        tag_step = float(self._shell.settings["network_weight_step"])
        box.reweigh(start, end, steps, tag_step if fine else float(self._shell.settings["weight_step"]), tag_step)

    @pyqtSlot("QVariantMap")
    def colour(self, colours: dict[str, Any]) -> None:
        """Take the theme's colours of the language."""
        self._colours = {name: QColor(colour).name() for name, colour in colours.items()}
        self._draw()

    def options(self) -> PromptOptions:
        """The switches of the language in the form."""
        return self._options

    def value(self, name: str, otherwise: Any) -> Any:
        """A parameter of the form, if there is one and it is set."""
        try:
            value = self._shell.parameters.value(name)
        except KeyError:
            return otherwise
        return otherwise if value is None else value

    def close(self) -> None:
        """End the threads."""
        self.analyst.close()
        self.knowledge.close()

    def _contribute(self, draft: Draft) -> None:
        draft.params |= {"prompt": self.boxes[0].text, "negative": self.boxes[1].text}

    def _switch_autocomplete(self) -> None:
        self._shell.set("autocomplete", 0 if self._shell.settings["autocomplete"] else 1)

    def _edited(self) -> None:
        self._shell.session.touch()
        self.changed.emit()

    def _draw(self) -> None:
        for box in self.boxes:
            box.colour(self._colours, bool(self._shell.settings["highlight"]))

    def _examine_all(self) -> None:
        for box in self.boxes:
            self._examine(box)

    def _look_at_form(self) -> None:
        options = PromptOptions(**{field.name: self.value(field.name, field.default) for field in fields(PromptOptions)})
        calls = int(self.value("steps", 25))
        if (options, calls) != (self._options, self._calls):
            self._options, self._calls = options, calls
            self._examine_all()

    def _examine(self, box: PromptBox) -> None:
        now = self.knowledge.now
        work = partial(examine, box.text, box.is_negative, self._styles.names, self._options, now.library, now.embeddings, self._calls)
        self.analyst.ask(f"marks {box.is_negative}", work, partial(self._examined, box, self.knowledge.encoders))

    def _examined(self, box: PromptBox, encoders: str, examined: Examined) -> None:
        # Before the disk was read everything would seem to be missing.
        if self.knowledge.is_read:
            box.show(examined, encoders)

    def _accept(self, box: PromptBox, chosen: Suggestion, edit: Edit) -> None:
        if chosen.kind == "style":
            box.edit(edit)
            if chosen.name not in self._styles.names:
                self._styles.toggle(chosen.name)
        elif chosen.kind in ("lora", "hypernet"):
            before = box.text

            def write(notes: NetworkNotes) -> None:
                text = _written(chosen.kind, chosen.name, notes)
                if box.is_negative:
                    text = "<@" + text[1:]
                # Letters typed in the meantime are not overwritten.
                place = edit if box.text == before else Edit(edit.start, edit.start, text, (0, 0))
                box.edit(Edit(place.start, place.end, text, (place.start + len(text), place.start + len(text))))

            self._with_notes(chosen.kind, chosen.name, write)
        else:
            box.edit(edit)

    def _with_notes(self, kind: str, name: str, done: Any) -> None:
        path = self.knowledge.now.paths.get((kind, name))
        if path is None:
            done(NetworkNotes())
            return
        words = bool(self._shell.settings["trigger_words"])
        self._shell.disk.run(partial(notes_of, Path(path)), lambda notes: done(notes if words else NetworkNotes(notes.weight)), lambda _: done(NetworkNotes()))

    def _take_out(self, box: PromptBox, text: str) -> bool:
        if text.startswith("<"):
            for tag in _tags_like(box, text)[:1]:
                box.edit(without_tag(box.text, tag))
                return True
            return False
        place = _found(box.text, text)
        if place < 0:
            return False
        start, end = place, place + len(text)
        before, after = box.text[:start], box.text[end:]
        if before.endswith(", "):
            start -= 2
        elif after.startswith(", "):
            end += 2
        box.edit(Edit(start, end, "", (start, start)))
        return True


def _tags_like(box: PromptBox, text: str) -> list[Any]:
    """Tags in a box that name the same network as the tag `text`."""
    wanted = {(tag.kind, tag.name) for tag in listed_tags(text)}
    return [tag for tag in listed_tags(box.text) if (tag.kind, tag.name) in wanted]


def _found(text: str, piece: str) -> int:
    """Where a piece stands on its own, -1 for nowhere."""
    place = text.find(piece)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(piece) : place + len(piece) + 1]
        if not before.isalnum() and not after.isalnum():
            return place
        place = text.find(piece, place + 1)
    return -1


def _written(kind: str, name: str, notes: NetworkNotes) -> str:
    """A tag with the weight people like, and the words that call it up."""
    weight = f"{round(1.0 if notes.weight is None else notes.weight, 3):g}"
    return f"<{kind}:{name}:{weight}>" + (f" {notes.words}" if notes.words else "")
