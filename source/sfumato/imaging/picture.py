"""A finished picture as the bytes of a file, with what is needed to make it again, and back.

A picture is encoded once, in the process that made it; the window, the web and the disk get these bytes. Rules: M1, M4, M15, M18-M21 and M30 of metadata.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.imaging.infotext import VERSION, Infotext, read_infotext
from sfumato.imaging.png_text import is_unmistakable_latin_1, read_png_text

FORMAT = 1
INFOTEXT_KEYWORD = "parameters"
OWN_KEYWORD = "sfumato"
PNG_LEVEL = 4

_DEFLATED_ABOVE_BYTES = 1024
_DEPTH_LIMIT = 64

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture tells about itself.

    Attributes:
        source: whose word `own` or `infotext` is; the own document is trusted first.
        own: our document (see `own_document`), None if there is none or it is of a newer format.
        infotext: what other programs read, None if there is none.
        width, height: in pixels, 0 if the file is no PNG.
        warnings: sentences about what could not be read.
    """

    source: Literal["sfumato", "infotext", "none"]
    own: Document | None
    infotext: Infotext | None
    width: int
    height: int
    warnings: tuple[str, ...]


def own_document(
    kind: str,
    request: Document,
    image: Document,
    created: datetime,
    *,
    resolved: Document | None = None,
    models: Sequence[Document] = (),
    inputs: Sequence[Document] = (),
    engine: Document | None = None,
    warnings: Sequence[Document] = (),
) -> dict[str, Any]:
    """Our own lossless record of a picture, from plain dictionaries.

    Args:
        kind: of the job, such as "generate".
        request: the validated request with all defaults filled in, as JSON.
        image: index, seed, width, height ... of this picture.
        created: with its time zone.
        resolved: the prompts as understood and the networks in them.
        models: role, name, family, sha256, bytes of each.
        inputs: role, sha256, width, height, name of each input picture.
        engine: versions, device, dtype, rng ...
        warnings: those of the job.

    Raises:
        ValueError: `created` has no time zone.
    """
    if created.utcoffset() is None:
        raise ValueError("The time of a picture needs its zone.")
    return {
        "format": FORMAT,
        "app": VERSION,
        "kind": kind,
        "request": dict(request),
        "image": dict(image),
        "resolved": dict(resolved or {}),
        "models": [dict(model) for model in models],
        "inputs": [dict(item) for item in inputs],
        "engine": dict(engine or {}),
        "warnings": [dict(warning) for warning in warnings],
        "created": created.isoformat(timespec="seconds"),
    }


def from_rgb(width: int, height: int, pixels: bytes) -> Image.Image:
    """An image of `height` rows of `width` pixels of three bytes each. Raises ValueError if the number of bytes is another."""
    if len(pixels) != width * height * 3:
        raise ValueError(f"{width}x{height} pixels take {width * height * 3} bytes, not {len(pixels)}.")
    return Image.frombytes("RGB", (width, height), pixels)


def encode_png(image: Image.Image, infotext: str = "", own: Document | None = None) -> bytes:
    """The picture as PNG, with the texts given and no others. An empty infotext and no document write no text at all (level "none").

    Lone surrogates, which no file can hold, are replaced by U+FFFD.

    Raises:
        ValueError: the document holds something that is not JSON.
    """
    texts = PngInfo()
    if infotext:
        text = _writable(infotext).replace("\0", " ")  # a zero byte ends a text for many readers
        if is_unmistakable_latin_1(text):
            texts.add_text(INFOTEXT_KEYWORD, text)
        else:
            texts.add_itxt(INFOTEXT_KEYWORD, text)
    if own is not None:
        text = _writable(json.dumps(own, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
        texts.add_itxt(OWN_KEYWORD, text, zip=len(text.encode()) > _DEFLATED_ABOVE_BYTES)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=texts, compress_level=PNG_LEVEL)
    return file.getvalue()


def read_picture(data: bytes) -> Reading:
    """What the bytes of a picture file tell. Never fails; what is damaged is left out with a warning."""
    found = read_png_text(data)
    warnings = list(found.warnings)
    own = _read_own(found.texts[OWN_KEYWORD], warnings) if OWN_KEYWORD in found.texts else None
    infotext = read_infotext(found.texts[INFOTEXT_KEYWORD]) if INFOTEXT_KEYWORD in found.texts else None
    source = "sfumato" if own is not None else "infotext" if infotext is not None else "none"
    return Reading(source, own, infotext, found.width, found.height, tuple(warnings))


def _read_own(text: str, warnings: list[str]) -> Document | None:
    try:
        own = json.loads(text)
    except (ValueError, RecursionError):
        warnings.append("Sfumato's own record in this picture is damaged; its infotext is used.")
        return None
    if not isinstance(own, dict) or type(own.get("format")) is not int or _is_deeper(own, _DEPTH_LIMIT):
        warnings.append("Sfumato's own record in this picture has an unknown form; its infotext is used.")
        return None
    if own["format"] > FORMAT:
        warnings.append(f"This picture was made by a newer version ({str(own.get('app', 'unknown'))[:40]}); its infotext is used.")
        return None
    return own


def _is_deeper(value: object, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`; level by level, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _writable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
