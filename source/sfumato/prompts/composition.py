"""Composition: one prompt becomes several at the word AND, each with a weight of its own. Rules: P26, P27 of the prompt language.

Looks at words only, not at brackets: an AND inside a bracket cuts it, as in AUTOMATIC1111.
"""

import re
from typing import NamedTuple

_CUTS = re.compile(r"\\[\s\S]|\b(AND)\b")
_NUMBER = r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)"
_TRAILING = re.compile(rf":\s*+({_NUMBER})\s*+")

# As for brackets: far beyond what makes a picture, and finite in float32.
_LARGEST_WEIGHT = 1e30


class Portion(NamedTuple):
    """A part's text, from `start` to `end` of the whole, without its weight.

    `weight` is None if none is written; `number` is the place of what is, or would be, the weight.
    """

    start: int
    end: int
    weight: float | None
    number: tuple[int, int] | None


def find_ands(text: str) -> list[tuple[int, int]]:
    """The places of the word AND."""
    return [cut.span(1) for cut in _CUTS.finditer(text) if cut[1]]


def portions(text: str, ands: list[tuple[int, int]], *, lone_weight: bool = False) -> list[Portion]:
    """Cut a text at its ANDs, at least one portion.

    Args:
        ands: from `find_ands`; empty to read the text as one part.
        lone_weight: whether `:number` at the end of a single part is its weight.

    Blanks around parts are dropped where there are several; a single part keeps every character.
    """
    if not ands:
        number = _trailing_number(text, 0, len(text))
        if number is None:
            return [Portion(0, len(text), None, None)]
        colon, weight, place = number
        return [Portion(0, colon, weight, place) if lone_weight else Portion(0, len(text), None, place)]
    found = []
    edges = [0, *(edge for place in ands for edge in place), len(text)]
    for start, end in zip(edges[::2], edges[1::2]):
        number = _trailing_number(text, start, end)
        colon, weight, place = number or (end, None, None)
        found.append(Portion(*_stripped(text, start, colon), weight, place))
    return found


def _trailing_number(text: str, start: int, end: int) -> tuple[int, float, tuple[int, int]] | None:
    """Place of the colon, value and place of a number behind the last colon, if nothing else is there."""
    colon = text.rfind(":", start, end)
    if colon < 0 or _is_escaped(text, start, colon):
        return None
    written = _TRAILING.match(text, colon, end)
    if written is None or written.end() != end:
        return None
    return colon, min(max(float(written[1]), -_LARGEST_WEIGHT), _LARGEST_WEIGHT), written.span(1)


def _is_escaped(text: str, start: int, place: int) -> bool:
    before = text[start:place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))
