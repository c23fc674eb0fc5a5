"""What was pasted or dropped, sorted out: files, an address, a picture's bytes, a text. Reads nothing but the clipboard's own data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import QByteArray, QMimeData, QUrl
from PyQt5.QtGui import QImage

TEXT_SUFFIXES = frozenset({".txt", ".json"})
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"})
# As programs offer pictures; bytes that are handed over as they are keep their texts.
_FORMATS = ("image/png", "image/webp", "image/avif", "image/jpeg")


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is; the first of these that is not empty counts. `image` is a picture without a file format."""

    files: tuple[Path, ...] = ()
    url: str = ""
    data: bytes = b""
    image: QImage | None = None
    text: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.files or self.url or self.data or self.image or self.text)


def offer_of(mime: QMimeData | None) -> Offer:
    """What the clipboard or a drag holds."""
    if mime is None:
        return Offer()
    text = mime.text() if mime.hasText() else ""
    files, url = sorted_addresses((address.toString(QUrl.ComponentFormattingOption.FullyEncoded) for address in mime.urls()), text)
    if files or url:
        return Offer(files, url)
    for form in _FORMATS:
        if mime.hasFormat(form) and (data := _bytes(mime.data(form))):
            return Offer(data=data)
    if mime.hasImage():
        image = QImage(mime.imageData())
        return Offer(image=None if image.isNull() else image)
    return Offer(text=text if text.strip() else "")


def sorted_addresses(addresses: Iterable[str], text: str = "") -> tuple[tuple[Path, ...], str]:
    """The local files among addresses, and the first address of the web; a text that is one such address counts too."""
    files, web = [], ""
    line = text.strip()
    for each in (*addresses, line if "\n" not in line else ""):
        if each.startswith("file:") and (path := Path(QUrl(each).toLocalFile())) not in files:
            files.append(path)
        elif each.startswith(("http://", "https://")) and " " not in each:
            web = web or each
    return tuple(files), "" if files else web


def _bytes(held: QByteArray) -> bytes:
    return bytes(held.data())
