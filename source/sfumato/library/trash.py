"""Deleting is moving: into the trash of the system where there is one, else into the data folder's, and back again. Rules: D115 of the window, R54, R68.

Nothing here removes a file for good. What cannot be moved stays where it is and is named. Which trash the system has is not this module's to know: it is
given as a function (`SystemTrash`); desktop/system_trash.py has Qt's.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.carrying import carry
from sfumato.protocol.errors import NotWritable, SfumatoError

FOLDER = "trash"
RECORD = "record.json"

SystemTrash = Callable[[Path], "Path | None"]
"""Moves a file or folder into the system's trash and returns where it lies there; None if there is no such trash for it, and it stays."""


@dataclass(frozen=True)
class Trashed:
    """One thing in the trash: where it was, and where it is."""

    origin: str
    place: str


@dataclass(frozen=True)
class Receipt:
    """What a deletion did, to be given to `restore`; plain text inside, so that it can be kept in a session.

    Attributes:
        items: what is in the trash now, in the order of the call.
        sentences: why the others stayed where they are, one for each.
    """

    items: tuple[Trashed, ...] = ()
    sentences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> Receipt:
        """Raises `KeyError` or `TypeError` for what `to_json` did not make."""
        return Receipt(tuple(Trashed(item["origin"], item["place"]) for item in values["items"]), tuple(values["sentences"]))


def to_trash(paths: Iterable[Path], data_folder: Path, system: SystemTrash | None = None) -> Receipt:
    """Move files and folders into the trash. Never raises: a path that is not there counts as done, one that cannot be moved stays and is named."""
    items: list[Trashed] = []
    sentences: list[str] = []
    for path in paths:
        if not os.path.lexists(path):
            continue
        try:
            items.append(_moved(path, data_folder, system))
        except SfumatoError as error:
            sentences.append(f"'{path.name}' was not deleted: {error.message}")
    return Receipt(tuple(items), tuple(sentences))


def restore(receipt: Receipt) -> tuple[str, ...]:
    """Bring back what a receipt names, the last first; nothing that is there now is replaced. Returns a sentence for each thing that stayed in the trash."""
    sentences = []
    for item in reversed(receipt.items):
        place, origin = Path(item.place), Path(item.origin)
        try:
            if not os.path.lexists(place):
                raise NotWritable(str(origin.parent), f"'{origin.name}' is no longer in the trash")
            carry(place, origin)
        except SfumatoError as error:
            sentences.append(f"'{origin.name}' was not brought back: {error.message}")
        else:
            _forget(place)
    return tuple(sentences)


def trash_bytes(data_folder: Path) -> int:
    """How much lies in the data folder's own trash."""
    return sum(file.stat().st_size for file in (data_folder / FOLDER).rglob("*") if file.is_file())


def _moved(path: Path, data_folder: Path, system: SystemTrash | None) -> Trashed:
    absolute = path.absolute()
    place = system(absolute) if system is not None else None
    if place is None:
        # A folder of its own for each, so that names never meet and the record says where it came from.
        folder = make_folder(data_folder / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}")
        place = folder / absolute.name
        try:
            replace_file(folder / RECORD, json.dumps({"origin": str(absolute)}).encode())
            carry(absolute, place)
        except SfumatoError:
            # A copy that is there already keeps its record: its source may be gone in part.
            if not os.path.lexists(place):
                _forget(place)
            raise
    return Trashed(str(absolute), str(place))


def _forget(place: Path) -> None:
    """Remove what a trash noted about a thing that is no longer in it."""
    with suppress(OSError):
        if place.parent.name == "files":  # the layout that desktops have agreed on
            (place.parent.parent / "info" / f"{place.name}.trashinfo").unlink(missing_ok=True)
        elif place.name.startswith("$R"):
            place.with_name(f"$I{place.name[2:]}").unlink(missing_ok=True)
        elif place.parent.parent.name == FOLDER:
            (place.parent / RECORD).unlink(missing_ok=True)
            place.parent.rmdir()
