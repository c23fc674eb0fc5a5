"""The language of the search field: `red fox -blurry steps>30 model:dream; date:2026-05..2026-06 OR is:favourite`.

Blanks join what must all be there, OR joins alternatives, and `;` joins such groups. Whatever cannot be understood is searched as the plain text it is, with
a sentence that says so: nothing that can be typed is an error. Knows no database; `conditions` makes SQL of it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta

TEXTS = ("prompt", "negative", "model", "lora", "sampler", "mode", "folder", "tag", "name", "hash")
NUMBERS = ("seed", "steps", "scale", "size", "width", "height", "strength", "rating")
HAS = ("prompt", "negative", "model", "lora", "sampler", "seed", "input", "mask", "control", "highres", "refiner", "rating", "tag")
IS = ("favourite", "favorite", "rated", "tagged", "missing", "portrait", "landscape", "square")
FIELDS = (*TEXTS, *NUMBERS, "date", "has", "is")
_OPERATORS = ("!=", "<=", ">=", "=", "<", ">", ":")
_FIELD = re.compile(r"([A-Za-z]+)(!=|<=|>=|[:=<>])(.*)", re.DOTALL)
_SIZE = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})")
_COMPARED = re.compile(r"(!=|<=|>=|[=<>])?(.*)", re.DOTALL)
_WHOLE = re.compile(r"\d{1,18}")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


@dataclass(frozen=True)
class Term:
    """One thing that must hold.

    Attributes:
        field: one of `FIELDS`, "" for words of the prompt.
        text: what is looked for, of a field of text; folded.
        low, high: the bounds of a number or time in seconds, both included; None is open.
        size: exact width and height.
        exact: the whole of a text, not a part.
        excluded: what must not hold.
    """

    field: str = ""
    text: str = ""
    low: float | None = None
    high: float | None = None
    size: tuple[int, int] | None = None
    exact: bool = False
    excluded: bool = False


Group = tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Query:
    """All `groups` must hold, of each group one alternative, of an alternative every term. `problem`: why it was taken as plain text, "" if it was not."""

    groups: tuple[Group, ...] = ()
    problem: str = ""


class Malformed(ValueError):
    """Carries a sentence on what cannot be understood."""


def fold(text: str) -> str:
    """Without case and accents, runs of blanks as one: what search compares."""
    if not text.isascii():
        text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return " ".join(text.casefold().split())


def parse(text: str, now: datetime | None = None) -> Query:
    """The query that a text says; `now` is what "today" means."""
    now = now or datetime.now().astimezone()
    try:
        return Query(_groups(_pieces(text), now))
    except Malformed as reason:
        words = tuple(Term(text=fold(word)) for word in text.split())
        return Query(((words,),) if words else (), f"{reason} The text is searched as it stands.")


@dataclass(frozen=True)
class _Piece:
    """A word as typed; `mark` is ";" or "OR" between them."""

    text: str = ""
    quoted: bool = False
    excluded: bool = False
    mark: str = ""


def _pieces(text: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text[place] == ";":
            pieces.append(_Piece(mark=";"))
            place += 1
        else:
            piece, place = _piece(text, place)
            pieces.append(piece)
    return pieces


def _piece(text: str, place: int) -> tuple[_Piece, int]:
    excluded = text[place] == "-" and place + 1 < len(text) and not text[place + 1].isspace() and text[place + 1] != ";"
    start = place + excluded
    if text[start] == '"':
        said, place = _quoted(text, start)
        return _Piece(said, True, excluded), place
    place = start
    while place < len(text) and not text[place].isspace() and text[place] != ";":
        # A value may be quoted, and then hold blanks: model:"my model".
        if text[place] == '"' and (head := _FIELD.fullmatch(text[start:place])) and head[1].casefold() in FIELDS and not head[3]:
            said, place = _quoted(text, place)
            return _Piece(text[start:place], False, excluded), place
        place += 1
    word = text[start:place]
    return (_Piece(mark="OR") if word == "OR" and not excluded else _Piece(word, False, excluded)), place


def _quoted(text: str, start: int) -> tuple[str, int]:
    end = text.find('"', start + 1)
    if end < 0:
        raise Malformed("A quotation mark is not closed.")
    return text[start + 1 : end], end + 1


def _groups(pieces: list[_Piece], now: datetime) -> tuple[Group, ...]:
    groups: list[Group] = []
    alternatives: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    open_or = False
    for piece in [*pieces, _Piece(mark=";")]:
        if not piece.mark:
            terms += _terms(piece, now)
            open_or = False
        elif piece.mark == "OR":
            if not terms:
                raise Malformed("OR stands between two things.")
            alternatives.append(tuple(terms))
            terms, open_or = [], True
        else:
            if open_or:
                raise Malformed("OR stands between two things.")
            if terms:
                alternatives.append(tuple(terms))
            if alternatives:
                groups.append(tuple(alternatives))
            alternatives, terms = [], []
    return tuple(groups)


def _terms(piece: _Piece, now: datetime) -> list[Term]:
    head = None if piece.quoted else _FIELD.fullmatch(piece.text)
    if head is None or head[1].casefold() not in FIELDS:
        folded = fold(piece.text)
        return [Term(text=folded, excluded=piece.excluded)] if folded else []
    name, operator, value = head[1].casefold(), head[2], head[3]
    if operator == ":":
        compared = _COMPARED.fullmatch(value)
        assert compared is not None
        operator, value = compared[1] or ":", compared[2]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if not value.strip():
        return []  # it is still being written
    excluded = piece.excluded != (operator == "!=")
    operator = "=" if operator == "!=" else operator
    if name in TEXTS:
        return [_text(name, operator, value, excluded, piece.text)]
    if name in ("has", "is"):
        return [_state(name, operator, value, excluded)]
    if name == "date":
        low, high = _span(value, operator, lambda text: _day(text, now), "date")
        return [Term(name, low=low, high=high, excluded=excluded)]
    if name == "size" and (size := _SIZE.fullmatch(value)):
        if operator not in (":", "="):
            raise Malformed(f"'{piece.text}' compares a size with a size; compare with one number.")
        return [Term(name, size=(int(size[1]), int(size[2])), excluded=excluded)]
    low, high = _span(value, operator, _number, "number")
    return [Term(name, low=low, high=high, excluded=excluded)]


def _text(name: str, operator: str, value: str, excluded: bool, whole: str) -> Term:
    if operator not in (":", "="):
        raise Malformed(f"'{whole}' compares words; '{name}' takes : = and !=.")
    return Term(name, fold(value), exact=operator == "=", excluded=excluded)


def _state(name: str, operator: str, value: str, excluded: bool) -> Term:
    known = HAS if name == "has" else IS
    word = value.casefold()
    if operator not in (":", "=") or word not in known:
        raise Malformed(f"'{name}:' knows {', '.join(known)}, not '{value}'.")
    return Term(name, "favourite" if word == "favorite" else word, excluded=excluded)


Bounds = tuple[float, float]


def _span(value: str, operator: str, read, kind: str) -> tuple[float | None, float | None]:  # type: ignore[no-untyped-def]  # a reader of one value
    first, dots, second = value.partition("..")
    if dots:
        if operator not in (":", "=") or not (first or second):
            raise Malformed(f"'{value}' is no range.")
        low = read(first)[0] if first else None
        high = read(second)[1] if second else None
        return low, high
    low, high = read(value)
    if operator in (":", "="):
        return low, high
    if operator == "<":
        return None, math.nextafter(low, -math.inf)
    if operator == "<=":
        return None, high
    if operator == ">":
        return math.nextafter(high, math.inf), None
    return low, None


def _number(text: str) -> Bounds:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if _WHOLE.fullmatch(text):
        # A seed has more digits than a float keeps.
        return int(text), int(text)
    if not math.isfinite(number):
        raise Malformed(f"'{text}' is no number.")
    return number, number


def _day(text: str, now: datetime) -> Bounds:
    """The first and the last moment of a day, month or year."""
    word = text.casefold()
    if word in ("today", "yesterday"):
        begin = now.date() - timedelta(days=word == "yesterday")
        return _moments(begin, begin + timedelta(days=1))
    if found := _DATE.fullmatch(text):
        year, month, day = (int(part) if part else 0 for part in found.groups())
        try:
            begin = date(year, month or 1, day or 1)
            if day:
                return _moments(begin, begin + timedelta(days=1))
            return _moments(begin, date(year + (month == 12 or not month), month % 12 + 1 if month else 1, 1))
        except (ValueError, OverflowError):
            pass
    raise Malformed(f"'{text}' is no date; a date is 2026, 2026-05, 2026-05-31, today or yesterday.")


def _moments(begin: date, end: date) -> Bounds:
    try:
        low, high = (datetime(day.year, day.month, day.day).astimezone().timestamp() for day in (begin, end))
    except (OverflowError, OSError, ValueError) as error:
        raise Malformed(f"'{begin}' is beyond the dates a file can have.") from error
    return low, high - 1e-6
