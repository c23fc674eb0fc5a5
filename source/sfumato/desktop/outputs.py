"""The strip of pictures: slots for what is being painted, then the finished pictures, newest batch first.

A picture is the bytes the engine made; they are written on the disk thread and dropped from memory once the file is there. What a person does with
pictures is outputs_desk.py's.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.disk import Disk
from sfumato.desktop.images import Frames, address
from sfumato.desktop.language import tr
from sfumato.desktop.outputs_rows import Part, Picture, given, is_extra
from sfumato.desktop.queue.job import Job
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact

__all__ = ["KEPT", "OutputStrip", "Picture"]

KEPT = 200
ROLES = (
    "key", "state", "source", "pictureWidth", "pictureHeight", "seed", "prompt", "path", "fileName", "problem", "painting",
    "part", "parts", "partTitle", "file", "fileAddress", "incomplete", "kind", "arriving",
)  # fmt: skip
# What is kept for the next session.
_RECORD = ("path", "seed", "prompt", "width", "height", "kind", "incomplete")
Save = Callable[..., Path]
# Bytes of the last preview, parameters, seed, steps done and asked for -> the bytes of a picture that says so.
Rescue = Callable[[bytes, Mapping[str, Any], int, int, int], bytes]


class OutputStrip(QAbstractListModel):
    """Rows of `Picture`; `current` is the one on the stage.

    Args:
        save: save(kind, params, bytes, beside=, into=) writes a picture where those of such a job go, or into a folder, with texts beside it if it had no
            room for them, and returns its file; runs on the disk thread, raises `SfumatoError`.
        rescue: makes a picture of what had emerged when a job was cancelled; None drops it.
    """

    changed = pyqtSignal()
    edited = pyqtSignal()  # the list of saved pictures changed
    saved = pyqtSignal(str)  # the file of a finished picture
    unsaved = pyqtSignal(str)  # sentence

    def __init__(self, frames: Frames, disk: Disk, save: Save, parent: QObject | None = None, rescue: Callable[[], Rescue | None] = lambda: None) -> None:
        super().__init__(parent)
        self._frames = frames
        self._disk = disk
        self._frame_disk = Disk(self)  # previews never wait for a slow save
        self._save = save
        self._rescue = rescue
        self._follows = True
        self._beside: dict[str, list[tuple[Part, int | None]]] = {}
        self._rows: list[Picture] = []
        self._current = ""
        self._keys = itertools.count(1)
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}

    # -- a job's life ----------------------------------------------------------------------------

    def begin(self, job: Job) -> None:
        """Open the slots of the batch that is about to be painted."""
        first = job.pictures + sum(row.job == job.id and row.arriving >= 0 for row in self._rows)
        count = min(job.batch_size, job.expected - first)
        if count <= 0 or self._emerging(job):
            return
        self._insert(0, [self._slot(job, first + place) for place in range(count)])
        if self._follows:
            self._choose(self._rows[0].key)
        self._trim()

    def _slot(self, job: Job, index: int) -> Picture:
        return Picture(f"p{next(self._keys)}", job.id, str(job.params.get("prompt", "")), job.kind, dict(job.params), index)

    def give(self, job: Job, pictures: Mapping[str, bytes]) -> None:
        """Let what a job was given be looked at beside its pictures."""
        if job.id not in self._beside:
            self._beside[job.id] = []
            for title, data, index in given(job, pictures):
                self._keep(title, data, partial(self._lay, job.id, index))

    def _lay(self, job: str, index: int | None, part: Part) -> None:
        """Lay something beside the pictures of a job, or the one of that number: those that are there, and those to come."""
        self._beside.setdefault(job, []).append((part, index))
        for row in self._rows:
            if row.job == job and not row.painting and index in (None, row.index):
                row.parts.append(part)
                self._tell(row)

    def _keep(self, name: str, data: bytes, done: Callable[[Part], None]) -> None:
        ending = "png" if data[:4] == b"\x89PNG" else "jpg" if data[:2] == b"\xff\xd8" else "webp"

        def kept(path: Path) -> None:
            done(Part(name, str(path)))

        self._frame_disk.run(lambda: self._frames.keep(f"{hashlib.sha256(data).hexdigest()[:32]}.{ending}", data), kept, self._unseen)

    def preview(self, job: Job, pictures: tuple[bytes, ...], seen: bool = True) -> None:
        """Show what emerges in the slots of the running batch; unseen it is only kept, for a job that ends early."""
        self.begin(job)
        slots = self._emerging(job)
        for row, data in zip(slots, pictures, strict=False):
            row.preview, row.progress = data, job.painted
            if seen:
                self._show(row, data, "preview")

    def announce(self, job: Job, small: bytes) -> None:
        """A picture is painted and on its way here: show its small form in its slot."""
        self.begin(job)
        slots = self._emerging(job)
        if slots:
            slots[0].arriving = 0.0
            if small:
                self._show(slots[0], small, "preview")
            self._tell(slots[0])

    def arrive(self, job: Job) -> None:
        """A part of the picture that is on its way has come."""
        done, total = job.fetched
        row = next(iter(self._arriving(job)), None)
        if row is not None and total:
            row.arriving = min(1.0, done / total)
            self._tell(row)

    def _emerging(self, job: Job) -> list[Picture]:
        """The slots of a job in which something is being painted."""
        return [row for row in self._rows if row.job == job.id and row.painting and row.arriving < 0]

    def _arriving(self, job: Job) -> list[Picture]:
        """The slots of a job whose pictures are painted and on their way, the next one first."""
        return sorted((row for row in self._rows if row.job == job.id and row.painting and row.arriving >= 0), key=lambda row: row.index)

    def finish(self, job: Job, artifact: Artifact) -> None:
        """Put a finished picture into its slot and write it; what else the engine sends is laid beside its picture."""
        if not artifact.media_type.startswith("image/"):
            return
        if is_extra(job.kind, artifact.name):
            index = artifact.info.get("index")
            self._keep(artifact.name, artifact.data, partial(self._lay, job.id, index if isinstance(index, int) else max(0, job.pictures - 1)))
            return
        slots = self._arriving(job) or self._emerging(job)
        if not slots:
            self._insert(0, [self._slot(job, job.pictures - 1)])
            slots = self._rows[:1]
        row, info = slots[0], artifact.info
        row.arriving = -1.0
        row.state, row.data, row.preview = "saving", artifact.data, b""
        row.width, row.height = int(info.get("width") or 0), int(info.get("height") or 0)
        row.seed = str(info.get("seed", ""))
        row.index = int(info.get("index", row.index))
        row.beside = info.get("sidecars") or {}
        row.parts += [part for part, index in self._beside.get(job.id, ()) if index in (None, row.index)]
        self._show(row, artifact.data, "saving")
        self._write(row, artifact.data)

    def end(self, job: Job, cancelled: bool = False) -> None:
        """Drop the slots a job leaves unfinished, or keep what had emerged in them if that is wanted of a cancelled one."""
        rescue = self._rescue() if cancelled and job.kind == "generate" else None
        for row in [row for row in self._rows if row.job == job.id and row.painting]:
            if rescue is None or not row.preview:
                self._remove(row)
            else:
                self._save_rescued(row, job, rescue)
        self._beside.pop(job.id, None)

    # -- sheets of many pictures -----------------------------------------------------------------

    def show_sheet(self, sheet: str, title: str, data: bytes) -> None:
        """Show how far a sheet is, as one entry that comes with the first call; `sheet` names it."""
        row = next((row for row in self._rows if row.job == sheet and row.painting), None)
        if row is None:
            row = Picture(f"p{next(self._keys)}", sheet, title, "grid")
            self._insert(0, [row])
            if self._follows:
                self._choose(row.key)
        row.preview = data
        self._show(row, data, "preview")

    def finish_sheet(self, sheet: str, title: str, data: bytes, size: tuple[int, int]) -> None:
        """Write a finished sheet: in the place of the one that was shown, or as an entry of its own."""
        row = next((row for row in self._rows if row.job == sheet and row.painting), None)
        if row is None:
            row = Picture(f"p{next(self._keys)}", sheet, title, "grid")
            self._insert(0, [row])
        row.state, row.data, row.preview = "saving", data, b""
        row.width, row.height = size
        self._tell(row)
        self._write(row, data)

    def end_sheet(self, sheet: str) -> None:
        """Drop a sheet that nothing came of."""
        for row in [row for row in self._rows if row.job == sheet and row.painting]:
            self._remove(row)

    def _save_rescued(self, row: Picture, job: Job, rescue: Rescue) -> None:
        row.state, row.incomplete = "saving", True
        seed = int(job.params.get("seed", 0)) + max(0, row.index)
        preview, (done, total) = row.preview, row.progress
        row.preview, row.seed = b"", str(seed)
        self._tell(row)

        def made(data: bytes) -> None:
            row.data = data
            self._write(row, data)

        def failed(error: SfumatoError) -> None:
            self._remove(row)
            self.unsaved.emit(error.message)

        self._disk.run(lambda: rescue(preview, job.params, seed, done, total), made, failed)

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

    def _write(self, row: Picture, data: bytes, into: Path | None = None) -> None:
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
        where = {"into": into} if into is not None else {}
        self._disk.run(lambda: self._save(row.kind, row.params, data, **beside, **where), done, failed)

    def close(self) -> None:
        self._frame_disk.close()
        self._frames.close()

    # -- between sessions ------------------------------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        """The saved pictures, for the session."""
        return [{name: getattr(row, name) for name in _RECORD} for row in self._rows if row.state == "saved"]

    def restore(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Show the pictures of the last session whose files are still there."""
        rows = []
        for record in itertools.islice(records, KEPT):
            path = Path(str(record.get("path", "")))
            if not path.is_file():
                continue
            row = Picture(f"p{next(self._keys)}", "", str(record.get("prompt", "")), state="saved", path=str(path), seed=str(record.get("seed", "")))
            row.kind, row.incomplete = str(record.get("kind") or "generate"), record.get("incomplete") is True
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
        part = row.looked_at
        match name:
            case "pictureWidth":
                return row.width
            case "pictureHeight":
                return row.height
            case "fileName":
                return row.file_name
            case "source":
                return address(Path(part.path)) if part else row.source
            case "parts":
                return len(row.parts)
            case "partTitle":
                return part.title if part else tr("Output")
            case "fileAddress":
                return address(Path(row.file)) if row.file else ""
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

    @pyqtProperty(bool, notify=changed)
    def follows(self) -> bool:
        """Whether the newest picture is shown as soon as there is one; ends when the user moves to an older one."""
        return self._follows

    @pyqtSlot()
    def follow(self) -> None:
        """Show the newest picture, and the next newest when it comes."""
        self._follows = True
        if self._rows:
            self._choose(self._rows[0].key)

    @pyqtSlot(int)
    def choose(self, index: int) -> None:
        row = self._picture(index)
        if row is not None:
            self._follows = index == 0
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
    def clearRight(self, index: int) -> None:
        """Take every finished picture to the right of this one off the strip; their files stay."""
        for row in [row for row in self._rows[index + 1 :] if not row.painting and row.state != "unsaved"]:
            self._remove(row)
        self.edited.emit()

    @pyqtSlot(int, int)
    def cycle(self, index: int, distance: int) -> None:
        """Look at the next of what belongs to a picture: what the engine sent beside it, what it was made from, then the picture itself again."""
        row = self._picture(index)
        if row is not None and row.parts and not row.painting:
            row.part = (row.part + distance) % (len(row.parts) + 1)
            self._tell(row)

    def picture(self, index: int) -> Picture | None:
        """The row at a place of the strip."""
        return self._picture(index)

    def take_off(self, row: Picture) -> int:
        """Take a finished picture off the strip; the place it had."""
        place = self._rows.index(row)
        self._remove(row)
        self.edited.emit()
        return place

    def put_back(self, row: Picture, place: int) -> None:
        """Show a picture again that was taken off."""
        row.source = address(Path(row.path))
        self._insert(min(place, len(self._rows)), [row])
        self._choose(row.key)
        self.edited.emit()

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
