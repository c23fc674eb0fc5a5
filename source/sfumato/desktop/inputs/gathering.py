"""What was dropped or pasted, as files: folders are opened, pictures of the clipboard are kept in the data folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QUrl
from PyQt5.QtGui import QGuiApplication, QImage

from sfumato.desktop.inputs.bulk import is_picture, natural, pictures_in
from sfumato.desktop.inputs.cards import folder
from sfumato.desktop.parameters.values import file_of
from sfumato.protocol.errors import ImageUnreadable, NameTaken


def gathered(paths: list[str], at_most: int) -> list[str]:
    """The pictures among files, folders and file: addresses; many are put in natural order. Reads the disk; raises `ImageUnreadable` for a folder."""
    found: list[str] = []
    for text in paths:
        path = file_of(text)
        if os.path.isdir(path):
            try:
                found += pictures_in(path)
            except OSError as error:
                raise ImageUnreadable(f"'{path}'", (error.strerror or str(error)).lower(), remedy="Choose another folder.") from error
        elif is_picture(path) or os.path.isfile(path):
            found.append(path)
    return (sorted(found, key=natural) if len(found) > 1 else found)[:at_most]


def pasted(data: Path) -> Callable[[], list[str]] | None:
    """The work, for another thread, that makes files of what the clipboard holds; None where it holds neither files nor a picture."""
    offered = QGuiApplication.clipboard().mimeData()
    if offered is None:
        return None
    if offered.hasUrls():
        files = [url.toLocalFile() for url in offered.urls() if url.isLocalFile()]
        return (lambda: files) if files else None
    if offered.hasImage():
        image = QImage(offered.imageData())
        return (lambda: [_kept(image, data)]) if not image.isNull() else None
    text = offered.text().strip() if offered.hasText() else ""
    if "\n" not in text and (text.startswith("file:") or is_picture(text)):
        path = QUrl(text).toLocalFile() if text.startswith("file:") else text
        return lambda: [path]
    return None


def _kept(image: QImage, data: Path) -> str:
    """A picture of the clipboard as a file, named by its content so that pasting twice keeps one. Raises `DiskFull` or `NotWritable`."""
    from sfumato.imaging.writing import make_folder, replace_file  # late: only here

    held = QByteArray()
    buffer = QBuffer(held)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    content = bytes(held)
    path = folder(data) / "pasted" / f"{hashlib.sha256(content).hexdigest()[:16]}.png"
    make_folder(path.parent)
    replace_file(path, content)
    return str(path)


def offer(path: str, image: QImage) -> None:
    """Put a picture on the clipboard, as a file and as an image."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path)])
    if not image.isNull():
        data.setImageData(image)
    QGuiApplication.clipboard().setMimeData(data)


def copied(path: Path, target: str) -> str:
    """A copy of a file under a new name: its own bytes, or in the format that the new ending asks for.

    Raises `NameTaken`, `NotWritable`, `DiskFull`, `ImageUnreadable`.
    """
    from sfumato.desktop.inputs.reading import as_format  # late: only here
    from sfumato.imaging.writing import make_folder, write_new

    place = Path(target).expanduser()
    place = place if place.suffix else place.with_suffix(path.suffix or ".png")
    make_folder(place.parent)
    try:
        write_new(place, as_format(path, place.suffix))
    except FileExistsError:
        raise NameTaken(place.name, str(place.parent)) from None
    return str(place)
