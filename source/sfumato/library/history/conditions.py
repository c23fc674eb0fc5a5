"""A query as SQL over the tables of `tables`: every value is bound, none is written into the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    "favourite": "pictures.id IN (SELECT id FROM pictures WHERE favourite = 1)",
    "rated": "pictures.id IN (SELECT id FROM pictures WHERE rating > 0)",
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


Rare = Callable[[str, list[Any]], bool]
"""Whether a query for numbers of pictures, with what is bound to it, yields few."""


def few(sql: str, values: list[Any]) -> bool:
    """For who wants everything that is found: then lists are quicker than a test of each picture."""
    return True


def condition(query: Query, rare: Rare = few) -> Condition:
    """All of a query.

    Args:
        rare: decides for each lookup whether its pictures are listed first, or each picture is tested as it comes in order. Who wants the first page
            of something frequent has it sooner by testing.
    """
    whole = Condition()
    for group in query.groups:
        parts = [_all(terms, rare) for terms in group]
        joined = " OR ".join(f"({part.sql})" for part in parts)
        whole = whole.both(Condition(joined, [value for part in parts for value in part.values]))
    return whole


def _all(terms: tuple[Term, ...], rare: Rare) -> Condition:
    """Every term; words of the text index that must be there are looked up together."""
    indexed = [term for term in terms if _is_indexed(term) and not term.excluded]
    parts = []
    if indexed:
        sql, match = "SELECT rowid FROM words WHERE words MATCH ?", " AND ".join(_phrase(term) for term in indexed)
        parts = [Condition(f"pictures.id IN ({sql})", [match])] if rare(sql, [match]) else [_tested(term) for term in indexed]
    parts += [_one(term, rare) for term in terms if not _is_indexed(term) or term.excluded]
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


def _one(term: Term, rare: Rare) -> Condition:
    found = _plain(term, rare)
    return Condition(f"NOT coalesce(({found.sql}), 0)", found.values) if term.excluded else found


def _tested(term: Term) -> Condition:
    """Words, looked for in the texts of each picture."""
    columns = _COLUMNS[term.field]
    test = "{} = ?" if term.exact else "instr({}, ?) > 0"
    inner = " OR ".join(test.format(f"texts.{column}") for column in columns)
    return Condition(f"EXISTS (SELECT 1 FROM texts WHERE texts.id = pictures.id AND ({inner}))", [term.text] * len(columns))


def _listed(sql: str, values: list[Any], tested: str, rare: Rare) -> Condition:
    """A lookup as a list, or as a test of each picture."""
    return Condition(f"pictures.id IN ({sql})" if rare(sql, values) else tested, values)


def _plain(term: Term, rare: Rare) -> Condition:
    name = term.field
    if name in _COLUMNS:
        sql = "SELECT rowid FROM words WHERE words MATCH ?"
        if _is_indexed(term) and rare(sql, [_phrase(term)]):
            return Condition(f"pictures.id IN ({sql})", [_phrase(term)])
        return _tested(term)
    if name in _TERMS:
        test = "folded = ?" if term.exact else "instr(folded, ?) > 0"
        return _marked(f"kind = '{name}' AND {test}", [term.text], rare)
    if name == "folder":
        test = "folded_name = ?" if term.exact else "instr(folded, ?) > 0"
        return Condition(f"folder IN (SELECT id FROM folders WHERE {test})", [term.text])
    if name == "hash":
        # Compared with the first digits.
        length = len(term.text)
        model = _marked("kind = 'hash' AND substr(folded, 1, ?) = ?", [length, term.text], rare)
        return Condition(f"(substr(pictures.hash, 1, ?) = ? OR {model.sql})", [length, term.text, *model.values])
    if name == "is":
        return Condition(_IS[term.text])
    if name == "has":
        return _has(term.text, rare)
    if term.size is not None:
        return Condition("width = ? AND height = ?", list(term.size))
    found = _between(_NUMBERS[name], term)
    if name == "rating" and term.low is not None and term.low > 0:
        return _listed(f"SELECT id FROM pictures WHERE {found.sql}", found.values, found.sql, rare)
    return found


def _marked(which: str, values: list[Any], rare: Rare) -> Condition:
    """Pictures that carry one of some terms."""
    terms = f"SELECT id FROM terms WHERE {which}"
    tested = f"EXISTS (SELECT 1 FROM marks WHERE marks.picture = pictures.id AND marks.term IN ({terms}))"
    return _listed(f"SELECT picture FROM marks WHERE term IN ({terms})", values, tested, rare)


def _has(what: str, rare: Rare) -> Condition:
    if what == "rating":
        return Condition("rating > 0")
    if what == "seed":
        return Condition("seed IS NOT NULL")
    if what in ("prompt", "negative"):
        return Condition(f"EXISTS (SELECT 1 FROM texts WHERE texts.id = pictures.id AND texts.{what} <> '')")
    kind, name = (what, "") if what in _TERMS else ("has", what)
    return _marked("kind = ?" + (" AND name = ?" if name else ""), [kind, *([name] if name else [])], rare)


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
