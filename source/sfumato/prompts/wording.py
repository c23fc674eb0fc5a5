"""What a prompt says at a call: `Wording` for one part, `Phase` for all of them, and `Part`, which resolves and remembers.

Everything is made when it is asked for, and equal texts are the same object. Rules: P4, P20, P25, P40-P42 and the switches of P65 that concern pieces.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from sfumato.prompts.attention import Piece, Segment, SpecialToken, read_emphasis, without_emphasis
from sfumato.prompts.calls import PassSpan, interval_of, state_of
from sfumato.prompts.networks import Network, NetworkTag, added
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.schedules import Timeline


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
        timeline: its schedules.
        tags: the network tags that stand in it, at whatever call.
    """

    def __init__(self, text: str, weight: float, timeline: Timeline, tags: tuple[NetworkTag, ...], options: PromptOptions) -> None:
        self.text = text
        self.weight = weight
        self.timeline = timeline
        self.tags = tags
        self._options = options
        self._boundaries: dict[PassSpan, list[int]] = {}
        self._alternates = bool(timeline.alternations) or any(tag.alternates for tag in tags)
        self._states: dict[tuple[PassSpan, int], tuple[Wording, tuple[Network, ...]]] = {}
        self._pieces: dict[str, tuple[Piece, ...]] = {}
        self._wordings: dict[Hashable, Wording] = {}

    def at(self, call: int, span: PassSpan) -> Wording:
        """What the part says at a call; the same object wherever it says the same.

        Args:
            call: index from 0 of the evaluation in its pass; calls beyond the plan say what the last planned state says.
        """
        return self._state(call, span)[0]

    def networks_at(self, call: int, span: PassSpan) -> tuple[Network, ...]:
        """The networks acting on all parts that this part's tags name."""
        return self._state(call, span)[1]

    def wordings(self, span: PassSpan) -> tuple[Wording, ...]:
        """All that the part says in a pass, each once, in the order of the calls."""
        return tuple(dict.fromkeys(self.at(call, span) for call in self.changes(span)))

    def changes(self, span: PassSpan) -> tuple[int, ...]:
        """The planned calls at which something may be new, ascending, 0 among them; between two of them nothing changes."""
        if self._alternates:
            return tuple(call for call in range(span.calls) if call != 1)
        return (0, *(boundary + 1 for boundary in self._bounds(span) if boundary + 1 < span.calls))

    def _bounds(self, span: PassSpan) -> list[int]:
        if span not in self._boundaries:
            timelines = self._options.timelines
            found = set(self.timeline.boundaries(span, timelines)).union(*(tag.boundaries(span, timelines) for tag in self.tags))
            self._boundaries[span] = sorted(boundary for boundary in found if boundary >= 1)
        return self._boundaries[span]

    def _state(self, call: int, span: PassSpan) -> tuple[Wording, tuple[Network, ...]]:
        state = state_of(call, span, self._options.timelines)
        key = span, state if self._alternates else interval_of(state, self._bounds(span))
        if key not in self._states:
            self._states[key] = self._say(state, span)
        return self._states[key]

    def _say(self, state: int, span: PassSpan) -> tuple[Wording, tuple[Network, ...]]:
        timelines = self._options.timelines
        text, marked = self.timeline.resolve(state, span, timelines)
        active = [tag for tag in marked if isinstance(tag, NetworkTag)] if self._options.tag_schedules else self.tags
        acting = [(tag.is_local, network) for tag in active if (network := tag.at(state, span, timelines)) is not None]
        own = added(network for is_local, network in acting if is_local)
        key = text, own
        if key not in self._wordings:
            if text not in self._pieces:
                self._pieces[text] = pieces_of(text, self._options)
            self._wordings[key] = Wording(text, self._pieces[text], own)
        return self._wordings[key], tuple(network for is_local, network in acting if not is_local)


def pieces_of(text: str, options: PromptOptions) -> tuple[Piece, ...]:
    """The pieces of a resolved text, under the switches that concern weights and special words."""
    if options.emphasis == "none":
        return without_emphasis(text).pieces
    pieces = read_emphasis(text, special_words=options.special_words, marks=False).pieces
    if options.attention_negative == "value":
        return tuple(piece for piece in pieces if not isinstance(piece, Segment) or piece.weight)
    return pieces


def plain_text(pieces: Sequence[Piece]) -> str:
    """The words alone, for encoders without chunks and weights: BREAK is a blank, START and END are text."""
    return "".join(piece.text if isinstance(piece, Segment) else piece.name if isinstance(piece, SpecialToken) else " " for piece in pieces)
