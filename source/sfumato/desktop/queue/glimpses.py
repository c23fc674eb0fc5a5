"""Small pictures of the rows of the queue: the first one a job has made, and what emerges while it runs. Decoded and written away from the GUI thread."""

from __future__ import annotations

import re
import time
from pathlib import Path

from PyQt5.QtCore import QObject, Qt
from PyQt5.QtGui import QImage

from sfumato.desktop.disk import Disk
from sfumato.desktop.images import Frames, address
from sfumato.desktop.queue.job import Job
from sfumato.desktop.queue.rows import QueueRows
from sfumato.imaging.writing import make_folder
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Artifact

SIDE = 128
PREVIEW_EVERY_S = 0.5


class Glimpses(QObject):
    """Fills the `source` of rows."""

    def __init__(self, folder: Path, rows: QueueRows, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._rows = rows
        self._frames = Frames()
        self._disk = Disk(self)
        self._revision = 0
        self._last = 0.0

    def restore(self) -> None:
        """Find the pictures of an earlier session, and drop those whose jobs are gone."""
        names = {_name(job): job for job in self._rows.all()}

        def look() -> dict[str, Path]:
            found = {}
            for path in self._folder.glob("*.jpg"):
                if path.stem in names:
                    found[path.stem] = path
                else:
                    path.unlink(missing_ok=True)
            return found

        def show(found: dict[str, Path]) -> None:
            for name, path in found.items():
                names[name].source = address(path)
                self._rows.tell(names[name], "source")

        self._disk.run(look, show, _unseen)

    def preview(self, job: Job, pictures: tuple[bytes, ...]) -> None:
        """Show what emerges, not more often than one sees it in the panel."""
        if job.pictures or time.monotonic() - self._last < PREVIEW_EVERY_S:
            return
        self._last = time.monotonic()
        self._revision += 1
        revision, data = self._revision, pictures[0]
        self._disk.run(lambda: self._frames.write("row", revision, data), lambda path: self._show(job, path), _unseen)

    def finish(self, job: Job, artifact: Artifact) -> None:
        """Keep the first picture of a job."""
        if job.pictures == 1 and job.lasting and artifact.media_type.startswith("image/"):
            path = self._folder / f"{_name(job)}.jpg"
            self._disk.run(lambda: _shrink(artifact.data, path), lambda made: self._show(job, path) if made else None, _unseen)

    def _show(self, job: Job, path: Path) -> None:
        job.source = address(path)
        self._rows.tell(job, "source")

    def close(self) -> None:
        self._disk.close()
        self._frames.close()


def _name(job: Job) -> str:
    return re.sub(r"\W", "", job.id)


def _shrink(data: bytes, path: Path) -> bool:
    """Write a small copy; False for what is no picture of a format Qt reads."""
    picture = QImage.fromData(data)
    if picture.isNull():
        return False
    make_folder(path.parent)
    small = picture.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation)
    return small.save(str(path), "JPG", 88)


def _unseen(error: SfumatoError) -> None:
    """A row without its small picture is no matter for a notice."""
    del error
