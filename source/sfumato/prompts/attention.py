"""Emphasis: a prompt's text becomes segments of one weight each (round brackets up, square brackets down, escapes, BREAK, START and END).

Takes the text of one call, that is after choices, networks, parts and schedules were resolved, and knows neither tokens nor models. Nothing is ever rejected:
what cannot be completed is read as its own characters, and doubtful places are marked. One regular expression without backtracking cuts the text, two stacks
(round and square brackets are independent of each other, as in AUTOMATIC1111's reading) give the weights. Rules: P2-P4 and P6-P13 of the prompt language.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

ROUND = 1.1
SQUARE = 1 / 1.1
USUAL_WEIGHT = 3.0

# No picture needs more, and a weight stays finite in float32 however many brackets are nested.
_LARGEST_WEIGHT = 1e30

SpanKind = Literal[
    "bracket", "weight", "escape", "word", "text", "schedule", "and", "network", "choice", "wildcard", "variable", "comment", "style", "embedding"
]


class Segment(NamedTuple):
    """A text of one weight; `start` and `end` enclose where it was written."""

    text: str
    weight: float
    start: int
    end: int


class Break(NamedTuple):
    """The word BREAK: what follows starts a new chunk."""

    start: int
    end: int


class SpecialToken(NamedTuple):
    """The word START or END standing alone: the encoder's own start or end token."""

    name: Literal["START", "END"]
    weight: float
    start: int
    end: int


class Span(NamedTuple):
    """A place in the source text, for colouring. One with a message is suspicious: it is probably not read as its writer meant."""

    start: int
    end: int
    kind: SpanKind
    message: str = ""


Piece = Segment | Break | SpecialToken


@dataclass(frozen=True, slots=True)
class Emphasis:
    """A text as emphasis reads it: its pieces in order, neighbours of equal weight joined, and the marked places."""

    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...]


# Possessive quantifiers (`++`, `*+`) keep the scan linear: no run of digits, blanks or letters is ever tried twice.
_NUMBER = r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)"
_CUTS = re.compile(
    rf"""\\(?P<escaped>[\s\S]?)
    | :\s*+(?P<weight>{_NUMBER})\s*+\)
    | :\s*+(?P<doubtful>[+-]?[0-9.][0-9.,eE+-]*+)(?=\s*+\))
    | (?P<bracket>[()\[\]])
    | \b(?P<break>BREAK)\b\s*+
    | \b(?P<special>START|END)\b(?=[^\S\n]*+(?:\Z|[,\n()\[\]]|BREAK\b|:\s*+{_NUMBER}\s*+\)))
    | (?P<plain>(?:[^\\()\[\]:BSE]++|(?!\b(?:BREAK|START|END)\b)[BSE])++|[:SE])""",
    re.VERBOSE,
)


class _Bracket(NamedTuple):
    """The place where a bracket opens or closes, among the items of a scan."""

    sign: str
    factor: float


# A text and its place. Bare: one is made for every cut, and a named tuple takes six times as long to make.
_Written = tuple[str, int, int]
_CLOSE_ROUND, _CLOSE_SQUARE = _Bracket(")", 1.0), _Bracket("]", 1.0)
_OPEN_ROUND, _OPEN_SQUARE = _Bracket("(", ROUND), _Bracket("[", SQUARE)


class _Scan:
    """One pass over a text: what was cut out, in order, before the weights are known (a bracket tells its weight only where it closes)."""

    def __init__(self, text: str, special_words: bool = True, marks: bool = True) -> None:
        self._special_words = special_words
        self._marks = marks
        self.items: list[_Written | Break | SpecialToken | _Bracket] = []
        self.spans: list[Span] = []
        self._open: dict[str, list[tuple[int, int]]] = {"(": [], "[": []}  # place among the items, place in the text
        # What was read last, as far as it tells whether START and END stand alone: text, or nothing after a separator.
        self._before = ""
        for cut in _CUTS.finditer(text):
            self._take(cut)
        for opened in self._open.values() if marks else ():
            for _, start in opened:
                self._mark(
                    start, start + 1, "bracket", "This bracket is never closed: it reaches to the end. Write a backslash before it to mean the character."
                )

    def _take(self, cut: re.Match[str]) -> None:
        match cut.lastgroup:
            case "plain":
                self._take_plain(cut)
            case "bracket":
                self._take_bracket(cut)
            case "weight":
                self._take_weight(cut)
            case "doubtful":
                if self._open["("]:
                    self._mark(*cut.span("doubtful"), "weight", f"{cut['doubtful']!r} is no number such as 1.2 or .5: it is read as text.")
                self._add_text(cut[0], cut)
                self._before = "x"
            case "break" if self._special_words:
                self._end_blanks()
                self.items.append(Break(*cut.span("break")))
                self._colour(*cut.span("break"), "word")
                self._before = ""
            case "special" if self._special_words and self._stands_alone():
                self.items.append(SpecialToken("START" if cut[0] == "START" else "END", 1.0, *cut.span()))
                self._colour(*cut.span(), "word")
                self._before = "x"
            case "special" | "break":
                self._add_text(cut[0], cut)
                self._before = "x"
            case _:
                self._colour(*cut.span(), "escape")
                self._add_text(cut["escaped"], cut)
                self._before = "x"

    def _take_plain(self, cut: re.Match[str]) -> None:
        self._add_text(cut[0], cut)
        if not cut[0].isspace() or "\n" in cut[0]:
            self._before = cut[0]

    def _stands_alone(self) -> bool:
        """Whether there are only blanks since the last separator."""
        written = self._before.rstrip(" \t\r\f\v")
        return not written or written[-1] in ",\n"

    def _take_bracket(self, cut: re.Match[str]) -> None:
        sign = cut[0]
        self._before = ""
        if sign in "([":
            self._open[sign].append((len(self.items), cut.start()))
            self.items.append(_OPEN_ROUND if sign == "(" else _OPEN_SQUARE)
            self._colour(*cut.span(), "bracket")
        elif self._open["(" if sign == ")" else "["]:
            self._open["(" if sign == ")" else "["].pop()
            self.items.append(_CLOSE_ROUND if sign == ")" else _CLOSE_SQUARE)
            self._colour(*cut.span(), "bracket")
        else:
            self._stray(cut)

    def _take_weight(self, cut: re.Match[str]) -> None:
        if not self._open["("]:
            self._stray(cut)
            return
        opened, _ = self._open["("].pop()
        weight = _bounded(float(cut["weight"]))
        self.items[opened] = _Bracket("(", weight)
        self.items.append(_CLOSE_ROUND)
        self._colour(*cut.span("weight"), "weight")
        self._colour(cut.end() - 1, cut.end(), "bracket")
        self._before = ""

    def _stray(self, cut: re.Match[str]) -> None:
        self._mark(cut.end() - 1, cut.end(), "bracket", "This bracket closes nothing: it is read as text.")
        self._add_text(cut[0], cut)
        self._before = ""

    def _end_blanks(self) -> None:
        """Drop the blanks before a BREAK; those after it the expression has taken."""
        if self.items and type(last := self.items[-1]) is tuple:
            self.items[-1] = (last[0].rstrip(), last[1], last[2])

    def _add_text(self, text: str, cut: re.Match[str]) -> None:
        self.items.append((text, *cut.span()))

    def _mark(self, start: int, end: int, kind: SpanKind, message: str) -> None:
        if self._marks:
            self.spans.append(Span(start, end, kind, message))

    def _colour(self, start: int, end: int, kind: SpanKind) -> None:
        if self._marks:
            self.spans.append(Span(start, end, kind))


def read_emphasis(text: str, *, special_words: bool = True, marks: bool = True) -> Emphasis:
    """Cut the text of one call into pieces of one weight; `special_words`: whether BREAK, START and END are more than words, `marks`: whether spans are wanted.

    Weights multiply where brackets nest and are any finite numbers, zero and negative ones included; they are rounded to 12 significant digits so that equal
    weights reached by different brackets are equal. An empty text, and one of brackets only, has no pieces.
    """
    scan = _Scan(text, special_words, marks)
    pieces = tuple(_weighed(scan.items))
    spans = scan.spans
    for piece in pieces if marks else ():
        if isinstance(piece, Segment) and abs(piece.weight) > USUAL_WEIGHT and piece.text.strip():
            spans.append(
                Span(piece.start, piece.end, "text", f"The brackets here multiply to {piece.weight:.3g}, outside -3 to 3, where pictures usually fall apart.")
            )
    return Emphasis(pieces, tuple(sorted(spans)))


def without_emphasis(text: str) -> Emphasis:
    """The whole text at weight 1, for the switch that makes brackets and BREAK ordinary characters."""
    return Emphasis((Segment(text, 1.0, 0, len(text)),) if text else (), ())


def _weighed(items: list[_Written | Break | SpecialToken | _Bracket]) -> list[Piece]:
    """Give each piece the product of the brackets around it, and make one segment of neighbours of equal weight; empty ones go.

    Each kind of bracket closes in reverse order, so two stacks of running products suffice.
    """
    rounds, squares = [1.0], [1.0]
    stacks = {"(": rounds, "[": squares, ")": rounds, "]": squares}
    weight = 1.0
    rounded: dict[float, float] = {}
    is_new = False  # a bracket came since the weight was computed
    pieces: list[Piece] = []
    texts: list[str] = []  # of the segment that is being joined
    joined, start, end = 1.0, 0, 0
    for item in items:
        if isinstance(item, _Bracket):
            stack = stacks[item.sign]
            if item.sign in "([":
                stack.append(_bounded(stack[-1] * item.factor))
            else:
                stack.pop()
            is_new = True
            continue
        if is_new:
            product = rounds[-1] * squares[-1]
            if product not in rounded:
                rounded[product] = float(f"{_bounded(product):.12g}")
            weight = rounded[product]
            is_new = False
        is_special = isinstance(item, Break | SpecialToken)
        if texts and (is_special or (item[0] and weight != joined)):
            pieces.append(Segment("".join(texts), joined, start, end))
            texts = []
        if isinstance(item, SpecialToken):
            pieces.append(item._replace(weight=weight))
        elif isinstance(item, Break):
            pieces.append(item)
        elif item[0]:
            if not texts:
                joined, start = weight, item[1]
            texts.append(item[0])
            end = item[2]
    if texts:
        pieces.append(Segment("".join(texts), joined, start, end))
    return pieces


def _bounded(weight: float) -> float:
    return math.copysign(min(abs(weight), _LARGEST_WEIGHT), weight)
