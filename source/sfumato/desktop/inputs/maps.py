"""Maps of control cards: an `annotate` job for one card, its result kept beside the card's canvas and shown on it (D61, D62)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject

from sfumato.desktop.drafts import Frozen
from sfumato.desktop.inputs.cards import Card, layers_folder
from sfumato.desktop.inputs.controls import Offers, annotate_fields
from sfumato.desktop.inputs.sending import Part
from sfumato.desktop.jobs import Job
from sfumato.desktop.shell import Shell
from sfumato.protocol.messages import Artifact, Event

KIND = "annotate"
OWNER = "card:"


@dataclass(frozen=True)
class Wish:
    """A map that was asked for: of which picture, at which size, by what."""

    card: str
    part: Part
    size: tuple[int, int]
    fields: str

    @property
    def key(self) -> str:
        """Tells whether anything of it changed, without reading the file."""
        told = (str(self.part.path), self.part.crop.zoom, self.part.crop.x, self.part.crop.y, self.part.aspect, self.size, self.fields)
        return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def wish(card: Card, part: Part, size: tuple[int, int], offers: Offers) -> Wish:
    return Wish(card.id, part, size, json.dumps(annotate_fields(card, offers), sort_keys=True))


def frozen(wish: Wish) -> tuple[Frozen, str]:
    """The job of a wish, and the full key of its result; not on the GUI thread. Raises `ImageUnreadable`."""
    from sfumato.desktop.inputs.reading import sent  # late: Pillow is not needed to start

    job = Frozen(KIND, json.loads(wish.fields))
    job.params["image"] = job.keep(sent(wish.part.path, wish.part.box()))
    if all(wish.size):
        job.params["width"], job.params["height"] = wish.size
    return job, f"{wish.key}:{job.params['image'][:24]}"


class Maps(QObject):
    """The jobs that are under way, one for each card at most.

    Args:
        card: finds a card by its id; None once it is gone.
        take: is given the card with its new map.
        changed: a card began or ended being annotated.
    """

    def __init__(self, shell: Shell, card: Callable[[str], Card | None], take: Callable[[Card], None], changed: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._shell = shell
        self._card = card
        self._take = take
        self._changed = changed
        self._under_way: dict[str, str] = {}  # card -> full key, "" until it is known
        shell.jobs.pictured.connect(self._pictured)
        shell.jobs.ended.connect(self._ended)

    def is_busy(self, card: str) -> bool:
        return card in self._under_way

    def refresh(self, wish: Wish) -> None:
        """Compute the map that is wished, unless the card has that very map."""
        if wish.card in self._under_way:
            return
        self._under_way[wish.card] = ""
        self._changed()
        self._shell.disk.run(partial(frozen, wish), partial(self._submit, wish.card), partial(self._failed, wish.card))

    def _submit(self, identity: str, made: tuple[Frozen, str]) -> None:
        job, key = made
        card = self._card(identity)
        if card is None or (card.map and card.map_key == key):
            self._drop(identity)
            return
        self._under_way[identity] = key
        self._shell.jobs.submit(job.kind, job.params, job.blobs, owner=f"{OWNER}{identity}")

    def _failed(self, identity: str, error: Exception) -> None:
        self._drop(identity)
        self._shell.complain(error)  # type: ignore[arg-type]  # the disk gives errors of the tree alone

    def _pictured(self, job: Job, artifact: Artifact) -> None:
        identity = job.owner.removeprefix(OWNER)
        card = self._card(identity) if job.owner.startswith(OWNER) else None
        if card is None or not artifact.media_type.startswith("image/"):
            return
        key = self._under_way.get(identity) or ""
        path = layers_folder(self._shell.places.data, card) / f"map-{time.time_ns():x}.png"
        data, pose = artifact.data, str(artifact.info.get("pose") or "")
        self._shell.disk.run(partial(_write, path, data), partial(self._keep, identity, path, key, pose), self._shell.complain)

    def _keep(self, identity: str, path: Path, key: str, pose: str, written: None) -> None:
        del written
        card = self._card(identity)
        if card is not None:
            self._take(replace(card, map=str(path), map_key=key, pose=pose))

    def _ended(self, job: Job, event: Event) -> None:
        del event
        if job.owner.startswith(OWNER):
            self._drop(job.owner.removeprefix(OWNER))

    def _drop(self, identity: str) -> None:
        if self._under_way.pop(identity, None) is not None:
            self._changed()


def _write(path: Path, data: bytes) -> None:
    from sfumato.imaging.writing import replace_file  # late: as above

    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data)
