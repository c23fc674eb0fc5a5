"""What a picture tells about itself, as a request to be sent again. Rules: M15, M16, M18, M20 of metadata, X11 of security.

Start at `read_picture`. Trust goes to our own record first, then to what only one program writes, then to the infotext, then to texts hidden in the pixels and
to a `.txt` beside the file. The formats are read in `texts`, the programs in `origins`; `encoding` writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, judged, objects
from sfumato.imaging.controls import role_of
from sfumato.imaging.document import Document, NotOurs, read_document, unpacked
from sfumato.imaging.exif import IMAGE_DESCRIPTION, USER_COMMENT
from sfumato.imaging.infotext import Infotext, read_infotext
from sfumato.imaging.origins import ORIGINS
from sfumato.imaging.origins.automatic1111 import read_infotext_claims
from sfumato.imaging.saying import rows
from sfumato.imaging.stealth import read_stealth
from sfumato.imaging.texts import Texts, read_texts
from sfumato.protocol.errors import ImageUnreadable
from sfumato.protocol.params.control import UNITS
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate

INFOTEXT_KEYWORD = "parameters"
OWN_KEYWORD = "sfumato"
POSTPROCESSING_KEYWORD = "postprocessing"
FILE_LIMIT_BYTES = 1 << 30

# Texts whose choices a record tells, under these names.
_CHOSEN = ("prompt", "negative", "hr_prompt", "hr_negative")
_SIDECAR_LIMIT_BYTES = 16 << 20
# Where a JSON object stands that a person may have copied out of a picture, a node editor or a sidecar.
_KEYWORDS_OF_JSON = (OWN_KEYWORD, "prompt", "workflow", "invokeai_metadata", "sd-metadata", INFOTEXT_KEYWORD)
_WARNINGS_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture tells about itself.

    Attributes:
        source: whose word it is: "sfumato", "automatic1111", "forge", "sdnext", "comfyui", "invokeai", "novelai", "fooocus", "qdiffusion", "swarmui",
            "draw_things", or "none".
        fields: values of a Generate request, each valid; what is absent is left to the defaults.
        switches: those of `fields` that say how the origin reads prompts (P66).
        unknown: pairs for which there is no field, in any form; shown to the person, never dropped.
        hashes: digits by which models can be found here, by field (`model`, `vae`, `refiner`, `hr_model`), `control.0` ..., `lora:name` or `ti:name`.
        own: our record (see `document.own_document`), None if there is none.
        infotext: what most programs read, None if there is none; `text` is how it stands there.
        format, width, height: of the file; "" and 0 if it is no picture.
        warnings: sentences about what could not be read.
        digest: SHA-256 of a file that was read from its path, "" for bytes.
    """

    source: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    switches: frozenset[str] = frozenset()
    unknown: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    own: Document | None = None
    infotext: Infotext | None = None
    text: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    warnings: tuple[str, ...] = ()
    digest: str = ""

    def request(self) -> Generate:
        """The request as it was sent, as far as the picture tells: our own one exactly."""
        return validate(Generate, dict(self.fields))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data; `request` is the whole request, `fields` what of it the picture told."""
        return {
            "source": self.source,
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "fields": dict(self.fields),
            "switches": sorted(self.switches),
            "unknown": dict(self.unknown),
            "hashes": dict(self.hashes),
            "request": self.request().model_dump(mode="json"),
            "own": dict(self.own) if self.own is not None else None,
            "infotext": self.text,
            "warnings": list(self.warnings),
        }

    def repeated(self) -> Generate:
        """The request that makes this very picture: its own seeds, and it alone (M20)."""
        painted = _painted(self.own) if self.own else None
        image = painted.get("image") if painted else None
        seeds = {name: image.get(key) for name, key in (("seed", "seed"), ("variation_seed", "variation_seed"))} if isinstance(image, dict) else {}
        given, _ = judged({name: value for name, value in seeds.items() if type(value) is int})
        return validate(Generate, {**self.fields, **self._chosen(), **given, "batch_size": 1, "batch_count": 1})

    def _chosen(self) -> dict[str, Any]:
        """The texts as they were understood, where a picture's place among others decided what they say: alone it would have the first place."""
        painted = _painted(self.own) if self.own else None
        resolved = painted.get("resolved") if painted else None
        if not self.fields.get("all_combinations") or not isinstance(resolved, dict):
            return {}
        texts, _ = judged({name: resolved[name] for name in _CHOSEN if self.fields.get(name) and isinstance(resolved.get(name), str)})
        return {**texts, "all_combinations": False, "styles": ()}


def from_rgb(width: int, height: int, pixels: bytes) -> Image.Image:
    """An image of `height` rows of `width` pixels of three bytes each. Raises ValueError if the number of bytes is another."""
    if len(pixels) != width * height * 3:
        raise ValueError(f"{width}x{height} pixels take {width * height * 3} bytes, not {len(pixels)}.")
    return Image.frombytes("RGB", (width, height), pixels)


def read_picture(picture: bytes | Path, *, seek_hidden: bool = False) -> Reading:
    """What a picture tells. Nothing in it can make this fail; what is damaged is left out with a warning.

    Args:
        picture: the bytes of a file, or its path; then the `.json` and `.txt` beside it count too.
        seek_hidden: trust texts hidden in the pixels before the infotext; without it they are only sought when nothing else was found.

    Raises:
        ImageUnreadable: the file of a path cannot be opened. Bytes never raise.
    """
    data, sidecars = (_opened(picture), _sidecars(picture)) if isinstance(picture, Path) else (picture, {})
    texts = read_texts(data)
    told = _Told(list(texts.warnings), _infotext_of(texts))
    by_trust = (
        lambda: _own(texts, sidecars, told),
        lambda: _hidden(data, told) if seek_hidden else None,
        lambda: _foreign(texts),
        lambda: read_infotext_claims(read_infotext(told.text)) if told.text else None,
        lambda: None if seek_hidden else _hidden(data, told),
        lambda: _beside(sidecars, told),
    )
    claims = next((found for ask in by_trust if (found := ask()) is not None), None) or Claims("sfumato" if told.own else "none")
    if (postprocessing := texts.keywords.get(POSTPROCESSING_KEYWORD)) is not None:
        claims.keep({POSTPROCESSING_KEYWORD: postprocessing})
    reading = _reading(claims, texts, told)
    return replace(reading, digest=hashlib.sha256(data).hexdigest()) if isinstance(picture, Path) else reading


def read_text(text: str) -> Reading:
    """What a text tells that somebody copied: an infotext, our record, or the JSON of another program; any other text is a prompt. Never fails.

    Text beyond 16 MiB is not looked at.
    """
    if len(text) > _SIDECAR_LIMIT_BYTES:
        return Reading("none", warnings=(f"The text has more than {_SIDECAR_LIMIT_BYTES >> 20} MiB and was not read.",))
    told = _Told([], text.strip())
    keywords = _KEYWORDS_OF_JSON if told.text.startswith("{") else (INFOTEXT_KEYWORD,)
    for keyword in keywords:
        texts = Texts(keywords={keyword: told.text})
        claims = _own(texts, {}, told) if keyword == OWN_KEYWORD else _foreign(texts)
        if claims is not None and any(claims.fields[name] for name in claims.fields.keys() - claims.switches):
            return _reading(claims, Texts(), told)
    told.warnings.clear()  # about a record that the text never was
    if (found := read_infotext(told.text)).pairs:
        return _reading(read_infotext_claims(found), Texts(), told)
    return _reading(Claims("none", {"prompt": told.text} if told.text else {}), Texts(), told)


def _reading(claims: Claims, texts: Texts, told: _Told) -> Reading:
    """What was claimed, each value judged."""
    fields, refused = judged(claims.fields)
    return Reading(
        source=claims.source,
        fields=fields,
        switches=frozenset(claims.switches & fields.keys()),
        unknown=claims.unknown,
        hashes=claims.hashes,
        own=told.own,
        infotext=read_infotext(told.text) if told.text else None,
        text=told.text,
        format=texts.format,
        width=texts.width,
        height=texts.height,
        warnings=_few([*told.warnings, *claims.warnings, *refused]),
    )


@dataclass(slots=True)
class _Told:
    """What is found beside the claims while the places are asked one after the other."""

    warnings: list[str]
    text: str
    own: Document | None = None


def _opened(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise ImageUnreadable(f"'{path.name}'", f"it has more than {FILE_LIMIT_BYTES >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name no system can hold
        raise ImageUnreadable(f"'{path.name}'", getattr(error, "strerror", None) or str(error)) from error


def _sidecars(path: Path) -> dict[str, str]:
    """The texts beside a picture, by their endings; what cannot be read is not there."""
    found = {}
    for suffix in (".json", ".txt"):
        try:
            beside = path.with_suffix(suffix)
            if beside != path and beside.stat().st_size <= _SIDECAR_LIMIT_BYTES:
                found[suffix] = beside.read_text(encoding="utf-8-sig", errors="replace")
        except (OSError, ValueError):
            continue
    return found


def _infotext_of(texts: Texts) -> str:
    """The text that most programs write, from wherever the format keeps it."""
    keywords = texts.keywords
    for place, text in enumerate((keywords.get(INFOTEXT_KEYWORD, ""), texts.exif.get(USER_COMMENT, ""), keywords.get("Comment", ""), texts.comment)):
        # JSON is the business of the programs that write it.
        if not text.strip() or (text.lstrip().startswith("{") and text.rstrip().endswith("}")):
            continue
        # Cameras and people comment too; without values only a place of its own makes a text a prompt.
        if place == 0 or read_infotext(text).pairs:
            return text
    return ""


def _own(texts: Texts, sidecars: Mapping[str, str], told: _Told) -> Claims | None:
    """What our own record claims, from the first place that has a sound one."""
    beside = sidecars.get(".json", "")
    # Any program may write a .json beside a picture; ours says so at its beginning.
    beside = beside if '"sfumato' in beside[:400].casefold() else ""
    marked = (texts.exif.get(IMAGE_DESCRIPTION, ""), texts.comment)
    for place in (texts.keywords.get(OWN_KEYWORD, ""), *marked, beside):
        try:
            if not (text := unpacked(place) if place in marked else place):
                continue
            told.own, remarks = read_document(text)
        except NotOurs as reason:
            told.warnings.append(str(reason))
            continue
        told.warnings += remarks
        painted = _painted(told.own)
        # Of a picture that others painted, and that was enlarged here, their texts tell.
        return _claims_of_own(painted, told.warnings) if painted is not None else None
    return None


def _painted(own: Document) -> Document | None:
    """The record of how a picture was painted: of one that was enlarged or made a map, that of the picture it was made from; None if there is none."""
    while own.get("kind", "generate") != "generate":
        if not isinstance(source := own.get("source"), dict) or not isinstance(source.get("request"), dict):
            return None
        own = source
    return own


def _claims_of_own(own: Document, warnings: list[str]) -> Claims:
    """What a record claims of how the picture was painted."""
    claims = Claims("sfumato")
    request = own["request"]
    claims.fields = {key: value for key, value in request.items() if key in rows()}
    if strange := sorted(key[:40] for key in request.keys() - rows().keys()):
        warnings.append(f"Parameters of a newer version were ignored: {', '.join(strange[:10])}.")
        claims.keep({key: request[key] for key in request.keys() - rows().keys()})
    for model in objects(own.get("models")):
        if isinstance(digest := model.get("sha256"), str) and len(digest) == 64:
            role = str(model.get("role"))
            claims.hashes[_FIELD_OF_ROLE.get(role, f"{role}:{model.get('name')}")] = digest
    return claims


_FIELD_OF_ROLE = {
    "checkpoint": "model",
    "vae": "vae",
    "clip": "clip",
    "clip_2": "clip_2",
    "refiner": "refiner",
    "hr_model": "hr_model",
    **{role_of(number): role_of(number) for number in range(UNITS)},
}


def _foreign(texts: Texts) -> Claims | None:
    """What a program's own texts claim."""
    for read in ORIGINS:
        if (claims := read(texts)) is not None:
            return claims
    return None


def _hidden(data: bytes, told: _Told) -> Claims | None:
    """What a text hidden in the pixels claims: the texts of a PNG as one JSON object, or an infotext."""
    text, warnings = read_stealth(data)
    told.warnings += warnings
    if not text.strip():
        return None
    if not text.lstrip().startswith("{"):
        told.text = told.text or text
        return read_infotext_claims(read_infotext(text))
    try:
        found = read_object(text)
    except NotJson as reason:
        told.warnings.append(f"The text hidden in the picture was left out: {reason}.")
        return None
    # Some write as an object what others pack into a text.
    texts = Texts(keywords={key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()})
    inner = _infotext_of(texts)
    told.text = told.text or inner
    return _foreign(texts) or (read_infotext_claims(read_infotext(inner)) if inner else None)


def _beside(sidecars: Mapping[str, str], told: _Told) -> Claims | None:
    """What the `.txt` beside a picture claims."""
    if not sidecars.get(".txt", "").strip():
        return None
    told.text = sidecars[".txt"]
    return read_infotext_claims(read_infotext(told.text))


def _few(warnings: list[str]) -> tuple[str, ...]:
    """No picture fills a window with its faults."""
    rest = len(warnings) - _WARNINGS_AT_MOST
    return tuple(warnings) if rest <= 0 else (*warnings[:_WARNINGS_AT_MOST], f"{rest} more faults were found.")
