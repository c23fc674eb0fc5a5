"""What is wrong with a card as it is placed, and what to do: the words of its badge. Rules D45 and D57."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.desktop.inputs.cards import CONTROL, IMAGE, MASK, REFERENCE, REGIONS, Card
from sfumato.desktop.inputs.controls import Offers
from sfumato.desktop.inputs.linking import Link
from sfumato.desktop.inputs.reading import Facts
from sfumato.desktop.language import tr

LISTED = 5
FactsOf = Callable[[str], Facts | None]


@dataclass(frozen=True)
class Trouble:
    """One sentence; `stops`: nothing can be sent until it is mended."""

    sentence: str = ""
    stops: bool = False


NO_TROUBLE = Trouble()


def trouble(
    card: Card,
    link: Link,
    owner: Card | None,
    facts: FactsOf,
    offers: Offers,
    unreadable: frozenset[str] = frozenset(),
    *,
    inverted: bool = False,
    parts: int = -1,
) -> Trouble:
    """The first thing that is wrong with a card that acts; cards that are off have no troubles.

    Args:
        owner: the image it belongs to.
        facts: what is known of a file, None while it is being looked at.
        unreadable: files that were looked at and cannot be read.
        inverted: masks are read the other way round.
        parts: how many parts of the prompt stand behind an AND; -1 where that is not known.
    """
    if not link.acts:
        return NO_TROUBLE
    placed = _placed(card, link, owner)
    if placed.stops:
        return placed
    unread = [file for file in card.pictures if file in unreadable] if unreadable else []
    if unread and len(unread) == len(card.pictures):
        return Trouble(_all_unread(unread, facts), stops=True)
    if card.role == MASK and is_empty_mask(card, facts, inverted=inverted):
        return Trouble(tr("Nothing is masked: the mask is all black, so it counts as none. Paint on it, or remove it."))
    if card.role in (CONTROL, REFERENCE) and offers.known and (found := _model(card, offers)).sentence:
        return found
    if unread:
        return Trouble(_some_unread(unread))
    if card.role == REGIONS and any(card.masks) and parts >= 0:
        return _regions(card.masks, parts)
    return placed


def is_empty_mask(card: Card, facts: FactsOf, *, inverted: bool) -> bool:
    """No place of any of its pictures is to be repainted."""
    for file in card.pictures:
        found = facts(file)
        if found is None or not found.looked or (found.black if inverted else found.white) is not None:
            return False
    return bool(card.pictures)


def notice(card: Card, offers: Offers) -> str:
    """What is unusual, but not wrong, about a control card."""
    if card.role != CONTROL or card.has_painted_map or not offers.known:
        return ""
    row = offers.type(card)
    chosen = offers.preprocessor(card)
    return "" if chosen in row.preprocessors or chosen == "none" else tr("Non-standard preprocessor")


def _placed(card: Card, link: Link, owner: Card | None) -> Trouble:
    has_picture = bool(card.pictures)
    if card.role == MASK and owner is None:
        return Trouble(tr("A mask needs an image to its left. Drag it behind one, or add an image."), stops=True)
    if card.role == MASK and owner is not None and not owner.pictures:
        return Trouble(tr("The image of this mask has no picture yet. Open one, or remove the mask."), stops=True)
    if link.is_second and card.role == MASK:
        return Trouble(tr("This image has a mask already. Remove one of the two, or put this one behind another image."), stops=True)
    if link.is_second:
        return Trouble(tr("There are regions here already. Remove one of the two, or put these behind another image."), stops=True)
    if card.role == IMAGE and not has_picture:
        return Trouble(tr("No picture yet. Open or drop one."))
    if card.role == MASK and not has_picture:
        return Trouble(tr("Nothing is masked yet. Open the card and paint what is to change, or open a mask."))
    if card.role == REFERENCE and not has_picture:
        return Trouble(tr("No picture yet. Open or drop the one to resemble."), stops=True)
    if card.role == CONTROL and not has_picture and (owner is None or not owner.pictures) and not card.has_painted_map:
        return Trouble(tr("There is no picture to read. Open one, or put the card behind an image."), stops=True)
    if card.role == REGIONS and not any(card.masks):
        return Trouble(tr("No region is painted yet. Open the card and paint where each part behind AND acts."))
    return NO_TROUBLE


def _regions(masks: Sequence[str], parts: int) -> Trouble:
    """A layer without text, or text without a layer."""
    idle = [number for number, mask in enumerate(masks, 1) if mask and number > parts]
    bare = [number for number in range(1, parts + 1) if number > len(masks) or not masks[number - 1]]
    if idle:
        return Trouble(tr("Region {number} has no text. Write another part of the prompt behind AND, or clear the region.", number=idle[0]))
    if bare:
        return Trouble(tr("Part {number} behind AND has no region, so it acts everywhere. Paint one for it.", number=bare[0]))
    return NO_TROUBLE


def _model(card: Card, offers: Offers) -> Trouble:
    name = offers.control_model(card)
    title = offers.type(card).title if card.role == CONTROL else tr("image prompt")
    if not name:
        family = f" {offers.family}" if offers.family else ""
        words = tr(
            "There is no {title} model for{family}. Put one into models/controlnet, then choose File, Reload engine.", title=title, family=family or " it"
        )
        return Trouble(words, stops=True)
    if other := offers.is_of_other_family(name):
        words = tr("'{name}' is for {other}, the checkpoint is {family}. Choose another control model.", name=name, other=other, family=offers.family)
        return Trouble(words, stops=True)
    if all(row["value"] != name for row in offers.models):
        return Trouble(tr("The control model '{name}' is missing. Choose another one.", name=name), stops=True)
    return NO_TROUBLE


def _all_unread(files: Sequence[str], facts: FactsOf) -> str:
    known = facts(files[0])
    return known.problem if known is not None and len(files) == 1 else tr("None of these {count} pictures can be read.", count=len(files))


def _some_unread(files: Sequence[str]) -> str:
    names = ", ".join(Path(file).name for file in files[:LISTED])
    more = tr(" and {count} more", count=len(files) - LISTED) if len(files) > LISTED else ""
    return tr("Left out, because they cannot be read: {names}{more}.", names=names, more=more)
