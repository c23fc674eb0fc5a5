"""Finding and ordering models: words in any of a model's texts, every character meant as itself. Rules: D108, R63.

`;` stands between words that must all occur; case and accents do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from sfumato.library.models_index import ModelRow

Order = Literal["name", "date", "size", "used"]
_DESCRIPTION_CHARACTERS = 1000
_DIGITS = re.compile(r"(\d+)")


def folded(text: str) -> str:
    """Text without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter))


def terms(query: str) -> tuple[str, ...]:
    """The words that must occur."""
    return tuple(term for part in query.split(";") if (term := folded(part.strip())))


def searched(row: ModelRow) -> str:
    """Everything of a model that is searched, folded."""
    notes, facts = row.notes, row.facts
    texts = (
        *(row.name, row.file_name, row.folder, facts.title, row.told.family, notes.base, row.told.network, row.kind),
        *(*notes.words, *facts.words, *notes.tags, *facts.tags),
        (notes.description or facts.description)[:_DESCRIPTION_CHARACTERS],
    )
    return folded("\n".join(text for text in texts if text))


def matches(text: str, wanted: tuple[str, ...]) -> bool:
    """Whether all of `terms` occur in what `searched` gave."""
    return all(term in text for term in wanted)


@lru_cache(maxsize=50_000)
def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which "v2" stands before "v10"."""
    return tuple((0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in _DIGITS.split(folded(name)) if part)


def ordered(rows: list[ModelRow], order: Order, used: Mapping[str, float]) -> list[ModelRow]:
    """Rows by name, or the newest, the largest, the last used first."""
    match order:
        case "date":
            return sorted(rows, key=lambda row: (-row.mtime_ns, row.name))
        case "size":
            return sorted(rows, key=lambda row: (-row.bytes, row.name))
        case "used":
            return sorted(rows, key=lambda row: (-used.get(row.path, 0.0), natural(row.name)))
        case _:
            return sorted(rows, key=lambda row: (natural(row.name), row.name))
