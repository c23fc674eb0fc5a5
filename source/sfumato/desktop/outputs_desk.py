"""What a person does with a picture of the strip: copy, save, open, throw away, use again, make variations, enlarge. Rules: D75-D77."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QMimeData, QObject, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication, QImage

from sfumato.desktop.drafts import SEED_DRAWS, Frozen
from sfumato.desktop.importing.proposal import said
from sfumato.desktop.language import tr
from sfumato.desktop.outputs import OutputStrip, Picture
from sfumato.desktop.parameters import ParameterForm
from sfumato.desktop.shell import Condition, Shell
from sfumato.imaging.picture import Reading, read_picture
from sfumato.imaging.writing import make_folder, save_new
from sfumato.library.trash import Receipt, restore, to_trash
from sfumato.protocol.errors import ImageUnreadable, SfumatoError
from sfumato.protocol.requests.upscale import Upscale
from sfumato.protocol.specs import ParamSpec, specs

UPSCALE = "upscale"
# How far a variation strays from its picture.
VARIATION = 0.15
FOLDERS_REMEMBERED = 8


class OutputsDesk(QObject):
    """`studio.pictures`: everything acts on the picture that is shown on the stage."""

    changed = pyqtSignal()
    saveAsked = pyqtSignal(str)  # "file" or "folder": the scene asks where
    upscaleAsked = pyqtSignal()

    def __init__(self, shell: Shell, strip: OutputStrip, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._strip = strip
        self._details: dict[str, Any] = {}
        self._upscale = ParameterForm(_upscale_rows(specs(Upscale)), self)
        self._folders = [str(each) for each in shell.session.restored("copy_folders", list, [])][:FOLDERS_REMEMBERED]
        self._upscale.restore(shell.session.restored("upscale", dict, {}))
        shell.session.keep("copy_folders", lambda: list(self._folders))
        shell.session.keep("upscale", self._upscale.set_values)
        self._upscale.edited.connect(shell.session.touch)
        shell.engine.greeted.connect(self._greeted)
        strip.changed.connect(self._picture_changed)
        self._register()

    def _register(self) -> None:
        handlers: dict[str, Callable[[], Any]] = {
            "view_copy": self.copy,
            "view_save_as": lambda: self.saveAsked.emit("file"),
            "view_copy_to": lambda: self.saveAsked.emit("folder"),
            "view_open_file": self.openFile,
            "view_visit": self.visit,
            "view_trash": self.trash,
            "view_clear": lambda: self._strip.clear(self._strip.property("current")),
            "view_clear_right": lambda: self._strip.clearRight(self._strip.property("current")),
            "use_image": partial(self.use, "image"),
            "use_mask": partial(self.use, "mask"),
            "use_control": partial(self.use, "control"),
            "use_seed": self.useSeed,
            "use_parameters": self.useParameters,
            "vary": self.vary,
            "upscale": self.upscaleAsked.emit,
        }
        self._shell.register(handlers)
        needs_file = dict.fromkeys(set(handlers) - {"view_clear", "view_clear_right", "view_copy", "use_seed"}, Condition(can=lambda: self._file))
        needs_picture = dict.fromkeys(("view_clear", "view_clear_right", "view_copy"), Condition(can=lambda: self._row is not None))
        self._shell.describe({**needs_file, **needs_picture, "use_seed": Condition(can=lambda: self._row is not None and self._row.seed)})

    @property
    def _row(self) -> Picture | None:
        """The finished picture on the stage."""
        row = self._strip.picture(self._strip.property("current"))
        return row if row is not None and not row.painting else None

    @property
    def _file(self) -> str:
        return self._row.file if self._row else ""

    # -- out of the window -----------------------------------------------------------------------

    @pyqtSlot()
    def copy(self) -> None:
        """Offer what is looked at to other programs: its file, the picture, and the text of its parameters, all at once."""
        row = self._row
        if row is None:
            return
        path, data = row.file, row.data
        self._shell.disk.run(partial(_copied, path, data), partial(self._offer, path), self._shell.complain)

    def _offer(self, path: str, found: tuple[QImage, str]) -> None:
        image, text = found
        mime = QMimeData()
        mime.setImageData(image)
        if path:
            mime.setUrls([QUrl.fromLocalFile(path)])
        if text:
            mime.setText(text)
        QGuiApplication.clipboard().setMimeData(mime)

    @pyqtSlot(str)
    def saveAs(self, target: str) -> None:
        """Write a copy of what is looked at to a file; nothing that is there is replaced."""
        path = Path(target).expanduser()
        source = self._file
        if source and target.strip():
            path = path if path.suffix else path.with_suffix(Path(source).suffix)
            self._copy_to(Path(source), path.parent, path.name)

    @pyqtSlot(str)
    def copyTo(self, folder: str) -> None:
        """Put a copy of what is looked at into a folder, under its own name."""
        source = self._file
        if source and folder.strip():
            self._remember(folder.strip())
            self._copy_to(Path(source), self._shell.places.outputs / Path(folder.strip()).expanduser(), Path(source).name)

    def _copy_to(self, source: Path, folder: Path, name: str) -> None:
        def work() -> Path:
            make_folder(folder)
            end = Path(name)
            names = (folder / (name if number == 1 else f"{end.stem}-{number}{end.suffix}") for number in range(1, 501))
            return save_new(names, source.read_bytes())

        self._shell.disk.run(work, lambda path: self._shell.notices.show(tr("Saved as {path}.", path=path), kind="note"), self._shell.complain)

    def _remember(self, folder: str) -> None:
        self._folders = [folder, *(each for each in self._folders if each != folder)][:FOLDERS_REMEMBERED]
        self._shell.session.touch()
        self.changed.emit()

    @pyqtProperty("QStringList", notify=changed)
    def folders(self) -> list[str]:
        """The folders copies went to, the last first; "favourites" in the outputs folder where there was none."""
        return self._folders or ["favourites"]

    @pyqtSlot()
    def openFile(self) -> None:
        """Open what is looked at with the program the system has for it."""
        if self._file and not QDesktopServices.openUrl(QUrl.fromLocalFile(self._file)):
            self._shell.notices.show(tr("No program opens pictures here. The file is {path}.", path=self._file), kind="note")

    @pyqtSlot()
    def visit(self) -> None:
        """Open the folder of what is looked at."""
        if self._file and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._file).parent))):
            self._shell.notices.show(tr("No program opens folders here. The file is {path}.", path=self._file), kind="note")

    @pyqtSlot()
    def trash(self) -> None:
        """Move the file into the trash and take the picture off the strip; undo brings both back."""
        row = self._row
        if row is None or not row.path:
            return
        place = self._strip.take_off(row)
        held: list[Receipt] = []
        words = tr("Delete {name}", name=row.file_name)

        def work() -> None:
            # Noted on the disk thread: an undo that was asked for meanwhile stands behind this in its queue.
            held[:] = [_thrown(Path(row.path), self._shell.places.data)]

        def throw() -> None:
            self._shell.disk.run(work, lambda _: None, partial(kept, place))

        def kept(at: int, error: SfumatoError) -> None:
            self._strip.put_back(row, at)
            self._shell.complain(error)

        def again() -> None:
            self._strip.take_off(row)
            throw()

        def back() -> None:
            def done(sentences: tuple[str, ...]) -> None:
                for sentence in sentences:
                    self._shell.notices.show(sentence)
                if not sentences:
                    self._strip.put_back(row, place)

            # On the same thread as the deletion, and so after it.
            self._shell.disk.run(lambda: tuple(each for receipt in held for each in restore(receipt)), done, self._shell.complain)

        throw()
        self._shell.edits.push(words, back, again)

    # -- into the next job -----------------------------------------------------------------------

    @pyqtSlot(str)
    def use(self, role: str) -> None:
        """Make what is looked at an input."""
        inputs: Any = getattr(self.parent(), "inputs", None)
        if not self._file:
            return
        if inputs is not None:
            inputs.add(self._file, role)
        else:
            self._shell.parameters.commit(role, self._file)

    @pyqtSlot()
    def useSeed(self) -> None:
        row = self._row
        if row is not None and row.seed:
            self._shell.parameters.apply({"seed": int(row.seed)}, tr("Use seed"))

    @pyqtSlot()
    def useParameters(self) -> None:
        """Show what the picture tells as a choice to import."""
        importer: Any = getattr(self.parent(), "importer", None)
        if self._row is not None and self._row.path and importer is not None:
            importer.openFile(self._row.path)

    @pyqtSlot()
    def vary(self) -> None:
        """Queue a picture that is a little different from this one."""
        if self._row is not None and self._row.path:
            self._shell.disk.run(partial(_varied, Path(self._row.path)), self._submit, self._shell.complain)

    @pyqtSlot()
    def enlarge(self) -> None:
        """Queue the upscaling of what is looked at, with the values of the small form."""
        if self._file:
            self._shell.disk.run(partial(_enlarged, Path(self._file), self._upscale.request()), self._submit, self._shell.complain)

    def _submit(self, frozen: Frozen) -> None:
        self._shell.jobs.submit(frozen.kind, frozen.params, frozen.blobs)

    @pyqtProperty(QObject, constant=True)
    def upscaling(self) -> ParameterForm:
        """The form of an upscale job."""
        return self._upscale

    def _greeted(self, catalog: Mapping[str, Any]) -> None:
        kind = (catalog.get("kinds") or {}).get(UPSCALE) or {}
        offered = [ParamSpec.from_json(row) for row in kind.get("specs", ())]
        self._upscale.describe(_upscale_rows(offered or specs(Upscale)), catalog.get("choices") or {})

    # -- what a picture tells --------------------------------------------------------------------

    @pyqtSlot()
    def readDetails(self) -> None:
        """Fill `details` with what the picture on the stage tells."""
        row = self._row
        if row is None or not row.path:
            self._take_details("", {})
        elif self._details.get("path") != row.path:
            path = row.path
            self._shell.disk.run(partial(read_picture, Path(path)), lambda reading: self._take_details(path, self._told(reading)), self._shell.complain)

    def _told(self, reading: Reading) -> dict[str, Any]:
        form = self._shell.parameters
        pairs = reading.infotext.pairs if reading.infotext else {}
        rows = [{"key": key, "value": "x".join(map(str, value)) if isinstance(value, tuple) else value} for key, value in pairs.items()]
        if not rows:
            rows = [{"key": tr(form.specs[name].title), "value": said(form.specs[name], value)} for name, value in reading.fields.items() if name in form.specs]
        rows = [row for row in rows if row["key"] not in ("Template", "Negative Template", "Prompt", "Negative prompt")]
        prompts = (
            (reading.infotext.prompt, reading.infotext.negative) if reading.infotext else (reading.fields.get("prompt", ""), reading.fields.get("negative", ""))
        )
        return {"prompt": prompts[0], "negative": prompts[1], "rows": rows}

    def _take_details(self, path: str, told: dict[str, Any]) -> None:
        if not path or (self._row is not None and self._row.path == path):
            self._details = {"path": path, **told}
            self.changed.emit()

    def _picture_changed(self) -> None:
        if self._details.get("path") and self._details["path"] != (self._row.path if self._row else ""):
            self._details = {}
            self.changed.emit()

    @pyqtProperty("QVariantMap", notify=changed)
    def details(self) -> dict[str, Any]:
        """{path, prompt, negative, rows: [{key, value}]} of the picture on the stage, empty until `readDetails` has read it."""
        return self._details


def _upscale_rows(rows: Any) -> list[ParamSpec]:
    """What the small form shows: everything but the pictures, and how this machine works."""
    return [spec for spec in rows if spec.group in ("upscale", "faces") and spec.widget != "image"]


def _copied(path: str, data: bytes) -> tuple[QImage, str]:
    """The picture decoded, and the text of its parameters."""
    data = data or Path(path).read_bytes()
    image = QImage.fromData(data)
    if image.isNull():
        raise ImageUnreadable(f"'{Path(path).name}'")
    return image, read_picture(data).text


def _thrown(path: Path, data_folder: Path) -> Receipt:
    receipt = to_trash([path, *(beside for ending in (".txt", ".json") if (beside := path.with_suffix(ending)).is_file())], data_folder)
    if receipt.sentences and not receipt.items:
        raise SfumatoError(receipt.sentences[0])
    return receipt


def _varied(path: Path) -> Frozen:
    """The job of a picture again, with a little of another noise."""
    reading = read_picture(path)
    request = reading.repeated()
    if reading.source == "none" or request.seed < 0:
        raise ImageUnreadable(f"'{path.name}'", tr("it does not tell how it was made"), remedy=tr("Vary a picture that was made here."))
    if request.image or request.mask or any(unit.image for unit in request.control):
        raise ImageUnreadable(
            f"'{path.name}'",
            tr("it was made from another picture, which is not in the file"),
            remedy=tr("Use its parameters, add that picture to the inputs, and set the variation strength."),
        )
    values = {name: value for name, value in request.model_dump(mode="json").items() if value is not None}
    values |= {"variation_strength": max(request.variation_strength, VARIATION), "variation_seed": secrets.randbelow(SEED_DRAWS)}
    return Frozen("generate", values)


def _enlarged(path: Path, values: Mapping[str, Any]) -> Frozen:
    frozen = Frozen(UPSCALE, dict(values))
    try:
        frozen.params["images"] = [frozen.keep(path.read_bytes())]
    except OSError as error:
        raise ImageUnreadable(f"'{path.name}'", error.strerror or str(error)) from error
    return frozen
