"""One place of the strip of pictures, and the parts that can be looked at in it: the picture itself, what the engine sent beside it, what it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.desktop.language import tr
from sfumato.desktop.queue.job import Job

# Kinds whose pictures are numbered; whatever else they send lies beside a picture.
_NUMBERED = frozenset({"generate", "upscale"})
_NUMBER = re.compile(r"image-\d+")
GIVEN = {"image": "Input", "mask": "Mask"}
ORIGINAL = "Original"


@dataclass(frozen=True)
class Part:
    """Something that belongs to a picture, under the name the engine has for it."""

    name: str
    path: str

    @property
    def title(self) -> str:
        return tr(self.name.replace("_", " ").replace("-", " ").strip().capitalize())


@dataclass(eq=False)
class Picture:
    """One place of the strip.

    `state`: empty, preview, saving, saved, or unsaved (then `problem` says why, and `data` still holds the picture). `part` is what is looked at:
    0 the picture, n the n-th of `parts`.
    """

    key: str
    job: str
    prompt: str = ""
    kind: str = "generate"
    params: Mapping[str, Any] = field(default_factory=dict)
    index: int = -1
    state: str = "empty"
    revision: int = 0
    width: int = 0
    height: int = 0
    seed: str = ""
    path: str = ""
    problem: str = ""
    source: str = ""
    data: bytes = b""
    beside: Mapping[str, str] = field(default_factory=dict)
    preview: bytes = b""
    progress: tuple[int, int] = (0, 0)  # steps made and asked for when the last preview came
    incomplete: bool = False
    parts: list[Part] = field(default_factory=list)
    part: int = 0
    arriving: float = -1.0  # 0..1 of the bytes of a finished picture that is on its way here, -1 for none

    @property
    def painting(self) -> bool:
        return self.state in ("empty", "preview")

    @property
    def looked_at(self) -> Part | None:
        """The part that is shown instead of the picture, None for the picture itself."""
        return self.parts[self.part - 1] if 0 < self.part <= len(self.parts) else None

    @property
    def file(self) -> str:
        """The file of what is looked at, "" while there is none."""
        part = self.looked_at
        return part.path if part else self.path

    @property
    def file_name(self) -> str:
        return Path(self.path).name if self.path else ""


def is_extra(kind: str, name: str) -> bool:
    """Whether an artifact is something beside a picture, and no picture of its own."""
    return kind in _NUMBERED and _NUMBER.fullmatch(name) is None


def given(job: Job, pictures: Mapping[str, bytes]) -> Iterator[tuple[str, bytes, int | None]]:
    """The pictures a job was given: what they are to it, their bytes, and to which of its pictures they belong (None: to all)."""
    for name, title in GIVEN.items():
        if data := pictures.get(str(job.params.get(name) or "")):
            yield title, data, None
    for number, unit in enumerate(job.params.get("control") or (), 1):
        if isinstance(unit, Mapping) and (data := pictures.get(str(unit.get("image") or ""))):
            yield f"Control {number}", data, None
    for index, name in enumerate(job.params.get("images") or ()):
        if data := pictures.get(str(name)):
            yield ORIGINAL, data, index
