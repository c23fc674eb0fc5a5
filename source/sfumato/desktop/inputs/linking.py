"""What belongs to what on the strip: a card behind an image belongs to it. One mask and one regions card for an image, any number of controls.

Pure rules over the order of the cards; what of it can be used is said in `troubles`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sfumato.desktop.inputs.cards import CONTROL, IMAGE, MASK, REFERENCE, REGIONS, Card

# Of these an image has one at most.
SINGLE = (MASK, REGIONS)


@dataclass(frozen=True)
class Link:
    """Where a card belongs.

    Attributes:
        owner: id of its image, "" for none.
        is_second: the image has one of this role already, which counts.
        acts: it is on, and so is its image.
    """

    owner: str = ""
    is_second: bool = False
    acts: bool = True


@dataclass(frozen=True)
class Group:
    """An image and what belongs to it; without an image, what stands before the first one and serves every job."""

    image: Card | None
    mask: Card | None = None
    regions: Card | None = None
    steering: tuple[Card, ...] = field(default=())


def links(cards: Iterable[Card]) -> dict[str, Link]:
    """Where each card belongs, by its id."""
    found: dict[str, Link] = {}
    image: Card | None = None
    taken: set[tuple[str, str]] = set()
    for card in cards:
        if card.role == IMAGE:
            image = card
            found[card.id] = Link(acts=card.enabled)
            continue
        owner = image.id if image else ""
        acts = card.enabled and (image is None or image.enabled)
        place = (owner, card.role)
        is_second = acts and card.role in SINGLE and place in taken
        if acts:
            taken.add(place)
        found[card.id] = Link(owner, is_second, acts)
    return found


def groups(cards: Sequence[Card]) -> list[Group]:
    """What makes jobs together, of the cards that act and have something to say: a group for each image with a picture, or one without any.

    What belongs to no image serves them all; an image's own regions stand for the common ones.
    """
    held = links(cards)
    acting = [card for card in cards if held[card.id].acts and not held[card.id].is_second]
    common = [card for card in acting if card.role != IMAGE and not held[card.id].owner]
    images = [card for card in acting if card.role == IMAGE and card.pictures]
    made = [_group(image, [card for card in acting if held[card.id].owner == image.id], common) for image in images]
    return made or [_group(None, [], common)]


def _group(image: Card | None, own: Sequence[Card], common: Sequence[Card]) -> Group:
    mask = next((card for card in own if card.role == MASK and card.pictures), None)
    regions = next((card for card in (*own, *common) if card.role == REGIONS and any(card.masks)), None)
    steering = tuple(card for card in (*common, *own) if card.role in (CONTROL, REFERENCE))
    return Group(image, mask, regions, steering)


def moved(cards: Sequence[Card], identity: str, to: int) -> list[Card]:
    """The cards with one of them at place `to` of what results; an image takes what belongs to it along."""
    at = next(index for index, card in enumerate(cards) if card.id == identity)
    held = links(cards)
    block = [cards[at]]
    if cards[at].role == IMAGE:
        block += [card for card in cards[at + 1 :] if held[card.id].owner == identity]
    ids = {card.id for card in block}
    rest = [card for card in cards if card.id not in ids]
    # Places are counted with the card itself taken out; those inside its own block are where it was.
    before = sum(1 for card in cards[: to + (1 if to > at else 0)] if card.id not in ids)
    if cards[at].role == IMAGE:
        before = _between_blocks(rest, before, forward=to > at)
    return [*rest[:before], *block, *rest[before:]]


def _between_blocks(cards: Sequence[Card], place: int, *, forward: bool) -> int:
    """The nearest place where no image is torn from what belongs to it."""
    held = links(cards)
    step = 1 if forward else -1
    while 0 < place < len(cards) and held[cards[place].id].owner:
        place += step
    return place
