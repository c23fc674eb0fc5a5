"""The wildcard files: listed, put into the prompt, edited, made, thrown away, and marked as vocabulary for suggestions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.prompts.knowledge import VOCABULARY, marked_files
from sfumato.desktop.shell import Shell
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.trash import Receipt, restore, to_trash

if TYPE_CHECKING:
    from sfumato.desktop.prompts.prompts import Prompts

FOLDER = "wildcards"
# A larger file is no list to edit by hand.
LARGEST_BYTES = 2 << 20
_FORBIDDEN = frozenset('<>:"|?*\\,')


class WildcardShelf(QObject):
    """`rows` are the files by name; `name` and `lines` that which is open."""

    changed = pyqtSignal()
    opened = pyqtSignal()

    def __init__(self, prompts: Prompts, shell: Shell) -> None:
        super().__init__(prompts)
        self._prompts, self._shell = prompts, shell
        self._knowledge = prompts.knowledge
        self._words = ""
        self._name, self._lines = "", ""
        self._knowledge.changed.connect(self.changed)

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        marked = set(marked_files(self._shell.settings[VOCABULARY]))
        words = self._words.casefold().split()
        names = [name for name in self._knowledge.now.wildcards if all(word in name.casefold() for word in words)]
        return [{"name": name, "vocabulary": name in marked} for name in names]

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._knowledge.now.wildcards)

    def _get_words(self) -> str:
        return self._words

    def _set_words(self, words: str) -> None:
        self._words = words
        self.changed.emit()

    words = pyqtProperty(str, _get_words, _set_words, notify=changed)

    @pyqtProperty(str, notify=opened)
    def name(self) -> str:
        return self._name

    @pyqtProperty(str, notify=opened)
    def lines(self) -> str:
        return self._lines

    @pyqtSlot(str)
    def insert(self, name: str) -> None:
        """Put its name into the prompt, or take it out."""
        self._prompts.insert(f"__{name}__")

    @pyqtSlot(str)
    def open(self, name: str) -> None:
        """Read a file for the editor."""
        path = self._knowledge.now.wildcards.get(name)
        if path is None:
            return
        if path.suffix.lower() == ".csv" or _size(path) > LARGEST_BYTES:
            self._shell.notices.show(
                tr("'{name}' is a table or very large; edit it with another program. It is read again when it changes.", name=path.name), kind="note"
            )
            return
        self._shell.disk.run(lambda: path.read_text(encoding="utf-8-sig", errors="replace"), partial(self._opened, name), self._shell.complain)

    @pyqtSlot(str, result=str)
    def create(self, name: str) -> str:
        """Make an empty file; why it cannot be, or ""."""
        name = name.strip().strip("/").removesuffix(".txt")
        parts = name.split("/")
        if not name or any(not part.strip(". ") or part.startswith(".") or _FORBIDDEN & set(part) or not part.isprintable() for part in parts) or "__" in name:
            return tr("A wildcard's name is letters, digits, blanks and -, with / between folders; choose another.")
        if name in self._knowledge.now.wildcards:
            return tr("There is a wildcard called '{name}' already.", name=name)
        self._save(self._shell.places.data / FOLDER / f"{name}.txt", "", partial(self._opened, name, ""))
        return ""

    @pyqtSlot(str)
    def save(self, lines: str) -> None:
        """Write the open file; its text before can be had back with Undo."""
        path = self._knowledge.now.wildcards.get(self._name, self._shell.places.data / FOLDER / f"{self._name}.txt")
        before = self._lines
        if not self._name or lines == before:
            return
        self._lines = lines
        self._save(path, lines)
        self._shell.edits.push(
            tr("Change wildcard {name}", name=self._name), partial(self._restore, self._name, path, before), partial(self._restore, self._name, path, lines)
        )

    @pyqtSlot(str)
    def throwAway(self, name: str) -> None:
        """Move a file to the trash of the data folder; Undo brings it back."""
        path = self._knowledge.now.wildcards.get(name)
        if path is not None:
            self._shell.disk.run(partial(to_trash, [path], self._shell.places.data), partial(self._thrown, name, path), self._shell.complain)

    @pyqtSlot(str)
    def toggleVocabulary(self, name: str) -> None:
        """Suggest a file's lines while a prompt is typed, or no longer."""
        marked = marked_files(self._shell.settings[VOCABULARY])
        self._shell.set(VOCABULARY, ", ".join([*marked, name] if name not in marked else [other for other in marked if other != name]))
        self.changed.emit()

    def _save(self, path: Path, lines: str, done: Callable[[], Any] | None = None) -> None:
        def write() -> None:
            make_folder(path.parent)
            replace_file(path, lines.encode("utf-8"))

        def written(_: object) -> None:
            self._knowledge.refresh()
            if done is not None:
                done()

        self._shell.disk.run(write, written, self._shell.complain)

    def _restore(self, name: str, path: Path, lines: str) -> None:
        self._save(path, lines)
        if name == self._name:
            self._opened(name, lines)

    def _opened(self, name: str, lines: str) -> None:
        self._name, self._lines = name, lines.replace("\r\n", "\n")
        self.opened.emit()

    def _thrown(self, name: str, path: Path, receipt: Receipt) -> None:
        self._tell(receipt.sentences)
        if not receipt.items:
            return
        if name == self._name:
            self._opened("", "")
        held = [receipt]  # what was deleted last is what comes back, also after a redo

        def again(receipt: Receipt) -> None:
            held[0] = receipt if receipt.items else held[0]
            self._tell(receipt.sentences)

        undo = lambda: self._shell.disk.run(partial(restore, held[0]), self._tell, self._shell.complain)  # noqa: E731
        redo = partial(self._shell.disk.run, partial(to_trash, [path], self._shell.places.data), again, self._shell.complain)
        self._shell.edits.push(tr("Delete wildcard {name}", name=name), undo, redo)

    def _tell(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._shell.notices.show(sentence)
        self._knowledge.refresh()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
