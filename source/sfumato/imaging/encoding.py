"""A finished picture as the bytes of a file, with what is needed to make it again. Rules: M1, M2, M4 and M30 of metadata.

A picture is encoded once, in the process that made it; the window, the web and the disk get these bytes. `picture` reads them back.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from sfumato.imaging.bounded_json import holds_lone, whole_characters
from sfumato.imaging.document import BROKEN, Document, written, written_ascii, written_packed
from sfumato.imaging.exif import write_exif
from sfumato.imaging.infotext import VERSION
from sfumato.imaging.picture import INFOTEXT_KEYWORD, OWN_KEYWORD, POSTPROCESSING_KEYWORD
from sfumato.imaging.png_text import is_unmistakable_latin_1
from sfumato.protocol.errors import MissingPackage

# With Pillow's zlib-ng level 1 is faster than 2..4 (84 ms against 200 to 265 for 1024x1024 pixels with grain, one slow core) and its files are no larger.
PNG_LEVEL = 1
QUALITY = 92
LOSSLESS_QUALITY = 100
# An APP1 segment's length counts its own two bytes, and Exif\0\0 stands before the block.
JPEG_EXIF_LIMIT_BYTES = 65_533 - 6
_DEFLATED_ABOVE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of a file.

    Attributes:
        data: what is stored, sent and shown.
        mime, suffix: of the format that was written, which may be another than the one asked for.
        sidecars: texts by their endings (".json", ".txt") that did not fit and belong beside the file.
        warnings: sentences.
    """

    data: bytes
    mime: str
    suffix: str
    sidecars: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Format:
    """One row: what Pillow calls it, its endings, the longest side it can hold, and how it is saved (given the quality and EXIF limit)."""

    pillow: str
    mime: str
    suffixes: tuple[str, ...]
    side_limit_px: int
    options: Callable[[int], dict[str, Any]]
    exif_limit_bytes: int | None = None


FORMATS: Mapping[str, _Format] = {
    "png": _Format("PNG", "image/png", (".png",), 2**31 - 1, lambda quality: {"compress_level": PNG_LEVEL}),
    "jpeg": _Format("JPEG", "image/jpeg", (".jpg", ".jpeg"), 65_500, lambda quality: {"quality": min(quality, 100), "subsampling": 0}, JPEG_EXIF_LIMIT_BYTES),
    "webp": _Format("WEBP", "image/webp", (".webp",), 16_383, lambda quality: {"quality": quality, "lossless": quality >= LOSSLESS_QUALITY, "method": 2}),
    "avif": _Format("AVIF", "image/avif", (".avif",), 65_535, lambda quality: {"quality": quality, "subsampling": "4:4:4", "speed": 8}),
}


def suffix_of(mime: str) -> str:
    """The ending of files of a format; `.png` for one that is not known."""
    return next((row.suffixes[0] for row in FORMATS.values() if row.mime == mime), ".png")


def encode(
    image: Image.Image,
    infotext: str = "",
    own: Document | None = None,
    *,
    form: str = "png",
    quality: int = QUALITY,
    postprocessing: str = "",
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Encoded:
    """The picture as a file, with the texts given and no others. Without an infotext and a record no text at all is written (level "none").

    Lone surrogates, which no file can hold, are replaced by U+FFFD.

    Args:
        form: a key of `FORMATS`; a picture too large for it is written as PNG, with a warning.
        quality: 1..100, of jpeg, webp and avif; 100 makes webp lossless.
        postprocessing: how a source was upscaled or restored, in the form of an infotext's last line (PNG only, as elsewhere).
        icc_profile, dpi: of the picture this one was made from.
        texts: others by keyword, such as the joints of a pose (PNG only).

    Raises:
        MissingPackage: Pillow was built without this format.
        ValueError: the record holds something that is not JSON.
    """
    row, warnings = FORMATS[form], []
    if max(image.size) > row.side_limit_px:
        warnings.append(f"A {row.pillow} picture may have at most {row.side_limit_px} pixels a side; this one was written as PNG.")
        form, row = "png", FORMATS["png"]
    if form in ("webp", "avif") and not features.check(form):
        raise MissingPackage(f"Writing {row.pillow} pictures", f"pillow with {row.pillow}")
    if whole_characters(infotext) != infotext or (own is not None and holds_lone(json.dumps(own, ensure_ascii=False))):
        warnings.append(BROKEN)
    kept: dict[str, Any] = ({"icc_profile": icc_profile} if icc_profile else {}) | ({"dpi": dpi} if dpi else {})
    sidecars: dict[str, str] = {}
    if form == "png":
        kept["pnginfo"] = _png_texts({INFOTEXT_KEYWORD: infotext, POSTPROCESSING_KEYWORD: postprocessing, **texts}, own)
    elif infotext or own is not None:
        kept["exif"] = b"Exif\0\0" + _fitting_exif(whole_characters(infotext), own, row, sidecars, warnings)
    if image.info:
        # Pillow copies some of what it read with a picture: comments, profiles.
        image = image.copy()
        image.info = {}
    file = io.BytesIO()
    image.save(file, row.pillow, **row.options(quality), **kept)
    return Encoded(file.getvalue(), row.mime, row.suffixes[0], sidecars, tuple(warnings))


def _png_texts(texts: Mapping[str, str], own: Document | None) -> PngInfo:
    chunks = PngInfo()
    for keyword, text in texts.items():
        if text:
            text = whole_characters(text).replace("\0", " ")  # a zero byte ends a text for many readers
            if is_unmistakable_latin_1(text):
                chunks.add_text(keyword, text)
            else:
                chunks.add_itxt(keyword, text)
    if own is not None:
        text = written(own)
        chunks.add_itxt(OWN_KEYWORD, text, zip=len(text.encode()) > _DEFLATED_ABOVE_BYTES)
    return chunks


def _fitting_exif(infotext: str, own: Document | None, row: _Format, sidecars: dict[str, str], warnings: list[str]) -> bytes:
    """The fullest EXIF block the format can hold; what does not fit goes beside the file."""
    plain = written_ascii(own) if own is not None else ""
    limit = row.exif_limit_bytes
    block = write_exif(plain, infotext, VERSION)
    if limit is None or len(block) <= limit:
        return block
    if own is not None:
        block = write_exif(written_packed(own), infotext, VERSION)
        if len(block) <= limit:
            return block
        sidecars[".json"] = written(own)
        warnings.append(f"The picture's record is too long for {row.pillow}; it was written beside the picture.")
        block = write_exif("", infotext, VERSION)
        if len(block) <= limit:
            return block
    sidecars[".txt"] = f"{infotext}\n"
    warnings.append(f"The picture's text is too long for {row.pillow}; it was written beside the picture.")
    return write_exif("", "", VERSION)
