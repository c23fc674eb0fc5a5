"""Colours of a paragraph while it is typed: what its signs are by their looks alone, in one scan, without a library and without the rest of the prompt.

What only the whole prompt and the disk can tell (missing files, brackets never closed) are the spans of `marking`, which come a moment later.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from sfumato.prompts.names import Embedding

Colour = Literal["comment", "network", "wildcard", "variable", "keyword", "bracket", "weight", "choice", "escape", "number"]
DEEPEST = 255

_SIGNS = re.compile(
    r"""\\(?P<escape>[\s\S]?)
    | (?P<comment>\#.*+)
    | (?P<network><@?\w++:[^>]++>)
    | (?P<wildcard>@?__(?!\ )(?:[^\W_]|[-/*.~ ()]|_(?!_))++(?<!\ )__)
    | (?P<variable>\$\{[^}]*+\})
    | \b(?P<keyword>AND|BREAK|START|END|PROMPT)\b
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<weight>:\s*+[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?=\s*+[)\]]))
    | (?P<choice>[{}|])""",
    re.VERBOSE,
)
_WORDS = re.compile(r"[\w-]+")


class Coloured(NamedTuple):
    """A place of a paragraph and what it is; `depth` of a bracket and of a weight counts the brackets around, from 0."""

    start: int
    end: int
    kind: Colour
    depth: int = 0


def coloured(text: str, depth: int = 0) -> tuple[list[Coloured], int]:
    """The places of a paragraph to colour, in order, and the depth of brackets at its end.

    Args:
        text: one paragraph.
        depth: of brackets at its beginning, from the paragraph before (0..255).
    """
    found: list[Coloured] = []
    for cut in _SIGNS.finditer(text):
        start, end = cut.span()
        match cut.lastgroup:
            case "open":
                found.append(Coloured(start, end, "bracket", depth))
                depth = min(depth + 1, DEEPEST)
            case "close":
                depth = max(depth - 1, 0)
                found.append(Coloured(start, end, "bracket", depth))
            case "weight":
                found.append(Coloured(start, end, "weight", max(depth - 1, 0)))
            case "keyword":
                found.append(Coloured(start, end, "keyword"))
                depth = 0 if cut[0] == "AND" else depth
            case "comment" | "network" | "wildcard" | "variable" | "choice" | "escape" as kind:
                found.append(Coloured(start, end, kind))
            case _:
                pass
    return found, depth


class EmbeddingWords:
    """The usable embeddings of a library, found by their names in a text. Made once for a listing."""

    def __init__(self, embeddings: Iterable[Embedding]) -> None:
        names = {embedding.name.casefold() for embedding in embeddings if not embedding.unfit}
        self._plain = {name for name in names if _WORDS.fullmatch(name)}
        others = sorted(names - self._plain, key=len, reverse=True)
        self._others = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in others), re.IGNORECASE) if others else None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where embeddings are named; a name with blanks or signs is found as it is written."""
        if self._plain:
            yield from (word.span() for word in _WORDS.finditer(text) if word[0].casefold() in self._plain)
        if self._others is not None:
            yield from (word.span() for word in self._others.finditer(text))
