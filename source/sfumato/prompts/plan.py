"""What a prompt means, as a document: for the editor, the command line and whoever asks over the wire. Start at `understand`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from sfumato.prompts.attention import Break, Piece, Span, SpecialToken
from sfumato.prompts.calls import PassSpan
from sfumato.prompts.chunks import BACKTRACK, Chunk, lay_out
from sfumato.prompts.counting import fullest_layout
from sfumato.prompts.names import Library
from sfumato.prompts.networks import Network
from sfumato.prompts.options import Emphasis, PromptOptions
from sfumato.prompts.reader import Prompt, Reader
from sfumato.prompts.tokenizer import ClipTokenizer, clip_tokenizer


class PieceDocument(TypedDict):
    """A segment, or one of the special words, as JSON."""

    kind: Literal["text", "break", "start", "end"]
    text: str
    weight: float


class ChunkDocument(TypedDict):
    """A chunk as JSON: three lists of equal length."""

    tokens: list[int]
    words: list[str]
    weights: list[float]


class SpanDocument(TypedDict):
    """A place of the text as JSON; suspicious if its message is not empty."""

    start: int
    end: int
    kind: str
    message: str


class NetworkDocument(TypedDict):
    """A network as JSON; `part` is the number of the only part it acts on, None for all."""

    kind: str
    name: str
    te: float
    unet: float
    part: int | None


class PhaseDocument(TypedDict):
    """Calls at which the prompt says the same, as JSON: the segments of each part, and the networks."""

    first: int
    last: int
    parts: list[list[PieceDocument]]
    networks: list[NetworkDocument]


class PlanDocument(TypedDict):
    """A plan as JSON. `segments` and `chunks` are those of the first part at the first call."""

    text: str
    chosen: str
    steps: int
    weights: list[float]
    phases: list[PhaseDocument]
    segments: list[PieceDocument]
    chunks: list[ChunkDocument]
    tokens: str
    spans: list[SpanDocument]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a prompt means in a pass of some calls.

    Attributes:
        prompt: all about it; the rest is drawn from there.
        span: the pass.
        chunks: of the first part at the first call; at least one, of at most 75 tokens.
        token_count, token_limit: places taken, and those of the chunks they need, at most over parts, calls and choices.
        spans: places of the text as typed to colour; those with a message are suspicious.
    """

    prompt: Prompt
    span: PassSpan
    chunks: tuple[Chunk, ...]
    token_count: int
    token_limit: int
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """As typed."""
        return self.prompt.source

    @property
    def steps(self) -> int:
        """Calls of the pass."""
        return self.span.calls

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Segments of one weight, BREAK, START and END of the first part at the first call."""
        return self.prompt.parts[0].at(0, self.span).pieces

    @property
    def suspicious(self) -> tuple[Span, ...]:
        """The places that are probably not read as their writer meant."""
        return tuple(span for span in self.spans if span.message)

    def to_json(self, tokenizer: ClipTokenizer | None = None) -> PlanDocument:
        """The plan as plain lists and dictionaries, for JSON; `tokenizer` spells the tokens (default: CLIP's)."""
        tokenizer = tokenizer or clip_tokenizer()
        return {
            "text": self.text,
            "chosen": self.prompt.text,
            "steps": self.steps,
            "weights": [part.weight for part in self.prompt.parts],
            "phases": [
                {
                    "first": phase.first,
                    "last": phase.last,
                    "parts": [[_piece_document(piece) for piece in wording.pieces] for wording in phase.wordings],
                    "networks": [
                        *(_network_document(network, None) for network in phase.networks),
                        *(_network_document(network, number) for number, wording in enumerate(phase.wordings) for network in wording.networks),
                    ],
                }
                for phase in self.prompt.phases(self.span)
            ],
            "segments": [_piece_document(piece) for piece in self.pieces],
            "chunks": [
                {"tokens": list(chunk.tokens), "words": [tokenizer.decode([token]) for token in chunk.tokens], "weights": list(chunk.weights)}
                for chunk in self.chunks
            ],
            "tokens": f"{self.token_count}/{self.token_limit}",
            "spans": [{"start": span.start, "end": span.end, "kind": span.kind, "message": span.message} for span in self.spans],
        }


def understand(
    text: str,
    *,
    steps: int = 25,
    emphasis: Emphasis = "original",
    backtrack: int = BACKTRACK,
    options: PromptOptions | None = None,
    library: Library | None = None,
    tokenizer: ClipTokenizer | None = None,
    negative: bool = False,
    styles: Sequence[str] = (),
    seed: int = 0,
) -> Plan:
    """Read a prompt. Any text has a meaning; what is doubtful is marked, never refused.

    Args:
        text: the prompt as typed.
        steps: calls of the denoiser in the pass.
        emphasis, backtrack: two of the switches, where no `options` are given.
        options: how it is read.
        library: what it may name.
        tokenizer: of the encoder; default CLIP's.
        negative: whether it is the negative side.
        styles: names, in the order chosen.
        seed: of the choices.

    Raises:
        ValueError: the backtracking is outside 0..74.
    """
    reader = Reader(options or PromptOptions(emphasis=emphasis, comma_padding_backtrack=backtrack), library)
    tokenizer = tokenizer or clip_tokenizer()
    span = PassSpan(steps)
    prompt = reader.read(text, stream="negative" if negative else "positive", seed=seed, negative=negative, styles=styles)
    first = prompt.parts[0].at(0, span).pieces
    layout = lay_out(first, tokenizer, backtrack=reader.options.comma_padding_backtrack, embeddings=prompt.embeddings(tokenizer))
    fullest = fullest_layout(reader, text, tokenizer, [span], negative=negative, styles=styles)
    return Plan(prompt, span, layout.chunks, fullest.token_count, fullest.token_limit, prompt.spans_in(span))


def _piece_document(piece: Piece) -> PieceDocument:
    match piece:
        case Break():
            return {"kind": "break", "text": "BREAK", "weight": 1.0}
        case SpecialToken():
            return {"kind": "start" if piece.name == "START" else "end", "text": piece.name, "weight": piece.weight}
        case _:
            return {"kind": "text", "text": piece.text, "weight": piece.weight}


def _network_document(network: Network, part: int | None) -> NetworkDocument:
    return {"kind": network.kind, "name": network.name, "te": network.te, "unet": network.unet, "part": part}
