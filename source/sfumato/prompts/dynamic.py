"""Dynamic prompts as a tree: choices `{a|b}`, wildcards `__name__` and variables `${x=...}`.

Only reading: what is picked is `choosing`'s business. One scan with an explicit stack; braces that hold no choice stay text. Rules: P48-P50, P52, P53.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from sfumato.prompts.names import weighed_option

_CUTS = re.compile(
    r"""\\[\s\S]?
    | \$\{\s*+(?P<variable>[^\W\d]\w*+)\s*+(?P<act>=!|=|:|\})\s*+
    | (?P<bracket>[{}\[\]])
    | (?P<separator>\||\$\$)
    | (?P<walks>@?)__(?!\ )(?P<wildcard>(?:[^\W_]|[-/*.~ ()]|_(?!_))++)(?<!\ )__""",
    re.VERBOSE,
)
_COUNT = re.compile(r"\s*+(?:(?P<low>[0-9]{1,9})\s*+(?P<dash>-)?\s*+(?P<high>[0-9]{1,9})?|-\s*+(?P<most>[0-9]{1,9}))\s*+")


class Piece(NamedTuple):
    """Text that stands from `start` to `end`."""

    start: int
    end: int


@dataclass(slots=True, eq=False)
class Wildcard:
    """`__name__`; `walks` if its lines are taken in order, `is_doubtful` where it may be part of a word such as `my__best__v2`."""

    name: str
    walks: bool
    start: int
    end: int
    is_doubtful: bool = False


@dataclass(slots=True, eq=False)
class Variable:
    """`${name}`, or `${name:default}`."""

    name: str
    default: "list[Node] | None"
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Binding:
    """`${name=value}`; with `=!` the value is chosen where it stands, else anew at each use."""

    name: str
    value: "list[Node]"
    is_immediate: bool
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Choice:
    """`{a|b}` or `{low-high$$joiner$$a|b}`. `high` is None for as many as there are; `several` tells whether a number was written."""

    options: "list[list[Node]]"
    weights: list[float]
    low: int
    high: int | None
    joiner: str
    several: bool
    start: int
    end: int


Node = Piece | Wildcard | Variable | Binding | Choice


@dataclass(slots=True, eq=False)
class Template:
    """A text with its choices. `constructs` are all of them, inner ones before those around them."""

    text: str
    nodes: list[Node]
    constructs: "list[Wildcard | Variable | Binding | Choice]" = field(default_factory=list)


class _Frame(NamedTuple):
    """An open bracket: its sign (`$` for a variable), where it begins, and how many items and separators there were before it."""

    sign: str
    start: int
    item: int
    separator: int
    opening: re.Match[str]


class _Separator(NamedTuple):
    sign: str
    item: int


class _Scan:
    """One pass over a text. `items` is flat: a construct is folded into one node where it closes, its signs are items of their own until then."""

    def __init__(self, text: str) -> None:
        self.template = Template(text, [])
        self._text = text
        self._items = self.template.nodes
        self._begin = 0
        self._frames: list[_Frame] = []
        self._braces = 0  # open frames that a closing brace can close
        self._separators: list[_Separator] = []
        for cut in _CUTS.finditer(text):
            if cut["wildcard"]:
                self._flush(cut.start())
                start, end = cut.span()
                is_doubtful = text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()
                self._add(Wildcard(cut["wildcard"], bool(cut["walks"]), start, end, is_doubtful), end)
            elif cut["variable"]:
                self._take_variable(cut)
            elif cut["separator"]:
                self._take_separator(cut)
            elif cut["bracket"]:
                self._take_bracket(cut)
        self._flush(len(text))

    def _flush(self, end: int) -> None:
        if self._begin < end:
            self._items.append(Piece(self._begin, end))
            self._begin = end

    def _add(self, node: Wildcard | Variable | Binding | Choice, end: int) -> None:
        self._items.append(node)
        self.template.constructs.append(node)
        self._begin = end

    def _take_variable(self, cut: re.Match[str]) -> None:
        self._flush(cut.start())
        if cut["act"] == "}":
            end = cut.end("act")  # blanks behind it are text
            self._add(Variable(cut["variable"], None, cut.start(), end), end)
        else:
            self._open("$", cut)

    def _open(self, sign: str, cut: re.Match[str]) -> None:
        self._frames.append(_Frame(sign, cut.start(), len(self._items), len(self._separators), cut))
        self._braces += sign != "["
        if sign != "[":
            self._flush(cut.end())

    def _take_separator(self, cut: re.Match[str]) -> None:
        if self._braces:
            self._flush(cut.start())
            self._separators.append(_Separator(cut[0], len(self._items)))
            self._flush(cut.end())

    def _take_bracket(self, cut: re.Match[str]) -> None:
        match cut[0]:
            case "{":
                self._flush(cut.start())
                self._open("{", cut)
            case "[":
                self._open("[", cut)
            case "]":
                if self._frames and self._frames[-1].sign == "[":
                    del self._separators[self._frames.pop().separator :]
            case _:
                self._close(cut)

    def _close(self, cut: re.Match[str]) -> None:
        """Fold what a brace closes. Square brackets inside that were never closed enclose nothing: their separators are those of the brace."""
        if not self._braces:
            return
        while (frame := self._frames.pop()).sign == "[":
            pass
        self._braces -= 1
        self._flush(cut.start())
        separators = self._separators[frame.separator :]
        del self._separators[frame.separator :]
        node = self._variable(frame, cut.end()) if frame.sign == "$" else self._choice(frame, separators, cut.end())
        if node is not None:
            del self._items[frame.item :]
            self._add(node, cut.end())

    def _variable(self, frame: _Frame, end: int) -> Variable | Binding:
        name, act = frame.opening["variable"], frame.opening["act"]
        value = self._items[frame.item + 1 :]
        if act == ":":
            return Variable(name, value, frame.start, end)
        return Binding(name, value, act == "=!", frame.start, end)

    def _choice(self, frame: _Frame, separators: list[_Separator], end: int) -> Choice | None:
        first = frame.item + 1
        low, high, joiner, several = 1, 1, ", ", False
        if separators and separators[0].sign == "$$" and (count := self._count(self._items[first : separators[0].item])) is not None:
            (low, high), several = count, True
            first = separators[0].item + 1
            second = next((number for number, separator in enumerate(separators[1:], 1) if separator.sign == "$$"), None)
            if second is not None:
                joiner = self._text[self._start(separators[0].item + 1) : self._start(separators[second].item)]
                first = separators[second].item + 1
            separators = separators[(second or 0) + 1 :]
        bars = [separator.item for separator in separators if separator.sign == "|"]
        if not bars and not several:
            return None
        edges = [first - 1, *bars, len(self._items)]
        options, weights = [], []
        for before, after in zip(edges, edges[1:]):  # noqa: RUF007  as everywhere here: places of signs
            weight, option = _weighed(self._text, self._items[before + 1 : after])
            options.append(option)
            weights.append(weight)
        return Choice(options, weights, low, high, joiner, several, frame.start, end)

    def _start(self, item: int) -> int:
        found = self._items[item] if item < len(self._items) else None
        return found.start if found is not None else self._begin

    def _count(self, items: "list[Node]") -> tuple[int, int | None] | None:
        """The numbers of `2`, `1-3`, `2-` or `-3`."""
        if len(items) != 1 or not isinstance(items[0], Piece):
            return None
        written = _COUNT.match(self._text, items[0].start, items[0].end)
        if written is None or written.end() != items[0].end:
            return None
        if written["most"]:
            return 1, int(written["most"])
        low = int(written["low"])
        if not written["dash"]:
            return None if written["high"] else (low, low)
        high = int(written["high"]) if written["high"] else None
        return (low, high) if high is None or low <= high else (high, low)


def _weighed(text: str, option: "list[Node]") -> "tuple[float, list[Node]]":
    """An option without the weight written before it."""
    if not option or not isinstance(first := option[0], Piece):
        return 1.0, option
    written = text[first.start : first.end]
    weight, rest = weighed_option(written)
    if len(rest) == len(written):
        return weight, option
    begin = first.end - len(rest)
    return weight, [*([Piece(begin, first.end)] if rest else []), *option[1:]]


def read_template(text: str) -> Template:
    """Read the choices, wildcards and variables of a text. Any text can be read."""
    return _Scan(text).template


def seems_dynamic(text: str) -> bool:
    """Whether there can be anything to choose; a quick look."""
    return "{" in text or "__" in text
