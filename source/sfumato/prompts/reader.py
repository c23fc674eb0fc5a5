"""The reader: a prompt as typed becomes a `Prompt`, which tells for every call of a sampling pass what each of its parts says.

Order: styles, comments, choices, network tags, AND parts, schedules, attention; tokens and chunks are laid out by `chunks`. What a call says is resolved when it is
asked for and remembered. Rules: P1-P5, P25, P44 and the switches of P65.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from sfumato.prompts.attention import Piece, Segment, Span, SpecialToken, read_emphasis, without_emphasis
from sfumato.prompts.composition import find_ands, portions
from sfumato.prompts.names import EmptyLibrary, Library
from sfumato.prompts.networks import Network
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.schedules import PassSpan, Timeline, interval_of, read_timeline, state_of
from sfumato.prompts.traced import Traced


@dataclass(frozen=True, slots=True)
class Wording:
    """What one part says at one call. Equal wordings are equal conditioning, if the prompt's networks are equal too.

    Attributes:
        text: what is in force, brackets included.
        pieces: the same as segments of one weight and special words; their places are those in `text`.
        networks: those that act on this part alone.
    """

    text: str
    pieces: tuple[Piece, ...]
    networks: tuple[Network, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said: no word, no BREAK."""
        return not any(piece.text.strip() if isinstance(piece, Segment) else True for piece in self.pieces)

    def __hash__(self) -> int:
        return hash((self.text, self.networks))


@dataclass(frozen=True, slots=True)
class Phase:
    """Successive calls, from `first` to `last`, at which a prompt says the same: a wording per part, and the global networks."""

    first: int
    last: int
    wordings: tuple[Wording, ...]
    networks: tuple[Network, ...]


class Part:
    """One side of AND.

    Attributes:
        text: as written, without network tags and its weight.
        weight: factor of the part's guidance.
    """

    def __init__(self, text: str, weight: float, timeline: Timeline, options: PromptOptions) -> None:
        self.text = text
        self.weight = weight
        self._timeline = timeline
        self._options = options
        self._boundaries: dict[PassSpan, list[int]] = {}
        self._states: dict[tuple[PassSpan, int], Wording] = {}
        self._wordings: dict[Hashable, Wording] = {}

    def at(self, call: int, span: PassSpan) -> Wording:
        """What the part says at a call; the same object wherever it says the same.

        Args:
            call: index from 0 of the evaluation in its pass; calls beyond the plan say what the last planned state says.
        """
        state = state_of(call, span, self._options.timelines)
        if span not in self._boundaries:
            self._boundaries[span] = self._timeline.boundaries(span, self._options.timelines)
        key = span, state if self._timeline.alternations else interval_of(state, self._boundaries[span])
        if key not in self._states:
            self._states[key] = self._say(state, span)
        return self._states[key]

    def wordings(self, span: PassSpan) -> tuple[Wording, ...]:
        """All that the part says in a pass, each once, in the order of the calls."""
        return tuple(dict.fromkeys(self.at(call, span) for call in range(span.calls)))

    def _say(self, state: int, span: PassSpan) -> Wording:
        text, _ = self._timeline.resolve(state, span, self._options.timelines)
        if text not in self._wordings:
            self._wordings[text] = Wording(text, pieces_of(text, self._options))
        return self._wordings[text]


class Prompt:
    """What a prompt means.

    Attributes:
        source: as typed.
        template: with styles, without comments, choices not yet made.
        text: choices made; what other programs are told.
        parts: at least one.
    """

    def __init__(self, source: str, template: str, chosen: Traced, parts: tuple[Part, ...]) -> None:
        self.source = source
        self.template = template
        self.text = chosen.text
        self.parts = parts
        self._chosen = chosen

    def networks_at(self, call: int, span: PassSpan) -> tuple[Network, ...]:
        """The networks that act on all parts at a call."""
        return ()

    def phases(self, span: PassSpan) -> tuple[Phase, ...]:
        """The planned calls of a pass, cut where anything changes."""
        found: list[Phase] = []
        for call in range(span.calls):
            wordings = tuple(part.at(call, span) for part in self.parts)
            networks = self.networks_at(call, span)
            if found and found[-1].networks == networks and all(mine is theirs for mine, theirs in zip(found[-1].wordings, wordings)):
                found[-1] = Phase(found[-1].first, call, wordings, networks)
            else:
                found.append(Phase(call, call, wordings, networks))
        return tuple(found)

    def is_empty(self, span: PassSpan) -> bool:
        """Whether nothing is said at any call of a pass (the negative side of SDXL is then zero)."""
        return all(wording.is_empty for part in self.parts for wording in part.wordings(span))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Places of the source to colour; those with a message are suspicious."""
        return ()


def pieces_of(text: str, options: PromptOptions) -> tuple[Piece, ...]:
    """The pieces of a resolved text, under the switches that concern weights and special words."""
    if options.emphasis == "none":
        return without_emphasis(text).pieces
    pieces = read_emphasis(text, special_words=options.special_words).pieces
    if options.attention_negative == "value":
        return tuple(piece for piece in pieces if not isinstance(piece, Segment) or piece.weight)
    return pieces


def plain_text(pieces: Sequence[Piece]) -> str:
    """The words alone, for encoders without chunks and weights: BREAK is a blank, START and END are text."""
    return "".join(piece.text if isinstance(piece, Segment) else piece.name if isinstance(piece, SpecialToken) else " " for piece in pieces)


class Reader:
    """Reads the prompts of one job; equal texts are read once."""

    def __init__(self, options: PromptOptions | None = None, library: Library | None = None) -> None:
        self.options = options or PromptOptions()
        self.library = library or EmptyLibrary()
        self._parts: dict[tuple[str, bool], tuple[Part, ...]] = {}

    def read(self, text: str, *, stream: str = "positive", seed: int = 0, image_index: int = 0, negative: bool = False, styles: Sequence[str] = ()) -> Prompt:
        """Read a prompt for one image.

        Args:
            text: as typed.
            stream: which text of the request it is ("positive", "negative", "highres", ...): each chooses for itself.
            seed: of the choices, by default the image's.
            image_index: of the image in the job, for lists that are walked in order.
            negative: whether it is the negative side.
            styles: names, in the order chosen.
        """
        chosen = Traced.typed(text)
        return Prompt(text, text, chosen, self._remembered(chosen.text, negative))

    def _remembered(self, text: str, negative: bool) -> tuple[Part, ...]:
        key = text, negative
        if key not in self._parts:
            self._parts[key] = self._compose(text, negative)
        return self._parts[key]

    def _compose(self, text: str, negative: bool) -> tuple[Part, ...]:
        options = self.options
        splits = not negative or options.negative_and
        parts = []
        for number, portion in enumerate(portions(text, find_ands(text) if splits else [], lone_weight=options.lone_weight and splits)):
            written = text[portion.start : portion.end]
            usual = options.and_default if number else 1.0
            weight = usual if portion.weight is None else portion.weight
            parts.append(Part(written, weight, read_timeline(written), options))
        return tuple(parts)


def read_prompt(
    text: str,
    *,
    options: PromptOptions | None = None,
    library: Library | None = None,
    stream: str = "positive",
    seed: int = 0,
    image_index: int = 0,
    negative: bool = False,
    styles: Sequence[str] = (),
) -> Prompt:
    """Read one prompt; arguments as `Reader` and `Reader.read`, which reads all prompts of a job."""
    return Reader(options, library).read(text, stream=stream, seed=seed, image_index=image_index, negative=negative, styles=styles)
