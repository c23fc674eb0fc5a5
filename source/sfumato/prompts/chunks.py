"""Chunks: the pieces of a prompt laid out in the 75 places that a CLIP text encoder reads at once.

Knows tokens and weights, no tensors. `lay_out` fills the chunks, `framed` adds what the encoder wants around one. Rules: P12, P31-P34 and P61 of the prompt
language.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sfumato.prompts.attention import Break, Piece, SpecialToken
from sfumato.prompts.embeddings import NO_EMBEDDINGS, EmbeddingTable
from sfumato.prompts.names import Embedding
from sfumato.prompts.tokenizer import END, START, ClipTokenizer

CHUNK_LENGTH = 75
BACKTRACK = 20
CLIP_L_PADDING = END
OPEN_CLIP_PADDING = 0


# Stands in the places of an embedding; its vectors take the place of whatever this token means.
EMBEDDING_TOKEN = 0


class Placed(NamedTuple):
    """An embedding in a chunk: its first vector is at place `start` of the tokens, the others follow."""

    start: int
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most 75 tokens and as many weights, without start, end and padding, and the embeddings that replace some of the tokens."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    embeddings: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """The chunks of a text, at least one, and how many places it takes: full chunks for those that are closed, and what is in the open one."""

    chunks: tuple[Chunk, ...]
    token_count: int

    @property
    def token_limit(self) -> int:
        """The places of as many whole chunks as the count needs."""
        return CHUNK_LENGTH * -(-max(self.token_count, 1) // CHUNK_LENGTH)


class _Filling:
    """The chunk being filled and those already closed."""

    def __init__(self, comma: int, backtrack: int) -> None:
        self.closed: list[Chunk] = []
        self._comma = comma
        self._backtrack = backtrack
        self._tokens: list[int] = []
        self._weights: list[float] = []
        self._placed: list[Placed] = []
        self._after_comma = 0  # where the last comma ends, 0 if there is none

    def add(self, token: int, weight: float) -> None:
        if len(self._tokens) == CHUNK_LENGTH:
            near = 0 <= CHUNK_LENGTH - self._after_comma < self._backtrack
            self.close(self._after_comma if near and token != self._comma else CHUNK_LENGTH)
        self._tokens.append(token)
        self._weights.append(weight)
        if token == self._comma:
            self._after_comma = len(self._tokens)

    def place(self, embedding: Embedding, weight: float) -> None:
        """Give an embedding its places, in a new chunk if they do not fit this one."""
        vectors = min(embedding.vectors, CHUNK_LENGTH)
        if len(self._tokens) + vectors > CHUNK_LENGTH:
            self.close()
        self._placed.append(Placed(len(self._tokens), embedding))
        self._tokens += [EMBEDDING_TOKEN] * vectors
        self._weights += [weight] * vectors

    def close(self, length: int = CHUNK_LENGTH) -> None:
        """End the chunk; what stands behind `length` tokens begins the next one."""
        staying = tuple(placed for placed in self._placed if placed.start < length)
        self.closed.append(Chunk(tuple(self._tokens[:length]), tuple(self._weights[:length]), staying))
        self._placed = [Placed(placed.start - length, placed.embedding) for placed in self._placed[len(staying) :]]
        self._tokens, self._weights = self._tokens[length:], self._weights[length:]
        self._after_comma = 0

    def finish(self) -> Layout:
        count = CHUNK_LENGTH * len(self.closed) + len(self._tokens)
        if self._tokens or not self.closed:
            self.close()
        return Layout(tuple(self.closed), count)


def lay_out(pieces: Iterable[Piece], tokenizer: ClipTokenizer, *, backtrack: int = BACKTRACK, embeddings: EmbeddingTable = NO_EMBEDDINGS) -> Layout:
    """Tokenize each segment on its own and fill chunks of 75.

    Args:
        pieces: from `attention.read_emphasis`.
        tokenizer: of the encoder.
        backtrack: where a chunk is full in the middle of a phrase and a comma is among its last so many tokens (0..74, 0 = never), the phrase moves to the
        next chunk.
        embeddings: words whose tokens are replaced by vectors; an embedding never straddles two chunks.

    Raises:
        ValueError: backtrack is outside 0..74.
    """
    if not 0 <= backtrack < CHUNK_LENGTH:
        raise ValueError(f"Comma backtracking must be between 0 and {CHUNK_LENGTH - 1}, not {backtrack}.")
    (comma,) = tokenizer.encode(",")
    filling = _Filling(comma, backtrack)
    for piece in pieces:
        match piece:
            case Break():
                filling.close()
            case SpecialToken():
                filling.add(START if piece.name == "START" else END, piece.weight)
            case _:
                for token in embeddings.read(piece.text, tokenizer):
                    if isinstance(token, int):
                        filling.add(token, piece.weight)
                    else:
                        filling.place(token, piece.weight)
    return filling.finish()


def framed(chunk: Chunk, padding: int = CLIP_L_PADDING) -> tuple[list[int], list[float]]:
    """The 77 tokens and weights an encoder takes: start, the chunk, end, padding. Start, end and padding weigh 1.

    Args:
        chunk: at most 75 tokens.
        padding: `CLIP_L_PADDING` for the encoder of SD1 and the first of SDXL, `OPEN_CLIP_PADDING` for those of SD2 and the second of SDXL.
    """
    missing = CHUNK_LENGTH - len(chunk.tokens)
    return [START, *chunk.tokens, END, *[padding] * missing], [1.0, *chunk.weights, 1.0, *[1.0] * missing]
