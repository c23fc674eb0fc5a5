"""The texts in a picture file of any format, gathered without decoding a pixel. Rules: M2, M17, M18 of metadata, X10 of security.

Formats: PNG (chunks), JPEG (segments), WebP (RIFF chunks), AVIF (items), GIF (comments), TIFF (entries). Start at `read_texts`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from sfumato.imaging.exif import decode_comment, decoded, read_exif
from sfumato.imaging.isobmff import read_items
from sfumato.imaging.png_text import CHUNK_LIMIT_BYTES, SIGNATURE, read_png_text

PIXELS_AT_MOST = 400_000_000
XMP_KEYWORD = "XML:com.adobe.xmp"

_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_MARK = b"Exif\0\0"


@dataclass(slots=True)
class Texts:
    """What was found.

    Attributes:
        format: "png", "jpeg", "webp", "avif", "gif", "tiff", or "" for a file that is none of them.
        width, height: in pixels, as announced; 0 if unknown.
        keywords: PNG texts by keyword.
        exif: texts of the EXIF block by tag, decoded.
        xmp: the XMP packet.
        comment: of a JPEG or GIF; several are joined by newlines.
        warnings: sentences about what could not be read.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    keywords: dict[str, str] = field(default_factory=dict)
    exif: dict[int, str] = field(default_factory=dict)
    xmp: str = ""
    comment: str = ""
    warnings: list[str] = field(default_factory=list)


def read_texts(data: bytes) -> Texts:
    """All texts of a picture. Never fails: what is damaged or too long is left out with a warning."""
    for is_format, read in _FORMATS:
        if is_format(data):
            found = read(data)
            break
    else:
        return Texts()
    if found.width * found.height > PIXELS_AT_MOST:
        sentence = f"The picture has {found.width}x{found.height} pixels; its texts were not read, at most {PIXELS_AT_MOST // 1_000_000} megapixels are."
        return Texts(found.format, found.width, found.height, warnings=[sentence])
    return found


def _add_exif(found: Texts, block: bytes) -> None:
    if len(block) > CHUNK_LIMIT_BYTES:
        found.warnings.append(f"The EXIF block of {len(block)} bytes was left out; at most {CHUNK_LIMIT_BYTES} bytes of text are read.")
        return
    read = read_exif(block)
    found.exif = {**read.texts, **found.exif}
    found.warnings += read.warnings


def _add_xmp(found: Texts, packet: bytes) -> None:
    if len(packet) > CHUNK_LIMIT_BYTES:
        found.warnings.append(f"The XMP packet of {len(packet)} bytes was left out; at most {CHUNK_LIMIT_BYTES} bytes of text are read.")
    elif not found.xmp:
        found.xmp = decoded(packet)


def _png(data: bytes) -> Texts:
    read = read_png_text(data)
    found = Texts("png", read.width, read.height, read.texts, warnings=read.warnings)
    found.xmp = read.texts.get(XMP_KEYWORD, "")
    if read.exif:
        _add_exif(found, read.exif)
    return found


def _jpeg(data: bytes) -> Texts:
    found = Texts("jpeg")
    comments, bytes_of_comments = [], 0
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(_EXIF_MARK):
            _add_exif(found, body)
        elif marker == 0xE1 and body.startswith(_XMP_MARK):
            _add_xmp(found, body[len(_XMP_MARK) :])
        elif marker == 0xFE and bytes_of_comments + len(body) <= CHUNK_LIMIT_BYTES:
            bytes_of_comments += len(body)
            comments.append(decode_comment(body).rstrip("\0"))
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) >= 5:
            found.height, found.width = struct.unpack(">HH", body[1:5])
    found.comment = "\n".join(comments)
    return found


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each JPEG segment up to the pixels."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker == 0xDA or marker == 0xD9:
            return
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        if length < 2:
            return
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + length


def _webp(data: bytes) -> Texts:
    found = Texts("webp")
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[place : place + 8])
        body = data[place + 8 : place + 8 + min(length, CHUNK_LIMIT_BYTES + 1)]
        if kind == b"EXIF":
            _add_exif(found, body)
        elif kind == b"XMP ":
            _add_xmp(found, body)
        elif not found.width:
            found.width, found.height = _webp_size(kind, body[:10])
        place += 8 + length + length % 2
    return found


def _webp_size(kind: bytes, head: bytes) -> tuple[int, int]:
    """Width and height by the head of the canvas, a lossless or a lossy frame."""
    if len(head) < 10:
        return 0, 0
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _avif(data: bytes) -> Texts:
    items = read_items(data)
    found = Texts("avif", items.width, items.height)
    if items.exif:
        _add_exif(found, items.exif)
    if items.xmp:
        _add_xmp(found, items.xmp)
    return found


def _gif(data: bytes) -> Texts:
    found = Texts("gif")
    if len(data) < 13:
        return found
    found.width, found.height = struct.unpack("<HH", data[6:10])
    place = 13 + _colours(data[10])
    comments, bytes_of_comments = [], 0
    while place < len(data):
        if data[place] == 0x21 and place + 2 <= len(data):
            body, place, kind = bytearray(), place + 2, data[place + 1 : place + 2]
            while place < len(data) and (length := data[place]):
                if kind == b"\xfe" and bytes_of_comments < CHUNK_LIMIT_BYTES:
                    body += data[place + 1 : place + 1 + length]
                    bytes_of_comments += length
                place += 1 + length
            place += 1
            if body:
                comments.append(decoded(bytes(body)).rstrip("\0"))
        elif data[place] == 0x2C and place + 10 < len(data):
            place += 11 + _colours(data[place + 9])
            while place < len(data) and data[place]:
                place += 1 + data[place]
            place += 1
        else:
            break
    found.comment = "\n".join(comments)
    return found


def _colours(flags: int) -> int:
    """Bytes of the table of colours announced by a GIF's flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _tiff(data: bytes) -> Texts:
    found = Texts("tiff")
    read = read_exif(data)
    found.exif, found.warnings = read.texts, read.warnings
    return found


_FORMATS = (
    (lambda data: data.startswith(SIGNATURE), _png),
    (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (lambda data: data[4:8] == b"ftyp" and b"avi" in data[8:64], _avif),
    (lambda data: data[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda data: data[:4] in (b"II*\0", b"MM\0*"), _tiff),
)
