"""Composition: a text whose choices are made is freed of network tags and becomes several at the word AND, each with a weight of its own.

The cut looks at words only, not at brackets: an AND inside a bracket cuts it, as in AUTOMATIC1111. Rules: P26, P27, P36, P41, P44 of the prompt language.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sfumato.prompts.names import Library
from sfumato.prompts.networks import KINDS, NetworkTag, TagPlace, find_tags, read_tag
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.schedules import read_timeline
from sfumato.prompts.traced import Traced, Weaver
from sfumato.prompts.wording import Part

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


@dataclass(frozen=True, slots=True, eq=False)
class Composition:
    """A text whose choices are made, read.

    Attributes:
        source: the text.
        negative: whether it is the negative side.
        text: without network tags; remembers its places in `source`.
        places, tags: of the network tags, in order; one of an unknown type is None.
        ands: places of AND in `text`.
        portions: places of the parts in `text`.
        parts: as many.
    """

    source: str
    negative: bool
    text: Traced
    places: tuple[TagPlace, ...]
    tags: tuple[NetworkTag | None, ...]
    ands: tuple[tuple[int, int], ...]
    portions: tuple[Portion, ...]
    parts: tuple[Part, ...]


def compose(text: str, options: PromptOptions, library: Library, *, negative: bool) -> Composition:
    """Take the network tags out, cut the text at AND, and read the schedules of its parts. In a negative text only local tags are tags."""
    places = [place for place in find_tags(text) if place.is_local or not negative]
    tags = tuple(read_tag(text, place, library, options.lora_order) if place.type in KINDS else None for place in places)
    weaver = Weaver()
    traced = Traced.typed(text)
    marks: list[tuple[int, NetworkTag]] = []
    end = 0
    for place, tag in zip(places, tags):
        weaver.copy(traced, end, place.start)
        end = place.end
        if tag is not None:
            marks.append((len(weaver), tag))
    weaver.copy(traced, end, len(text))
    bare = weaver.done() if places else traced
    ands = find_ands(bare.text)
    splits = not negative or options.negative_and
    cut = portions(bare.text, ands if splits else [], lone_weight=options.lone_weight and splits)
    own: list[list[tuple[int, NetworkTag]]] = [[] for _ in cut]
    borders = [place[1] for place in ands] if splits else []
    for place, tag in marks:
        own[bisect_right(borders, place)].append((place, tag))
    parts = tuple(_part(bare.text, number, portion, marked, options) for number, (portion, marked) in enumerate(zip(cut, own)))
    return Composition(text, negative, bare, tuple(places), tags, tuple(ands), tuple(cut), parts)


def _part(text: str, number: int, portion: Portion, marks: Sequence[tuple[int, NetworkTag]], options: PromptOptions) -> Part:
    usual = options.and_default if number else 1.0
    written = text[portion.start : portion.end]
    inside = [(min(max(place, portion.start), portion.end) - portion.start, tag) for place, tag in marks]
    weight = usual if portion.weight is None else portion.weight
    return Part(written, weight, read_timeline(written, inside), tuple(tag for _, tag in marks), options)


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
