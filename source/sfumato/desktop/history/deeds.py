"""What is done to the chosen pictures: rated, tagged, copied, moved, bundled, thrown away. What changes something can be undone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QMimeData, QObject, QTimer, QUrl, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication

from sfumato.desktop.disk import Disk
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.desktop.system_trash import system_trash
from sfumato.library.history.index import Cell, Index
from sfumato.library.history.opinions import STARS, Opinion, clean_tag
from sfumato.library.trash import Receipt, restore, to_trash
from sfumato.protocol.errors import NameTaken, SfumatoError

if TYPE_CHECKING:
    from sfumato.desktop.history.history import History

TAB = "history"
# Ratings are written a moment after the last change.
SAVE_MS = 800
Change = Callable[[Opinion], Opinion]


class Deeds(QObject):
    """`studio.history.deeds`."""

    done = pyqtSignal(str)  # a sentence on what was done

    def __init__(self, shell: Shell, history: History, parent: QObject) -> None:
        super().__init__(parent)
        self._shell = shell
        self._history = history
        self._hand: Disk | None = None  # writes: files and index
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_MS)
        self._saving.timeout.connect(self._save)

    def close(self) -> None:
        """Finish what was begun."""
        if self._hand is not None:
            self._hand.close()

    def _run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        if self._hand is None:
            self._hand = Disk(self)
        self._hand.run(work, done, self._shell.complain)

    def _chosen(self, act: Callable[[Index, list[Cell]], None]) -> None:
        """Give the chosen pictures, in their order, to `act`."""
        index, numbers = self._history.index, self._history.pictures.chosen
        if index is None or not numbers:
            return

        def held(cells: dict[int, Cell]) -> None:
            act(index, [cells[number] for number in numbers if number in cells])

        self._history.reading(lambda: index.cells(numbers), held)

    # -- what is thought of them -----------------------------------------------------------------

    @pyqtSlot(int)
    def rate(self, stars: int) -> None:
        """0 takes the rating away."""
        stars = max(0, min(STARS, stars))
        self._think(tr("Rate"), lambda opinion: Opinion(stars, opinion.favourite, opinion.tags))

    @pyqtSlot()
    def favour(self) -> None:
        """Make all of them favourites; none if all were."""

        def act(index: Index, cells: list[Cell]) -> None:
            marked = not all(index.opinions.of(cell.hash).favourite for cell in cells)
            self._change(index, cells, tr("Favourite"), lambda opinion: Opinion(opinion.rating, marked, opinion.tags))

        self._chosen(act)

    @pyqtSlot(str)
    def tag(self, words: str) -> None:
        """Add tags, with commas between them."""
        tags = [tag for tag in map(clean_tag, words.split(",")) if tag]
        if tags:
            self._think(tr("Tag"), lambda opinion: Opinion(opinion.rating, opinion.favourite, tuple(dict.fromkeys((*opinion.tags, *tags)))))

    @pyqtSlot(str)
    def untag(self, tag: str) -> None:
        self._think(tr("Remove a tag"), lambda opinion: Opinion(opinion.rating, opinion.favourite, tuple(held for held in opinion.tags if held != tag)))

    def _think(self, words: str, change: Change) -> None:
        self._chosen(lambda index, cells: self._change(index, cells, words, change))

    def _change(self, index: Index, cells: list[Cell], words: str, change: Change) -> None:
        before = {cell.hash: index.opinions.of(cell.hash) for cell in cells if cell.hash}
        after = {digest: change(opinion) for digest, opinion in before.items()}
        if before == after:
            return
        numbers = [cell.id for cell in cells]
        self._apply(index, after, numbers)
        self._shell.edits.push(words, partial(self._apply, index, before, numbers), partial(self._apply, index, after, numbers), tab=TAB)

    def _apply(self, index: Index, opinions: dict[str, Opinion], numbers: list[int]) -> None:
        # At once, so that the next key builds on it; the index follows.
        index.opinions.set(opinions.items())
        self._run(lambda: index.think(opinions), lambda _: self._history.refresh(numbers))
        self._saving.start()

    def _save(self) -> None:
        index = self._history.index
        if index is not None:
            self._run(index.opinions.save, lambda _: None)

    # -- their files -----------------------------------------------------------------------------

    @pyqtSlot()
    def remove(self) -> None:
        """Into the trash; undo brings them back."""
        self._chosen(self._remove)

    def _remove(self, index: Index, cells: list[Cell]) -> None:
        paths = [cell.path for cell in cells]
        row = min((self._history.pictures.row_of(cell.id) for cell in cells), default=-1)
        self._run(partial(self._throw, index, paths), partial(self._thrown, index, paths, row))

    def _throw(self, index: Index, paths: list[str]) -> Receipt:
        receipt = to_trash([Path(path) for path in paths], self._shell.places.data, system_trash)
        with index.together():
            for path in paths:
                if not os.path.lexists(path):
                    index.forget(path)
        return receipt

    def _thrown(self, index: Index, paths: list[str], row: int, receipt: Receipt) -> None:
        for sentence in receipt.sentences:
            self._shell.notices.show(sentence)
        held = [receipt]

        def undo() -> None:
            self._run(partial(self._bring_back, index, held[0]), self._brought_back)

        def redo() -> None:
            self._run(partial(self._throw, index, paths), again)

        def again(receipt: Receipt) -> None:
            held[0] = receipt
            self._history.refresh()

        self._shell.edits.push(tr("Delete {count} pictures", count=len(paths)) if len(paths) > 1 else tr("Delete a picture"), undo, redo, tab=TAB)
        self._history.refresh()
        self._follow_row(row)

    def _follow_row(self, row: int) -> None:
        """The frame goes to the picture that took the place of the deleted one."""

        def land() -> None:
            pictures = self._history.pictures
            if pictures.current < 0 and pictures.count:
                pictures.press(min(max(row, 0), pictures.count - 1), False, False)

        # After the search that `refresh` asked for.
        self._history.reading(lambda: None, lambda _: land())

    def _bring_back(self, index: Index, receipt: Receipt) -> tuple[str, ...]:
        sentences = restore(receipt)
        self._put(index, [Path(item.origin) for item in receipt.items])
        return sentences

    def _brought_back(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._shell.notices.show(sentence)
        self._history.refresh()

    def _put(self, index: Index, paths: list[Path]) -> None:
        from sfumato.library.history.scanning import Scanner  # late: with it come the readers of every format

        scanner = Scanner(index)
        for path in paths:
            if path.is_file():
                scanner.put(str(path))

    @pyqtSlot(str)
    def copyTo(self, folder: str) -> None:
        """Copy the files into a folder, under other names where theirs are taken."""
        self._send(folder, moves=False)

    @pyqtSlot(str)
    def moveTo(self, folder: str) -> None:
        """Move the files; undo moves them back."""
        self._send(folder, moves=True)

    @pyqtSlot(result=str)
    def favouritesFolder(self) -> str:
        """The folder that other programs keep favourites in."""
        return str(self._shell.places.outputs / "favourites")

    def _send(self, folder: str, moves: bool) -> None:
        target = Path(local(folder)).expanduser()
        if not target.is_absolute():
            self._shell.notices.show(tr("'{folder}' is no whole path; start it at the root or with ~.", folder=folder))
            return
        self._chosen(lambda index, cells: self._run(partial(self._carry, index, cells, target, moves), partial(self._carried, index, target, moves)))

    def _carry(self, index: Index, cells: list[Cell], folder: Path, moves: bool) -> tuple[list[tuple[Path, Path]], list[str]]:
        from sfumato.library.carrying import carry, copy

        pairs, sentences = [], []
        for cell in cells:
            source = Path(cell.path)
            if moves and source.parent == folder:
                continue
            try:
                pairs.append((source, placed(carry if moves else copy, source, folder)))
            except SfumatoError as error:
                sentences.append(f"'{source.name}': {error.message}")
        with index.together():
            for source, _ in pairs if moves else ():
                index.forget(str(source))
        self._put_inside(index, [target for _, target in pairs])
        return pairs, sentences

    def _carried(self, index: Index, folder: Path, moves: bool, found: tuple[list[tuple[Path, Path]], list[str]]) -> None:
        pairs, sentences = found
        for sentence in sentences:
            self._shell.notices.show(sentence)
        if pairs and moves:
            undo = partial(self._shift, index, [(target, source) for source, target in pairs])
            self._shell.edits.push(tr("Move {count} pictures", count=len(pairs)), undo, partial(self._shift, index, pairs), tab=TAB)
        elif pairs:
            self._shell.notices.show(tr("Copied {count} to {folder}.", count=len(pairs), folder=folder), kind="note")
        self._history.refresh()

    def _shift(self, index: Index, pairs: list[tuple[Path, Path]]) -> None:
        """Give files the paths they had."""

        def work() -> list[str]:
            from sfumato.library.carrying import carry

            sentences = []
            for source, target in pairs:
                try:
                    carry(source, target)
                    index.forget(str(source))
                except SfumatoError as error:
                    sentences.append(f"'{source.name}': {error.message}")
            self._put_inside(index, [target for _, target in pairs])
            return sentences

        def shown(sentences: list[str]) -> None:
            for sentence in sentences:
                self._shell.notices.show(sentence)
            self._history.refresh()

        self._run(work, shown)

    def _put_inside(self, index: Index, paths: list[Path]) -> None:
        """Index those that lie in a folder that is followed."""
        roots = [Path(root) for root in self._history.roots]
        self._put(index, [path for path in paths if any(path.is_relative_to(root) for root in roots)])

    @pyqtSlot(str, bool)
    def bundle(self, file: str, with_metadata: bool) -> None:
        """Write the chosen pictures into a zip file."""
        target = Path(local(file)).expanduser()
        if not target.is_absolute():
            self._shell.notices.show(tr("'{file}' is no whole path; start it at the root or with ~.", file=file))
            return
        if target.suffix.lower() != ".zip":
            target = target.with_name(target.name + ".zip")

        def work(cells: list[Cell]) -> tuple[int, list[str]]:
            from sfumato.library.history.bundle import write_bundle

            sentences = write_bundle([Path(cell.path) for cell in cells], target, with_metadata)
            return len(cells) - len(sentences), sentences

        def told(found: tuple[int, list[str]]) -> None:
            for sentence in found[1][:5]:
                self._shell.notices.show(sentence)
            self._shell.notices.show(tr("Wrote {count} pictures into {file}.", count=found[0], file=target), kind="note")
            self.done.emit(str(target))

        self._chosen(lambda index, cells: self._run(partial(work, cells), told))

    @pyqtSlot(result=str)
    def bundleName(self) -> str:
        """A file for the next bundle."""
        return str(self._shell.places.outputs / f"pictures-{time.strftime('%Y%m%d-%H%M%S')}.zip")

    @pyqtSlot(result="QStringList")
    def addresses(self) -> list[str]:
        """The chosen files as addresses, as far as they are known: for dragging them out."""
        pictures = self._history.pictures
        cells = [pictures.cell(number) for number in pictures.chosen[:1000]]
        return [QUrl.fromLocalFile(cell.path).toString(QUrl.ComponentFormattingOption.FullyEncoded) for cell in cells if cell is not None and not cell.gone]

    @pyqtSlot(result="QStringList")
    def paths(self) -> list[str]:
        pictures = self._history.pictures
        cells = [pictures.cell(number) for number in pictures.chosen]
        return [cell.path for cell in cells if cell is not None and not cell.gone]

    @pyqtSlot()
    def copyFiles(self) -> None:
        """Put the files on the clipboard."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(path) for path in self.paths()])
        if mime.urls():
            QGuiApplication.clipboard().setMimeData(mime)

    @pyqtSlot(str)
    def open(self, path: str) -> None:
        """Show a picture in the system's own program."""
        self._hand_over(path)

    @pyqtSlot(str)
    def visit(self, path: str) -> None:
        """Show the folder of a picture."""
        self._hand_over(path.rpartition("/")[0])

    def _hand_over(self, path: str) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(path)):
            self._shell.notices.show(tr("No program opens this here: {path}", path=path), kind="note")


def placed(act: Callable[[Path, Path], None], source: Path, folder: Path) -> Path:
    """Carry or copy a file into a folder under its own name, or the next that is free."""
    for number in range(1, 1000):
        target = folder / (source.name if number == 1 else f"{source.stem}-{number}{source.suffix}")
        try:
            act(source, target)
            return target
        except NameTaken:
            continue
    raise NameTaken(source.name, folder.name)


def local(text: str) -> str:
    """The path in what was chosen in a dialog or typed."""
    text = text.strip()
    return QUrl(text).toLocalFile() if text.startswith("file:") else text
