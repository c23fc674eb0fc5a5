"""What the cards say to a job: its mode, the plans of its pictures, and what stands in the way. No Qt but the form it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sfumato.desktop.drafts import Draft
from sfumato.desktop.inputs import OWNED
from sfumato.desktop.inputs.bulk import Take, count, takes
from sfumato.desktop.inputs.card_settings import TILE_SIZE
from sfumato.desktop.inputs.cards import CONTROL, Card
from sfumato.desktop.inputs.controls import Offers
from sfumato.desktop.inputs.linking import Group, groups
from sfumato.desktop.inputs.modes import SIDES, UPSCALE, Mode, inferred
from sfumato.desktop.inputs.sending import Plan, each, keeps_whole, planned
from sfumato.desktop.inputs.troubles import FactsOf, is_empty_mask
from sfumato.desktop.parameters import ParameterForm

# Values that decide how pictures are cropped, drawn or called.
WATCHED = (
    *("width", "height", "strength", "resize_mode", "resize_filter", "tiled", "hr_scale", "hr_width", "hr_height", "hr_upscaler"),
    *("mask_padding", "mask_invert", "mask_blur", "mask_expand", "model", *SIDES),
)


@dataclass(frozen=True)
class Situation:
    """The cards and what they are read with, at one moment."""

    cards: Sequence[Card]
    values: dict[str, Any]
    size: tuple[int, int]
    offers: Offers
    facts: FactsOf
    pixel_upscalers: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    parts: int = -1

    @staticmethod
    def values_of(form: ParameterForm) -> dict[str, Any]:
        return {name: form.value(name) for name in WATCHED if name in form.specs}

    @property
    def inverted(self) -> bool:
        return bool(self.values.get("mask_invert"))

    @cached_property
    def _groups(self) -> list[Group]:
        return groups(self.cards)

    def groups(self) -> list[Group]:
        return self._groups

    def masks(self, group: Group) -> bool:
        """Whether a group has a mask that masks anything."""
        return group.mask is not None and not is_empty_mask(group.mask, self.facts, inverted=self.inverted)

    def mode(self, group: Group) -> Mode:
        extended = group.image is not None and group.image.extended
        return inferred(self.values, image=group.image is not None, mask=self.masks(group), extended=extended, tile=self._tile(group) is not None)

    def aspect(self, group: Group) -> float:
        """Of what a group paints; 0 leaves its pictures whole."""
        if not all(self.size) or keeps_whole(self.values, with_mask=self.masks(group)):
            return 0.0
        return self.size[0] / self.size[1]

    def plans(self) -> list[Plan]:
        """What would be sent now."""
        return [self._plan(take) for take in takes(self.groups(), self.unreadable)]

    def jobs(self) -> int:
        """How many jobs would be made."""
        return max(1, count(self.groups(), self.unreadable))

    def given(self) -> dict[str, str]:
        """The parameters that the cards will put into a job, for the rows of the form that need them."""
        found = self.groups()
        has = {
            "image": any(group.image for group in found),
            "mask": any(self.masks(group) for group in found),
            "control": any(group.steering for group in found),
            "areas": any(group.regions for group in found),
        }
        return {name: "given" for name, is_given in has.items() if is_given}

    def _plan(self, take: Take) -> Plan:
        group = take.group
        mode = self.mode(group)
        tile = self._tile(group)
        params = {"tiled": "tiles", "tile_size": int(tile.settings.get(TILE_SIZE, 512))} if tile and self.values.get("tiled", "off") == "off" else {}
        upscaling = self._upscaling() if mode.kind == UPSCALE else {}
        return planned(take, mode, self.aspect(group), self.offers, with_mask=self.masks(group), params=params, upscaling=upscaling)

    def _tile(self, group: Group) -> Card | None:
        """A control that reads the image itself, tile by tile."""
        if group.image is None:
            return None
        return next((card for card in group.steering if card.role == CONTROL and self.offers.type(card).id == "tile" and not card.pictures), None)

    def _upscaling(self) -> dict[str, Any]:
        """Of a picture that is only made larger: to the size that is shown, times the factor that is shown."""
        factor = float(self.values.get("hr_scale") or 1.0)
        chosen = str(self.values.get("hr_upscaler") or "")
        upscaler = chosen if factor > 1 and chosen in self.pixel_upscalers else str(self.values.get("resize_filter") or "Lanczos")
        width, height = (round(side * factor) for side in self.size)
        return {"upscaler": upscaler, **({"width": width, "height": height} if width and height else {"scale": factor})}


def contribute(draft: Draft, situation: Situation, stop: str) -> None:
    """Put the cards into a draft; `stop` is the sentence of a card that cannot be used, or ""."""
    draft.obstacle = draft.obstacle or stop
    if draft.obstacle:
        return
    for name in OWNED:
        draft.params.pop(name, None)
    plans = situation.plans()
    if not any(plan.has_anything for plan in plans):
        return
    if len(plans) == 1:
        draft.later += each(plans)
    else:
        draft.series += each(plans)
