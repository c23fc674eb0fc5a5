"""What the picture with the frame tells, read from its file when it is looked at; and where the chosen ones differ."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.history.pictures import PictureList
from sfumato.desktop.images import Frames, address
from sfumato.desktop.shell import Shell
from sfumato.library.history.index import Cell
from sfumato.protocol.errors import ImageUnreadable, SfumatoError

WAIT_MS = 90
COMPARED_AT_MOST = 8

Reading = Callable[[Callable[[], Any], Callable[[Any], None]], None]


class Details(QObject):
    """`studio.history.details`."""

    changed = pyqtSignal()
    compared = pyqtSignal()
    differed = pyqtSignal()

    def __init__(self, shell: Shell, pictures: PictureList, reading: Reading, parent: QObject) -> None:
        super().__init__(parent)
        self._shell = shell
        self._pictures = pictures
        self._reading = reading
        self._number = -1
        self._cell: Cell | None = None
        self._tags: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._problem = ""
        self._differences: list[dict[str, Any]] = []
        self._sources: list[str] = []
        self._source = ""
        self._frames: Frames | None = None  # pictures in formats that the scene does not read
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._read)
        pictures.changed.connect(self._look)
        pictures.arrived.connect(self._look)

    def _look(self) -> None:
        number = self._pictures.current_number
        cell = self._pictures.cell(number) if number != -1 else None
        if number == self._number and cell == self._cell:
            return
        if number != self._number:
            self._rows, self._tags, self._problem, self._source = [], [], "", ""
        self._number, self._cell = number, cell
        if cell is not None:
            self._source = address(Path(cell.path)) if is_read_by_scene(cell.path) else ""
            self._timer.start()
        self.changed.emit()

    def close(self) -> None:
        if self._frames is not None:
            self._frames.close()

    def _shown_as(self, path: str) -> str:
        """The address of a file, or of a copy in a format that the scene reads; not on the GUI thread."""
        if is_read_by_scene(path):
            return address(Path(path))
        if self._frames is None:
            self._frames = Frames()
        return address(self._frames.write(hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:24], 1, readable(Path(path))))

    def refresh(self) -> None:
        """Tags may be others now."""
        if self._cell is not None:
            self._timer.start()

    def _read(self) -> None:
        cell, history = self._cell, self.parent()
        if cell is None:
            return
        index: Any = getattr(history, "index", None)
        if index is not None:
            self._reading(lambda: index.tags_of(cell.id), lambda tags: self._tagged(cell, tags))
        # Not on the thread of the index: a folder in the network may keep it waiting.
        self._shell.disk.run(lambda: tell(cell), lambda found: self._told(cell, found), self._shell.complain)
        if not self._source and not cell.gone:
            self._shell.disk.run(lambda: self._shown_as(cell.path), lambda source: self._turned(cell, source), self._shell.complain)

    def _turned(self, cell: Cell, source: str) -> None:
        if self._cell is not None and cell.id == self._cell.id:
            self._source = source
            self.changed.emit()

    def _tagged(self, cell: Cell, tags: list[str]) -> None:
        if self._cell is not None and cell.id == self._cell.id:
            self._tags = tags
            self.changed.emit()

    def _told(self, cell: Cell, found: tuple[list[dict[str, Any]], str]) -> None:
        if self._cell is not None and cell.id == self._cell.id:
            self._rows, self._problem = found
            self.changed.emit()

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty("QVariantMap", notify=changed)
    def shown(self) -> dict[str, Any]:
        """The picture with the frame: {path, name, size, when, bytes, rating, favourite, gone, prompt, source}; empty when there is none."""
        cell = self._cell
        if cell is None:
            return {}
        return {
            "path": cell.path,
            "name": cell.name,
            "size": f"{cell.width} × {cell.height}",
            "when": time.strftime("%Y-%m-%d %H:%M", time.localtime(max(0.0, cell.created))),
            "bytes": said_bytes(cell.bytes),
            "rating": cell.rating,
            "favourite": cell.favourite,
            "gone": cell.gone,
            "prompt": cell.prompt,
            "source": self._source,
        }

    @pyqtProperty("QStringList", notify=changed)
    def tags(self) -> list[str]:
        return self._tags

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        """Rows {title, text, long} of everything recorded."""
        return self._rows

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        return self._problem

    @pyqtSlot(str)
    def copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    @pyqtSlot()
    def copyAll(self) -> None:
        """Put everything recorded on the clipboard."""
        self.copy("\n".join(f"{row['title']}: {row['text']}" for row in self._rows))

    # -- comparing -------------------------------------------------------------------------------

    @pyqtSlot(result=bool)
    def compare(self) -> bool:
        """Compare the chosen pictures, 2 to 8; False if they are fewer or more."""
        numbers = self._pictures.chosen
        if not 2 <= len(numbers) <= COMPARED_AT_MOST:
            return False
        index: Any = getattr(self.parent(), "index", None)

        def held(cells: dict[int, Cell]) -> None:
            ordered = [cells[number] for number in numbers if number in cells]
            self._sources, self._differences = [], []
            self.compared.emit()
            self.differed.emit()
            self._shell.disk.run(lambda: [self._shown_as(cell.path) for cell in ordered], self._line_up, self._shell.complain)
            self._shell.disk.run(lambda: differences(ordered), self._differ, self._shell.complain)

        self._reading(lambda: index.cells(numbers), held)
        return True

    def _line_up(self, sources: list[str]) -> None:
        self._sources = sources
        self.compared.emit()

    def _differ(self, rows: list[dict[str, Any]]) -> None:
        self._differences = rows
        self.differed.emit()

    @pyqtProperty("QStringList", notify=compared)
    def sources(self) -> list[str]:
        """The files that are compared, as addresses."""
        return self._sources

    @pyqtProperty("QVariantList", notify=differed)
    def differences(self) -> list[dict[str, Any]]:
        """Rows {title, values} of the parameters in which they differ."""
        return self._differences


def is_read_by_scene(path: str) -> bool:
    """Whether Qt decodes files of that name itself."""
    return not path.lower().endswith(".avif")


def readable(path: Path) -> bytes:
    """A picture as PNG. Raises `ImageUnreadable`."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            held = io.BytesIO()
            picture.convert("RGBA" if picture.has_transparency_data else "RGB").save(held, "PNG", compress_level=1)
            return held.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageUnreadable(f"'{path.name}'", getattr(error, "strerror", None) or "it is damaged") from error


def tell(cell: Cell) -> tuple[list[dict[str, Any]], str]:
    """Everything a picture tells, or why it cannot be read."""
    from sfumato.imaging.picture import read_picture  # late: the window opens without it
    from sfumato.library.history.telling import told

    try:
        rows = told(read_picture(Path(cell.path)))
    except SfumatoError as error:
        return [], error.message
    return [{"title": row.title, "text": row.text, "long": row.long} for row in rows], ""


def differences(cells: list[Cell]) -> list[dict[str, Any]]:
    from sfumato.imaging.picture import Reading, read_picture
    from sfumato.library.history.telling import differing

    readings = []
    for cell in cells:
        try:
            readings.append(read_picture(Path(cell.path)))
        except SfumatoError:
            readings.append(Reading("none"))
    return [{"title": title, "values": values} for title, values in differing(readings)]


def said_bytes(number: int) -> str:
    """A size of a file in the unit a person reads."""
    size = float(number)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
