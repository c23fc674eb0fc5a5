"""What stands beside a model: its preview and its texts, found by the exact name and never by a part of it. Rules: D110, D113 of the window; R56, R57.

The full name of a model is everything before its last ending. Beside `a.b.safetensors` belong `a.b.preview.png`, `a.b.png`, `a.b.txt`, `a.b.md`, `a.b.json`
and `a.b.civitai.info`. The window's own changes go into the `.json`, under the keys that AUTOMATIC1111 uses there, and every other key stays.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.writing import replace_file
from sfumato.library.model_facts import split
from sfumato.library.models import SUFFIXES
from sfumato.protocol.errors import CorruptFile, ImageUnreadable, NotWritable

PICTURES = ("png", "jpg", "jpeg", "webp")
PREVIEWS = (*(f".preview.{kind}" for kind in PICTURES), *(f".{kind}" for kind in PICTURES))
OWN = ".json"
TEXTS = (".txt", ".md", OWN, ".civitai.info")
COMPANIONS = (*PREVIEWS, *TEXTS)
TEXT_LIMIT_BYTES = 4 << 20
PICTURE_LIMIT_BYTES = 64 << 20

_DESCRIPTION, _WORDS, _WEIGHT, _TAGS = "description", "activation text", "preferred weight", "tags"
_OTHER_WORDS = ("trainedWords", "trained_words", "trigger words", "trigger_words", "activation_text")


@dataclass(frozen=True, slots=True)
class Notes:
    """What the texts beside a model say.

    Attributes:
        description: as it is written; `is_html` if it is markup of the web.
        words: trigger words.
        weight: with which it is put into a prompt, None if nothing says.
        base: what it is made for, in its maker's words.
    """

    description: str = ""
    is_html: bool = False
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    weight: float | None = None
    base: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Notes:
        return Notes(**{**values, "words": tuple(values.get("words", ())), "tags": tuple(values.get("tags", ()))})


def full_name(path: Path) -> str:
    """What a model and what stands beside it have in common."""
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def companion(path: Path, ending: str) -> Path:
    """Where a companion of that ending stands."""
    return path.with_name(full_name(path) + ending)


def companions(path: Path, there: Container[str]) -> list[str]:
    """The endings of what stands beside a model; `there`: the names in its folder."""
    name = full_name(path)
    return [ending for ending in COMPANIONS if name + ending in there]


def preview_of(path: Path, endings: Sequence[str]) -> Path | None:
    """The picture of a model, given the endings of what stands beside it."""
    return next((companion(path, ending) for ending in PREVIEWS if ending in endings), None)


def read_notes(path: Path, endings: Sequence[str]) -> Notes:
    """The texts beside a model, one over the other; what cannot be read says nothing."""
    Notes()
    own = _object(companion(path, OWN)) if OWN in endings else {}
    info = _object(companion(path, ".civitai.info")) if ".civitai.info" in endings else {}
    model = info.get("model") if isinstance(info.get("model"), dict) else {}
    plain = next((text for ending in (".txt", ".md") if ending in endings and (text := _text(companion(path, ending)).strip())), "")
    description, is_html = _first((_str(own, _DESCRIPTION), False), (plain, False), (_str(info, "description"), True), (_str(model, "description"), True))
    return Notes(
        description,
        is_html,
        _words(own) or _words(info),
        _listed(own.get(_TAGS)) or _listed((model or {}).get("tags")) or _listed(info.get("tags")),
        _number(own.get(_WEIGHT)),
        _str(own, "sd version") or _str(info, "baseModel"),
    )


def write_notes(path: Path, *, description: str, words: Sequence[str], tags: Sequence[str], weight: float | None) -> bytes | None:
    """Write what the user says of a model; what else the file held stays. Returns its content before, None if there was none, for `put_back`.

    Raises:
        CorruptFile: there is a file of that name which is no JSON object; it stays as it is.
        DiskFull, NotWritable: nothing was changed.
    """
    file = companion(path, OWN)
    before = _bytes(file)
    values: dict[str, Any] = {}
    if before is not None:
        try:
            values = read_object(before.decode("utf-8-sig"))
        except (UnicodeDecodeError, NotJson):
            raise CorruptFile(file.name, "it is no JSON object, and was left as it is") from None
    values |= {_DESCRIPTION: description, _WORDS: ", ".join(words), _TAGS: list(tags)}
    values.pop(_WEIGHT, None)
    if weight is not None:
        values[_WEIGHT] = weight
    replace_file(file, json.dumps(values, ensure_ascii=False, indent=2).encode())
    return before


def put_back(file: Path, before: bytes | None) -> None:
    """Give a companion the content it had. Raises `DiskFull`, `NotWritable`."""
    if before is not None:
        replace_file(file, before)
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritable(str(file.parent), error.strerror or type(error).__name__) from error


def picture_bytes(source: Path) -> tuple[bytes, str]:
    """The bytes of a picture file and its kind by its content ("png", "jpg", "webp"). Raises `ImageUnreadable`."""
    try:
        if source.stat().st_size > PICTURE_LIMIT_BYTES:
            raise ImageUnreadable(f"'{source.name}'", "it is larger than 64 MiB")
        data = source.read_bytes()
    except OSError as error:
        raise ImageUnreadable(f"'{source.name}'", error.strerror or type(error).__name__) from error
    kinds = {"png": data.startswith(b"\x89PNG\r\n\x1a\n"), "jpg": data.startswith(b"\xff\xd8\xff"), "webp": data[:4] == b"RIFF" and data[8:12] == b"WEBP"}
    kind = next((kind for kind, holds in kinds.items() if holds), "")
    if not kind:
        raise ImageUnreadable(f"'{source.name}'")
    return data, kind


def _object(file: Path) -> dict[str, Any]:
    with suppress(NotJson):
        return read_object(_text(file) or "{}")
    return {}


def _text(file: Path) -> str:
    with suppress(OSError):
        if file.stat().st_size <= TEXT_LIMIT_BYTES:
            return file.read_bytes().decode("utf-8-sig", "replace")
    return ""


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorruptFile(file.name, f"it cannot be read ({error.strerror})") from error


def _first(*texts: tuple[str, bool]) -> tuple[str, bool]:
    return next((each for each in texts if each[0].strip()), ("", False))


def _str(values: Mapping[str, Any] | None, key: str) -> str:
    value = (values or {}).get(key)
    return value.strip() if isinstance(value, str) else ""


def _words(values: Mapping[str, Any]) -> tuple[str, ...]:
    return next((found for key in (_WORDS, *_OTHER_WORDS) if (found := _listed(values.get(key)))), ())


def _listed(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return split(value)
    if isinstance(value, list):
        return tuple(dict.fromkeys(word for each in value if isinstance(each, str) for word in split(each)))
    return ()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < abs(number) <= 10 else None  # zero is what other programs write for "none"
