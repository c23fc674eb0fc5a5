"""Choosing: a dynamic prompt becomes one text, whichever way options are picked (see `choosers`).

Nothing is recursive; names that contain themselves, and texts that grow without end, stop at limits and are marked. Rules: P48-P53, P55.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from sfumato.prompts.choosers import Chooser
from sfumato.prompts.dynamic import Binding, Choice, Node, Piece, Template, Variable, Wildcard, read_template
from sfumato.prompts.names import Library, Lines
from sfumato.prompts.schedules import Doubt
from sfumato.prompts.traced import Traced, Weaver

DEPTH_LIMIT = 32
EXPANSIONS_LIMIT = 10_000
CHARACTERS_LIMIT = 100_000

_LINES_MEASURED = 16


class _Origin(NamedTuple):
    """Where nodes come from: a text, and either its trace or the place of the source it stands for."""

    text: str
    traced: Traced | None
    place: tuple[int, int]

    def source(self, start: int, end: int) -> tuple[int, int]:
        return self.traced.source(start, end) if self.traced is not None else self.place


class _Line(NamedTuple):
    """A line of a wildcard, picked."""

    name: str
    text: str
    place: tuple[int, int]


class _Text(NamedTuple):
    """Text that is not written anywhere: a joiner, or a value chosen once."""

    text: str
    place: tuple[int, int]


@dataclass(slots=True, eq=False)
class _Frame:
    """Nodes being worked off. `name` is open until they are done; `value` takes what they write; `grows` if they may be more than the prompt holds."""

    nodes: "Iterator[Node | _Line | _Text]"
    origin: _Origin
    name: str = ""
    value: str = ""
    grows: bool = False


class Choosing:
    """One choice of everything in a prompt.

    Attributes:
        text: what was chosen.
        doubts: unknown names, cycles and limits reached, by places in the source.
    """

    def __init__(self, template: Template, traced: Traced, library: Library, chooser: Chooser, image_index: int = 0) -> None:
        self.doubts: list[Doubt] = []
        self._library = library
        self._chooser = chooser
        self._image_index = image_index
        self._values: dict[str, tuple[list[Node | _Text], _Origin]] = {}
        self._walked: dict[str, int] = {}
        self._lines: dict[str, Template] = {}
        self._sizes: dict[int, int] = {}
        self._open: list[str] = []
        self._growing = 0
        self._expansions = 0
        self._characters = 0
        self._is_full = False
        self._sinks = [Weaver()]
        self._measure_constructs(template)
        self._frames = [_Frame(iter(template.nodes), _Origin(traced.text, traced, (0, len(traced.text))))]
        self._work_off()
        self.text = self._sinks[0].done()

    def _work_off(self) -> None:
        while self._frames:
            frame = self._frames[-1]
            node = None if self._is_full and frame.grows else next(frame.nodes, None)
            match node:
                case None:
                    self._leave(self._frames.pop())
                case Piece():
                    self._write(frame.origin, node)
                case _Text():
                    self._insert(node.text, node.place)
                case _Line():
                    self._enter_line(node)
                case Choice():
                    self._choose(node, frame.origin)
                case Wildcard():
                    self._take_wildcard(node, frame.origin)
                case Variable():
                    self._take_variable(node, frame.origin)
                case Binding() if node.is_immediate:
                    self._sinks.append(Weaver())
                    self._enter(_Frame(iter(node.value), frame.origin, value=node.name))
                case Binding():
                    self._values[node.name] = (list(node.value), frame.origin)

    def _enter(self, frame: _Frame) -> None:
        if frame.name:
            self._open.append(frame.name)
        self._growing += frame.grows
        self._frames.append(frame)

    def _leave(self, frame: _Frame) -> None:
        if frame.name:
            self._open.pop()
        self._growing -= frame.grows
        if frame.value:
            text = self._sinks.pop().done().text
            self._values[frame.value] = ([_Text(text, frame.origin.place)], frame.origin)

    def _write(self, origin: _Origin, piece: Piece) -> None:
        if not self._may_grow(piece.end - piece.start):
            return
        if origin.traced is not None:
            self._sinks[-1].copy(origin.traced, piece.start, piece.end)
        else:
            self._sinks[-1].insert(origin.text[piece.start : piece.end], *origin.place)

    def _insert(self, text: str, place: tuple[int, int]) -> None:
        if self._may_grow(len(text)):
            self._sinks[-1].insert(text, *place)

    def _may_grow(self, length: int) -> bool:
        if self._growing:
            self._characters += length
            if self._characters > CHARACTERS_LIMIT:
                self._fill(f"The choices make more than {CHARACTERS_LIMIT} characters: the rest is left out.")
                return False
        return True

    def _fill(self, message: str) -> None:
        if not self._is_full:
            self._is_full = True
            outermost = next((frame for frame in self._frames if frame.origin.traced is None), self._frames[0])
            self.doubts.append(Doubt(*outermost.origin.place, message))

    def _may_expand(self) -> bool:
        self._expansions += 1
        if self._expansions > EXPANSIONS_LIMIT:
            self._fill(f"There are more than {EXPANSIONS_LIMIT} choices: the rest is left out.")
            return False
        return True

    def _choose(self, choice: Choice, origin: _Origin) -> None:
        if not self._may_expand():
            return
        if not choice.several:
            index = self._chooser.one(list(accumulate(choice.weights)), lambda: [self._size(option, origin.text) for option in choice.options])
            self._enter(_Frame(iter(choice.options[index]), origin, grows=bool(self._growing)))
            return
        place = origin.source(choice.start, choice.end)
        only = choice.options[0][0] if len(choice.options) == 1 and len(choice.options[0]) == 1 else None
        lines = self._find(only, origin) if isinstance(only, Wildcard) and not only.walks else None
        count = len(lines.texts) if lines is not None else len(choice.options)
        low, high = choice.low, max(choice.low, count) if choice.high is None else choice.high
        wanted = min(self._chooser.number(low, high), EXPANSIONS_LIMIT - self._expansions + 1)
        if lines is not None and isinstance(only, Wildcard):
            picked = self._chooser.several(lines.cumulative, wanted, lambda: self._line_sizes(lines))
            nodes = [[_Line(only.name, lines.texts[index], place)] for index in picked]
        else:
            weights = list(accumulate(choice.weights))
            picked = self._chooser.several(weights, wanted, lambda: [self._size(option, origin.text) for option in choice.options])
            nodes = [choice.options[index] for index in picked]
        self._expansions += max(len(picked) - 1, 0)
        self._enter(_Frame(_joined(nodes, _Text(choice.joiner, place)), origin, grows=True))

    def _find(self, wildcard: Wildcard, origin: _Origin) -> Lines | None:
        lines = self._library.wildcard(wildcard.name)
        if lines is None and not wildcard.is_doubtful:
            message = f"There is no wildcard file '{wildcard.name}': its name stays in the text."
            self.doubts.append(Doubt(*origin.source(wildcard.start, wildcard.end), message))
        return lines

    def _take_wildcard(self, wildcard: Wildcard, origin: _Origin) -> None:
        lines = self._find(wildcard, origin)
        if lines is None:
            self._write(origin, Piece(wildcard.start, wildcard.end))
            return
        if not self._may_expand():
            return
        if wildcard.walks:
            used = self._walked.get(wildcard.name, 0)
            self._walked[wildcard.name] = used + 1
            index = (self._image_index + used) % len(lines.texts)
        else:
            index = self._chooser.one(lines.cumulative, lambda: self._line_sizes(lines))
        self._enter_line(_Line(wildcard.name, lines.texts[index], origin.source(wildcard.start, wildcard.end)))

    def _enter_line(self, line: _Line) -> None:
        if self._may_open(line.name, line.place):
            if line.text not in self._lines:
                self._lines[line.text] = read_template(line.text)
                self._measure_constructs(self._lines[line.text])
            origin = _Origin(line.text, None, line.place)
            self._enter(_Frame(iter(self._lines[line.text].nodes), origin, name=line.name, grows=True))

    def _take_variable(self, variable: Variable, origin: _Origin) -> None:
        place = origin.source(variable.start, variable.end)
        bound = self._values.get(variable.name)
        if bound is None and variable.default is None:
            self.doubts.append(Doubt(*place, f"Nothing is bound to '{variable.name}' before this: it stays text."))
            self._write(origin, Piece(variable.start, variable.end))
        elif bound is None:
            self._enter(_Frame(iter(variable.default or ()), origin, grows=bool(self._growing)))
        elif self._may_expand() and self._may_open(f"${{{variable.name}}}", place):
            nodes, written_in = bound
            self._enter(_Frame(iter(nodes), written_in, name=f"${{{variable.name}}}", grows=True))

    def _may_open(self, name: str, place: tuple[int, int]) -> bool:
        if name in self._open:
            cycle = " > ".join([*self._open[self._open.index(name) :], name])
            self.doubts.append(Doubt(*place, f"This name contains itself ({cycle}): nothing is put in its place."))
            return False
        if len(self._open) >= DEPTH_LIMIT:
            self.doubts.append(Doubt(*place, f"Names are nested more than {DEPTH_LIMIT} deep here: nothing is put in the place of the innermost."))
            return False
        return True

    def _measure_constructs(self, template: Template) -> None:
        """Note the greatest length of everything to choose in a text, inner constructs before those around them."""
        if self._chooser.measure is None:
            return
        for node in template.constructs:
            match node:
                case Wildcard():
                    lines = self._library.wildcard(node.name)
                    size = max(self._line_sizes(lines)) if lines else self._chooser.measure(template.text[node.start : node.end])
                case Choice():
                    sizes = sorted((self._size(option, template.text) for option in node.options), reverse=True)
                    size = sum(sizes[: max(node.high if node.high is not None else len(sizes), 1)])
                case Variable():
                    size = self._size(node.default or [], template.text)
                case Binding():
                    size = 0
            self._sizes[id(node)] = size

    def _size(self, option: "list[Node]", text: str) -> int:
        measure = self._chooser.measure
        if measure is None:
            return 0
        return sum(measure(text[node.start : node.end]) if isinstance(node, Piece) else self._sizes[id(node)] for node in option)

    def _line_sizes(self, lines: Lines) -> list[int]:
        """Lengths of lines; of many only the longest in characters are looked at closely."""
        measure = self._chooser.measure
        if measure is None:
            return [0]
        shortest = sorted(map(len, lines.texts), reverse=True)[:_LINES_MEASURED][-1]
        return [measure(line) if len(line) >= shortest else 0 for line in lines.texts]


def _joined(picked: "Sequence[Sequence[Node | _Line]]", joiner: _Text) -> "Iterator[Node | _Line | _Text]":
    for number, nodes in enumerate(picked):
        if number and joiner.text:
            yield joiner
        yield from nodes
