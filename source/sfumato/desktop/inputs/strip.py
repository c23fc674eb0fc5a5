"""The strip of inputs: `studio.inputs`, a list of cards that QML draws and that other rooms add to.

Cards are changed by making new ones, so that a step of undo is the list as it was. What is wrong with a card, what belongs to what, which mode results and what
is sent are rules of the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QImage

from sfumato.desktop.inputs import card_settings, maps
from sfumato.desktop.inputs.browsing import Browser
from sfumato.desktop.inputs.bulk import is_picture
from sfumato.desktop.inputs.card_list import CardList, Cards
from sfumato.desktop.inputs.cards import (
    CARDS_AT_MOST,
    CONTROL,
    FILES_AT_MOST,
    IMAGE,
    MASK,
    PAINTED,
    REFERENCE,
    REGIONS,
    ROLES,
    TITLES,
    Card,
    layers_folder,
    new_id,
)
from sfumato.desktop.inputs.contributing import Situation, contribute
from sfumato.desktop.inputs.controls import Offers
from sfumato.desktop.inputs.crops import WHOLE, Box, Crop
from sfumato.desktop.inputs.faces import Faces
from sfumato.desktop.inputs.gathering import copied, gathered, offer, pasted
from sfumato.desktop.inputs.linking import links, moved
from sfumato.desktop.inputs.maps import Maps
from sfumato.desktop.inputs.reading import Facts
from sfumato.desktop.inputs.sending import Part, size_taken
from sfumato.desktop.inputs.views import Viewing
from sfumato.desktop.language import inside, tr
from sfumato.desktop.numbers import NotANumber, OutOfRange
from sfumato.desktop.parameters.values import file_of
from sfumato.desktop.shell import Shell
from sfumato.library.carrying import copy as copy_canvas
from sfumato.prompts.composition import find_ands


class InputStrip(CardList):
    """What a person and other rooms do with the cards."""

    told = pyqtSignal()  # what the cards make may have changed
    settingsChanged = pyqtSignal(str)  # card
    regionsChanged = pyqtSignal()  # there are regions now, or none any more

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        restored = tuple(card for row in shell.session.restored("inputs", list, []) if isinstance(row, dict) and (card := Card.from_json(row)))
        super().__init__(restored or _of_older_session(shell.session.restored("parameters", dict, {})), parent)
        self._shell = shell
        self._mode, self._jobs, self._obstacle = "", 1, ""
        self._choices: dict[str, Any] = {}
        self._watched: dict[str, Any] = {}
        self._size = (0, 0)
        self._parts = -1
        self._problems: dict[tuple[str, str], str] = {}
        self.faces = Faces(self)
        self._browser = Browser(shell, self)
        self._maps = Maps(shell, self.find, self._take_map, self._tell, self)
        self.faces.seen.connect(lambda path: self._tell())
        shell.session.keep("inputs", lambda: [card.to_json() for card in self._cards])
        shell.drafting.add(lambda draft: contribute(draft, self.situation, self._obstacle))
        shell.engine.greeted.connect(self._greeted)
        shell.parameters.changed.connect(self._form_changed)
        for card in self._cards:
            self.faces.glance(list(card.files))
        self._form_changed()
        self._tell()

    # -- what other rooms ask ----------------------------------------------------------------------

    def file(self, card: Card | str) -> str:
        """The picture of a card as it is shown and edited: a control's map where there is one, else what was painted or opened; "" for an empty one."""
        found = self.find(card) if isinstance(card, str) else card
        return (found.map or found.file) if found else ""

    def layers(self, card: Card | str) -> Path | None:
        """The folder of a card's canvas, which may not exist yet; None once the card is gone."""
        found = self.find(card) if isinstance(card, str) else card
        return layers_folder(self._shell.places.data, found) if found else None

    def take_painted(self, identity: str, path: str, extended: bool = False) -> None:
        """Show and send `path`, the flattened canvas of a card, instead of its file; "" goes back to the file.

        Args:
            extended: the canvas is larger than the picture it began with; the job then takes its size, and is called outpainting.
        """
        card = self.find(identity)
        if card is None:
            return
        self.faces.forget(path)
        self._tell()
        if card.role == CONTROL:
            self._replace(replace(card, map=path, map_key=PAINTED if path else "", pose=card.pose if path else ""), tr("Paint on a map"))
        else:
            self._replace(replace(card, painted=path, extended=bool(path) and extended), tr("Paint on a card"))
            if extended and not card.extended:
                self._take_size(identity)

    def take_regions(self, identity: str, masks: Sequence[str], preview: str) -> None:
        """Take the masks of a regions card, one for each numbered layer ("" where nothing is painted), and a picture that shows them together."""
        card = self.find(identity)
        if card is not None:
            for path in (*masks, preview):
                self.faces.forget(path)
            self._tell()
            self._replace(replace(card, masks=tuple(masks), painted=preview), tr("Paint regions"))

    def take_pose(self, identity: str, path: str, pose: str) -> None:
        """Take a control's map as a person posed it, and its joints, OpenPose's JSON; it is used as it is. Poses kept in one file are one step."""
        card = self.find(identity)
        if card is not None:
            self.faces.forget(path)
            self._tell()
            self._replace(replace(card, map=path, map_key=PAINTED, pose=pose), tr("Change the pose"), key=f"pose:{path}")

    def under(self, identity: str) -> tuple[str, Box]:
        """The picture that a control reads, "" where there is none, and what of it."""
        card, viewing = self.find(identity), self._viewing
        source = viewing.source(card) if card is not None else None
        return (source.file, viewing.frame(card, source)[1]) if card is not None and source is not None else ("", WHOLE)

    def is_computing(self, identity: str) -> bool:
        """Whether the map of a control is being computed."""
        return self._maps.is_busy(identity)

    def hear_prompt(self, text: str) -> None:
        """Regions go with the parts of the prompt; typing anything but AND costs nothing."""
        parts = len(find_ands(text)) if any(card.role == REGIONS for card in self._cards) else -1
        if parts != self._parts:
            self._parts = parts
            self._tell()

    @pyqtSlot(str, str, result=str)
    def add(self, path: str, role: str = IMAGE) -> str:
        """Put a picture on a card of its own behind the chosen one, an image at the end; the card's id. A folder becomes a bulk card a little later."""
        if role not in ROLES:
            raise ValueError(f"'{role}' is no role of a card; the roles are {', '.join(ROLES)}.")
        if is_picture(path):
            return self._insert(role, (path,), None)
        self.takeFiles([path], role, -1, "")
        return ""

    # -- filling -----------------------------------------------------------------------------------

    @pyqtSlot(list, str, int, str)
    def takeFiles(self, paths: list[str], role: str, at: int, onto: str) -> None:
        """Files or folders, or file: addresses: a card at place `at` (-1: where it belongs), or into the card `onto`. Many become one bulk card."""

        def done(files: list[str]) -> None:
            if not files:
                self._shell.notices.show(tr("There is no picture in what was dropped. Pictures are PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF."), kind="note")
            elif onto:
                self._fill(onto, tuple(files))
            else:
                self._insert(role if role in ROLES else IMAGE, tuple(files), at if at >= 0 else None)

        self._shell.disk.run(partial(gathered, paths, FILES_AT_MOST), done, self._shell.complain)

    @pyqtSlot(str, str, result=str)
    def addEmpty(self, role: str, kind: str = "") -> str:
        """A card without a picture: to be painted, to be filled, or a control that reads its image."""
        return self._insert(role, (), None, {"type": kind} if kind and role == CONTROL else {})

    @pyqtSlot(result=bool)
    def paste(self) -> bool:
        """Put what the clipboard holds on a card: files, or a picture, which is kept in the data folder. False where it holds neither."""
        found = pasted(self._shell.places.data)
        if found is not None:
            self._shell.disk.run(found, lambda paths: self.takeFiles(paths, IMAGE, -1, ""), self._shell.complain)
        return found is not None

    @pyqtSlot(str)
    def copy(self, identity: str) -> None:
        """Offer the picture of a card to other programs, as a file and as an image."""
        path = self.file(identity)
        if path:
            self._shell.disk.run(lambda: QImage(path), partial(offer, path), self._shell.complain)

    @pyqtSlot(str, result=str)
    def copyName(self, identity: str) -> str:
        """A name for a copy of a card's picture, in the outputs folder."""
        path = Path(self.file(identity) or "picture.png")
        return str(self._shell.places.outputs / "copies" / f"{path.stem}{path.suffix or '.png'}")

    @pyqtSlot(str, str)
    def saveCopy(self, identity: str, target: str) -> None:
        """Write a card's picture to another file, never over an existing one."""
        path = self.file(identity)
        if path:
            self._shell.disk.run(
                partial(copied, Path(path), file_of(target)),
                lambda kept: self._shell.notices.show(tr("The copy is {file}.", file=kept), kind="note"),
                self._shell.complain,
            )

    def _insert(self, role: str, files: tuple[str, ...], at: int | None, settings: dict[str, Any] | None = None) -> str:
        if len(self._cards) >= CARDS_AT_MOST:
            self._shell.notices.show(tr("There are {count} inputs already. Remove one first.", count=CARDS_AT_MOST), kind="note")
            return ""
        card = Card(new_id(), role, files[:FILES_AT_MOST], settings=settings or {})
        place = self._place_for(role) if at is None else max(0, min(at, len(self._cards)))
        is_first_image = role == IMAGE and all(other.role != IMAGE or not other.pictures for other in self._cards)
        self._set((*self._cards[:place], card, *self._cards[place:]), tr("Add {role}", role=inside(tr(TITLES[role]))))
        self._pick(card.id)
        self.faces.glance(list(card.files))
        if is_first_image and files:
            self._take_size(card.id)
        return card.id

    def _place_for(self, role: str) -> int:
        """Behind the chosen card and what belongs to it; a further image stands at the end."""
        current = self.current
        if role == IMAGE or current < 0:
            return len(self._cards)
        place = current + 1
        while place < len(self._cards) and self._cards[place].role != IMAGE:
            place += 1
        return place

    def _fill(self, identity: str, files: tuple[str, ...]) -> None:
        card = self.find(identity)
        if card is None:
            return
        self._replace(
            replace(card, files=files[:FILES_AT_MOST], at=0, crop=Crop(), painted="", extended=False, map="", map_key="", pose=""), tr("Replace a picture")
        )
        self.faces.glance(list(files))
        if card.role == IMAGE and not card.pictures:
            self._take_size(identity)

    def _take_size(self, identity: str) -> None:
        """Dropping an image takes its size."""

        def then(facts: Facts) -> None:
            card, model = self.find(identity), self.situation.offers.model
            if card is None or not all(facts.size):
                return
            native = tuple(int(model.get(side) or 0) for side in ("width", "height"))
            width, height = size_taken(facts.size, (native[0], native[1]))
            form = self._shell.parameters
            if (form.side("width"), form.side("height")) != (width, height):
                form.apply({"width": width, "height": height}, tr("Take the size of the image"))

        card = self.find(identity)
        if card is not None and card.file:
            self.faces.when_known(card.file, then)

    # -- changing ----------------------------------------------------------------------------------

    @pyqtSlot(str)
    def remove(self, identity: str) -> None:
        self._set(tuple(card for card in self._cards if card.id != identity), tr("Remove a card"))

    @pyqtSlot(str)
    def duplicate(self, identity: str) -> None:
        """Put a card with the same pictures behind it; what was painted is copied, so that each is painted on alone."""
        card = self.find(identity)
        if card is None:
            return
        data = self._shell.places.data
        twin = card.copied(data)

        def insert(_: object) -> None:
            place = self.indexOf(identity) + 1 or len(self._cards)
            self._set((*self._cards[:place], twin, *self._cards[place:]), tr("Duplicate a card"))
            self._pick(twin.id)

        if (twin.painted, twin.masks, twin.map) == (card.painted, card.masks, card.map):
            insert(None)
        else:
            self._shell.disk.run(partial(copy_canvas, layers_folder(data, card), layers_folder(data, twin)), insert, self._shell.complain)

    @pyqtSlot(str)
    def clear(self, identity: str) -> None:
        """Take the picture off a card; the card stays, and so do files and layers."""
        self._change(identity, tr("Clear a card"), files=(), at=0, painted="", extended=False, masks=(), map="", map_key="", pose="", crop=Crop())

    @pyqtSlot(str, str)
    def setRole(self, identity: str, role: str) -> None:
        if role in ROLES:
            self._change(identity, tr("Change what a card is for"), role=role)

    @pyqtSlot(str, bool)
    def enable(self, identity: str, on: bool) -> None:
        self._change(identity, tr("Switch a card on") if on else tr("Switch a card off"), enabled=on)

    @pyqtSlot(str, int)
    def move(self, identity: str, to: int) -> None:
        """Bring a card to a place among all; an image takes along what belongs to it."""
        if self.find(identity) is not None:
            self._set(tuple(moved(self._cards, identity, max(0, min(to, len(self._cards) - 1)))), tr("Move a card"))

    @pyqtSlot(str, int)
    def shift(self, identity: str, distance: int) -> None:
        """One place to the left or right; an image with what belongs to it goes past the next image."""
        card = self.find(identity)
        if card is None:
            return
        before = self._cards
        place = before.index(card)
        to = place + distance
        while 0 <= to < len(before) and tuple(moved(before, identity, to)) == before:
            to += distance
        if 0 <= to < len(before):
            self.move(identity, to)

    @pyqtSlot(str, int)
    def step(self, identity: str, distance: int) -> None:
        """Show the next or the last picture of a bulk card."""
        card = self.find(identity)
        if card is not None and card.files:
            self._quietly(replace(card, at=(card.at + distance) % len(card.files)))

    @pyqtSlot(str, float, float)
    def pan(self, identity: str, dx: float, dy: float) -> None:
        """Move the picture under its frame by shares of the frame."""
        self._crop(identity, lambda crop, size, aspect: crop.panned(size, aspect, dx, dy))

    @pyqtSlot(str, float, float, float)
    def zoom(self, identity: str, factor: float, x: float, y: float) -> None:
        """Nearer or farther, around a point of the frame (shares)."""
        self._crop(identity, lambda crop, size, aspect: crop.zoomed(size, aspect, factor, x, y))

    def _crop(self, identity: str, changed: Callable[[Crop, tuple[int, int], float], Crop]) -> None:
        viewing = self._viewing
        card = viewing.crop_holder(self.find(identity))
        facts = self.faces.facts(card.file) if card else None
        if card is not None and facts is not None and all(facts.size):
            crop = changed(card.crop, facts.size, viewing.aspect(card))
            if crop != card.crop:
                self._change(card.id, tr("Crop a picture"), key=f"crop:{card.id}", crop=crop)

    @pyqtSlot(str)
    def resetCrop(self, identity: str) -> None:
        card = self._viewing.crop_holder(self.find(identity))
        if card is not None:
            self._change(card.id, tr("Crop a picture"), crop=Crop())

    # -- controls ----------------------------------------------------------------------------------

    @pyqtSlot(str, result="QVariantList")
    def settings(self, identity: str) -> list[dict[str, Any]]:
        """The settings of a control or reference card."""
        card = self.find(identity)
        if card is None or card.role not in (CONTROL, REFERENCE):
            return []
        rows = card_settings.rows(card, self.situation.offers)
        return [{**row, "problem": self._problems.get((identity, row["name"]), "")} for row in rows]

    @pyqtSlot(str, str, str, result=bool)
    def set(self, identity: str, name: str, text: str) -> bool:
        """Take a setting as typed or chosen, "" the default; False, and its row says why, where it cannot be taken."""
        card = self.find(identity)
        if card is None:
            return False
        try:
            changed = card_settings.taken(card, name, text, self.situation.offers)
        except (NotANumber, OutOfRange) as error:
            self._problems[identity, name] = str(error)
            self.settingsChanged.emit(identity)
            return False
        self._problems.pop((identity, name), None)
        self._replace(changed, tr("Change a control"), key=f"card:{identity}:{name}")
        self.settingsChanged.emit(identity)
        return True

    @pyqtSlot(str)
    def refresh(self, identity: str) -> None:
        """Compute the map of a control card and show it there."""
        wish = self._wish(self.find(identity))
        if wish is not None:
            self._maps.refresh(wish)

    @pyqtSlot(str)
    def dropMap(self, identity: str) -> None:
        """Go back from a map, painted or computed, to the picture."""
        self._change(identity, tr("Drop a map"), map="", map_key="", pose="")

    def _wish(self, card: Card | None) -> maps.Wish | None:
        source = self._viewing.source(card) if card is not None and card.role == CONTROL else None
        if card is None or source is None:
            return None
        situation = self.situation
        aspect = self._viewing.aspect(source)
        return maps.wish(card, Part(Path(source.file), source.crop, aspect), situation.size if aspect else (0, 0), situation.offers)

    def _take_map(self, card: Card) -> None:
        self._quietly(card)

    # -- what QML reads ----------------------------------------------------------------------------

    @pyqtProperty(str, notify=told)
    def mode(self) -> str:
        """What would be made now: "Txt2Img", "Inpainting", ..."""
        return self._mode

    @pyqtProperty(int, notify=told)
    def jobs(self) -> int:
        """How many jobs Generate makes of the cards."""
        return self._jobs

    @pyqtProperty(str, notify=told)
    def obstacle(self) -> str:
        """Why nothing can be sent, "" if it can."""
        return self._obstacle

    @pyqtProperty("QVariantList", notify=told)
    def controlTypes(self) -> list[dict[str, str]]:
        """The kinds of control that "+" offers."""
        offers = self.situation.offers
        return [{"value": row.id, "label": tr(row.title), "words": tr(str(offers.row(offers.first(row)).get("description") or ""))} for row in offers.types()]

    @pyqtProperty(QObject, constant=True)
    def browser(self) -> Browser:
        """The folders that pictures are chosen from."""
        return self._browser

    @pyqtProperty(bool, notify=told)
    def offersReferences(self) -> bool:
        return self.situation.offers.offers_references()

    @pyqtProperty("QVariantList", constant=True)
    def roles(self) -> list[dict[str, str]]:
        return [{"value": role, "label": tr(TITLES[role]), "inside": inside(tr(TITLES[role]))} for role in (IMAGE, MASK, CONTROL, REFERENCE, REGIONS)]

    # -- inside ------------------------------------------------------------------------------------

    @property
    def situation(self) -> Situation:
        """Everything that decides what is made now."""
        choices = self._choices
        model = next((row for row in choices.get("models", ()) if row.get("value") == self._watched.get("model")), {})
        offers = Offers(choices.get("preprocessors", ()), choices.get("control_models", ()), choices.get("image_encoders", ()), model, bool(choices))
        pixels = frozenset(str(row["value"]) for row in choices.get("picture_upscalers", ()))
        return Situation(self._cards, self._watched, self._size, offers, self._facts, pixels, self.faces.unreadable, self._parts)

    def _facts(self, path: str) -> Facts | None:
        return self.faces.facts(path, is_mask=path in self.mask_files)

    @property
    def _viewing(self) -> Viewing:
        return Viewing(self.situation, links(self._cards), self.faces, self._maps.is_busy, self._wish_key)

    def _wish_key(self, card: Card) -> str:
        wish = self._wish(card)
        return wish.key if wish else ""

    def _greeted(self, catalog: dict[str, Any]) -> None:
        self._choices = dict(catalog.get("choices") or {})
        self._form_changed()
        self._tell()

    def _form_changed(self) -> None:
        form = self._shell.parameters
        watched = Situation.values_of(form)
        size = (form.side("width"), form.side("height"))
        if (watched, size) != (self._watched, self._size):
            self._watched, self._size = watched, size
            self._tell()

    def _change(self, identity: str, words: str, key: str = "", **fields: Any) -> None:
        card = self.find(identity)
        if card is not None:
            self._replace(replace(card, **fields), words, key)

    def _replace(self, card: Card, words: str, key: str = "") -> None:
        self._set(tuple(card if other.id == card.id else other for other in self._cards), words, key)

    def _quietly(self, card: Card) -> None:
        """A change that nobody takes back: which picture is shown, a map that was computed."""
        self._put(tuple(card if other.id == card.id else other for other in self._cards))

    def _set(self, after: Cards, words: str, key: str = "") -> None:
        """Change the cards as a step of undo."""
        before = self._cards
        if after != before:
            self._put(after)
            self._shell.edits.push(words, partial(self._put, before), partial(self._put, after), key)

    def _put(self, after: Cards) -> None:
        self._arrange(after)
        self._tell()
        if any(card.role == REGIONS for card in after) != (self._parts >= 0):
            self.regionsChanged.emit()
        self._shell.session.touch()

    def _tell(self) -> None:
        """Draw again what has changed, and tell the form what the cards bring."""
        viewing = self._viewing
        situation = viewing.situation
        cells = [viewing.cell(card) for card in self._cards]
        self._mode, self._jobs = situation.mode(situation.groups()[0]).title, situation.jobs()
        self._obstacle = next((cell["trouble"] for cell in cells if cell["stops"]), "")
        self._draw(cells)
        self._shell.parameters.give(situation.given())
        self.told.emit()
        self.changed.emit()

    def close(self) -> None:
        self.faces.close()


def _of_older_session(parameters: Mapping[str, Any]) -> Cards:
    """The picture and mask that stood among the parameters before there were cards."""
    found = ((role, parameters.get(role)) for role in (IMAGE, MASK))
    return tuple(Card(new_id(), role, (path,)) for role, path in found if isinstance(path, str) and path)
