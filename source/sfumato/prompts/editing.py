"""Weights under the fingers: what a key that raises or lowers the weight of some words makes of the text. Rule: P62; keys and undo are the editor's."""

import re
from dataclasses import dataclass

from sfumato.prompts.networks import KINDS, find_tags

STEP = 0.1
TAG_STEP = 0.05
LARGEST = 10.0
_BRACKETED = 1.1  # what a bracket without a number weighs

_BRACKETS = re.compile(r"\\[\s\S]|[()]")
_WORD_ENDS = re.compile(r"[\s,()\[\]{}|<>\\]")
_WEIGHT = re.compile(r"\s*+([+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++))\s*+")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: the text from `start` to `end` becomes `text`, and `selected` is selected afterwards, by places in the changed text."""

    start: int
    end: int
    text: str
    selected: tuple[int, int]

    def applied(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


def reweigh(text: str, start: int, end: int, steps: int, *, step: float = STEP, tag_step: float = TAG_STEP) -> Edit | None:
    """Raise or lower a weight, within -10..10.

    Args:
        text: the whole prompt.
        start, end: the selection, or twice the cursor's place: then the network tag, the bracket or the word around it is meant.
        steps: how many steps up, or down if negative.
        step, tag_step: what one changes of a weight, and of a network tag's.

    Returns:
        The change, None where there is nothing to weigh. A weight of 1 is not written.
    """
    start, end = max(min(start, end), 0), min(max(start, end), len(text))
    tag = next((tag for tag in find_tags(text) if tag.start <= start and end <= tag.end and (tag.start < start or start < end)), None)
    if tag is not None:
        return _reweigh_tag(text, tag.arguments, tag.end - 1, tag_step * steps) if tag.type in KINDS else None
    around = _enclosing(text, start, end)
    if around is not None and (start == end or _is_all(text, around, start, end)):
        opened, closed = around
        colon = text.rfind(":", opened, closed)
        written = _WEIGHT.fullmatch(text, colon + 1, closed) if colon > opened else None
        inner = (opened + 1, colon if written else closed)
        return _written(
            text, opened, closed + 1, inner, (float(written[1]) if written else _BRACKETED) + step * steps, start - opened - 1 if start == end else None
        )
    if start == end:
        start, end = _word(text, start)
    else:
        piece = text[start:end]
        start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
    if start >= end:
        return None
    return _written(text, start, end, (start, end), 1.0 + step * steps, None)


def _written(text: str, start: int, end: int, inner: tuple[int, int], weight: float, cursor: int | None) -> Edit:
    """`inner` with its weight in the place of `start` to `end`; all of it is selected, or a cursor stays where it was in it."""
    words = text[slice(*inner)]
    is_bare = round(weight, 2) == 1
    begin = start if is_bare else start + 1
    if cursor is None:
        selected = begin, begin + len(words)
    else:
        place = begin + min(max(cursor, 0), len(words))
        selected = place, place
    return Edit(start, end, words if is_bare else f"({words}:{_shown(weight)})", selected)


def _shown(weight: float) -> str:
    return f"{round(min(max(weight, -LARGEST), LARGEST), 2) + 0.0:g}"


def _enclosing(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Places of the innermost round brackets around a selection, or of those that it is made of."""
    opened: list[int] = []
    for cut in _BRACKETS.finditer(text):
        if cut[0] == "(":
            opened.append(cut.start())
        elif cut[0] == ")" and opened:
            begin = opened.pop()
            if (begin < start or (begin == start < end)) and end <= cut.start() + (begin == start):
                return begin, cut.start()
    return None


def _is_all(text: str, around: tuple[int, int], start: int, end: int) -> bool:
    """Whether a selection is all that stands in a bracket, with or without the bracket and its number."""
    opened, closed = around
    if start == opened:
        return end == closed + 1
    behind = text[end:closed]
    return not text[opened + 1 : start].strip() and (not behind.strip() or (behind.lstrip().startswith(":") and bool(_WEIGHT.fullmatch(behind.lstrip()[1:]))))


def _word(text: str, place: int) -> tuple[int, int]:
    start = place
    while start > 0 and not _WORD_ENDS.match(text[start - 1]):
        start -= 1
    ends = _WORD_ENDS.search(text, place)
    return start, ends.start() if ends else len(text)


def _reweigh_tag(text: str, start: int, end: int, change: float) -> Edit | None:
    """Change the first number of a tag's arguments; None where a schedule or a list stands in its place."""
    colon = text.find(":", start, end)
    if colon < 0 or "=" in text[colon : text.find(":", colon + 1, end) if text.find(":", colon + 1, end) > 0 else end]:
        place = end if colon < 0 else colon
        number = f":{_shown(1 + change)}"
        return Edit(place, place, number, (place + 1, place + len(number)))
    after = text.find(":", colon + 1, end)
    written = _WEIGHT.fullmatch(text, colon + 1, after if after > 0 else end)
    if written is None:
        return None
    number = _shown(float(written[1]) + change)
    return Edit(written.start(1), written.end(1), number, (written.start(1), written.start(1) + len(number)))
