"""Values of parameters: what fits, what was typed, and how they read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from PyQt5.QtCore import QUrl

from sfumato.desktop.language import tr
from sfumato.desktop.numbers import NotANumber, parse, shown
from sfumato.protocol.specs import ParamSpec

Choice = dict[str, Any]
PICTURE = "image"


def choice(row: Mapping[str, Any]) -> Choice:
    """A row of a catalog list as the drop-down reads it; `family` is what the file is made for, "" where that does not matter."""
    value = str(row["value"])
    state = str(row.get("state") or "ready")
    label = str(row.get("label") or value)
    return {
        "value": value,
        # Names of files and methods are the same in every language; what is the value as a word is said.
        "label": words(value) if label == spelled(value) else label,
        "note": str(row.get("family") or row.get("kind") or ""),
        "enabled": state == "ready",
        "reason": str(row.get("reason") or ""),
    }


def missing(value: str) -> Choice:
    """A value that is set and that the list does not have: it stays, and says so."""
    return {"value": value, "label": value, "note": tr("missing"), "enabled": False, "reason": tr("it is not in the models folders.")}


def file_of(text: str) -> str:
    """The path in what was typed, pasted or dropped: quotes and file: addresses are taken off."""
    text = text.strip().strip("\"'")
    return QUrl(text).toLocalFile() if text.startswith("file:") else os.path.expanduser(text)


def words(value: str) -> str:
    """A value of the protocol as a person reads it: "no_norm" is "No norm"; names with capitals or digits stay."""
    return tr(spelled(value))


def spelled(value: str) -> str:
    """`words` in English."""
    return value.replace("_", " ").capitalize() if value.islower() and not any(letter.isdigit() for letter in value) else value


def read(spec: ParamSpec, text: str) -> Any:
    """The value of what was typed or chosen; empty is the default. Raises `NotANumber` or `OutOfRange`."""
    text = text if spec.kind in ("text", "choice", "list") else text.strip()
    if spec.kind in ("int", "float"):
        return parse(spec, text) if text else spec.default
    if spec.kind == "bool":
        return text == "true"
    if spec.kind == "list":
        return _read_list(spec, text)
    return file_of(text) if spec.widget == PICTURE else text


def _read_list(spec: ParamSpec, text: str) -> tuple[Any, ...]:
    """Texts stand one to a line, numbers between commas or blanks."""
    if spec.item == "text":
        return tuple(line for line in text.split("\n") if line.strip())
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append(float(word) if spec.item == "float" else int(word))
        except ValueError:
            raise NotANumber(tr("'{word}' is no number; write numbers with commas between them.", word=word)) from None
    return tuple(found)


def written(spec: ParamSpec, value: Any) -> str:
    """A value as its control shows it; what `read` takes back."""
    if spec.kind == "list":
        return ("\n" if spec.item == "text" else ", ").join(str(entry) if spec.item == "text" else f"{entry:g}" for entry in value or ())
    return shown(spec, value)


def fits(spec: ParamSpec, value: Any) -> bool:
    """Whether a value from outside (a session, a preset, a picture) can stand in the form."""
    if value is None:
        return spec.optional
    if spec.kind in ("int", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or (spec.kind == "int" and not isinstance(value, int)):
            return False
        return (spec.minimum is None or value >= spec.minimum) and (spec.maximum is None or value <= spec.maximum)
    if spec.kind == "bool":
        return isinstance(value, bool)
    if spec.kind == "list":
        kinds: dict[str | None, type] = {"text": str, "int": int, "float": float}
        wanted = kinds.get(spec.item, dict)
        return isinstance(value, list | tuple) and all(isinstance(entry, wanted) or (wanted is float and type(entry) is int) for entry in value)
    return isinstance(value, str) and (not spec.choices or value in spec.choices) and len(value) <= (spec.max_length or len(value))
