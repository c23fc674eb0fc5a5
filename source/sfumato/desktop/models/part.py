"""`studio.models`: what the Models page binds to. What is looked at is gallery.py's; here is what can be done, and what comes from the engine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication

from sfumato.desktop.language import tr
from sfumato.desktop.models.activation import Activation, words_of
from sfumato.desktop.models.asking import Answer, Asking
from sfumato.desktop.models.categories import BY_ID, CATEGORIES
from sfumato.desktop.models.changes import Changes
from sfumato.desktop.models.details import details_of
from sfumato.desktop.models.gallery import Gallery
from sfumato.desktop.models.importing import Importing
from sfumato.desktop.models.inspector import Inspector
from sfumato.desktop.prompts import Prompts
from sfumato.desktop.shell import Condition, Shell
from sfumato.library.descriptions import is_web_address
from sfumato.library.hashes import Hashes, short_hash
from sfumato.library.model_facts import split
from sfumato.library.models import CHECKPOINT
from sfumato.library.models_index import WILDCARD, ModelRow, Told
from sfumato.library.words import WILDCARDS_FOLDER
from sfumato.protocol.messages import Event, Failed, Finished

if TYPE_CHECKING:
    from sfumato.desktop.transfers.part import Transfers

OWNER = "models"
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
# The engine reads headers for half a second at each look, so a large new collection takes several.
LOOK_AGAIN_MS = 1500
# Checksums begin when the window has been at rest for so long after the models were listed.
IDLE_MS = 15_000


class Models(Gallery):
    """The Models page."""

    importAsked = pyqtSignal(str)
    inspectAsked = pyqtSignal()

    def __init__(self, shell: Shell, prompts: Prompts, parent: QObject | None = None) -> None:
        super().__init__(shell, parent)
        self.transfers: Transfers | None = None  # the way to another machine
        self._choices: Mapping[str, list[dict[str, Any]]] = {}
        self._unread = -1
        self._renamed: list[tuple[ModelRow, str]] = []
        self._asking = Asking(self)
        self._changes = Changes(shell, self._marks, Hashes(shell.places.data), self)
        self._importing = Importing(shell, self._changes, self._asking)
        self._inspector = Inspector(self)
        self._activation = Activation(shell.parameters, prompts)
        self._looking = self._timer(LOOK_AGAIN_MS, self._look_again)
        self._hashing = self._timer(IDLE_MS, self._want_hashes)
        self._wire(shell, prompts)
        self._register(shell)

    def _wire(self, shell: Shell, prompts: Prompts) -> None:
        self._collection.changed.connect(self._restocked)
        self._changes.done.connect(self._collection.rescan)
        self._changes.marked.connect(self._remark)
        self._changes.moved.connect(self._follow)
        self._hashes.failed.connect(lambda path, sentence: shell.notices.show(sentence))
        shell.engine.greeted.connect(self._greeted)
        shell.parameters.changed.connect(self._marking.start)
        prompts.changed.connect(self._marking.start)
        shell.jobs.changed.connect(lambda: self._hashes.pause(bool(shell.jobs.property("busy"))))
        shell.jobs.ended.connect(self._job_ended)

    def _register(self, shell: Shell) -> None:
        shell.register(
            {
                "refresh_models": self._collection.rescan,
                "open_models": partial(self.visitFolder, ""),
                "import_model": lambda: self._import_from(""),
                **{f"import_{category.id}": partial(self._import_from, category.id) for category in CATEGORIES if category.folder},
            }
        )
        shell.describe({"refresh_models": Condition(can=lambda: not self._collection.busy)})

    def close(self) -> None:
        """End the threads; what runs is finished or leaves no trace."""
        self._inspector.close()
        self._changes.close()
        self._hashes.close()
        self._collection.close()

    @pyqtProperty(QObject, constant=True)
    def asking(self) -> Asking:
        return self._asking

    @pyqtProperty(QObject, constant=True)
    def inspector(self) -> Inspector:
        return self._inspector

    @pyqtSlot()
    def visit(self) -> None:
        """The page is shown."""
        self._open()

    # -- using -----------------------------------------------------------------------------------

    @pyqtSlot(int)
    def activate(self, index: int) -> None:
        """Use the model of a card, or stop using it."""
        if not 0 <= index < len(self._shelf.rows):
            return
        row = self._shelf.rows[index]
        if row.kind == "pickle":
            self._offer_conversion(row)
            return
        sentence = self._activation.activate(row)
        if sentence:
            self._shell.notices.show(sentence, kind="note")
        else:
            self._changes.use(row.path, time.time())
        self._mark_active()

    @pyqtSlot(str)
    def insert(self, text: str) -> None:
        """Put words into the prompt, or take them out."""
        self._activation.insert(text)

    @pyqtSlot()
    def insertCurrent(self) -> None:
        row = self._row()
        if row and words_of(row):
            self.activate(self._shelf.index_of(row.path))

    @pyqtSlot()
    def toggleFavourite(self) -> None:
        rows = self._rows()
        if rows:
            self._changes.favourite([row.path for row in rows], any(row.path not in self._marks.favourites for row in rows))

    # -- keeping in order ------------------------------------------------------------------------

    @pyqtSlot(str)
    def rename(self, name: str) -> None:
        if (row := self._row()) is not None:
            self._changes.rename(row, name)

    @pyqtSlot()
    def askDelete(self) -> None:
        """One question, then the trash."""
        rows = self._rows()
        if not rows:
            return
        words = tr("Move '{name}' to the trash?", name=rows[0].file_name) if len(rows) == 1 else tr("Move {count} models to the trash?", count=len(rows))
        self._asking.ask(words, [Answer(tr("Move to trash"), partial(self._changes.remove, rows), is_first=True)])

    @pyqtSlot(str)
    def askMove(self, folder: str) -> None:
        """Ask whether the chosen models go into a folder of this category ("" for its top)."""
        rows = self._rows()
        if rows and self._view.category in BY_ID:
            words = tr("Move {what} to '{folder}'?", what=self._named(rows), folder=folder or tr(BY_ID[self._view.category].title))
            self._asking.ask(words, [Answer(tr("Move"), partial(self.moveTo, folder), is_first=True)])

    @pyqtSlot(str)
    def moveTo(self, folder: str) -> None:
        """Move the chosen models into a folder of their category; a folder that is not there is made."""
        rows = self._rows()
        if rows:
            self._changes.move(rows, _top_of(rows[0]) / folder)

    @pyqtSlot("QVariantMap")
    def edit(self, values: dict[str, Any]) -> None:
        """Write {description, words, tags, weight} of the current model; weight "" for none."""
        row = self._row()
        if row is None:
            return
        try:
            weight = float(str(values["weight"]).replace(",", ".")) if str(values["weight"]).strip() else None
        except ValueError:
            self._shell.notices.show(tr("'{text}' is no weight; write a number such as 0.8.", text=values["weight"]))
            return
        self._changes.edit(row, str(values["description"]), split(str(values["words"])), split(str(values["tags"])), weight)

    @pyqtSlot(str, result=bool)
    def setPreview(self, address: str) -> bool:
        """Make a picture the current model's preview."""
        row, file = self._row(), _local(address)
        if row is None or file is None or file.suffix.lower() not in PICTURE_ENDINGS:
            return False
        self._changes.set_preview(row, file)
        return True

    @pyqtSlot()
    def toggleVocabulary(self) -> None:
        """Suggest the lines of the current wildcard file while a prompt is typed, or no longer."""
        row = self._row()
        if row is not None and row.category == WILDCARD:
            names = list(split(str(self._shell.settings["vocabulary"])))
            names = [name for name in names if name != row.name] if row.name in names else [*names, row.name]
            self._shell.set("vocabulary", ", ".join(names))
            self.picked.emit()

    @pyqtSlot()
    def clearPreview(self) -> None:
        if (row := self._row()) is not None:
            self._changes.clear_preview(row)

    @pyqtSlot("QVariantList")
    def take(self, addresses: list[Any]) -> None:
        """Files dropped on the page or named in the import dialog: models are imported, a picture becomes the current model's preview."""
        files = [file for address in addresses if (file := _local(_text(address))) is not None]
        models = [file for file in files if Importing.takes(file)]
        if models and self._may_send():
            self._offer_sending(models)
        elif models:
            self._importing.offer(models, self._view.category, self._view.folder)
        elif files and files[0].suffix.lower() in PICTURE_ENDINGS and self._row() is not None:
            self.setPreview(str(files[0]))
        elif files:
            self._shell.notices.show(tr("'{name}' is no model file; Sfumato lists .safetensors, and pickles to convert.", name=files[0].name))

    @pyqtSlot()
    def sendCurrent(self) -> None:
        """Send the chosen models to the machine that the window works with."""
        for row in self._rows():
            if self._may_send() and self.transfers is not None:
                self.transfers.send_model(row.file, row.category)

    def _may_send(self) -> bool:
        return self.transfers is not None and self.transfers.property("isRemote") and not self.transfers.property("refusal")

    def _offer_sending(self, models: list[Path]) -> None:
        """Files were brought while another machine makes the pictures: they may be meant for that one."""
        transfers = self.transfers
        assert transfers is not None
        what = f"'{models[0].name}'" if len(models) == 1 else tr("{count} files", count=len(models))
        words = tr("Send {what} to {machine}, or import it on this computer?", what=what, machine=transfers.property("machine"))
        here = partial(self._importing.offer, models, self._view.category, self._view.folder)
        there = partial(transfers.send, [str(path) for path in models], "")
        self._asking.ask(words, [Answer(tr("Send"), there, is_first=True), Answer(tr("Import here"), here)])

    def _import_from(self, category: str) -> None:
        self._open()
        if "tab_models" in self._shell.handlers:
            self._shell.handlers["tab_models"]()
        if category:
            self.showCategory(category)
        self.importAsked.emit(category)

    def _named(self, rows: list[ModelRow]) -> str:
        return f"'{rows[0].file_name}'" if len(rows) == 1 else tr("{count} models", count=len(rows))

    # -- looking closer --------------------------------------------------------------------------

    @pyqtSlot()
    def inspect(self) -> None:
        """Show the header of the current model."""
        row = self._row()
        if row is None:
            return
        if row.kind != "safetensors":
            self._shell.notices.show(tr("'{name}' has no header to inspect: only .safetensors files have one.", name=row.file_name), kind="note")
            return
        self._inspector.open(row.path)
        self.inspectAsked.emit()

    @pyqtSlot()
    def copyHash(self) -> None:
        """Put the checksum of the current model on the clipboard, computed first if need be."""
        row = self._row()
        if row is None:
            return
        digest = self._hashes.known(row.path)
        if digest:
            self._copy_digest(row.path, digest)
            return
        self._shell.notices.show(tr("Computing the checksum of '{name}'.", name=row.file_name), kind="note", action=f"hash {row.path}")

        def take(path: str, found: str) -> None:
            if path == row.path:
                self._hashes.found.disconnect(take)
                self._shell.notices.withdraw(f"hash {row.path}")
                self._copy_digest(path, found)

        self._hashes.found.connect(take)
        self._hashes.ask(row.path)

    def _copy_digest(self, path: str, digest: str) -> None:
        QGuiApplication.clipboard().setText(digest)
        self._shell.notices.show(tr("Copied the checksum of '{name}': {digest}", name=Path(path).name, digest=short_hash(digest)), kind="note")

    @pyqtSlot()
    def findDuplicates(self) -> None:
        """Say which other models have the same bytes as the current one."""
        row = self._row()
        if row is None:
            return
        twins = [
            other.path for other in self._collection.rows if other.bytes == row.bytes and other.path != row.path and other.kind not in ("text", "diffusers")
        ]
        if not twins:
            self._shell.notices.show(tr("'{name}' is the only file of its content.", name=row.file_name), kind="note")
            return

        def work() -> list[str]:
            hashes = Hashes(self._shell.places.data)
            own = hashes.compute(row.file)
            return [path for path in twins if hashes.compute(Path(path)) == own]

        self._changes.run(work, partial(self._tell_twins, row))

    def _tell_twins(self, row: ModelRow, twins: list[str]) -> None:
        if not twins:
            self._shell.notices.show(tr("'{name}' is the only file of its content.", name=row.file_name), kind="note")
            return
        listed = "\n".join(twins)
        self._shell.notices.show(tr("'{name}' is here {count} times.", name=row.file_name, count=len(twins) + 1), detail=f"{row.path}\n{listed}", kind="note")

    @pyqtSlot()
    def visitCurrent(self) -> None:
        """Show the folder of the current model."""
        if (row := self._row()) is not None:
            self._show_folder(row.file.parent)

    @pyqtSlot(str)
    def visitFolder(self, category: str) -> None:
        """Show the folder where models of a category belong, "" for that of all; it is made if need be."""
        base = self._shell.places.models[0]
        folder = self._shell.places.data / WILDCARDS_FOLDER if category == "wildcards" else base / (BY_ID[category].folder if category else "")

        def work() -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            return folder

        self._changes.run(work, self._show_folder)

    def _show_folder(self, folder: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._shell.notices.show(tr("No program opens folders here. The folder is {folder}.", folder=folder), kind="note")

    @pyqtSlot(str)
    def askLink(self, address: str) -> None:
        """Ask before a page of the web is opened; nothing else is."""
        if is_web_address(address):
            self._asking.ask(tr("Open {address} in the browser?", address=address), [Answer(tr("Open"), partial(QDesktopServices.openUrl, QUrl(address)))])

    # -- converting ------------------------------------------------------------------------------

    @pyqtSlot()
    def convert(self) -> None:
        """Have the current pickle written anew as .safetensors."""
        row = self._row()
        if row is not None and row.kind == "pickle":
            self._offer_conversion(row)

    def _offer_conversion(self, row: ModelRow) -> None:
        words = tr(
            "Convert '{name}'? A .safetensors file of about {size} is written beside it; the old file stays.",
            name=row.file_name,
            size=details_of(row, "", False)["size"],
        )
        self._asking.ask(words, [Answer(tr("Convert"), partial(self._convert, row), is_first=True)])

    def _convert(self, row: ModelRow) -> None:
        self._shell.notices.show(tr("Converting '{name}'.", name=row.file_name), kind="note", action=f"convert {row.path}")
        self._shell.jobs.submit("convert", {"file": self._end_of(row)}, owner=OWNER)

    def _end_of(self, row: ModelRow) -> str:
        """The end of a path that tells a file apart from those of other categories."""
        root = next((root for root in self._shell.places.models if row.file.is_relative_to(root)), None)
        return row.file.relative_to(root).as_posix() if root else row.file_name

    def _job_ended(self, job: Any, event: Event) -> None:
        if job.owner != OWNER or job.kind != "convert":
            return
        for row in self._collection.rows:
            if row.kind == "pickle" and self._end_of(row) == job.params.get("file"):
                self._shell.notices.withdraw(f"convert {row.path}")
        if isinstance(event, Failed):
            self._shell.notices.show(event.message, event.detail)
        elif isinstance(event, Finished):
            self._shell.notices.show(tr("'{name}' is ready.", name=event.result.get("name", "")), kind="note")
        self._collection.rescan()

    # -- what comes from elsewhere ---------------------------------------------------------------

    def _open(self) -> None:
        if not self._collection.is_open:
            self._changes.run(self._marks.load, lambda _: self._remark())
            self._collection.open()
            self._ask()
            if self._choices:
                self._collection.tell(self._choices)  # type: ignore[arg-type]

    def _greeted(self, catalog: Mapping[str, Any]) -> None:
        self._choices = catalog.get("choices") or {}
        self._open()
        self._collection.tell(self._choices)  # type: ignore[arg-type]
        self._marking.start()

    def _restocked(self, rows: list[ModelRow], came: bool) -> None:
        """There are other rows: what the engine has not read yet it is asked to look at."""
        self._rechoose()
        if came:
            self._shell.engine.refresh()
        unread = sum(row.told == Told() and row.kind == "safetensors" and not row.reason and row.category != WILDCARD for row in rows)
        if unread and (self._unread < 0 or unread < self._unread):
            self._looking.start()
        self._unread = unread
        self._hashing.start()
        self._marking.start()

    def _want_hashes(self) -> None:
        if self._shell.settings["checksums"]:
            self._hashes.want([row.path for row in self._collection.rows if row.kind == "safetensors" and not row.reason])

    def _look_again(self) -> None:
        if not self._shell.jobs.property("busy"):
            self._shell.engine.refresh()

    def _follow(self, pairs: list[tuple[str, str]]) -> None:
        """Models have other paths now: what is chosen by name is chosen by the new one, as soon as the new names are known."""
        renamed = dict(pairs)
        if self._current in renamed:
            self._follow_to = renamed[self._current]
        self._renamed += [(row, renamed[row.path]) for row in self._collection.rows if row.path in renamed]

    def _rechoose(self) -> None:
        """Parameters that named a model by its old name name it by the new one; that is no step of undo of its own."""
        waiting, self._renamed = self._renamed, []
        for row, path in waiting:
            new = self._collection.row(path)
            if new is None:
                self._renamed.append((row, path))
            elif new.name != row.name:
                self._activation.rename(row, new.name)

    def _mark_active(self) -> None:
        family = next(
            (row.told.family for row in self._collection.rows if row.category == CHECKPOINT and row.name == self._shell.parameters.value("model")), ""
        )
        if family != self._view.family:
            self._look(family=family)
        active = self._activation.active(self._shelf.rows)
        if active != self._active:
            self._active = active
            self._shelf.mark("active", active)
            self.picked.emit()


def _local(address: str) -> Path | None:
    """The file of an address or path."""
    url = QUrl(address)
    text = url.toLocalFile() if url.isLocalFile() else address if "://" not in address else ""
    return Path(text.strip().strip("\"'")).expanduser() if text.strip() else None


def _text(address: Any) -> str:
    return address.toString() if isinstance(address, QUrl) else str(address)


def _top_of(row: ModelRow) -> Path:
    """The folder of a model's category that it lies in."""
    top = row.file.parent
    for _ in range(row.folder.count("/") + 1 if row.folder else 0):
        top = top.parent
    return top
