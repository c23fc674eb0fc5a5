"""Canvases of this session and what of them is on disk: opened with their layers, saved and flattened a moment after a change, on the disk thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PyQt5.QtCore import QSize
from PyQt5.QtGui import QImage

from sfumato.desktop.canvas import storing
from sfumato.desktop.canvas.compositing import pyramid
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.flattening import Flattened, black, flattened
from sfumato.desktop.canvas.history import Background
from sfumato.desktop.canvas.layers import MASK, PAINT, REGION

# Names of the flattened files; they are replaced as a whole, so a job that reads one has the old picture or the new.
FLAT, HOLE, REGIONS, PREVIEW = "flat", "mask", "region-{number}", "preview"
# An empty canvas starts at this size where nothing says otherwise.
BLANK_PX = 512


@dataclass(frozen=True)
class Subject:
    """What is to be painted on.

    Attributes:
        card: id of the input card.
        kind: of its layers: "mask", "paint" or "region".
        folder: of its canvas.
        picture: file that is painted over; None for an empty canvas.
        size: of an empty canvas.
        title: what the person calls it.
    """

    card: str
    kind: str
    folder: Path
    picture: Path | None = None
    size: tuple[int, int] = field(default=(BLANK_PX, BLANK_PX), compare=False)
    title: str = field(default="", compare=False)


@dataclass
class Held:
    """An opened canvas. `levels` are halves of its picture for small views."""

    subject: Subject
    canvas: Canvas
    levels: list[QImage] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    is_changed: bool = False


@dataclass(frozen=True)
class Files:
    """What was flattened, as files: see `flattening.Flattened`; "" where there is nothing."""

    picture: str = ""
    mask: str = ""
    masks: tuple[str, ...] = ()
    preview: str = ""
    is_extended: bool = False


def opened(subject: Subject, background: Background) -> Held:
    """Read a canvas and its picture; not on the GUI thread. Raises `ImageUnreadable`."""
    picture = storing.read_picture(subject.picture) if subject.picture is not None else None
    size = picture.size() if picture is not None else QSize(*subject.size)
    canvas = Canvas(subject.kind, size, picture, background)
    written = storing.read(subject.folder, canvas)
    if picture is None and subject.kind == PAINT and not written:
        # Paper: so that a first stroke in any colour is seen and sent.
        paper = canvas.layer.pixels(canvas.size)
        paper.fill(0xFFFFFFFF)
        canvas.layer.revision += 1
    canvas.layer.pixels(canvas.size)
    canvas.coverage()
    return Held(subject, canvas, pyramid(picture) if picture is not None else [], written)


def saving(held: Held) -> tuple[Files, Callable[[], dict[str, int]]]:
    """The names that the flattened files will have, and the work that writes layers and files; the work is for the disk thread."""
    canvas, subject = held.canvas.still(), held.subject
    written = dict(held.written)
    folder = subject.folder

    def name(what: str) -> Path:
        return folder / f"{what}.png"

    painted = [layer.image is not None for layer in canvas.layers]
    is_picture, is_regions = canvas.kind == PAINT, canvas.kind == REGION
    files = Files(
        picture=str(name(FLAT)) if is_picture and canvas.is_painted else "",
        mask=str(name(HOLE)) if (is_picture and canvas.is_extended) or (canvas.kind == MASK and any(painted)) else "",
        masks=tuple(str(name(REGIONS.format(number=number))) if is_painted else "" for number, is_painted in enumerate(painted, 1)) if is_regions else (),
        preview=str(name(PREVIEW)) if is_regions and any(painted) else "",
        is_extended=canvas.is_extended,
    )

    def work() -> dict[str, int]:
        done = storing.write(folder, canvas, written)
        _write(files, flattened(canvas), canvas.size)
        return done

    return files, work


def _write(files: Files, flat: Flattened, size: QSize) -> None:
    """A file that was promised is there, black where nothing is painted after all."""
    from sfumato.imaging.writing import replace_file  # late: not needed before something is painted

    for path, data in ((files.picture, flat.picture), (files.mask, flat.mask), (files.preview, flat.preview), *zip(files.masks, flat.masks)):
        if path:
            replace_file(Path(path), data or black(size.width(), size.height()))
