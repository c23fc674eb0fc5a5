"""Bringing model files in: copied or moved into the folder that their header names, never over a file that is there without asking. Rules: D30, D31."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sfumato.desktop.language import tr
from sfumato.desktop.models.asking import Answer, Asking
from sfumato.desktop.models.categories import BY_ID, HOME
from sfumato.desktop.models.changes import TAB, Changes
from sfumato.desktop.shell import Shell
from sfumato.desktop.system_trash import system_trash
from sfumato.library.carrying import carry, copy
from sfumato.library.model_kinds import category_of
from sfumato.library.models import FOLDERS, SUFFIXES
from sfumato.library.trash import Receipt, restore, to_trash
from sfumato.protocol.errors import CorruptFile, NotWritable, SfumatoError


@dataclass(frozen=True)
class Arrival:
    """A file that is to come: from where, to where, and whether something is there."""

    source: Path
    target: Path
    is_taken: bool


class Importing:
    """Asks, then carries; `ended` is called when files have come."""

    def __init__(self, shell: Shell, changes: Changes, asking: Asking) -> None:
        self._shell = shell
        self._changes = changes
        self._asking = asking

    @staticmethod
    def takes(path: Path) -> bool:
        """Whether a file could be a model."""
        return path.suffix.lower() in SUFFIXES

    def offer(self, sources: Sequence[Path], category: str, folder: str) -> None:
        """Ask about files that were dropped or named; `category` and `folder` of the page are taken where a header tells nothing."""
        self._changes.run(partial(self._planned, sources, category, folder), self._ask)

    def _planned(self, sources: Sequence[Path], category: str, folder: str) -> list[Arrival]:
        arrivals = []
        for source in sources:
            if not source.is_file():
                raise CorruptFile(source.name, "it cannot be found")
            held = category_of(source)
            home = HOME[held].id if held else category
            inside = FOLDERS[held][0] if held else BY_ID[category].folder
            if not inside:
                raise CorruptFile(source.name, "nothing in it tells what it is; choose a category first")
            root = self._shell.places.models[0] / inside
            target = (root / folder if home == category and folder else root) / source.name
            arrivals.append(Arrival(source, target, target.exists()))
        return arrivals

    def _ask(self, arrivals: list[Arrival]) -> None:
        here = [arrival for arrival in arrivals if arrival.source.resolve() != arrival.target.resolve()]
        if not here:
            return
        first, taken = here[0], [arrival.target.name for arrival in here if arrival.is_taken]
        what = tr("'{name}'", name=first.source.name) if len(here) == 1 else tr("{count} files", count=len(here))
        words = tr("Import {what} into {folder}?", what=what, folder=self._folder_words(first.target.parent))
        if taken:
            words += " " + tr("'{name}' is there already; the old file goes to the trash.", name=taken[0])
        self._asking.ask(
            words,
            [
                Answer(tr("Copy") if not taken else tr("Copy and replace"), partial(self._bring, here, copy), is_first=True),
                Answer(tr("Move") if not taken else tr("Move and replace"), partial(self._bring, here, carry)),
            ],
        )

    def _folder_words(self, folder: Path) -> str:
        root = self._shell.places.models[0]
        return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)

    def _bring(self, arrivals: Sequence[Arrival], how: Callable[[Path, Path], None]) -> None:
        words = tr("Import {count} models", count=len(arrivals)) if len(arrivals) > 1 else tr("Import {name}", name=arrivals[0].target.name)

        def then(replaced: Receipt) -> None:
            # What was replaced last is what comes back, also after a redo.
            held = [replaced]

            def again(replaced: Receipt) -> None:
                held[0] = replaced
                self._changes.done.emit()

            undo = lambda: self._take_back(arrivals, held[0], how)  # noqa: E731
            self._shell.edits.push(words, undo, lambda: self._changes.run(partial(self._brought, arrivals, how), again), tab=TAB)
            self._changes.done.emit()

        self._changes.run(partial(self._brought, arrivals, how), then)

    def _brought(self, arrivals: Sequence[Arrival], how: Callable[[Path, Path], None]) -> Receipt:
        """Carry the files; what was in their place is in the trash then. All of them come, or none."""
        replaced = to_trash([arrival.target for arrival in arrivals if arrival.is_taken], self._shell.places.data, system_trash)
        if replaced.sentences:
            restore(replaced)
            raise NotWritable(str(arrivals[0].target.parent), replaced.sentences[0])
        come: list[Arrival] = []
        try:
            for arrival in arrivals:
                how(arrival.source, arrival.target)
                come.append(arrival)
        except SfumatoError:
            self._returned(come, replaced, how)
            raise
        return replaced

    def _returned(self, arrivals: Sequence[Arrival], replaced: Receipt, how: Callable[[Path, Path], None]) -> tuple[str, ...]:
        """Take files that came back to where they were, and what they replaced as well; a sentence for each that stays."""
        sentences: tuple[str, ...] = ()
        if how is not carry:
            sentences = to_trash([arrival.target for arrival in arrivals], self._shell.places.data, system_trash).sentences
        for arrival in arrivals if how is carry else ():
            try:
                carry(arrival.target, arrival.source)
            except SfumatoError as error:
                sentences = (*sentences, error.message)
        return (*sentences, *restore(replaced))

    def _take_back(self, arrivals: Sequence[Arrival], replaced: Receipt, how: Callable[[Path, Path], None]) -> None:
        def work() -> tuple[str, ...]:
            return self._returned(arrivals, replaced, how)

        def then(sentences: tuple[str, ...]) -> None:
            for sentence in sentences:
                self._shell.notices.show(sentence)
            self._changes.done.emit()

        self._changes.run(work, then)
