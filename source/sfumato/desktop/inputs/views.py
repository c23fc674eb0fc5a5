"""What the scene draws of a card: one dictionary per card, made of rules alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.desktop.images import address
from sfumato.desktop.inputs.bulk import place_of
from sfumato.desktop.inputs.cards import CONTROL, GLYPHS, IMAGE, MASK, REFERENCE, TITLES, Card
from sfumato.desktop.inputs.contributing import Situation
from sfumato.desktop.inputs.crops import WHOLE, Box
from sfumato.desktop.inputs.extents import Extent, extent
from sfumato.desktop.inputs.faces import Faces
from sfumato.desktop.inputs.linking import Link
from sfumato.desktop.inputs.troubles import notice, trouble
from sfumato.desktop.language import tr

CELLS = (
    "cardId", "role", "title", "glyph", "face", "fileName", "address", "aspect", "boxX", "boxY", "boxWidth", "boxHeight", "zoom", "on", "acts", "owner",
    "tied", "trouble", "stops", "notice", "place", "strength", "hasSettings", "hasMap", "isPaintedMap", "isStale", "busy", "borrowed", "extent",
    "extentWords", "canPan",
)  # fmt: skip
_NARROWEST, _WIDEST = 0.5, 2.0


@dataclass(frozen=True)
class Viewing:
    """How the cards look at one moment.

    Attributes:
        wish_key: what a control's map would be computed of now.
    """

    situation: Situation
    links: Mapping[str, Link]
    faces: Faces
    is_busy: Callable[[str], bool]
    wish_key: Callable[[Card], str]

    def owner(self, card: Card) -> Card | None:
        return self._card(self.links[card.id].owner)

    def source(self, card: Card) -> Card | None:
        """Whose picture a card shows or reads: its own, or the one of its image."""
        if card.file:
            return card
        owner = self.owner(card)
        return owner if card.role == CONTROL and owner is not None and owner.file else None

    def crop_holder(self, card: Card | None) -> Card | None:
        """Whose crop is meant by a pan on a card: a mask of its image's shape moves with the image, and so does a control that reads it."""
        if card is None:
            return None
        owner = self.owner(card)
        if owner is None or not owner.file or card.role not in (MASK, CONTROL):
            return card
        if card.role == CONTROL:
            return card if card.file else owner
        own, of_image = self.faces.facts(card.file, is_mask=True), self.faces.facts(owner.file)
        if own is None or of_image is None or not all((*own.size, *of_image.size)):
            return owner
        return owner if abs(own.size[0] / own.size[1] * of_image.size[1] / of_image.size[0] - 1) < 0.01 else card

    def aspect(self, card: Card) -> float:
        """Of the frame that a card's picture fills; 0 is the picture's own."""
        group = self._group(card)
        return self.situation.aspect(group) if group is not None else 0.0

    def cell(self, card: Card) -> dict[str, Any]:
        link, situation = self.links[card.id], self.situation
        found = trouble(
            card, link, self.owner(card), situation.facts, situation.offers, situation.unreadable, inverted=situation.inverted, parts=situation.parts
        )
        source = self.source(card)
        shows_map = bool(card.map)
        face = self._face(card, source)
        aspect, box = self.frame(card, source) if not shows_map else (self._map_aspect(card), WHOLE)
        drawn = self._extent(card)
        stale = shows_map and not card.has_painted_map and not card.map_key.startswith(self.wish_key(card) or "-")
        return {
            **self.empty(card),
            "title": situation.offers.type(card).title if card.role == CONTROL else tr(TITLES[card.role]),
            "face": face,
            "fileName": Path(card.files[card.at]).name if card.at < len(card.files) else "",
            "address": address(Path(card.map or card.file)) if card.map or card.file else "",
            "aspect": min(max(aspect, _NARROWEST), _WIDEST) if aspect else 1.0,
            **dict(zip(("boxX", "boxY", "boxWidth", "boxHeight"), box, strict=True)),
            "zoom": card.crop.zoom,
            "acts": link.acts,
            "owner": link.owner,
            "tied": bool(link.owner) and not link.is_second,
            "trouble": found.sentence,
            "stops": found.stops,
            "notice": notice(card, situation.offers),
            "place": place_of(card),
            "isStale": stale,
            "busy": self.is_busy(card.id),
            "borrowed": source is not None and source is not card,
            "extent": list(_within(drawn.box, box)) if drawn else [],
            "extentWords": tr("Inpainting at lower resolution") if drawn and drawn.is_reduced else "",
            "canPan": bool(face) and not shows_map,
        }

    @staticmethod
    def empty(card: Card) -> dict[str, Any]:
        """A card before anything is known of it."""
        return dict.fromkeys(CELLS, "") | {
            "cardId": card.id,
            "role": card.role,
            "title": TITLES[card.role],
            "glyph": GLYPHS[card.role],
            "aspect": 1.0,
            "boxX": 0.0,
            "boxY": 0.0,
            "boxWidth": 1.0,
            "boxHeight": 1.0,
            "zoom": 1.0,
            "on": card.enabled,
            "acts": card.enabled,
            "tied": False,
            "stops": False,
            "strength": float(card.settings.get("weight", 1.0)) if card.role in (CONTROL, REFERENCE) else -1.0,
            "hasSettings": card.role in (CONTROL, REFERENCE),
            "hasMap": bool(card.map),
            "isPaintedMap": card.has_painted_map,
            "isStale": False,
            "busy": False,
            "borrowed": False,
            "extent": [],
            "canPan": False,
        }

    def _face(self, card: Card, source: Card | None) -> str:
        if card.map:
            return self.faces.face(card.map)
        return self.faces.face(source.file, is_mask=source.role == MASK) if source else ""

    def frame(self, card: Card, source: Card | None) -> tuple[float, Box]:
        """The aspect of a card's frame, and what of its picture fills it."""
        facts = self.faces.facts(source.file, is_mask=source.role == MASK) if source else None
        holder = self.crop_holder(card)
        if source is None or facts is None or holder is None or not all(facts.size):
            width, height = self.situation.size
            return (width / height if width and height else 1.0), WHOLE
        aspect = self.aspect(card)
        own = facts.size[0] / facts.size[1]
        return aspect or own, holder.crop.box(facts.size, aspect)

    def _map_aspect(self, card: Card) -> float:
        facts = self.faces.facts(card.map)
        return facts.size[0] / facts.size[1] if facts is not None and all(facts.size) else 1.0

    def _extent(self, card: Card) -> Extent | None:
        """What is painted of an image or its mask where only the masked part is."""
        values = self.situation.values
        group = self._group(card)
        padding = values.get("mask_padding")
        if padding is None or group is None or group.image is None or group.mask is None or card not in (group.image, group.mask):
            return None
        of_mask, of_image = self.faces.facts(group.mask.file, is_mask=True), self.faces.facts(group.image.file)
        masked = (of_mask.black if self.situation.inverted else of_mask.white) if of_mask else None
        if masked is None or of_image is None or not all((*of_image.size, *self.situation.size)):
            return None
        expand, blur = int(values.get("mask_expand") or 0), float(values.get("mask_blur") or 0)
        return extent(masked, of_image.size, self.situation.size, int(padding), expand, blur)

    def _group(self, card: Card) -> Any:
        image = card.id if card.role == IMAGE else self.links[card.id].owner
        found = self.situation.groups()
        return next((group for group in found if group.image is not None and group.image.id == image), found[0] if found[0].image is None else None)

    def _card(self, identity: str) -> Card | None:
        return next((card for card in self.situation.cards if card.id == identity), None)


def _within(box: Box, frame: Box) -> Box:
    """A box of the picture in shares of the frame."""
    return Box((box.x - frame.x) / frame.width, (box.y - frame.y) / frame.height, box.width / frame.width, box.height / frame.height)
