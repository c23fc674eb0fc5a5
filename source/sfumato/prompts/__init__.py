"""The prompt language: what a prompt means, for the engine, the editor and the command line alike.

Start at `understand`. `attention` reads brackets, `chunks` lays tokens out, `tokenizer` is CLIP's vocabulary. Pure Python: no file but the vocabulary is read,
no clock, no state; the same text and options always give the same plan.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict

from sfumato.prompts.attention import Break, Piece, Segment, Span, SpecialToken, read_emphasis, without_emphasis
from sfumato.prompts.chunks import BACKTRACK, CLIP_L_PADDING, OPEN_CLIP_PADDING, Chunk, framed, lay_out
from sfumato.prompts.names import EmptyLibrary, Library
from sfumato.prompts.networks import Network
from sfumato.prompts.options import Emphasis, PromptOptions, foreign_switches
from sfumato.prompts.reader import Part, Phase, Prompt, Reader, Wording, plain_text, read_prompt
from sfumato.prompts.schedules import PassSpan
from sfumato.prompts.tokenizer import END, START, ClipTokenizer, clip_tokenizer

__all__ = [
    "BACKTRACK",
    "CLIP_L_PADDING",
    "END",
    "OPEN_CLIP_PADDING",
    "START",
    "Break",
    "Chunk",
    "ClipTokenizer",
    "Emphasis",
    "EmptyLibrary",
    "Library",
    "Network",
    "Part",
    "PassSpan",
    "Phase",
    "Piece",
    "Plan",
    "PlanDocument",
    "Prompt",
    "PromptOptions",
    "Reader",
    "Segment",
    "Span",
    "SpecialToken",
    "Wording",
    "clip_tokenizer",
    "foreign_switches",
    "framed",
    "lay_out",
    "plain_text",
    "read_prompt",
    "understand",
]


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


class PlanDocument(TypedDict):
    """A plan as JSON."""

    text: str
    steps: int
    segments: list[PieceDocument]
    chunks: list[ChunkDocument]
    tokens: str
    spans: list[SpanDocument]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a prompt means.

    Attributes:
        text: the prompt as typed.
        steps: denoising steps it was read for.
        pieces: segments of one weight, BREAK, START and END, in order.
        chunks: at least one, of at most 75 tokens.
        token_count, token_limit: places taken, and those of the chunks they need.
        spans: places of `text` to colour; those with a message are suspicious.
    """

    text: str
    steps: int
    pieces: tuple[Piece, ...]
    chunks: tuple[Chunk, ...]
    token_count: int
    token_limit: int
    spans: tuple[Span, ...]

    @property
    def suspicious(self) -> tuple[Span, ...]:
        """The places that are probably not read as their writer meant."""
        return tuple(span for span in self.spans if span.message)

    def to_json(self, tokenizer: ClipTokenizer | None = None) -> PlanDocument:
        """The plan as plain lists and dictionaries, for JSON; `tokenizer` spells the tokens (default: CLIP's)."""
        tokenizer = tokenizer or clip_tokenizer()
        return {
            "text": self.text,
            "steps": self.steps,
            "segments": [_piece_document(piece) for piece in self.pieces],
            "chunks": [
                {"tokens": list(chunk.tokens), "words": [tokenizer.decode([token]) for token in chunk.tokens], "weights": list(chunk.weights)}
                for chunk in self.chunks
            ],
            "tokens": f"{self.token_count}/{self.token_limit}",
            "spans": [{"start": span.start, "end": span.end, "kind": span.kind, "message": span.message} for span in self.spans],
        }


def understand(text: str, *, steps: int = 25, emphasis: Emphasis = "original", backtrack: int = BACKTRACK, tokenizer: ClipTokenizer | None = None) -> Plan:
    """Read a prompt. Any text has a meaning; what is doubtful is marked, never refused.

    Args:
        text: the prompt as typed.
        steps: denoising steps of the pass.
        emphasis: only "none" changes the reading: brackets and BREAK are then ordinary characters.
        backtrack: how far back a comma may be that ends a full chunk, 0..74.
        tokenizer: of the encoder; default CLIP's.

    Raises:
        ValueError: backtrack is outside 0..74.
    """
    read = without_emphasis(text) if emphasis == "none" else read_emphasis(text)
    layout = lay_out(read.pieces, tokenizer or clip_tokenizer(), backtrack=backtrack)
    return Plan(text, steps, read.pieces, layout.chunks, layout.token_count, layout.token_limit, read.spans)


def _piece_document(piece: Piece) -> PieceDocument:
    match piece:
        case Break():
            return {"kind": "break", "text": "BREAK", "weight": 1.0}
        case SpecialToken():
            return {"kind": "start" if piece.name == "START" else "end", "text": piece.name, "weight": piece.weight}
        case _:
            return {"kind": "text", "text": piece.text, "weight": piece.weight}
