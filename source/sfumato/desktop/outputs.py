"""The strip of pictures: slots for what is being painted, then the finished pictures, newest batch first.

A picture is the bytes the engine made; they are written on the disk thread and dropped from memory once the file is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, Qt, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication, QImage

from sfumato.desktop.disk import Disk
from sfumato.desktop.images import Frames, address
from sfumato.desktop.jobs import Job
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact

KEPT = 200
ROLES = ("key", "state", "source", "pictureWidth", "pictureHeight", "seed", "prompt", "path", "fileName", "problem", "painting")
Save = Callable[..., Path]


@dataclass
class Picture:
    """One place of the strip. `state`: empty, preview, saving, saved, or unsaved (then `problem` says why, and `data` still holds the picture)."""

    key: str
    job: str
    prompt: str = ""
    state: str = "empty"
    revision: int = 0
    width: int = 0
    height: int = 0
    seed: str = ""
    path: str = ""
    problem: str = ""
    source: str = ""
    data: bytes = b""
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def painting(self) -> bool:
        return self.state in ("empty", "preview")


class OutputStrip(QAbstractListModel):
    """Rows of `Picture`; `current` is the one on the stage.

    Args:
        save: writes the bytes of a picture into a folder, with texts beside it if it had no room for them, and returns its file; runs on the disk thread,
            raises `SfumatoError`.
        folder: where pictures go.
    """

    changed = pyqtSignal()
    edited = pyqtSignal()  # the list of saved pictures changed
    saved = pyqtSignal(str)  # the file of a finished picture
    unsaved = pyqtSignal(str)  # sentence

    def __init__(self, frames: Frames, disk: Disk, save: Save, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames = frames
        self._disk = disk
        self._frame_disk = Disk(self)  # previews never wait for a slow save
        self._save = save
        self._folder = folder
        self._rows: list[Picture] = []
        self._current = ""
        self._keys = itertools.count(1)
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}

    # -- a job's life ----------------------------------------------------------------------------

    def begin(self, job: Job) -> None:
        """Open the slots of the batch that is about to be painted."""
        count = min(job.batch_size, job.expected - job.pictures)
        if count <= 0 or any(row.job == job.id and row.painting for row in self._rows):
            return
        follows = self.following
        prompt = str(job.params.get("prompt", ""))
        self._insert(0, [Picture(f"p{next(self._keys)}", job.id, prompt) for _ in range(count)])
        if follows:
            self._choose(self._rows[0].key)
        self._trim()

    def preview(self, job: Job, pictures: tuple[bytes, ...]) -> None:
        """Show what emerges in the slots of the running batch."""
        self.begin(job)
        slots = [row for row in self._rows if row.job == job.id and row.painting]
        for row, data in zip(slots, pictures, strict=False):
            self._show(row, data, "preview")

    def finish(self, job: Job, artifact: Artifact) -> None:
        """Put a finished picture into its slot and write it."""
        if not artifact.media_type.startswith("image/"):
            return
        slots = [row for row in self._rows if row.job == job.id and row.painting]
        if not slots:
            self._insert(0, [Picture(f"p{next(self._keys)}", job.id, str(job.params.get("prompt", "")))])
            slots = self._rows[:1]
        row, info = slots[0], artifact.info
        row.state, row.data = "saving", artifact.data
        row.width, row.height = int(info.get("width") or 0), int(info.get("height") or 0)
        row.seed = str(info.get("seed", ""))
        row.beside = info.get("sidecars") or {}
        self._show(row, artifact.data, "saving")
        self._write(row, artifact.data, self._folder)

    def end(self, job: Job) -> None:
        """Drop the slots a job leaves unfinished."""
        for row in [row for row in self._rows if row.job == job.id and row.painting]:
            self._remove(row)

    def _show(self, row: Picture, data: bytes, state: str) -> None:
        """Let the scene read `data`; a preview that comes after the finished picture is not shown any more."""
        row.revision += 1
        revision = row.revision

        def done(path: Path) -> None:
            if row in self._rows and not (state == "preview" and not row.painting) and row.state != "saved":
                row.source = address(path)
                row.state = state if row.painting else row.state
                self._tell(row)

        self._frame_disk.run(lambda: self._frames.write(row.key, revision, data), done, self._unseen)

    def _unseen(self, error: SfumatoError) -> None:
        self.unsaved.emit(f"A preview could not be shown: {error.message}")

    def _write(self, row: Picture, data: bytes, folder: Path) -> None:
        def done(path: Path) -> None:
            row.state, row.path, row.problem, row.data = "saved", str(path), "", b""
            row.source = address(path)
            self._tell(row)
            self.edited.emit()
            self.saved.emit(str(path))

        def failed(error: SfumatoError) -> None:
            row.state, row.problem = "unsaved", error.message
            self._tell(row)
            self.unsaved.emit(error.message)

        beside = {"beside": row.beside} if row.beside else {}
        self._disk.run(lambda: self._save(folder, data, **beside), done, failed)

    def close(self) -> None:
        self._frame_disk.close()
        self._frames.close()

    # -- between sessions ------------------------------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        """The saved pictures, for the session."""
        fields = ("path", "seed", "prompt", "width", "height")
        return [{name: getattr(row, name) for name in fields} for row in self._rows if row.state == "saved"]

    def restore(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Show the pictures of the last session whose files are still there."""
        rows = []
        for record in itertools.islice(records, KEPT):
            path = Path(str(record.get("path", "")))
            if not path.is_file():
                continue
            row = Picture(f"p{next(self._keys)}", "", str(record.get("prompt", "")), "saved", path=str(path), seed=str(record.get("seed", "")))
            row.width, row.height = (value if isinstance(value := record.get(side), int) else 0 for side in ("width", "height"))
            row.source = address(path)
            rows.append(row)
        self._insert(len(self._rows), rows)
        if rows and not self._current:
            self._choose(self._rows[0].key)

    # -- what QML reads and calls ----------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in self._roles:
            return None
        return self._cell(self._rows[index.row()], self._roles[role])

    def _cell(self, row: Picture, name: str) -> Any:
        match name:
            case "pictureWidth":
                return row.width
            case "pictureHeight":
                return row.height
            case "fileName":
                return Path(row.path).name if row.path else ""
            case _:
                return getattr(row, name)

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return len(self._rows)

    @pyqtProperty(int, notify=changed)
    def current(self) -> int:
        return next((index for index, row in enumerate(self._rows) if row.key == self._current), -1)

    @pyqtProperty("QVariantMap", notify=changed)
    def shown(self) -> dict[str, Any]:
        """The picture on the stage, by role names; empty when there is none."""
        row = self._picture(self.current)
        return {name: self._cell(row, name) for name in ROLES} if row else {}

    @property
    def following(self) -> bool:
        """True while the newest picture is the chosen one: then the next newest will be."""
        return self.current <= 0 or self._rows[self.current].job == self._rows[0].job != ""

    @pyqtSlot(int)
    def choose(self, index: int) -> None:
        row = self._picture(index)
        if row is not None:
            self._choose(row.key)

    @pyqtSlot(int)
    def step(self, distance: int) -> None:
        """Choose a neighbour; stays at the ends."""
        self.choose(max(0, min(len(self._rows) - 1, self.current + distance)))

    @pyqtSlot(int)
    def clear(self, index: int) -> None:
        """Take a finished picture off the strip; its file stays."""
        row = self._picture(index)
        if row is not None and not row.painting:
            self._remove(row)
            self.edited.emit()

    @pyqtSlot(int)
    def copy(self, index: int) -> None:
        """Offer a finished picture to other programs as a file and as an image."""
        row = self._picture(index)
        if row is None or row.painting:
            return
        data = QMimeData()
        data.setImageData(QImage(row.path) if row.path else QImage.fromData(row.data))
        if row.path:
            data.setUrls([QUrl.fromLocalFile(row.path)])
        QGuiApplication.clipboard().setMimeData(data)

    @pyqtSlot(int)
    def visit(self, index: int) -> None:
        """Open the folder of a saved picture in the system's file manager."""
        row = self._picture(index)
        if row is not None and row.path:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(row.path).parent)))

    @pyqtSlot(int, str)
    def saveElsewhere(self, index: int, folder: str) -> None:
        """Try again to write an unsaved picture, into another folder."""
        row = self._picture(index)
        if row is not None and row.state == "unsaved":
            row.state = "saving"
            self._tell(row)
            self._write(row, row.data, Path(folder).expanduser())

    # -- rows ------------------------------------------------------------------------------------

    def _picture(self, index: int) -> Picture | None:
        return self._rows[index] if 0 <= index < len(self._rows) else None

    def _choose(self, key: str) -> None:
        self._current = key
        self.changed.emit()

    def _insert(self, at: int, rows: list[Picture]) -> None:
        if rows:
            self.beginInsertRows(QModelIndex(), at, at + len(rows) - 1)
            self._rows[at:at] = rows
            self.endInsertRows()
            self.changed.emit()

    def _remove(self, row: Picture) -> None:
        index = self._rows.index(row)
        chosen = row.key == self._current
        self.beginRemoveRows(QModelIndex(), index, index)
        del self._rows[index]
        self.endRemoveRows()
        if row.revision:
            self._frame_disk.run(lambda: self._frames.drop(row.key, row.revision), lambda _: None, lambda _: None)
        if chosen:
            self._current = self._rows[min(index, len(self._rows) - 1)].key if self._rows else ""
        self.changed.emit()

    def _trim(self) -> None:
        """Forget the oldest beyond the limit, but never a picture that is only in memory."""
        for row in [row for row in self._rows[KEPT:] if row.state == "saved"]:
            self._remove(row)

    def _tell(self, row: Picture) -> None:
        if row in self._rows:
            index = self.index(self._rows.index(row))
            self.dataChanged.emit(index, index)
            if row.key == self._current:
                self.changed.emit()
