"""What a preprocessor is: a row of the table, what it is given to look at, and the map it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators.networks.files import Networks
from sfumato.imaging.pose.keypoints import Pose
from sfumato.imaging.pose.skeleton import Person

Bytes = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """A number of a control unit under the name it has for one preprocessor.

    Attributes:
        field: "threshold_a" or "threshold_b".
        unit: "px", or "" for a plain number.
    """

    field: str
    title: str
    default: float
    minimum: float
    maximum: float
    step: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Map:
    """What a preprocessor made.

    Attributes:
        pixels: (H, W, 3) bytes.
        hidden: (H, W), true where the picture is to be painted anew; an inpainting ControlNet is told -1 there. None: nowhere.
        pose: the people in it, in pixels of the map; None if it shows none by their joints.
        source: width and height of what it was made of, in pixels.
    """

    pixels: Bytes
    hidden: NDArray[np.bool_] | None = None
    pose: Pose | None = None
    source: Size = (0, 0)

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + (0 if self.hidden is None else self.hidden.nbytes)

    def values(self) -> NDArray[np.float32]:
        """What a network reads: (H, W, 3) in 0..1, -1 where hidden."""
        values = self.pixels.astype(np.float32) / np.float32(255)
        if self.hidden is not None:
            values[self.hidden] = -1
        return values

    def picture(self) -> Image.Image:
        """What a person sees: mode "RGB", black where hidden."""
        return Image.fromarray(self.pixels if self.hidden is None else np.where(self.hidden[..., None], np.uint8(0), self.pixels))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a preprocessor looks at.

    Attributes:
        pixels: (H, W, 3) bytes; of a pose given as keypoints, nothing but its size.
        mask: (H, W) in 0..1, 1 where the picture is hidden; None: no mask was given and nothing is transparent.
        settings: numbers by field, the preprocessor's own where the request left them open.
        parts: which parts a pose has: "body", "hands", "face".
        seed: of what is drawn at random.
        people: of a pose given as keypoints; their coordinates are those of the map.
        networks: where preprocessors that need weights get them.
        device: where they compute.
        check: raises `Stopped` when the job was cancelled.
    """

    pixels: Bytes
    device: torch.device
    networks: Networks
    mask: NDArray[np.float64] | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    parts: frozenset[str] = frozenset({"body", "hands", "face"})
    seed: int = 0
    people: tuple[Person, ...] = ()
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """One row of the table.

    Attributes:
        name: in requests.
        title: for people.
        makes: one sentence: what the map shows.
        draw: the work; a map of the same size as what it is shown. Bytes of (H, W) are a grey map.
        settings: which numbers it reads, and what they are.
        kind: of map, a value of `union_type`; "" if there is none like it.
        reads: "picture", "mask" (a picture and what of it is hidden), or "pose" (keypoints).
        parts: it reads which parts of a pose are wanted.
        is_seeded: it draws at random.
        files: what its networks' files are called in models/annotators; none for most.
        find: the files that it needs for the wanted parts of a pose; raises `ModelNotFound` naming one that is not there.
    """

    name: str
    title: str
    makes: str
    draw: Callable[[Seen], Map | Bytes]
    settings: tuple[Setting, ...] = ()
    kind: str = ""
    reads: str = "picture"
    parts: bool = False
    is_seeded: bool = False
    files: tuple[str, ...] = ()
    find: Callable[[Networks, frozenset[str]], Sequence[Path]] = lambda networks, parts: ()

    def to_json(self) -> dict[str, Any]:
        """As a choice of the catalog; `settings` say what controls it has, and `fields` which further ones of a unit it reads."""
        fields = [*(("body", "hands", "face") if self.parts else ()), *(("seed",) if self.is_seeded else ())]
        return {
            "value": self.name,
            "label": self.title,
            "description": self.makes,
            "settings": [asdict(setting) for setting in self.settings],
            "fields": fields,
            "kind": self.kind,
            "reads": self.reads,
            "files": list(self.files),
        }
