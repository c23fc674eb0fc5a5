"""A query as SQL over the tables of `tables`: every value is bound, none is written into the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sfumato.library.history.query import Query, Term

# A trigram index finds nothing shorter.
SHORTEST = 3

# Where words of a field stand in the text index.
_COLUMNS = {"": ("prompt", "name"), "prompt": ("prompt",), "negative": ("negative",), "name": ("name",)}
_TERMS = ("model", "lora", "sampler", "mode", "tag")
_NUMBERS = {
    "seed": "seed",
    "steps": "steps",
    "scale": "scale",
    "width": "width",
    "height": "height",
    "strength": "strength",
    "rating": "rating",
    "size": "max(width, height)",
    "date": "created",
}
_IS = {
    "favourite": "favourite = 1",
    "rated": "rating > 0",
    "tagged": "EXISTS (SELECT 1 FROM marks JOIN terms ON terms.id = marks.term WHERE marks.picture = pictures.id AND terms.kind = 'tag')",
    "missing": "gone = 1",
    "portrait": "height > width",
    "landscape": "width > height",
    "square": "width = height AND width > 0",
}


@dataclass
class Condition:
    """What stands behind WHERE, and what is bound to it in order."""

    sql: str = "1"
    values: list[Any] = field(default_factory=list)

    def both(self, other: Condition) -> Condition:
        if other.sql == "1":
            return self
        return other if self.sql == "1" else Condition(f"({self.sql}) AND ({other.sql})", [*self.values, *other.values])


def condition(query: Query) -> Condition:
    """All of a query."""
    whole = Condition()
    for group in query.groups:
        parts = [_all(terms) for terms in group]
        joined = " OR ".join(f"({part.sql})" for part in parts)
        whole = whole.both(Condition(joined, [value for part in parts for value in part.values]))
    return whole


def _all(terms: tuple[Term, ...]) -> Condition:
    """Every term; words of the text index that must be there are looked up together."""
    phrases = [_phrase(term) for term in terms if _is_indexed(term) and not term.excluded]
    parts = [_matching(" AND ".join(phrases))] if phrases else []
    parts += [_one(term) for term in terms if not _is_indexed(term) or term.excluded]
    whole = Condition()
    for part in parts:
        whole = whole.both(part)
    return whole


def _is_indexed(term: Term) -> bool:
    return term.field in _COLUMNS and len(term.text) >= SHORTEST and not term.exact


def _phrase(term: Term) -> str:
    """A phrase in the language of the text index: inside quotation marks everything is data."""
    text = term.text.replace('"', '""')
    return f'{{{" ".join(_COLUMNS[term.field])}}} : "{text}"'


def _matching(expression: str) -> Condition:
    return Condition("pictures.id IN (SELECT rowid FROM words WHERE words MATCH ?)", [expression])


def _one(term: Term) -> Condition:
    found = _matching(_phrase(term)) if _is_indexed(term) else _plain(term)
    return Condition(f"NOT coalesce(({found.sql}), 0)", found.values) if term.excluded else found


def _plain(term: Term) -> Condition:
    name = term.field
    if name in _COLUMNS:
        columns = _COLUMNS[name]
        test = "{} = ?" if term.exact else "instr({}, ?) > 0"
        inner = " OR ".join(test.format(f"texts.{column}") for column in columns)
        return Condition(f"pictures.id IN (SELECT texts.id FROM texts WHERE {inner})", [term.text] * len(columns))
    if name in _TERMS:
        test = "folded = ?" if term.exact else "instr(folded, ?) > 0"
        return Condition(f"pictures.id IN (SELECT picture FROM marks WHERE term IN (SELECT id FROM terms WHERE kind = '{name}' AND {test}))", [term.text])
    if name == "folder":
        test = "folded_name = ?" if term.exact else "instr(folded, ?) > 0"
        return Condition(f"pictures.folder IN (SELECT id FROM folders WHERE {test})", [term.text])
    if name == "hash":
        # Compared with the first digits; the digits of a hash have neither % nor _.
        inner = "SELECT picture FROM marks WHERE term IN (SELECT id FROM terms WHERE kind = 'hash' AND substr(folded, 1, ?) = ?)"
        length = len(term.text)
        return Condition(f"(substr(pictures.hash, 1, ?) = ? OR pictures.id IN ({inner}))", [length, term.text, length, term.text])
    if name == "is":
        return Condition(_IS[term.text])
    if name == "has":
        return _has(term.text)
    if term.size is not None:
        return Condition("width = ? AND height = ?", list(term.size))
    return _between(_NUMBERS[name], term)


def _has(what: str) -> Condition:
    if what == "rating":
        return Condition("rating > 0")
    if what == "seed":
        return Condition("seed IS NOT NULL")
    if what in ("prompt", "negative"):
        return Condition(f"pictures.id IN (SELECT texts.id FROM texts WHERE texts.{what} <> '')")
    kind, name = (what, "") if what in _TERMS else ("has", what)
    inner = "SELECT picture FROM marks WHERE term IN (SELECT id FROM terms WHERE kind = ?" + (" AND name = ?" if name else "") + ")"
    return Condition(f"pictures.id IN ({inner})", [kind, *([name] if name else [])])


def _between(column: str, term: Term) -> Condition:
    parts = list(_bounds(column, term))
    return Condition(" AND ".join(sql for sql, _ in parts) or "1", [value for _, value in parts])


def _bounds(column: str, term: Term) -> Iterator[tuple[str, float]]:
    if term.low is not None and term.low == term.high:
        # Guidance and strength are written with few digits and kept as floats.
        yield f"abs({column} - ?) < 1e-6", term.low
        return
    if term.low is not None:
        yield f"{column} >= ?", term.low
    if term.high is not None:
        yield f"{column} <= ?", term.high
