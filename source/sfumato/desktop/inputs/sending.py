"""From the cards to a job: what is decided when Generate is pressed (`Plan`), and what is read for it afterwards, away from the GUI thread (`fill`).

No Qt. A plan holds names of files and boxes, never cards, so that what changes later does not reach the job.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.desktop.drafts import Frozen
from sfumato.desktop.inputs.bulk import Take
from sfumato.desktop.inputs.cards import Card
from sfumato.desktop.inputs.controls import Offers, unit_fields
from sfumato.desktop.inputs.crops import WHOLE, Box, Crop, Size
from sfumato.desktop.inputs.modes import UPSCALE, Mode
from sfumato.desktop.inputs.reading import glance, sent
from sfumato.protocol.params.sampling import SEED_MAX
from sfumato.protocol.requests.upscale import Upscale

# Pictures of one shape, within this, are cropped alike.
_SAME_ASPECT = 0.01


@dataclass(frozen=True)
class Part:
    """A picture to send: its file and what of it. An `aspect` of 0 is the picture's own."""

    path: Path
    crop: Crop
    aspect: float

    def box(self) -> Box:
        """Raises `ImageUnreadable`."""
        return self.crop.box(_size(self.path), self.aspect)


@dataclass(frozen=True)
class Unit:
    """One control: the fields that are settled, and its picture; None reads the image of the job."""

    fields: Mapping[str, Any]
    picture: Part | None


@dataclass(frozen=True)
class Plan:
    """One job of the strip. `number` of the jobs before it; `upscaling` are the fields of an Upscale request."""

    mode: Mode
    number: int = 0
    image: Part | None = None
    mask: Part | None = None
    units: tuple[Unit, ...] = ()
    areas: tuple[Part | None, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    upscaling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_anything(self) -> bool:
        return bool(self.image or self.units or self.areas)


def planned(take: Take, mode: Mode, aspect: float, offers: Offers, *, with_mask: bool, **more: Any) -> Plan:
    """The plan of one job.

    Args:
        aspect: width/height of what is painted; 0 leaves pictures whole.
        with_mask: its mask is not empty.
        more: `params` and `upscaling` of the plan.
    """
    group = take.group

    def part(card: Card, file: str) -> Part:
        return Part(Path(file), card.crop, aspect)

    image = part(group.image, take.files[group.image.id]) if group.image else None
    mask = part(group.mask, take.files[group.mask.id]) if group.mask and with_mask and take.files.get(group.mask.id) else None
    regions = group.regions
    areas = tuple(Part(Path(file), regions.crop, aspect) if file else None for file in _until_last(regions.masks)) if regions else ()
    units = tuple(Unit(unit_fields(card, offers), _picture(card, take.files.get(card.id, ""), aspect)) for card in group.steering)
    return Plan(mode, take.number, image, mask, units, areas, **more)


def fill(plan: Plan, frozen: Frozen) -> None:
    """Read the pictures of a plan into a job; not on the GUI thread. Raises `ImageUnreadable` naming the file."""
    if "seed" in frozen.params and plan.number:
        count = int(frozen.params.get("batch_size", 1)) * int(frozen.params.get("batch_count", 1))
        frozen.params["seed"] = (int(frozen.params["seed"]) + plan.number * count) % (SEED_MAX + 1)
    box = WHOLE
    if plan.image is not None:
        box = plan.image.box()
        frozen.params["image"] = frozen.keep(sent(plan.image.path, box))
    if plan.mode.kind == UPSCALE:
        frozen.kind = UPSCALE
        known = {name: value for name, value in frozen.params.items() if name in Upscale.model_fields and name not in ("width", "height")}
        frozen.params = {**known, **plan.upscaling, "images": [frozen.params["image"]]}
        return
    of_image = _size(plan.image.path) if plan.image else None
    if plan.mask is not None:
        frozen.params["mask"] = frozen.keep(sent(plan.mask.path, _along(plan.mask, of_image, box), is_mask=True))
    if plan.units:
        frozen.params["control"] = [{**unit.fields, **_kept(unit.picture, frozen)} for unit in plan.units]
    if plan.areas:
        areas = [None if part is None else sent(part.path, _along(part, of_image, box), is_mask=True) for part in plan.areas]
        frozen.params["areas"] = [frozen.keep(data if data is not None else _everywhere()) for data in areas]
    frozen.params.update(plan.params)


def keeps_whole(values: Mapping[str, Any], *, with_mask: bool) -> bool:
    """Whether pictures are sent in their own aspect: where the engine is told to meet another one in its own way, or paints into the picture as it is."""
    resized = values.get("resize_mode", "crop") != "crop"
    into = with_mask and values.get("mask_padding") is not None
    own_size = values.get("tiled", "off") != "off" and not values.get("width") and not values.get("height")
    return bool(resized or into or own_size)


def size_taken(size: Size, native: Size) -> Size:
    """The size to paint at for a picture of `size`: its own in steps of 8, or, where that is far more than the model was made for, its shape at the model's."""
    width, height = size
    if native[0] and native[1] and width * height > 4 * native[0] * native[1]:
        share = (native[0] * native[1] / (width * height)) ** 0.5
        width, height = width * share, height * share
    return tuple(max(64, min(16384, 8 * round(side / 8))) for side in (width, height))  # type: ignore[return-value]  # two of two


def each(plans: Sequence[Plan]) -> list[Callable[[Frozen], None]]:
    """The work of each plan."""
    return [lambda frozen, plan=plan: fill(plan, frozen) for plan in plans]


def _picture(card: Card, file: str, aspect: float) -> Part | None:
    if card.has_painted_map:
        return Part(Path(card.map), Crop(), 0)
    return Part(Path(file), card.crop, aspect) if file else None


def _kept(part: Part | None, frozen: Frozen) -> dict[str, str]:
    return {"image": frozen.keep(sent(part.path, part.box()))} if part else {}


def _along(part: Part, of_image: Size | None, box: Box) -> Box:
    """A mask of its image's shape is cropped as the image is; another goes by its own crop."""
    size = _size(part.path)
    if of_image and abs(size[0] / size[1] * of_image[1] / of_image[0] - 1) < _SAME_ASPECT:
        return box
    return part.crop.box(size, part.aspect)


def _size(path: Path) -> Size:
    facts = glance(path)
    if facts.problem:
        # Says it again with the right error.
        sent(path)
    return facts.size


def _until_last(masks: Sequence[str]) -> Sequence[str]:
    last = max((index for index, file in enumerate(masks) if file), default=-1)
    return masks[: last + 1]


def _everywhere() -> bytes:
    """A part of the prompt whose layer is empty acts everywhere, as one without a layer does."""
    from PIL import Image  # late: only here

    held = io.BytesIO()
    Image.new("L", (8, 8), 255).save(held, "PNG")
    return held.getvalue()
