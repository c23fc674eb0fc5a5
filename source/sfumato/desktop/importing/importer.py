"""Import: something that was opened, pasted or dropped is read, shown as a choice, and taken over as one step of undo. Rules: D151-D156.

Everything is read on a thread of its own, and what comes from the web on another, so that a slow server keeps no file waiting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from PyQt5.QtCore import QBuffer, QIODevice, QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication, QImage

from sfumato.desktop.disk import Disk
from sfumato.desktop.images import address
from sfumato.desktop.importing.proposal import Now, Proposal, propose
from sfumato.desktop.importing.rows import ImportRows
from sfumato.desktop.importing.sources import PICTURE_SUFFIXES, TEXT_SUFFIXES, Offer, offer_of, sorted_addresses
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.imaging.picture import Reading, read_picture, read_text
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.fetching import Fetched, fetch_picture
from sfumato.library.hashes import Hashes
from sfumato.library.models import scan
from sfumato.protocol.errors import ImageUnreadable, SfumatoError

PROMPTS = {"prompt": "text", "negative": "negative"}
PASTED = "pasted"
_TEXT_LIMIT_BYTES = 16 << 20

Fetch = Callable[[str], Fetched]


@dataclass(frozen=True, slots=True)
class Found:
    """What was read, and the file of the picture it was read from, None for a text."""

    reading: Reading
    name: str
    picture: Path | None = None


class Importer(QObject):
    """`studio.importer`; `state` is "" while nothing is imported, "reading" while something is fetched, "choosing" while the person chooses.

    Args:
        fetch: gets a picture from the web.
    """

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None, fetch: Fetch = fetch_picture) -> None:
        super().__init__(parent)
        self._shell = shell
        self._fetch = fetch
        self._reader, self._web = Disk(self), Disk(self)
        self._folder: TemporaryDirectory[str] | None = None
        self._rows = ImportRows(self)
        self._state, self._name = "", ""
        self._picture: Path | None = None
        self._proposal = Proposal("")
        self._ticket = 0
        self._choices: dict[str, list[dict[str, Any]]] = {}
        self._hashes = Hashes(shell.places.data)
        shell.engine.greeted.connect(self._greeted)
        shell.register({"paste": self.paste, "import_clipboard": self.openClipboard, "import_prompt": self.inspect})

    def close(self) -> None:
        """Forget what was fetched; the last call."""
        self._web.close(patience_s=0.2)  # nobody waits for a slow server
        self._reader.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _greeted(self, catalog: dict[str, Any]) -> None:
        self._choices = {name: list(rows) for name, rows in (catalog.get("choices") or {}).items()}

    # -- ways in ---------------------------------------------------------------------------------

    @pyqtSlot(str)
    def openFile(self, path: str) -> None:
        """Show what a picture, or a text file, tells."""
        self._read(partial(_of_file, Path(path)))

    @pyqtSlot(str)
    def openText(self, text: str) -> None:
        """Show what a text tells."""
        self._read(lambda: Found(read_text(text), tr("text")))

    @pyqtSlot(str)
    def openUrl(self, url: str) -> None:
        """Fetch a picture that was dropped or pasted as an address, and show what it tells."""
        self._fetched(url, self._show)

    @pyqtSlot()
    def openClipboard(self) -> None:
        """Show what the clipboard holds, whatever it is."""
        offer = offer_of(QGuiApplication.clipboard().mimeData())
        if offer.files:
            self.openFile(str(offer.files[0]))
        elif offer.url:
            self.openUrl(offer.url)
        elif offer.data or offer.image:
            self._read(partial(self._of_bytes, offer))
        elif offer.text:
            self.openText(offer.text)
        else:
            self._tell_nothing()

    @pyqtSlot()
    def paste(self) -> None:
        """Ctrl+V outside of text: pictures become inputs, texts are imported."""
        offer = offer_of(QGuiApplication.clipboard().mimeData())
        if offer.is_empty:
            self._tell_nothing()
        elif offer.files and offer.files[0].suffix.lower() not in TEXT_SUFFIXES:
            for file in offer.files:
                self._use(file)
        elif offer.url:
            self._fetched(offer.url, lambda found: self._take_picture(found.picture))
        elif offer.data or offer.image:
            self._run(partial(self._of_bytes, offer), lambda found: self._take_picture(found.picture))
        else:
            self.openClipboard()

    @pyqtSlot("QVariantList", str)
    def drop(self, addresses: list[Any], text: str) -> None:
        """What was dropped on the window: what tells something is imported, a picture that tells nothing becomes an input."""
        files, url = sorted_addresses([str(each.toString()) if hasattr(each, "toString") else str(each) for each in addresses], text)
        if files:
            self._run(partial(_of_file, files[0]), self._show_or_use)
        elif url:
            self._fetched(url, self._show_or_use)
        elif text.strip():
            self.openText(text)

    @pyqtSlot()
    def inspect(self) -> None:
        """Take the prompt box itself for a text that was pasted into it."""
        prompts: Any = self.parent().property("prompts")
        if not prompts.text.strip():
            self._shell.notices.show(tr("The prompt is empty; paste the text of a picture into it first."), kind="note")
            return
        self.openText(prompts.text)

    def _tell_nothing(self) -> None:
        self._shell.notices.show(tr("The clipboard holds no picture, text or address."), kind="note")

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, work: Callable[[], Found]) -> None:
        self._run(work, self._show)

    def _run(self, work: Callable[[], Found], done: Callable[[Found], None]) -> None:
        self._ticket += 1
        ticket = self._ticket
        self._reader.run(work, lambda found: done(found) if ticket == self._ticket else None, partial(self._fail, ticket))

    def _fetched(self, url: str, done: Callable[[Found], None]) -> None:
        self._ticket += 1
        ticket = self._ticket
        self._set("reading", urlsplit(url).hostname or url)

        def arrived(fetched: Fetched) -> None:
            if ticket == self._ticket:
                self._run(partial(self._of_fetched, fetched), done)

        self._web.run(partial(self._fetch, url), arrived, partial(self._fail, ticket))

    def _fail(self, ticket: int, error: SfumatoError) -> None:
        if ticket == self._ticket:
            self.cancel()
            self._shell.complain(error)

    def _of_fetched(self, fetched: Fetched) -> Found:
        found = self._of_data(fetched.data, fetched.name)
        if not found.reading.format and QImage.fromData(fetched.data).isNull():
            raise ImageUnreadable(f"'{fetched.name}'", "it is damaged, or of a format nobody knows here")
        return found

    def _of_bytes(self, offer: Offer) -> Found:
        return self._of_data(offer.data or _encoded(offer.image), tr("clipboard"))

    def _of_data(self, data: bytes, name: str) -> Found:
        """Bytes without a file get one until the window closes: it is shown from there, and copied from there."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="sfumato-import-", ignore_cleanup_errors=True)
        reading = read_picture(data)
        path = Path(self._folder.name) / f"{hashlib.sha256(data).hexdigest()[:24]}.{reading.format or 'png'}"
        path.write_bytes(data)
        return Found(reading, name, path)

    # -- showing ---------------------------------------------------------------------------------

    def _show_or_use(self, found: Found) -> None:
        if found.reading.source == "none" and found.picture is not None and not found.reading.unknown:
            self._take_picture(found.picture)
        else:
            self._show(found)

    def _show(self, found: Found) -> None:
        ticket = self._ticket
        now = self._now(found.reading)
        self._reader.run(partial(self._proposed, found, now), lambda proposal: self._choose(found, proposal, ticket), partial(self._fail, ticket))

    def _now(self, reading: Reading) -> Now:
        """What the window holds, as far as the reading is about it."""
        form, prompts = self._shell.parameters, self.parent().property("prompts")
        values = {name: form.value(name) for name in reading.fields if name in form.specs}
        values |= {name: getattr(prompts, held) for name, held in PROMPTS.items()}
        values["styles"] = prompts.styles.names
        return Now(form.specs, values, self._choices)

    def _proposed(self, found: Found, now: Now) -> Proposal:
        @cache
        def models(category: str) -> list[tuple[str, Path]]:
            return [(entry.name, entry.path) for entry in scan(self._shell.places.models, category)]

        return propose(found.reading, now, models, self._hashes)

    def _choose(self, found: Found, proposal: Proposal, ticket: int) -> None:
        if ticket != self._ticket:
            return
        if proposal.is_empty:
            self.cancel()
            reason = f" {proposal.warnings[0]}" if proposal.warnings else ""
            self._shell.notices.show(tr("'{name}' does not tell how it was made.", name=found.name) + reason, "\n".join(proposal.warnings), kind="note")
            return
        self._proposal, self._picture = proposal, found.picture
        self._rows.fill(proposal.rows)
        self._set("choosing", found.name)

    def _set(self, state: str, name: str) -> None:
        self._state, self._name = state, name
        self.changed.emit()

    # -- what is chosen --------------------------------------------------------------------------

    @pyqtSlot()
    def cancel(self) -> None:
        """Import nothing."""
        self._ticket += 1
        self._proposal, self._picture = Proposal(""), None
        self._set("", "")

    @pyqtSlot(bool)
    def accept(self, reset_others: bool) -> None:
        """Take over what is checked, as one step of undo; with `reset_others` everything else gets its default."""
        if self._state != "choosing":
            return
        values = self._rows.chosen
        words = tr("Import from {name}", name=self._name)
        with self._shell.edits.together(words):
            self._take_prompts({name: str(values.pop(name)) for name in PROMPTS if name in values})
            if "styles" in values:
                self._take_styles(tuple(values.pop("styles")))
            refused = self._shell.parameters.apply(values, words, reset_others=reset_others)
        if refused:
            titles = ", ".join(self._shell.parameters.specs[name].title if name in self._shell.parameters.specs else name for name in refused)
            self._shell.notices.show(tr("These values do not fit here and were left as they are: {names}.", names=titles), kind="note")
        self.cancel()

    def _take_prompts(self, texts: dict[str, str]) -> None:
        prompts: Any = self.parent().property("prompts")
        before = {name: getattr(prompts, PROMPTS[name]) for name in texts}

        def put(wanted: dict[str, str]) -> None:
            for name, text in wanted.items():
                setattr(prompts, PROMPTS[name], text)

        if texts != before:
            put(texts)
            self._shell.edits.push(tr("Change prompt"), partial(put, before), partial(put, texts))

    def _take_styles(self, names: tuple[str, ...]) -> None:
        shelf: Any = self.parent().property("prompts").styles
        before = shelf.names
        if names != before:
            shelf.put(names)
            self._shell.edits.push(tr("Change styles"), partial(shelf.put, before), partial(shelf.put, names))

    @pyqtSlot()
    def usePicture(self) -> None:
        """Make the picture that is shown an input instead, and close."""
        picture = self._picture
        self.cancel()
        self._take_picture(picture)

    def _take_picture(self, picture: Path | None) -> None:
        """Make a picture an input; one that has no file of its own gets it first."""
        if self._state:
            self.cancel()
        if picture is None:
            return
        if self._folder is None or picture.parent != Path(self._folder.name):
            self._use(picture)
            return
        kept = self._shell.places.data / PASTED / picture.name

        def keep() -> Path:
            make_folder(kept.parent)
            if not kept.is_file():
                replace_file(kept, picture.read_bytes())
            return kept

        self._reader.run(keep, self._use, self._shell.complain)

    def _use(self, picture: Path) -> None:
        inputs: Any = getattr(self.parent(), "inputs", None)
        if inputs is not None:
            inputs.add(str(picture), "image")
        elif picture.suffix.lower() in PICTURE_SUFFIXES:
            self._shell.parameters.commit("image", str(picture))

    @pyqtSlot()
    def copyUnknown(self) -> None:
        """Put what nothing here is for on the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(f"{key}: {value}" for key, value in self._proposal.unknown))

    @pyqtSlot()
    def copyRaw(self) -> None:
        """Put what stands in the picture on the clipboard."""
        QGuiApplication.clipboard().setText(self._proposal.raw)

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def state(self) -> str:
        return self._state

    @pyqtProperty(str, notify=changed)
    def name(self) -> str:
        """What is imported: a file's name, "clipboard", the host it comes from."""
        return self._name

    @pyqtProperty(str, notify=changed)
    def source(self) -> str:
        """The program that made it, "" if nobody knows."""
        return self._proposal.source

    @pyqtProperty(str, notify=changed)
    def size(self) -> str:
        return self._proposal.size

    @pyqtProperty(str, notify=changed)
    def picture(self) -> str:
        """Address of the picture, "" for a text."""
        return address(self._picture) if self._picture else ""

    @pyqtProperty(QObject, constant=True)
    def rows(self) -> ImportRows:
        return self._rows

    @pyqtProperty("QVariantList", notify=changed)
    def networks(self) -> list[dict[str, Any]]:
        """The networks the prompts name: {kind, name, note, here}."""
        return [{"kind": each.kind, "name": each.name, "note": each.note, "here": bool(each.found)} for each in self._proposal.networks]

    @pyqtProperty("QStringList", notify=changed)
    def inputs(self) -> list[str]:
        """The pictures it was made from, in words."""
        return [each.words for each in self._proposal.inputs]

    @pyqtProperty("QVariantList", notify=changed)
    def unknown(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self._proposal.unknown]

    @pyqtProperty("QStringList", notify=changed)
    def warnings(self) -> list[str]:
        return list(self._proposal.warnings)

    @pyqtProperty(str, notify=changed)
    def raw(self) -> str:
        return self._proposal.raw

    @pyqtProperty(str, notify=changed)
    def parsed(self) -> str:
        return self._proposal.parsed


def _of_file(path: Path) -> Found:
    if path.suffix.lower() in TEXT_SUFFIXES:
        try:
            if path.stat().st_size > _TEXT_LIMIT_BYTES:
                raise ImageUnreadable(f"'{path.name}'", f"it has more than {_TEXT_LIMIT_BYTES >> 20} MiB", remedy=tr("Open the picture itself."))
            return Found(read_text(path.read_text(encoding="utf-8-sig", errors="replace")), path.name)
        except OSError as error:
            raise ImageUnreadable(f"'{path.name}'", error.strerror or str(error)) from error
    return Found(read_picture(path), path.name, path)


def _encoded(image: QImage | None) -> bytes:
    """A picture of the clipboard as PNG; on the reading thread, for it takes its time."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if image is not None:
        image.save(buffer, "PNG")
    return bytes(buffer.data().data())
