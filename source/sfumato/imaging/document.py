"""Our own lossless record of a picture: what was asked, what came of it, with what. Rules: M4, M19-M21 of metadata.

It stands in a chunk of a PNG, in EXIF ImageDescription of other formats, or in a `.json` beside the picture. Written from plain data, read within limits.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sfumato.imaging.bounded_json import LENGTH_LIMIT, NotJson, holds_lone, read_object, whole_characters
from sfumato.imaging.infotext import VERSION

FORMAT = 1
MARK = "sfumato:"
PACKED_MARK = "sfumato;z:"

Document = Mapping[str, Any]
# format n -> what makes a document of format n + 1 of it; kept for ever.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
BROKEN = "Characters that no file can hold were replaced in the picture's texts."
_KEYS = frozenset({"format", "app", "kind", "request", "image", "resolved", "models", "inputs", "engine", "warnings", "created", "grid", "source"})


class NotOurs(ValueError):
    """A record that is not read; the message is a whole sentence."""


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
    grid: Document | None = None,
    source: Document | None = None,
) -> dict[str, Any]:
    """Our record of a picture, from plain dictionaries.

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
        grid: axes, values, cell size, of a picture made of many (see `grid_of`).
        source: the record of the picture this one was made from (upscaled, restored).

    Raises:
        ValueError: `created` has no time zone.
    """
    if created.utcoffset() is None:
        raise ValueError("The time of a picture needs its zone.")
    document = {
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
    return document | ({"grid": dict(grid)} if grid is not None else {}) | ({"source": dict(source)} if source is not None else {})


def grid_of(axes: Sequence[tuple[str, Sequence[Any]]], cell: tuple[int, int]) -> dict[str, Any]:
    """What a grid is: its axes from left, top and behind, each a field's name with its values, and the size of a cell in pixels."""
    return {"axes": [{"name": name, "values": list(values)} for name, values in axes], "cell": {"width": cell[0], "height": cell[1]}}


def staged(document: Document, stage: str, size: tuple[int, int]) -> dict[str, Any]:
    """The same record for an intermediate picture: "first" (before highres), "undetailed", "mask" ..."""
    return {**document, "image": {**document.get("image", {}), "stage": stage, "width": size[0], "height": size[1]}}


def written(document: Document) -> str:
    """The record as JSON, lone surrogates replaced. Raises ValueError for what is not JSON."""
    return whole_characters(json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def written_ascii(document: Document) -> str:
    """The record for ImageDescription: `sfumato:` and JSON with everything beyond ASCII escaped."""
    return MARK + json.dumps(json.loads(written(document)), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def written_packed(document: Document) -> str:
    """The same, deflated and base64-coded behind `sfumato;z:`."""
    return PACKED_MARK + base64.b64encode(zlib.compress(written(document).encode(), 9)).decode("ascii")


def unpacked(text: str) -> str:
    """The JSON behind one of the marks; empty if there is none. Raises `NotOurs` for a damaged one."""
    if text.startswith(MARK):
        return text[len(MARK) :]
    if not text.startswith(PACKED_MARK):
        return ""
    try:
        inflater = zlib.decompressobj()
        packed = inflater.decompress(base64.b64decode(text[len(PACKED_MARK) :], validate=True), LENGTH_LIMIT)
        if not inflater.eof:
            raise NotOurs("Sfumato's own record in this picture is cut short or too long; its infotext is used.")
        return packed.decode("utf-8")
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        raise NotOurs("Sfumato's own record in this picture is damaged; its infotext is used.") from None


def read_document(text: str) -> tuple[dict[str, Any], list[str]]:
    """Our record from its JSON, brought to today's format, with sentences about keys that are not known. Raises `NotOurs`."""
    try:
        own = read_object(text)
    except NotJson as reason:
        raise NotOurs(f"Sfumato's own record in this picture cannot be read: {reason}; its infotext is used.") from None
    number = own.get("format")
    if type(number) is not int or number < 1 or not isinstance(own.get("request"), dict):
        raise NotOurs("Sfumato's own record in this picture has an unknown form; its infotext is used.")
    if number > FORMAT:
        raise NotOurs(f"This picture was made by a newer version ({str(own.get('app', 'unknown'))[:40]}); its infotext is used.")
    while number < FORMAT:
        own = MIGRATIONS[number](own)
        number += 1
    unknown = sorted(key[:40] for key in own.keys() - _KEYS)
    remarks = [f"Keys of a newer version were ignored: {', '.join(unknown[:10])}."] if unknown else []
    return own, [*remarks, *([BROKEN] if holds_lone(text) else [])]
