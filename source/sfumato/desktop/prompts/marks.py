"""What reading a whole prompt told about its places: embeddings, and what is probably not read as its writer meant. Places move with the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in units of UTF-16. `sentence` says what is doubtful, "" for nothing; `is_missing` if a file is not there."""

    start: int
    end: int
    kind: str
    sentence: str = ""
    is_missing: bool = False


class Marks:
    """The marks of one box."""

    def __init__(self) -> None:
        self._marks: list[Mark] = []

    def all(self) -> list[Mark]:
        return list(self._marks)

    def take(self, marks: Iterable[Mark]) -> list[Mark]:
        """Replace all; those that came or went."""
        fresh = sorted(marks)
        changed = list(set(fresh) ^ set(self._marks))
        self._marks = fresh
        return changed

    def shift(self, place: int, removed: int, added: int) -> None:
        """The text changed: marks behind move, those that were touched go until it is read again."""
        if not self._marks:
            return
        move = added - removed
        kept = [mark for mark in self._marks if mark.end < place]
        self._marks = kept + [mark._replace(start=mark.start + move, end=mark.end + move) for mark in self._marks if mark.start >= place + removed]

    def within(self, start: int, end: int) -> list[Mark]:
        return [mark for mark in self._marks if mark.start < end and mark.end > start]

    def at(self, place: int) -> Mark | None:
        """The doubtful mark around a place between two characters, the narrowest of several."""
        found = [mark for mark in self._marks if mark.sentence and mark.start <= place <= mark.end]
        return min(found, key=lambda mark: mark.end - mark.start) if found else None
