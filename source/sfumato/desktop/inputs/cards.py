"""One card of the strip: what is kept of it in the session. No Qt, no file access.

A card names files and never changes them. What was painted on it lies in a folder of its own (`Card.layers` under `folder(data)`): the canvas keeps its layers
there, and hands the flattened picture to `InputStrip.take_painted`, the masks of regions to `InputStrip.take_regions`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfumato.desktop.inputs.crops import Crop

IMAGE, MASK, CONTROL, REFERENCE, REGIONS = ROLES = ("image", "mask", "control", "reference", "regions")
TITLES = {IMAGE: "Image", MASK: "Mask", CONTROL: "Control", REFERENCE: "Reference", REGIONS: "Regions"}
GLYPHS = {IMAGE: "image", MASK: "eraser", CONTROL: "spline", REFERENCE: "scan-eye", REGIONS: "layers"}
CARDS_AT_MOST = 64
FILES_AT_MOST = 10_000


@dataclass(frozen=True)
class Card:
    """A picture, or a folder of them, and what it is for. Frozen: a change is another card of the same `id`.

    Attributes:
        id: names the card for as long as it lives.
        role: one of `ROLES`.
        files: the pictures it shows, in order; more than one is a bulk card; none for a card that is only painted, or a control that reads its image.
        at: which of `files` is shown.
        enabled: a card that is off stays, and is not sent.
        crop: what of its pictures is taken.
        settings: of a control or reference, fields of a ControlUnit; only what differs from its default.
        painted: the flattened picture of its canvas, which stands for the file; "" if nothing was painted.
        extended: what was painted is larger than the picture it began with.
        masks: of regions, a mask file for each numbered layer, "" where nothing is painted; the first is the part behind the first AND.
        map: a control's computed map as a file; "" before it is computed.
        map_key: what the map was computed of; "painted" once a person changed it, which is then used as it is.
        pose: OpenPose's JSON of a map that shows people.
        layers: name of the folder of its canvas.
    """

    id: str
    role: str
    files: tuple[str, ...] = ()
    at: int = 0
    enabled: bool = True
    crop: Crop = field(default_factory=Crop)
    settings: Mapping[str, Any] = field(default_factory=dict)
    painted: str = ""
    extended: bool = False
    masks: tuple[str, ...] = ()
    map: str = ""
    map_key: str = ""
    pose: str = ""
    layers: str = ""

    @property
    def file(self) -> str:
        """The picture that is shown and edited: painted over, or the file itself; "" if there is none."""
        return self.painted or (self.files[self.at] if self.at < len(self.files) else "")

    @property
    def is_bulk(self) -> bool:
        return len(self.files) > 1 and not self.painted

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures that are sent, one after the other."""
        return (self.painted,) if self.painted else self.files

    @property
    def has_painted_map(self) -> bool:
        return bool(self.map) and self.map_key == PAINTED

    def to_json(self) -> dict[str, Any]:
        """As plain data, only what differs from an empty card."""
        empty = Card("", self.role)
        held = {name: getattr(self, name) for name in self.__dataclass_fields__ if getattr(self, name) != getattr(empty, name)}
        if "crop" in held:
            held["crop"] = [self.crop.zoom, self.crop.x, self.crop.y]
        return {**held, "id": self.id, "role": self.role, "files": list(self.files), "masks": list(self.masks), "settings": dict(self.settings)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Card | None:
        """A card of an earlier session; None where the row is damaged beyond use."""
        role, identity = row.get("role"), row.get("id")
        if role not in ROLES or not isinstance(identity, str) or not identity:
            return None
        texts = {name: row[name] for name in ("painted", "map", "map_key", "pose", "layers") if isinstance(row.get(name), str)}
        files, masks = (_texts(row.get(name)) for name in ("files", "masks"))
        at = row.get("at")
        settings = row.get("settings")
        return Card(
            identity,
            role,
            files[:FILES_AT_MOST],
            at if type(at) is int and 0 <= at < len(files) else 0,
            row.get("enabled", True) is not False,
            Crop.from_json(row.get("crop")),
            {str(name): value for name, value in settings.items()} if isinstance(settings, dict) else {},
            extended=row.get("extended") is True,
            masks=masks,
            **texts,
        )

    def copied(self, data: Path) -> Card:
        """The same as another card, with a canvas of its own: the files that lie in this one's folder are named in the other's, to be copied there."""
        copy = replace(self, id=new_id(), layers="")
        here, there = str(layers_folder(data, self)), str(layers_folder(data, copy))

        def place(file: str) -> str:
            return there + file[len(here) :] if Path(file).is_relative_to(here) else file

        return replace(copy, painted=place(self.painted), masks=tuple(map(place, self.masks)), map=place(self.map))


PAINTED = "painted"


def new_id() -> str:
    return uuid.uuid4().hex[:12]


def folder(data: Path) -> Path:
    """Where the folders of canvases and pasted pictures lie, in the data folder."""
    return data / "inputs"


def layers_folder(data: Path, card: Card) -> Path:
    """The folder of one card's canvas; it may not exist yet. Its name is the card's own id unless the card says otherwise."""
    return folder(data) / (card.layers or card.id)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
