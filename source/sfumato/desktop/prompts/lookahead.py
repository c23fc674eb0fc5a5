"""What the next pictures would be told: wildcards and choices rolled with their seeds, away from the GUI thread."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import SEED_DRAWS
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.reader import Reader

if TYPE_CHECKING:
    from sfumato.desktop.prompts.prompts import Prompts
    from sfumato.prompts.names import Library

PICTURES = 5
SUBJECT = "look ahead"


class LookAhead(QObject):
    """`rows` hold seed, prompt and negative of each of the next pictures; `sentences` what went wrong while choosing, such as a cycle."""

    changed = pyqtSignal()

    def __init__(self, prompts: Prompts) -> None:
        super().__init__(prompts)
        self._prompts = prompts
        self._rows: list[dict[str, Any]] = []
        self._sentences: list[str] = []
        self._is_drawn = False

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        return self._rows

    @pyqtProperty("QStringList", notify=changed)
    def sentences(self) -> list[str]:
        return self._sentences

    @pyqtProperty(bool, notify=changed)
    def isDrawn(self) -> bool:
        """Whether the seeds were drawn for this look, the form's being random."""
        return self._is_drawn

    @pyqtSlot()
    def roll(self) -> None:
        """Look again."""
        prompts = self._prompts
        seed = int(prompts.value("seed", -1))
        self._is_drawn = seed < 0
        seed = secrets.randbelow(SEED_DRAWS) if seed < 0 else seed
        work = partial(
            expanded,
            *prompts.pair,
            prompts.styles.names,
            prompts.options(),
            prompts.knowledge.now.library,
            seed,
            int(prompts.value("wildcard_seed", -1)),
            bool(prompts.value("all_combinations", False)),
        )
        prompts.analyst.ask(SUBJECT, work, self._take)

    def _take(self, found: tuple[list[dict[str, Any]], list[str]]) -> None:
        self._rows, self._sentences = found
        self.changed.emit()


def expanded(
    prompt: str, negative: str, styles: Sequence[str], options: PromptOptions, library: Library, seed: int, wildcard_seed: int, all_combinations: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """What pictures `seed`, `seed + 1`, ... say, as the engine reads them, and sentences about what could not be chosen."""
    reader = Reader(options, library)
    rows: list[dict[str, Any]] = []
    sentences: dict[str, None] = {}
    paths = {
        negative_side: reader.combinations(text, PICTURES, negative=negative_side, styles=styles) if all_combinations else []
        for text, negative_side in ((prompt, False), (negative, True))
    }
    for number in range(PICTURES):
        said: list[str] = []
        for text, stream, is_negative in ((prompt, "positive", False), (negative, "negative", True)):
            path = paths[is_negative][number % len(paths[is_negative])] if paths[is_negative] else None
            chosen = seed + number if wildcard_seed < 0 else wildcard_seed
            read = reader.read(text, stream=stream, seed=chosen, image_index=number, negative=is_negative, styles=styles, path=path)
            said.append(read.text)
            sentences.update((span.message, None) for span in read.spans if span.message and span.kind in ("choice", "wildcard", "variable"))
        rows.append({"seed": str(seed + number), "prompt": said[0], "negative": said[1]})
    return rows, list(sentences)
