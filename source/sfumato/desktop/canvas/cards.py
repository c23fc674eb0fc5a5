"""Between the canvas and the strip of inputs: what a card's canvas is, and what becomes of the card when it was painted on."""

from __future__ import annotations

from pathlib import Path

from sfumato.desktop.canvas.keeping import Files, Subject
from sfumato.desktop.canvas.layers import MASK, PAINT, REGION
from sfumato.desktop.inputs import cards
from sfumato.desktop.inputs.cards import Card
from sfumato.desktop.inputs.linking import links
from sfumato.desktop.inputs.strip import InputStrip
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell

_KINDS = {cards.MASK: MASK, cards.REGIONS: REGION}
# A card without a picture and without a size set.
_BLANK_PX = 512


class InputCards:
    """The cards of the strip, as the canvas needs them."""

    def __init__(self, shell: Shell, strip: InputStrip) -> None:
        self._shell = shell
        self._strip = strip

    def subject(self, card: str) -> Subject | None:
        found = self._strip.find(card)
        if found is None:
            return None
        kind = _KINDS.get(found.role, PAINT)
        picture = self._below(found)
        folder = cards.layers_folder(self._shell.places.data, found)
        return Subject(card, kind, folder, Path(picture) if picture else None, self._blank(), tr(cards.TITLES[found.role]))

    def take(self, card: str, files: Files) -> None:
        found = self._strip.find(card)
        if found is None:
            return
        if found.role == cards.REGIONS:
            self._strip.take_regions(card, files.masks, files.preview)
        elif found.role == cards.MASK:
            self._strip.take_painted(card, files.mask)
        else:
            self._strip.take_painted(card, files.picture, files.is_extended and found.role == cards.IMAGE)
            if files.is_extended and found.role == cards.IMAGE:
                self._mask_what_was_added(found, files.mask)

    def _below(self, card: Card) -> str:
        """The file that is painted over: a card's own; of a mask or regions the picture they belong to, as it is shown."""
        if card.role not in _KINDS:
            own = card.files[card.at] if card.at < len(card.files) else ""
            return own or (card.map if card.map_key != cards.PAINTED else "")
        owner = self._strip.find(links(self._strip.cards)[card.id].owner)
        return owner.file if owner is not None else ""

    def _blank(self) -> tuple[int, int]:
        """An empty canvas is as large as what will be made."""
        form = self._shell.parameters
        width, height = (int(form.value(name) or 0) for name in ("width", "height"))
        return (width or _BLANK_PX, height or _BLANK_PX)

    def _mask_what_was_added(self, image: Card, mask: str) -> None:
        """An extended picture without a mask of its own gets one: what was added is to be made."""
        held = links(self._strip.cards)
        if any(held[card.id].owner == image.id and card.role == cards.MASK for card in self._strip.cards):
            return
        place = next(index for index, card in enumerate(self._strip.cards) if card.id == image.id)
        self._strip.choose(place)
        self._strip.add(mask, cards.MASK)
