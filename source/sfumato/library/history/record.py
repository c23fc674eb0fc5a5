"""What the index keeps of one picture: read once from the file, told apart by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sfumato.imaging.picture import Reading, read_picture
from sfumato.imaging.writing import is_temporary

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif")
# What `has:` finds, by the fields of a request that say so.
_HAS = {
    "input": ("image",),
    "mask": ("mask",),
    "control": ("control",),
    "highres": ("hr_scale", "hr_width", "hr_height", "hr_only"),
    "refiner": ("refiner",),
}


@dataclass(frozen=True)
class Record:
    """One picture.

    Attributes:
        created: seconds since 1970; the day is that of the person's clock, as YYYYMMDD.
        hash: SHA-256 of the file: what ratings are kept by.
        terms: pairs of kind (model, lora, sampler, mode, has, hash) and name.
    """

    path: str
    bytes: int
    modified: int
    created: float
    day: int
    hash: str = ""
    width: int = 0
    height: int = 0
    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    scale: float | None = None
    strength: float | None = None
    terms: tuple[tuple[str, str], ...] = field(default=())


def is_picture(name: str) -> bool:
    """Whether a file of that name belongs into the index."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".") and not is_temporary(Path(name))


def read_record(path: Path) -> Record:
    """Open a picture once and note what it tells.

    Raises:
        ImageUnreadable: it cannot be opened.
        OSError: it is gone.
    """
    facts = os.stat(path)
    reading = read_picture(path)
    return of_reading(path, facts.st_size, facts.st_mtime_ns, reading, reading.digest)


def of_reading(path: Path, size: int, modified_ns: int, reading: Reading, digest: str) -> Record:
    """A record of what was read."""
    fields = reading.fields
    created = modified_ns / 1e9
    return Record(
        path=os.fspath(path),
        bytes=size,
        modified=modified_ns,
        created=created,
        day=day_of(created),
        hash=digest,
        width=reading.width,
        height=reading.height,
        prompt=_storable(fields.get("prompt")),
        negative=_storable(fields.get("negative")),
        seed=_seed(reading),
        steps=_number(fields.get("steps"), int),
        scale=_number(fields.get("guidance"), float),
        strength=_number(fields.get("strength"), float) if fields.get("image") or "strength" in fields else None,
        terms=tuple(dict.fromkeys(_terms(path, reading))),
    )


def day_of(seconds: float) -> int:
    """The day of the person's clock as YYYYMMDD, 0 for a time no calendar has."""
    try:
        return int(datetime.fromtimestamp(seconds).astimezone().strftime("%Y%m%d"))
    except (ValueError, OverflowError, OSError):
        return 0


def networks_of(prompt: str) -> list[str]:
    """The names of the networks that a prompt calls."""
    return [name for kind, name in _tags(prompt) if kind in ("lora", "lyco", "hypernet") and name]


def _tags(prompt: str) -> list[tuple[str, str]]:
    found = []
    for piece in prompt.split("<")[1:]:
        inner, closed, _ = piece.partition(">")
        parts = inner.split(":")
        if closed and len(parts) > 1:
            found.append((parts[0].strip().casefold(), parts[1].strip()))
    return found


def _terms(path: Path, reading: Reading) -> list[tuple[str, str]]:
    fields = reading.fields
    found = [(kind, _storable(fields.get(kind))) for kind in ("model", "sampler") if fields.get(kind)]
    found += [("lora", name) for name in networks_of(_storable(fields.get("prompt")))]
    found += [("has", what) for what, names in _HAS.items() if any(fields.get(name) for name in names)]
    found.append(("mode", _mode(path, reading)))
    found += [("hash", str(digits).casefold()) for key, digits in reading.hashes.items() if key == "model"]
    return [(kind, name) for kind, name in found if name]


def _mode(path: Path, reading: Reading) -> str:
    kind = str(reading.own.get("kind", "")) if reading.own else ""
    if kind and kind != "generate":
        return kind
    fields = reading.fields
    if fields.get("mask"):
        return "inpaint"
    if fields.get("image"):
        return "img2img"
    return "txt2img" if reading.source != "none" else ""


def _seed(reading: Reading) -> int | None:
    image: Any = reading.own.get("image") if reading.own else None
    own = image.get("seed") if isinstance(image, Mapping) else None
    seed = own if isinstance(own, int) and not isinstance(own, bool) else reading.fields.get("seed")
    return seed if isinstance(seed, int) and 0 <= seed < 1 << 63 else None


def _number(value: Any, kind: type) -> Any:
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53 else None


def _storable(value: Any) -> str:
    """Text as the database can hold it: lone surrogates are replaced."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
