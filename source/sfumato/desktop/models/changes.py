"""Changes of model files from the page: rename, move, trash, preview, description, favourites. Each can be undone, and runs on a thread for files alone.

Rules: D113-D115 of the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from sfumato.desktop.disk import Disk
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.desktop.system_trash import system_trash
from sfumato.imaging.writing import replace_file
from sfumato.library import moving
from sfumato.library.hashes import Hashes
from sfumato.library.model_marks import Marks
from sfumato.library.model_notes import OWN, PREVIEWS, companion, companions, picture_bytes, put_back, write_notes
from sfumato.library.models_index import ModelRow
from sfumato.library.trash import Receipt, restore, to_trash
from sfumato.protocol.errors import NotWritable, SfumatoError

TAB = "models"


class Changes(QObject):
    """`done` after each change: have the folders looked at; `moved` with (old, new) paths that marks and parameters follow."""

    done = pyqtSignal()
    moved = pyqtSignal(object)
    marked = pyqtSignal()

    def __init__(self, shell: Shell, marks: Marks, hashes: Hashes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._marks = marks
        self._hashes = hashes
        # Carrying gigabytes between volumes must not hold up the session's file.
        self._files = Disk(self)

    def close(self) -> None:
        self._files.close()

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Work on the thread for files; an error is shown."""
        self._files.run(work, done, self._shell.complain)

    # -- names and folders -----------------------------------------------------------------------

    def rename(self, row: ModelRow, name: str) -> None:
        """Give a model another name; the same name is no change."""
        if name.strip() and name.strip() != moving.full_name(row.file):
            self._relocate([partial(moving.rename, row.file, name.strip())], tr("Rename {name}", name=row.name))

    def move(self, rows: Sequence[ModelRow], folder: Path) -> None:
        """Put models into a folder; those that are there already stay."""
        works = [partial(moving.move, row.file, folder) for row in rows if row.file.parent != folder]
        if works:
            self._relocate(works, tr("Move {count} models", count=len(works)) if len(works) > 1 else tr("Move {name}", name=rows[0].name))

    def _relocate(self, works: Sequence[Callable[[], moving.Moved]], words: str) -> None:
        def work() -> tuple[list[moving.Moved], SfumatoError | None]:
            done: list[moving.Moved] = []
            for each in works:
                try:
                    done.append(each())
                except SfumatoError as error:
                    return done, error
            return done, None

        def then(result: tuple[list[moving.Moved], SfumatoError | None]) -> None:
            done, error = result
            if done:
                self._follow(done)
                self._shell.edits.push(words, partial(self._back, done), partial(self._forth, done), tab=TAB)
            if error is not None:
                self._shell.complain(error)

        self.run(work, then)

    def _back(self, done: Sequence[moving.Moved]) -> None:
        def work() -> None:
            for each in reversed(done):
                moving.back(each)

        self.run(work, lambda _: self._follow(done, backwards=True))

    def _forth(self, done: list[moving.Moved]) -> None:
        def work() -> None:
            for each in done:
                old, new = each.model
                again = moving.move(old, new.parent) if old.name == new.name else moving.rename(old, moving.full_name(new))
                each.pairs, each.copies = again.pairs, again.copies

        self.run(work, lambda _: self._follow(done))

    def _follow(self, done: Iterable[moving.Moved], backwards: bool = False) -> None:
        pairs = [(str(old), str(new)) for each in done for old, new in each.pairs]
        if backwards:
            pairs = [(new, old) for old, new in pairs]
        self._marks.follow(pairs)
        self._keep_marks()
        for old, new in pairs:
            self._shell.thumbnails.forget(old)
            self._hashes.moved(Path(old), Path(new))
        self.moved.emit(pairs)
        self.done.emit()

    # -- trash -----------------------------------------------------------------------------------

    def remove(self, rows: Sequence[ModelRow]) -> None:
        """Move models and what belongs to them alone into the trash."""
        paths = [path for row in rows for path in (row.file, *moving.own_companions(row.file))]
        words = tr("Delete {count} models", count=len(rows)) if len(rows) > 1 else tr("Delete {name}", name=rows[0].name)
        self._trash(paths, lambda receipt: self._deleted(words, paths, receipt))

    def _trash(self, paths: Sequence[Path], then: Callable[[Receipt], None]) -> None:
        def finish(receipt: Receipt) -> None:
            for sentence in receipt.sentences:
                self._shell.notices.show(sentence)
            then(receipt)
            self.done.emit()

        self.run(partial(to_trash, paths, self._shell.places.data, system_trash), finish)

    def _deleted(self, words: str, paths: Sequence[Path], receipt: Receipt) -> None:
        if not receipt.items:
            return
        # What was deleted last is what comes back, also after a redo.
        held = [receipt]

        def undo() -> None:
            self.run(partial(restore, held[0]), self._restored)

        def redo() -> None:
            self._trash(paths, lambda again: held.__setitem__(0, again))

        self._shell.edits.push(words, undo, redo, tab=TAB)

    def _restored(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._shell.notices.show(sentence)
        self.done.emit()

    # -- what stands beside a model --------------------------------------------------------------

    def edit(self, row: ModelRow, description: str, words: Sequence[str], tags: Sequence[str], weight: float | None) -> None:
        """Write what the user says of a model beside it."""
        write = partial(write_notes, row.file, description=description, words=words, tags=tags, weight=weight)
        file = companion(row.file, OWN)

        def then(before: bytes | None) -> None:
            words = tr("Edit {name}", name=row.name)
            self._shell.edits.push(words, lambda: self.run(partial(put_back, file, before), self._noted), lambda: self.run(write, self._noted), tab=TAB)
            self.done.emit()

        self.run(write, then)

    def set_preview(self, row: ModelRow, picture: Path) -> None:
        """Make a picture the preview of a model: a copy of its bytes beside it."""

        def work() -> tuple[Path, bytes, bytes | None, Receipt]:
            data, kind = picture_bytes(picture)
            target = companion(row.file, f".preview.{kind}")
            before = target.read_bytes() if target.is_file() else None
            # One preview is shown, so an older one of another kind goes into the trash and not in its way.
            others = [companion(row.file, ending) for ending in companions(row.file, _names_in(row.file.parent)) if ending.startswith(".preview.")]
            receipt = to_trash([path for path in others if path != target], self._shell.places.data, system_trash)
            try:
                replace_file(target, data)
            except SfumatoError:
                restore(receipt)
                raise
            return target, data, before, receipt

        def then(result: tuple[Path, bytes, bytes | None, Receipt]) -> None:
            target, data, before, receipt = result
            held = [receipt]

            def back() -> None:
                put_back(target, before)
                restore(held[0])

            def again() -> None:
                held[0] = to_trash([Path(item.origin) for item in held[0].items], self._shell.places.data, system_trash)
                put_back(target, data)

            undo, redo = (partial(self.run, each, lambda _: self._pictured(target)) for each in (back, again))
            self._shell.edits.push(tr("Set the picture of {name}", name=row.name), undo, redo, tab=TAB)
            self._pictured(target)

        self.run(work, then)

    def clear_preview(self, row: ModelRow) -> None:
        """Move the pictures of a model into the trash."""
        names = _names_in(row.file.parent)
        paths = [companion(row.file, ending) for ending in companions(row.file, names) if ending in PREVIEWS]
        if paths:
            self._trash(paths, lambda receipt: self._deleted(tr("Clear the picture of {name}", name=row.name), paths, receipt))

    def _pictured(self, target: Path) -> None:
        self._shell.thumbnails.forget(str(target))
        self.done.emit()

    def _noted(self, _: object) -> None:
        self.done.emit()

    # -- favourites ------------------------------------------------------------------------------

    def favourite(self, paths: Sequence[str], marked: bool) -> None:
        """Mark models or not."""
        before = {path for path in paths if path in self._marks.favourites}
        if (marked and len(before) < len(paths)) or (not marked and before):
            self._mark(paths, marked)
            self._shell.edits.push(tr("Mark as favourite"), partial(self._mark_exactly, paths, before), partial(self._mark, paths, marked), tab=TAB)

    def _mark_exactly(self, paths: Sequence[str], favourites: set[str]) -> None:
        self._marks.favourites = (self._marks.favourites - set(paths)) | favourites
        self._keep_marks()

    def _mark(self, paths: Sequence[str], marked: bool) -> None:
        self._mark_exactly(paths, set(paths) if marked else set())

    def use(self, path: str, when: float) -> None:
        """Note that a model was used; `when` in seconds since the epoch."""
        self._marks.used[path] = when
        self._keep_marks()

    def _keep_marks(self) -> None:
        self._files.run(self._marks.save, lambda _: None, self._shell.complain)
        self.marked.emit()


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        raise NotWritable(str(folder), error.strerror or type(error).__name__) from error
