"""Presets a person made: named sets of parameter values, one JSON file each in `presets/` of the data folder, so that a file is also what is exported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.trash import Receipt, to_trash
from sfumato.protocol.errors import Invalid, Problem

FOLDER = "presets"
SUFFIX = ".json"
NAME_AT_MOST = 80
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


@dataclass(frozen=True)
class OwnPreset:
    """`values`: parameter -> value; "prompt" and "negative" may be among them. Fields this version does not know are kept in `others`."""

    name: str
    values: Mapping[str, Any]
    others: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The file of the preset."""
        return json.dumps({**self.others, "name": self.name, "values": dict(self.values)}, ensure_ascii=False, indent=2).encode() + b"\n"

    @staticmethod
    def from_json(data: bytes, name: str) -> OwnPreset:
        """What a file says; `name` where it says none. Raises `Invalid`."""
        try:
            held = read_object(data.decode("utf-8", "replace"))
        except NotJson as error:
            raise Invalid([Problem("preset", f"'{name}' is no preset: {error}.")]) from error
        values = held.get("values")
        if not isinstance(values, dict):
            raise Invalid([Problem("preset", f"'{name}' is no preset: it has no values.")])
        said = held.get("name")
        others = {key: value for key, value in held.items() if key not in ("name", "values")}
        return OwnPreset(said if isinstance(said, str) and said.strip() else name, values, others)


def checked_name(name: str) -> str:
    """A name that can be that of a file on every system; raises `Invalid`."""
    name = name.strip()
    if not name or len(name) > NAME_AT_MOST or _FORBIDDEN.search(name) or name.strip(".") == "" or name.endswith("."):
        raise Invalid([Problem("name", f"A preset's name has 1 to {NAME_AT_MOST} characters and none of \\ / : * ? \" < > | in it.")])
    return name


def read_presets(data: Path) -> tuple[list[OwnPreset], list[str]]:
    """Every preset by name, and a sentence for each file that is none."""
    found: list[OwnPreset] = []
    complaints: list[str] = []
    try:
        files = sorted(path for path in (data / FOLDER).iterdir() if path.suffix == SUFFIX)
    except OSError:
        return [], []
    for path in files:
        try:
            found.append(OwnPreset.from_json(path.read_bytes(), path.stem))
        except Invalid as error:
            complaints.append(error.message)
        except OSError as error:
            complaints.append(f"The preset '{path.stem}' could not be read ({error.strerror}).")
    return sorted(found, key=lambda preset: preset.name.casefold()), complaints


def write_preset(data: Path, preset: OwnPreset) -> None:
    """Write a preset, over the one of its name if there is one. Raises `Invalid`, `DiskFull` or `NotWritable`."""
    name = checked_name(preset.name)
    replace_file(make_folder(data / FOLDER) / f"{name}{SUFFIX}", OwnPreset(name, preset.values, preset.others).to_json())


def remove_preset(data: Path, name: str) -> Receipt:
    """Move a preset to the trash; the receipt brings it back."""
    return to_trash([data / FOLDER / f"{checked_name(name)}{SUFFIX}"], data)
