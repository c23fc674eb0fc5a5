"""Bounds for what a server says, which may be anybody: no text of it is endless or steers a terminal, no name of it leads anywhere.

Texts stay what they are, HTML included: who shows them shows plain text.
"""

from __future__ import annotations

import re
from typing import Any, cast

from sfumato.imaging.naming import RECORD, TEXT
from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import Artifact, Event, Failed, Finished, Hello, JobEvent, Progress
from sfumato.transport.strangers_pictures import is_showable

TEXT_CHARACTERS = 4000
DETAIL_CHARACTERS = 64_000
SENTENCE_CHARACTERS = 400
NAME_CHARACTERS = 200
# A machine with 20,000 models, each with a dozen facts, is well inside.
CATALOG_VALUES = 500_000
INFO_VALUES = 20_000
PREVIEWS = 64
# What a description says in numbers, and the endings of texts that become files beside a picture: no others, so that no program ever lies there.
NUMBERS = ("index", "width", "height")
WARNINGS = "warnings"
BESIDE, BESIDE_ENDINGS = "sidecars", (TEXT, RECORD)
# Control characters but for line ends and tabs, and the marks that turn the direction of a text around.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PATH_MARKS = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]')


def plain(text: str, characters: int = SENTENCE_CHARACTERS) -> str:
    """`text` without control characters, and not longer than that."""
    return _UNSEEN.sub("", text[:characters])


def bounded(event: Event) -> Event:
    """The event with its texts and names bounded; raises `BadFrame` for one that is too much altogether."""
    if isinstance(event, Progress):
        return _changed(event, stage=plain(event.stage), note=plain(event.note), preview=_previews(event.preview))
    if isinstance(event, Failed):
        return _changed(
            event,
            code=plain(event.code, 64),
            message=plain(event.message, TEXT_CHARACTERS),
            path=plain(event.path, TEXT_CHARACTERS),
            detail=plain(event.detail, DETAIL_CHARACTERS),
        )
    if isinstance(event, Artifact):
        _count(event.info, INFO_VALUES, "the description of a result")
        return _changed(event, name=_name(event.name), media_type=plain(event.media_type, 100), info=_description(event.info))
    if isinstance(event, Finished):
        _count(event.result, INFO_VALUES, "the result of a job")
        return _changed(event, result=_result(event.result))
    if isinstance(event, Hello):
        _count(event.catalog, CATALOG_VALUES, "the catalog")
        _count(event.limits, INFO_VALUES, "the list of limits")
    return event


def _previews(previews: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What can be shown of them; where one is no picture of a fitting size, none of this moment is, so that each stays in its place."""
    return previews[:PREVIEWS] if all(map(is_showable, previews[:PREVIEWS])) else ()


def _changed(event: JobEvent, **fields: Any) -> JobEvent:
    """The same event where nothing had to be changed, which is nearly always."""
    changed = {name: value for name, value in fields.items() if getattr(event, name) != value}
    return event.model_copy(update=changed) if changed else event


def _name(name: str) -> str:
    """A name that is no path on any system."""
    return _PATH_MARKS.sub("_", name[:NAME_CHARACTERS]).strip(". ") or "result"


def _description(info: dict[str, Any]) -> dict[str, Any]:
    """What is said of an artifact, without numbers that are none and without texts for files of other kinds."""
    kept = {key: value for key, value in info.items() if key not in NUMBERS or (isinstance(value, int) and not isinstance(value, bool))}
    if BESIDE in kept:
        beside = cast("dict[str, Any]", kept[BESIDE]) if isinstance(kept[BESIDE], dict) else {}
        kept[BESIDE] = {ending: text for ending, text in beside.items() if ending in BESIDE_ENDINGS and isinstance(text, str)}
    return kept


def _result(result: dict[str, Any]) -> dict[str, Any]:
    """What a job says in the end, with texts that steer no terminal and warnings that are some."""
    kept = cast("dict[str, Any]", _legible(result))
    if WARNINGS in kept:
        told = cast("list[Any]", kept[WARNINGS]) if isinstance(kept[WARNINGS], list) else []
        kept[WARNINGS] = [one for one in told if isinstance(one, dict) and isinstance(cast("dict[str, Any]", one).get("message"), str)]
    return kept


def _legible(value: Any) -> Any:
    """Plain data whose texts steer no terminal."""
    if isinstance(value, str):
        return plain(value, DETAIL_CHARACTERS)
    if isinstance(value, dict):
        return {key: _legible(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_legible(part) for part in cast("list[Any]", value)]
    return value


def _count(values: dict[str, Any], limit: int, what: str) -> None:
    waiting: list[Any] = [values]
    found = 0
    while waiting:
        value = waiting.pop()
        inner: list[Any] = []
        if isinstance(value, dict):
            inner = list(cast("dict[str, Any]", value).values())
        elif isinstance(value, list):
            inner = cast("list[Any]", value)
        found += len(inner)
        if found > limit:
            raise BadFrame(f"{what} has more than {limit} values")
        waiting += [one for one in inner if isinstance(one, (dict, list))]
