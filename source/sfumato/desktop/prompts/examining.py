"""Reading a prompt for its box, away from the GUI thread: marks and the token count. Knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.desktop.prompts.marks import Mark
from sfumato.prompts.calls import PassSpan
from sfumato.prompts.colouring import EmbeddingWords, coloured
from sfumato.prompts.counting import fullest_layout
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.places import Units
from sfumato.prompts.reader import Reader
from sfumato.prompts.tokenizer import clip_tokenizer

if TYPE_CHECKING:
    from sfumato.prompts.names import Library

# Texts longer than this are read when typing pauses, and their tokens not counted.
LONGEST = 200_000


@dataclass(frozen=True)
class Examined:
    """What was found in `text`: marks, and `count` of `limit` tokens."""

    text: str
    marks: tuple[Mark, ...]
    count: int
    limit: int


def examine(
    text: str, negative: bool, styles: Sequence[str], options: PromptOptions, library: Library, embeddings: EmbeddingWords, calls: int = 25
) -> Examined:
    """Read a prompt as the job would. `calls`: of a pass, for schedules that never switch."""
    reader = Reader(options, library)
    span = PassSpan(max(calls, 1))
    prompt = reader.read(text, negative=negative, styles=styles)
    units = Units(text)
    marks = [
        Mark(units.to_units(found.start), units.to_units(max(found.end, found.start + 1)), found.kind, found.message, _is_missing(found.message))
        for found in prompt.spans_in(span)
        # What is said of no place, such as a missing style, is shown where it was chosen.
        if found.message and found.start < len(text) and found.end > 0
    ]
    marks += [Mark(units.to_units(start), units.to_units(end), "embedding") for start, end in _named(text, embeddings)]
    if len(text) > LONGEST:
        return Examined(text, tuple(marks), 0, 0)
    layout = fullest_layout(reader, text, clip_tokenizer(), [span], negative=negative, styles=styles)
    return Examined(text, tuple(marks), layout.token_count, layout.token_limit)


def _is_missing(message: str) -> bool:
    return message.startswith("There is no ")


def _named(text: str, embeddings: EmbeddingWords) -> list[tuple[int, int]]:
    """Where embeddings are named outside of comments and tags."""
    closed = []
    start = 0
    for line in text.split("\n"):
        closed += [(start + item.start, start + item.end) for item in coloured(line)[0] if item.kind in ("comment", "network", "wildcard")]
        start += len(line) + 1
    return [place for place in embeddings.places(text) if not any(first <= place[0] < last for first, last in closed)]
