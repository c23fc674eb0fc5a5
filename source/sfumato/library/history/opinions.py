"""What a person thinks of pictures: ratings, favourites, tags. Kept by the content of the file, so that moving, renaming and a new index lose nothing.

One JSON file, written as a whole a moment after a change.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import NotWritable

FILE = "ratings.json"
FORMAT = 1
STARS = 5
TAG_LENGTH = 100


@dataclass(frozen=True)
class Opinion:
    """Of one picture; `rating` 0..5, 0 is none."""

    rating: int = 0
    favourite: bool = False
    tags: tuple[str, ...] = ()


NONE = Opinion()


class Opinions:
    """All of them; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = threading.Lock()
        self._held, self.complaint = _load(self._file)
        # A file that could neither be read nor set aside is not written over.
        self._is_foreign = bool(self.complaint) and self._file.exists()
        self._written = True

    def of(self, digest: str) -> Opinion:
        return self._held.get(digest, NONE)

    def set(self, opinions: Iterable[tuple[str, Opinion]]) -> None:
        """Hold other opinions; `save` writes them."""
        with self._lock:
            for digest, opinion in opinions:
                if opinion == NONE:
                    self._held.pop(digest, None)
                else:
                    self._held[digest] = opinion
            self._written = False

    def save(self) -> None:
        """Write what changed. Raises `DiskFull` or `NotWritable`; it is then still to be written."""
        with self._lock:
            if self._written:
                return
            if self._is_foreign:
                raise NotWritable(str(self._file), "it could not be read at the start; new ratings are not kept")
            held, self._written = dict(self._held), True
        document = {"format": FORMAT, "pictures": {digest: asdict(opinion) for digest, opinion in held.items()}}
        try:
            make_folder(self._file.parent)
            replace_file(self._file, json.dumps(document, ensure_ascii=False, indent=0).encode("utf-8", "replace"))
        except BaseException:
            self._written = False
            raise


def clean_tag(text: str) -> str:
    """A tag as it is kept: one line, no blanks around it, no commas inside."""
    return " ".join(text.replace(",", " ").split())[:TAG_LENGTH]


def _load(file: Path) -> tuple[dict[str, Opinion], str]:
    """What a file holds, and a sentence if it is damaged; it is then set aside."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {digest: _opinion(value) for digest, value in document["pictures"].items()}, ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"The ratings could not be read ({error.strerror}); they are not shown, and new ones are not kept."
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        aside = file.with_name(f"ratings.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json")
        try:
            file.replace(aside)
        except OSError:
            aside = file
        return {}, f"The ratings were damaged and are kept as {aside.name}; the history starts without any."


def _opinion(value: dict[str, Any]) -> Opinion:
    tags = tuple(clean_tag(str(tag)) for tag in value.get("tags", ()))
    return Opinion(max(0, min(STARS, int(value.get("rating", 0)))), bool(value.get("favourite")), tuple(tag for tag in tags if tag))
