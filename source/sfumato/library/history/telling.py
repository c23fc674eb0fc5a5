"""What a picture tells, as rows for a person to read; and where several differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfumato.imaging.picture import Reading
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs

PROMPTS = ("prompt", "negative")


@dataclass(frozen=True)
class Told:
    """One thing a picture tells; `long` is a text that deserves a box of its own."""

    title: str
    text: str
    long: bool = False


def told(reading: Reading) -> list[Told]:
    """Everything recorded: the prompts as they were written, what was set, what nobody here knows, and warnings."""
    titles = {spec.name: spec.title for spec in specs(Generate)}
    rows = [Told(titles[name], str(reading.fields[name]), True) for name in PROMPTS if reading.fields.get(name)]
    rows += [
        Told(titles[name], said(value), _is_long(value)) for name, value in reading.fields.items() if name in titles and name not in PROMPTS and _is_said(value)
    ]
    for role, digits in reading.hashes.items():
        rows.append(Told(f"Hash of {role}", str(digits)))
    rows += [Told(str(key), said(value), _is_long(value)) for key, value in reading.unknown.items()]
    rows += [Told("Note", sentence, True) for sentence in reading.warnings]
    return rows


def differing(readings: Sequence[Reading]) -> list[tuple[str, list[str]]]:
    """Titles of the parameters in which pictures differ, each with its value in every picture, "" where it tells none."""
    titles = {spec.name: spec.title for spec in specs(Generate)}
    names = [name for name in titles if any(name in reading.fields for reading in readings)]
    rows = [(titles[name], [said(reading.fields[name]) if name in reading.fields else "" for reading in readings]) for name in names]
    sizes = [f"{reading.width} x {reading.height}" if reading.width else "" for reading in readings]
    return [(title, values) for title, values in (*rows, ("Size", sizes)) if len(set(values)) > 1]


def said(value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {said(inner)}" for key, inner in value.items() if _is_said(inner))
    if isinstance(value, list | tuple):
        return "\n".join(said(inner) for inner in value)
    return str(value)


def _is_said(value: Any) -> bool:
    return value is not None and value not in ("", [], (), {})


def _is_long(value: Any) -> bool:
    text = said(value)
    return len(text) > 48 or "\n" in text
