"""The prompts of earlier jobs: walked with keys, searched in a panel, kept in a file of the data folder."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import Draft, Frozen
from sfumato.desktop.shell import Shell
from sfumato.library.prompt_history import PastPrompt, load_history, remembered, save_history, search

if TYPE_CHECKING:
    from sfumato.desktop.prompts.prompts import Prompts


class PromptHistory(QObject):
    """`rows` are those that hold the words searched for, newest first."""

    changed = pyqtSignal()
    _used = pyqtSignal(str, str)

    def __init__(self, prompts: Prompts, shell: Shell) -> None:
        super().__init__(prompts)
        self._prompts, self._shell = prompts, shell
        self._past: tuple[PastPrompt, ...] = ()
        self._words = ""
        self._place = -1  # of the one shown by keys; -1 is what was being written
        self._draft = ("", "")
        self._shown: tuple[str, str] | None = None
        self._used.connect(self._remember, Qt.ConnectionType.QueuedConnection)
        shell.drafting.add(self._contribute)
        shell.disk.run(partial(load_history, shell.places.data), self._loaded, shell.complain)
        shell.register({"prompt_previous": partial(self._walk, 1), "prompt_next": partial(self._walk, -1)})

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, object]]:
        found = search(self._past, self._words)
        return [{"prompt": past.prompt, "negative": past.negative, "when": past.when * 1000} for past in found]

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        """How many are kept."""
        return len(self._past)

    def _get_words(self) -> str:
        return self._words

    def _set_words(self, words: str) -> None:
        if words != self._words:
            self._words = words
            self.changed.emit()

    words = pyqtProperty(str, _get_words, _set_words, notify=changed)

    @pyqtSlot(str, str)
    def use(self, prompt: str, negative: str) -> None:
        """Put a pair into the boxes; each box can take it back."""
        self._prompts.put(prompt, negative)

    def _walk(self, distance: int) -> None:
        here = self._prompts.pair
        if here != self._shown:
            # Something was written since: the walk begins anew, and leads back to it.
            self._place, self._draft = -1, here
        place = self._place + distance
        past = [(past.prompt, past.negative) for past in self._past]
        if self._place < 0 and distance > 0 and past and past[0] == here:
            place += 1
        if not -1 <= place < len(past):
            return
        self._place = place
        self._shown = past[place] if place >= 0 else self._draft
        self._prompts.put(*self._shown)

    def _contribute(self, draft: Draft) -> None:
        prompt, negative = self._prompts.pair

        def tell(frozen: Frozen) -> None:
            del frozen
            self._used.emit(prompt, negative)

        draft.later.append(tell)

    def _loaded(self, past: tuple[PastPrompt, ...]) -> None:
        # What was used while the file was read is newer.
        for used in reversed(self._past):
            past = remembered(past, used)
        self._past = past
        self.changed.emit()

    def _remember(self, prompt: str, negative: str) -> None:
        past = remembered(self._past, PastPrompt(prompt, negative, time.time()))
        if past != self._past:
            self._past = past
            self._place = -1
            self.changed.emit()
            self._shell.disk.run(partial(save_history, self._shell.places.data, past), lambda _: None, self._shell.complain)
