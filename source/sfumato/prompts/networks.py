"""Networks named in a prompt: `<lora:name:te:unet>`, `<hypernet:name:w>`, taken out of the text, with schedules inside their numbers.

A tag is read once into a `NetworkTag`; at a call it gives a `Network`, plain numbers for the engine. Rules: P36-P44 of the prompt language.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from sfumato.prompts.blocks import LISTS, PRESETS, BlockWeights, read_block_weights
from sfumato.prompts.calls import PassSpan, When, read_when
from sfumato.prompts.names import Library, NetworkKind, NetworkRecord
from sfumato.prompts.options import LoraOrder, Timelines
from sfumato.prompts.schedules import Doubt, Timeline, fill_empty, read_timeline

KINDS: Mapping[str, NetworkKind] = MappingProxyType({"lora": "lora", "lyco": "lora", "hypernet": "hypernet"})
USUAL_WEIGHT = 3.0
_LARGEST_WEIGHT = 1e6
_RANK_PLACE = 2  # among the positional numbers

_OPENS = re.compile(r"\\[\s\S]|<(?P<local>@?)(?P<type>\w++):")
_CUTS = re.compile(r"[\[\]:]")
_NAMED = re.compile(r"\s*+(?P<key>te|clip|unet|dyn|lbw|start|stop|hr)\s*+=")
_ANY_NAMED = re.compile(r"\s*+\w++\s*+=")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]{1,9})?")
_ALIASES = {"clip": "te"}
# A span long enough that fractions of it differ, for a look at all that a scheduled list may become.
_TRIAL = PassSpan(1000)


@dataclass(frozen=True, slots=True)
class Network:
    """A network as it acts at one call.

    Attributes:
        kind, name: what the tag says; `key` is the library's for its file.
        te: weight on the text encoders, block weights included; 0 for a hypernetwork.
        unet: weight on the denoiser, before block weights.
        rank: rank kept of the network, None for all.
        blocks: factors on the denoiser's blocks, None for 1 throughout.
    """

    kind: NetworkKind
    name: str
    key: str
    te: float
    unet: float
    rank: int | None = None
    blocks: BlockWeights | None = None


class TagPlace(NamedTuple):
    """A tag in a text: what it is, and where it and its arguments stand."""

    start: int
    end: int
    type: str
    is_local: bool
    arguments: int


@dataclass(frozen=True, slots=True, eq=False)
class _Number:
    """A number that may depend on the call; `usual` stands for what is no number."""

    timeline: Timeline
    usual: float = 1.0

    def at(self, state: int, span: PassSpan, timelines: Timelines) -> float:
        return _number(self.timeline.resolve(state, span, timelines)[0], self.usual)


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """A block list that may depend on the call; `presets` are the lists its names stand for."""

    timeline: Timeline
    presets: Mapping[str, str]

    def at(self, state: int, span: PassSpan, timelines: Timelines) -> BlockWeights | None:
        return self.read(self.timeline.resolve(state, span, timelines)[0])

    def read(self, text: str) -> BlockWeights | None:
        words = self.presets.get(text.strip(), text).split(",")
        return read_block_weights([_number(word, 1.0) for word in words])


@dataclass(frozen=True, slots=True, eq=False)
class NetworkTag:
    """A tag as written.

    Attributes:
        kind, name, is_local: what it names, and whether it acts on its own part only.
        record: the library's file, None if there is none that can be used.
        doubts: what is suspicious, by places in the text the tag was read from.
    """

    kind: NetworkKind
    name: str
    is_local: bool
    record: NetworkRecord | None
    te: _Number | None = None
    unet: _Number | None = None
    rank: int | None = None
    blocks: _Blocks | None = None
    start: When | None = None
    stop: When | None = None
    highres: _Number | None = None
    doubts: list[Doubt] = field(default_factory=list)

    def at(self, state: int, span: PassSpan, timelines: Timelines) -> Network | None:
        """The network at a state of a pass; None while it does not act or if there is no such file."""
        if self.record is None:
            return None
        if self.start is not None and state <= self.start.boundary(span, timelines):
            return None
        if self.stop is not None and state > self.stop.boundary(span, timelines):
            return None
        if span.is_highres and self.highres is not None:
            te = unet = self.highres.at(state, span, timelines)
        else:
            te = self.te.at(state, span, timelines) if self.te else 1.0
            unet = self.unet.at(state, span, timelines) if self.unet else 1.0
        if self.kind == "hypernet":
            te = 0.0
        blocks = self.blocks.at(state, span, timelines) if self.blocks else None
        return Network(self.kind, self.name, self.record.key or self.record.path, te * (blocks.base if blocks else 1.0), unet, self.rank, blocks)

    @property
    def timelines(self) -> list[Timeline]:
        """All that may change with the call."""
        return [value.timeline for value in (self.te, self.unet, self.blocks, self.highres) if value is not None]

    def boundaries(self, span: PassSpan, timelines: Timelines) -> set[int]:
        """Calls after which it may change."""
        found = {when.boundary(span, timelines) for when in (self.start, self.stop) if when is not None}
        return found.union(*(timeline.boundaries(span, timelines) for timeline in self.timelines))

    @property
    def alternates(self) -> bool:
        return any(timeline.alternations for timeline in self.timelines)


def added(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Networks in the order written; where one is named several times with the same blocks and rank, its weights are added."""
    found: dict[object, Network] = {}
    for network in networks:
        key = network.kind, network.key, network.rank, network.blocks
        known = found.get(key)
        found[key] = network if known is None else replace(known, te=known.te + network.te, unet=known.unet + network.unet)
    return tuple(found.values())


def find_tags(text: str) -> list[TagPlace]:
    """Everything of the form `<type:arguments>` or `<@type:arguments>`, in order, in linear time."""
    found: list[TagPlace] = []
    place = 0
    while (opens := _OPENS.search(text, place)) is not None:
        place = opens.end()
        if opens["type"] is None:
            continue
        close = text.find(">", place)
        if close < 0:
            break
        if close > place:
            found.append(TagPlace(opens.start(), close + 1, opens["type"], bool(opens["local"]), place))
            place = close + 1
    return found


def read_tag(text: str, tag: TagPlace, library: Library, order: LoraOrder = "te_unet") -> NetworkTag:
    """Read the arguments of a tag of a known type.

    Args:
        text: that the tag was found in.
        library: knows the files.
        order: which of the two positional numbers comes first.
    """
    return _Arguments(text, tag, library).read(order)


class Argument(NamedTuple):
    """An argument of a tag as it is written: "name", "number", "list" of block weights, or the key of a named one ("te" for both of its spellings)."""

    role: str
    start: int
    end: int
    is_plain: bool


def arguments_of(text: str, tag: TagPlace, library: Library) -> list[Argument]:
    """Where the arguments of a tag of a known type stand, in order, for whoever writes them anew; of a named one only its value. Plain: without schedules."""
    arguments = _Arguments(text, tag, library)
    (name, start), *others = arguments.pieces
    found = [Argument("name", start, start + len(name), "[" not in name)]
    for value, start in others:
        end = start + len(value)
        if key := _NAMED.match(value):
            found.append(Argument(_ALIASES.get(key["key"], key["key"]), start + key.end(), end, "[" not in value))
        elif not _ANY_NAMED.match(value):
            found.append(Argument("list" if arguments.is_list(value) else "number", start, end, "[" not in value))
    return found


class _Arguments:
    """The arguments of one tag, cut at the colons outside of schedules."""

    def __init__(self, text: str, tag: TagPlace, library: Library) -> None:
        self._text = text
        self._tag = tag
        self._kind: NetworkKind = KINDS[tag.type]
        self._library = library
        self._presets: dict[str, str] = {}
        self.doubts: list[Doubt] = []
        self.pieces = [(text[start:end], start) for start, end in self._cut("[") or self._cut("")]

    def _cut(self, opening: str) -> list[tuple[int, int]]:
        """Places of the arguments; none if a bracket is never closed, which is then a letter of some name."""
        start, end, depth = self._tag.arguments, self._tag.end - 1, 0
        found: list[tuple[int, int]] = []
        for cut in _CUTS.finditer(self._text, start, end):
            if cut[0] == opening:
                depth += 1
            elif cut[0] == "]":
                depth = max(depth - 1, 0)
            elif cut[0] == ":" and not depth:
                found.append((start, cut.start()))
                start = cut.end()
        return [] if depth else [*found, (start, end)]

    def read(self, order: LoraOrder) -> NetworkTag:
        (name, _), *others = self.pieces
        name = name.strip()
        named: dict[str, tuple[str, int]] = {}
        numbers: list[_Number] = []
        blocks: _Blocks | None = None
        is_list_first = False
        for number, (value, start) in enumerate(others):
            if key := _NAMED.match(value):
                named[_ALIASES.get(key["key"], key["key"])] = value[key.end() :], start + key.end()
            elif _ANY_NAMED.match(value):
                self._doubt(value, start, "This tag knows te, unet, dyn, lbw, start, stop and hr: what stands here is left out.")
            elif self.is_list(value):
                blocks = self._block_list(value, start)
                is_list_first = number == 0
            else:
                numbers.append(self._number(value, start, is_weight=len(numbers) < _RANK_PLACE))
        if "lbw" in named:
            blocks = self._block_list(*named["lbw"])
        te, unet, rank = _positional(numbers, order, is_list_first)
        te = self._number(*named["te"]) if "te" in named else te
        return NetworkTag(
            self._kind,
            name,
            self._tag.is_local,
            self._find(name),
            te,
            self._number(*named["unet"]) if "unet" in named else unet or (None if is_list_first else te),
            self._rank(self._number(*named["dyn"], is_weight=False) if "dyn" in named else rank),
            blocks,
            self._when(*named["start"]) if "start" in named else None,
            self._when(*named["stop"]) if "stop" in named else None,
            self._number(*named["hr"]) if "hr" in named else None,
            self.doubts,
        )

    def _doubt(self, value: str, start: int, message: str) -> None:
        self.doubts.append(Doubt(start, start + len(value), message))

    def _number(self, value: str, start: int, *, is_weight: bool = True) -> _Number:
        timeline = read_timeline(value)
        if timeline.is_constant or not fill_empty(timeline.nodes, "0"):
            if not _NUMBER.fullmatch("".join(value.split())):
                self._doubt(value, start, "This is no number such as 0.8: 1 is taken instead.")
                return _Number(Timeline(["1"]))
            if is_weight and abs(_number(value, 1.0)) > USUAL_WEIGHT:
                self._doubt(value, start, "The weight is outside -3 to 3, where pictures usually fall apart.")
        return _Number(timeline)

    def _rank(self, number: _Number | None) -> int | None:
        if number is None:
            return None
        return max(int(number.at(1, _TRIAL, "new")), 1)

    def _when(self, value: str, start: int) -> When | None:
        when = read_when(value, 0, len(value))
        if when is None:
            self._doubt(value, start, "This is no moment such as 5 or 0.5: it is left out.")
        return when

    def is_list(self, value: str) -> bool:
        word = value.strip()
        if "," in value or word in PRESETS:
            return True
        if _NUMBER.fullmatch(word):
            return False
        if not any(map(str.isalpha, value.replace("HR", ""))):
            return False
        first = read_timeline(value).resolve(1, _TRIAL, "new")[0].strip() if "[" in value else word
        return first in PRESETS or self._library.block_weights(first) is not None

    def _block_list(self, value: str, start: int) -> _Blocks:
        timeline = read_timeline(value)
        blocks = _Blocks(timeline, self._presets)
        states = {1, *(boundary + 1 for boundary in timeline.boundaries(_TRIAL, "new")), *(range(2, 9) if timeline.alternations else ())}
        for text in {timeline.resolve(state, _TRIAL, "new")[0] for state in states}:
            name = text.strip()
            own = self._library.block_weights(name) if "," not in name else None
            self._presets[name] = own or PRESETS.get(name, name)
            words = self._presets[name].split(",")
            if not all(_NUMBER.fullmatch("".join(word.split())) for word in words) and len(words) > 1:
                self._doubt(value, start, "This list holds something that is no number: 1 is taken instead.")
            elif len(words) not in LISTS:
                lengths = ", ".join(str(length) for length in LISTS)
                found = f"has {len(words)} numbers" if len(words) > 1 else f"is called '{name}', which is no preset"
                self._doubt(value, start, f"The block list {found}; known are lists of {lengths}: 1 is taken throughout.")
        return blocks

    def _find(self, name: str) -> NetworkRecord | None:
        place = self._tag.arguments, self._tag.arguments + len(self.pieces[0][0])
        index = self._library.networks(self._kind)
        found = index.find(name)
        if found is None:
            closest = index.closest(name)
            hint = f" Closest: '{closest}'." if closest else ""
            self.doubts.append(Doubt(*place, f"There is no {self._kind} file called '{name}': it is left out.{hint}"))
            return None
        if found.is_ambiguous:
            self.doubts.append(Doubt(*place, f"'{name}' means {len(found.candidates)} files: '{found.record.path}' is taken. Write its folder too."))
        if found.record.unfit:
            self.doubts.append(Doubt(*place, f"{found.record.unfit} It is left out."))
            return None
        return found.record


def _positional(numbers: Sequence[_Number], order: LoraOrder, is_list_first: bool) -> tuple[_Number | None, _Number | None, _Number | None]:
    """Text encoder's weight, denoiser's weight and rank, None where nothing is said."""
    first, second, rank, *_ = [*numbers, None, None, None]
    if order == "te_unet" or is_list_first:
        return first, second, rank
    return second or first, first, rank


def _number(text: str, usual: float) -> float:
    """A number without its blanks, within what float32 products bear; `usual` if it is none."""
    text = "".join(text.split())
    if not _NUMBER.fullmatch(text):
        return usual
    return min(max(float(text), -_LARGEST_WEIGHT), _LARGEST_WEIGHT)
