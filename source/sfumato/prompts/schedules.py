"""Schedules and alternation: `[from:to:when]`, `[to:when]`, `[a|b]`, as a tree that any call of a sampling pass resolves to plain text.

The parser is one scan with an explicit stack; what is no schedule stays text, its brackets included, for `attention` to read. When a schedule switches, `calls`
tells. Rules: P14, P15, P19, P22, P40 of the prompt language.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sfumato.prompts.calls import PassSpan, When, read_when
from sfumato.prompts.options import Timelines

# A sign, blanks, a schedule, blanks: what a scheduled weight is among the items. Looking no farther keeps nested brackets linear.
_ITEMS_OF_A_NUMBER = 4
_CUTS = re.compile(r"[\[\]():|]|\\[\s\S]?")
_SEEMS_NUMBER = re.compile(r"\s*+[+-]?\.?[0-9]")
_NUMBER = re.compile(r"\s*+[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)\s*+")


@dataclass(slots=True, eq=False)
class Schedule:
    """`[before:after:when]`; `pins` are the places of its own characters in the text."""

    before: "list[Node]"
    after: "list[Node]"
    when: When
    pins: tuple[tuple[int, int], ...]
    is_bare: bool  # written without a from side: [to:when]
    is_number: bool = False  # stands for a weight


@dataclass(slots=True, eq=False)
class Alternation:
    """`[a|b|...]`; `pins` as in `Schedule`."""

    options: "list[list[Node]]"
    pins: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was taken out of the text and keeps its place: `content` is the taker's."""

    content: object


Node = str | Schedule | Alternation | Mark


class Doubt(NamedTuple):
    """A place of the text that is probably not read as its writer meant."""

    start: int
    end: int
    message: str


@dataclass(slots=True, eq=False)
class Timeline:
    """A text that depends on the call.

    Attributes:
        nodes: the tree.
        switches: all schedules in it, outermost last.
        alternations: all alternations in it.
        doubts: places that look like a schedule and are none, or the other way round.
    """

    nodes: list[Node]
    switches: list[Schedule] = field(default_factory=list)
    alternations: list[Alternation] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def is_constant(self) -> bool:
        return not self.switches and not self.alternations

    def boundaries(self, span: PassSpan, timelines: Timelines) -> list[int]:
        """Calls after which something may change, ascending, within the plan."""
        found = {schedule.when.boundary(span, timelines) for schedule in self.switches}
        return sorted(boundary for boundary in found if boundary >= 1)

    def resolve(self, state: int, span: PassSpan, timelines: Timelines) -> tuple[str, list[object]]:
        """The text in force, and the contents of the marks that stand in it.

        Args:
            state: from `state_of`.
        """
        written: list[str] = []
        marks: list[object] = []
        unfinished: list[Iterator[Node]] = [iter(self.nodes)]
        while unfinished:
            for node in unfinished[-1]:
                match node:
                    case str():
                        written.append(node)
                        continue
                    case Schedule():
                        side = node.before if state <= node.when.boundary(span, timelines) else node.after
                    case Alternation():
                        side = node.options[(state - 1) % len(node.options)]
                    case Mark():
                        marks.append(node.content)
                        continue
                unfinished.append(iter(side))
                break
            else:
                unfinished.pop()
        return "".join(written), marks


# An open bracket: its sign and place, and how many items and separators there were before it. Bare tuples here and below: they are made for every sign of a
# prompt, and a named one takes six times as long to make.
_Frame = tuple[str, int, int, int]
# A colon or upright line inside a bracket: its sign, its place in the text and among the items.
_Separator = tuple[str, int, int]


class _Scan:
    """One pass over a text. `items` is flat: brackets that turn out to be schedules are folded into one node where they close."""

    def __init__(self, text: str, marks: Sequence[tuple[int, object]]) -> None:
        self._text = text
        self._begin = 0  # of the text that is not among the items yet
        self._marks = marks
        self._next_mark = 0
        self._frames: list[_Frame] = []
        self._open = {"[": 0, "(": 0}
        self._separators: list[_Separator] = []  # those not enclosed by a closed bracket
        self.timeline = Timeline([])
        self._items = self.timeline.nodes
        frames, separators, opened, items = self._frames, self._separators, self._open, self._items
        for cut in _CUTS.finditer(text):
            sign = cut[0]
            if sign == ":" or sign == "|":
                if frames:
                    self._flush(cut.start())
                    separators.append((sign, cut.start(), len(items)))
            elif sign == "(" or sign == "[":
                place = cut.start()
                if sign == "[":
                    self._flush(place)
                frames.append((sign, place, len(items), len(separators)))
                opened[sign] += 1
            elif sign == "]":
                self._close_square(cut.start())
            elif sign == ")":
                self._close_round(cut.start())
        self._flush(len(text))

    def _flush(self, end: int) -> None:
        """Move the text up to `end`, and the marks in it, among the items."""
        while self._next_mark < len(self._marks) and self._marks[self._next_mark][0] <= end:
            place, content = self._marks[self._next_mark]
            if self._begin < place:
                self._items.append(self._text[self._begin : place])
                self._begin = place
            self._items.append(Mark(content))
            self._next_mark += 1
        if self._begin < end:
            self._items.append(self._text[self._begin : end])
            self._begin = end

    def _pop(self, sign: str) -> _Frame | None:
        """The innermost open bracket of this sign. Those of the other sign inside it are never closed: their separators are those of the one around them."""
        if not self._open[sign]:
            return None
        while True:
            frame = self._frames.pop()
            self._open[frame[0]] -= 1
            if frame[0] == sign:
                return frame

    def _close_square(self, end: int) -> None:
        frame = self._pop("[")
        if frame is None or len(self._separators) == frame[3]:
            return
        self._flush(end)
        separators = self._separators[frame[3] :]
        del self._separators[frame[3] :]
        colons = sum(sign == ":" for sign, *_ in separators)
        bars = len(separators) - colons
        last, place, _ = separators[-1]
        when = read_when(self._text, place + 1, end) if last == ":" else None
        if bars and not colons:
            self._fold(frame, Alternation(self._sides(frame, separators), _pins(frame, separators, end)), end)
        elif when is not None and not bars and colons <= 2:
            *sides, moment = self._sides(frame, separators)
            pins = (*_pins(frame, separators, end), (place + 1, end))
            self._fold(frame, Schedule(sides[0] if colons == 2 else [], sides[-1], when, pins, colons == 1), end)
            self._items += [item for item in moment if isinstance(item, Mark)]
        elif colons:
            self._doubt_literal(frame, separators, end, when)

    def _sides(self, frame: _Frame, separators: Sequence[_Separator]) -> "list[list[Node]]":
        """The items of a bracket, cut at its separators; the bracket's and the separators' own signs begin an item each, and go."""
        edges = [frame[2], *(item for _, _, item in separators), len(self._items)]
        return [_without_sign(self._items[start:end]) for start, end in pairwise(edges)]

    def _fold(self, frame: _Frame, node: Schedule | Alternation, end: int) -> None:
        del self._items[frame[2] :]
        self._items.append(node)
        self._begin = end + 1
        if isinstance(node, Schedule):
            self.timeline.switches.append(node)
        else:
            self.timeline.alternations.append(node)

    def _doubt_literal(self, frame: _Frame, separators: Sequence[_Separator], end: int, when: When | None) -> None:
        last, place, _ = separators[-1]
        if when is not None and any(sign == "|" for sign, *_ in separators):
            message = "A schedule and an alternation in one bracket: it is read as text. Put one of them into a bracket of its own."
        elif when is not None:
            message = "A schedule has at most two texts and a number: this bracket has more colons and is read as text."
        elif last == ":" and _SEEMS_NUMBER.match(self._text, place + 1, end):
            message = "What stands behind the last colon is no number such as 5 or 0.5: the bracket is read as text."
        else:
            return
        self.timeline.doubts.append(Doubt(frame[1], end + 1, message))

    def _close_round(self, end: int) -> None:
        frame = self._pop("(")
        if frame is None or len(self._separators) == frame[3]:
            return
        self._flush(end)
        sign, _, item = self._separators[-1]
        if sign == ":" and 1 < len(self._items) - item <= _ITEMS_OF_A_NUMBER:
            fill_empty(_without_sign(self._items[item:]), "1.0")
        del self._separators[frame[3] :]


def _pins(frame: _Frame, separators: Sequence[_Separator], end: int) -> tuple[tuple[int, int], ...]:
    return tuple((pin, pin + 1) for pin in (frame[1], *(place for _, place, _ in separators), end))


def _without_sign(items: "list[Node]") -> "list[Node]":
    """Items without the sign that the first text begins with."""
    for number, item in enumerate(items):
        if isinstance(item, str):
            rest = items[number + 1 :] if len(item) == 1 else [item[1:], *items[number + 1 :]]
            return [*items[:number], *rest] if number else rest
    return items


def read_timeline(text: str, marks: Sequence[tuple[int, object]] = ()) -> Timeline:
    """Read the schedules and alternations of a text. Any text can be read.

    Args:
        text: one AND part, or one number of a network.
        marks: what was taken out of the text and where it stood, by place.
    """
    if "[" not in text and not marks:
        return Timeline([text])
    return _Scan(text, marks).timeline


def fill_empty(nodes: "list[Node]", value: str) -> bool:
    """Let the empty sides of a scheduled number mean `value`. Nothing is changed, and the answer is False, unless it is one schedule whose texts are numbers.

    Args:
        nodes: what stands where a number is expected.
    """
    inner = [node for node in nodes if not (isinstance(node, str) and _is_blank(node))]
    if len(inner) != 1 or not isinstance(inner[0], Schedule | Alternation):
        return False
    empty: list[list[Node]] = []
    waiting: list[Schedule | Alternation] = [inner[0]]
    seen: list[Schedule | Alternation] = []
    while waiting:
        node = waiting.pop()
        seen.append(node)
        for side in (node.before, node.after) if isinstance(node, Schedule) else node.options:
            written = [part for part in side if not (isinstance(part, str) and _is_blank(part))]
            if not written:
                empty.append(side)
            elif len(written) == 1 and isinstance(written[0], Schedule | Alternation):
                waiting.append(written[0])
            elif len(written) != 1 or not isinstance(written[0], str) or not _NUMBER.fullmatch(written[0]):
                return False
    for node in seen:
        if isinstance(node, Schedule):
            node.is_number = True
    for side in empty:
        side[:] = [value]
    return True


def _is_blank(text: str) -> bool:
    return not text or text.isspace()
