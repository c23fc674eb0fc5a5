"""Embeddings as words: their names, as tokens, are looked for in the tokens of a text. Rules: P45-P47 of the prompt language.

Matching tokens instead of letters folds case and blanks as the tokenizer does, and needs no sign around the name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from sfumato.prompts.names import Embedding
from sfumato.prompts.tokenizer import ClipTokenizer

# How diffusers has words marked that are none of the language.
_MARKED = re.compile("<[^<>]+>")


class EmbeddingTable:
    """The usable embeddings by the tokens of their names. Made once for a library and a tokenizer."""

    def __init__(self, embeddings: Iterable[Embedding] = (), tokenizer: ClipTokenizer | None = None) -> None:
        """Unfit embeddings and those whose name has no token are left out; of equal names the first stays."""
        self._by_first: dict[int, list[tuple[tuple[int, ...], Embedding]]] = {}
        known: set[tuple[int, ...]] = set()
        for embedding in embeddings:
            tokens = tuple(tokenizer.encode(embedding.name)) if tokenizer and not embedding.unfit and embedding.vectors > 0 else ()
            if tokens and tokens not in known:
                known.add(tokens)
                self._by_first.setdefault(tokens[0], []).append((tokens, embedding))
        for candidates in self._by_first.values():
            candidates.sort(key=lambda candidate: -len(candidate[0]))
        marked = {re.escape(name) for candidates in self._by_first.values() for name in (each.name for _, each in candidates) if _MARKED.fullmatch(name)}
        self._marked = re.compile("|".join(sorted(marked, key=len, reverse=True)), re.IGNORECASE) if marked else None

    def read(self, text: str, tokenizer: ClipTokenizer) -> Iterator[int | Embedding]:
        """The tokens of a text, each name replaced by its embedding, longest names first."""
        if self._marked is not None:
            # The tokenizer joins signs that touch: of <one><two> it would make one token of the two in the middle.
            text = self._marked.sub(lambda word: f" {word[0]} ", text)
        return self.cut(tokenizer.encode(text))

    def cut(self, tokens: Sequence[int]) -> Iterator[int | Embedding]:
        """Tokens, those of each name replaced by its embedding, longest names first."""
        if not self._by_first:
            yield from tokens
            return
        place = 0
        while place < len(tokens):
            for name, embedding in self._by_first.get(tokens[place], ()):
                if tuple(tokens[place : place + len(name)]) == name:
                    yield embedding
                    place += len(name)
                    break
            else:
                yield tokens[place]
                place += 1

    def __bool__(self) -> bool:
        return bool(self._by_first)


NO_EMBEDDINGS = EmbeddingTable()
