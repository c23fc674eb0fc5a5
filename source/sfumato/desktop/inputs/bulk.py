"""Many pictures on one card: which files of a folder, in which order, and which of them go together. No Qt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sfumato.desktop.inputs.cards import FILES_AT_MOST, Card
from sfumato.desktop.inputs.linking import Group

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif", ".gif", ".tif", ".tiff"})


def is_picture(path: str) -> bool:
    """By its name alone."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def natural(path: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """A key that puts "2.png" before "10.png" and "2" before both, whatever the case of letters."""
    parts = re.split(r"([0-9]+)", os.path.basename(path).casefold())
    return tuple((0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts if part), path


def pictures_in(folder: str) -> list[str]:
    """The pictures of a folder in natural order, hidden files left out. Raises `OSError`."""
    with os.scandir(folder) as entries:
        found = [entry.path for entry in entries if is_picture(entry.name) and not entry.name.startswith(".") and entry.is_file()]
    return sorted(found, key=natural)[:FILES_AT_MOST]


def partner(files: Sequence[str], of: Sequence[str], index: int) -> str:
    """Which of `files` goes with `of[index]`: the one of the same stem if every one of `of` has such a one, else by number, again from the start."""
    if not files:
        return ""
    stems = {_stem(file): file for file in reversed(files)}
    if len(files) > 1 and len(of) > 1 and all(_stem(file) in stems for file in of):
        return stems[_stem(of[index])]
    return files[index % len(files)]


@dataclass(frozen=True)
class Take:
    """One job of the strip: a group, and the picture of each of its cards by the card's id."""

    group: Group
    number: int = 0
    files: dict[str, str] = field(default_factory=dict)


def takes(groups: Iterable[Group], unreadable: frozenset[str] = frozenset()) -> list[Take]:
    """The jobs, in order: each picture of an image, or without one each of the longest control. Pictures that cannot be read are left out."""
    made: list[Take] = []
    for group in groups:
        others = [card for card in (group.mask, *group.steering) if card is not None]
        readable = {card.id: [file for file in card.pictures if file not in unreadable] for card in (group.image, *others) if card is not None}
        leader = group.image or max(group.steering, key=lambda card: len(readable[card.id]), default=None)
        leading = readable[leader.id] if leader else []
        if group.image is None and not leading:
            made.append(Take(group, len(made)))
            continue
        for index in range(len(leading)):
            files = {card.id: partner(readable[card.id], leading, index) for card in others}
            made.append(Take(group, len(made), files | ({leader.id: leading[index]} if leader else {})))
    return made


def count(groups: Iterable[Group], unreadable: frozenset[str] = frozenset()) -> int:
    """How many jobs `takes` makes."""
    return sum(_length(group, unreadable) for group in groups)


def _length(group: Group, unreadable: frozenset[str]) -> int:
    def readable(card: Card) -> int:
        return len(card.pictures) - (sum(file in unreadable for file in card.pictures) if unreadable else 0)

    return readable(group.image) if group.image else max(1, *map(readable, group.steering), 0)


def place_of(card: Card) -> str:
    """ "3/12" for a bulk card, else ""."""
    return f"{card.at + 1}/{len(card.files)}" if card.is_bulk else ""


def _stem(path: str) -> str:
    return Path(path).stem.casefold()
