"""The common way of all files that arrive: refuse early what cannot be kept, and in the end check, name and tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sfumato.library.hashes import Hashes
from sfumato.library.models import FOLDERS
from sfumato.library.transfers.checking import check_beginning, ending_of, look
from sfumato.library.transfers.placing import CATEGORY_OF, FOLDER_OF, find_same, place, refuse_taken, target
from sfumato.library.transfers.quarantine import Part
from sfumato.library.transfers.surroundings import Surroundings
from sfumato.protocol.errors import Invalid, NotWritable, Problem, SfumatoError, TransferDamaged
from sfumato.protocol.params.transfers import AUTOMATIC
from sfumato.protocol.requests.upload import Stored

REPORT_BYTES = 2 << 20
REPORT_S = 0.5
_FIRST_BYTES = 9


def own_folder(context: Surroundings) -> Path:
    """The models folder that files are put into: the first; the others may be another program's."""
    if not context.places.models:
        raise NotWritable("models", "there is no models folder")
    return context.places.models[0]


def refuse_name(context: Surroundings, folder: str, name: str) -> None:
    """Raise `UnsafeName` for a name that no model can have here."""
    target(own_folder(context), folder, name)
    ending_of(name)


def refuse_second(context: Surroundings, folder: str, name: str) -> None:
    """Raise `NameTaken` before a byte has come, where that can be known."""
    if folder != AUTOMATIC:
        refuse_taken(target(own_folder(context), folder, name))


def already(context: Surroundings, size: int, sha256: str) -> Stored | None:
    """A file with these bytes that is there under whatever name."""
    found = find_same(context.places.models, size, sha256, Hashes(context.places.data), context.check)
    return Stored(folder=found[0], name=found[1], size=size, sha256=sha256, already=True) if found else None


def refuse_beginning(part: Part, name: str, total: int) -> None:
    """Refuse a file as soon as its first bytes tell what it is; a part that is refused is removed."""
    if part.done >= min(_FIRST_BYTES, total or _FIRST_BYTES):
        try:
            check_beginning(part.first(_FIRST_BYTES), name)
        except SfumatoError:
            part.remove()
            raise


def keep(part: Part, context: Surroundings, folder: str, name: str, *, sha256: str, likely: str = "") -> Stored:
    """Check a part that is whole, and give it its name.

    Args:
        sha256: what it must have; "" if nobody knows.
        likely: the category of models it is of, as its source says, where the file does not tell.

    Raises:
        TransferDamaged, PickleRefused, CorruptFile, ModelUnsupported: it is removed.
        Invalid: no folder was named and nothing tells which; it stays, for another try with a folder.
        UnsafeName, NameTaken, DiskFull, NotWritable: it stays, for another try.
    """
    found = part.digest.hexdigest()
    try:
        if sha256 and found != sha256:
            raise TransferDamaged(name, "its SHA-256 differs", detail=f"expected {sha256}, found {found}")
        looked = look(part.path, part.first(_FIRST_BYTES), name)
    except SfumatoError:
        part.remove()
        raise
    category = CATEGORY_OF.get(folder) or looked.category or likely
    if category not in FOLDERS:
        raise Invalid([Problem("folder", f"What kind of model '{name}' is cannot be told from the file; choose its folder.")])
    part.settle()
    part.release()
    size = part.done
    path = place(part.path, own_folder(context), FOLDER_OF[category], name)
    part.remove()
    Hashes(context.places.data).learn(path, found)
    return Stored(folder=FOLDER_OF[category], name=name, size=size, sha256=found, kind=looked.kind)


class Telling:
    """Says how far a transfer is: at the start, then after so many bytes or seconds, with a rate over the last seconds."""

    def __init__(self, context: Surroundings, stage: str, total: int, clock: Callable[[], float] = time.monotonic, report_bytes: int = REPORT_BYTES) -> None:
        self._context = context
        self._stage = stage
        self._clock = clock
        self._report_bytes = report_bytes
        self._told = -1
        self._at = 0.0
        self._rate: float | None = None
        self.total = total

    def tell(self, done: int, *, now: bool = False) -> None:
        """`done` bytes are there; said if it is time for it, or `now`."""
        at = self._clock()
        if self._told >= 0 and not now and done - self._told < self._report_bytes and at - self._at < REPORT_S:
            return
        if self._told >= 0 and at > self._at:
            speed = max(0, done - self._told) / (at - self._at)
            share = min(1.0, (at - self._at) / 3)
            self._rate = speed if self._rate is None else self._rate + share * (speed - self._rate)
        self._told, self._at = done, at
        self._context.progress(self._stage, done, self.total, self._rate)
