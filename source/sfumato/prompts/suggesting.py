"""Suggestions: of thousands of names, the ten that what was typed so far most likely means; and which place of the prompt is being typed.

`Suggestions` is made once for a listing and searched at every key. Order: beginning of the name, beginning of a word in it, letters in order; then how often
it is used. What is for another family of models comes last. Knows names only; files are the library's.
"""

import heapq
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Kind = Literal["lora", "hypernet", "embedding", "wildcard", "style", "word"]
MODELS: frozenset[Kind] = frozenset({"lora", "hypernet", "embedding"})
LIMIT = 10

# A word that occurs everywhere must not make the search slow: the order among so many is anybody's guess.
_HITS_AT_MOST = 3000
_PIECE = 500
_SHORTEST_FUZZY = 3
_WORDS_BACK = 4

_TAG = re.compile(r"<@?(?P<type>\w*)(?P<colon>:?)(?P<name>[^<>:\n]*)\Z")
_WILDCARD = re.compile(r"@?__(?P<name>(?:[^\W_]|[-/.~ ]|_(?!_))*)\Z")
_ENDS = re.compile(r"(?<!\\)[()\[\]{}|]|[,\n:<>]|\b(?:AND|BREAK)\b")
_TYPES: dict[str, Kind] = {"lora": "lora", "lyco": "lora", "hypernet": "hypernet"}
_NEEDS_ESCAPE = re.compile(r"[()\[\]{}|#\\]")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that can be named.

    Attributes:
        kind, name: what it is and how it is shown.
        count: how often it is used; 0 if nobody counted.
        family: the models it is for; "" if any, or unknown.
        key: by which its owner finds it again.
    """

    kind: Kind
    name: str
    count: int = 0
    family: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        """What is written into the prompt; "" for a style, which is chosen instead."""
        match self.kind:
            case "lora" | "hypernet":
                return f"<{self.kind}:{self.name}:1>"
            case "wildcard":
                return f"__{self.name}__"
            case "style":
                return ""
            case _:
                return escaped(self.name)


class Typed(NamedTuple):
    """What is being typed: from `start` to the cursor stands `query`; only some `kinds` can be meant (None: any). `is_forced` inside a tag or wildcard."""

    start: int
    query: str
    kinds: frozenset[Kind] | None = None
    is_forced: bool = False


def escaped(name: str) -> str:
    """A name as words of a prompt: signs that mean something get a backslash."""
    return _NEEDS_ESCAPE.sub(lambda sign: "\\" + sign[0], name)


def folded(text: str) -> str:
    """Without case, accents and the difference between blank and underscore."""
    text = text.casefold().replace("_", " ")
    if text.isascii():
        return text
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def typed_at(text: str, place: int) -> list[Typed]:
    """What may be meant at a place, the longest first: the words since the last comma or bracket, and the last few of them."""
    before = text[max(0, place - 200) : place]
    offset = place - len(before)
    if tag := _TAG.search(before):
        kinds = frozenset[Kind]({_TYPES[tag["type"]]}) if tag["type"] in _TYPES else frozenset[Kind]({"lora", "hypernet"})
        return [Typed(offset + tag.start(), (tag["name"] if tag["colon"] else tag["type"]).strip(), kinds, True)]
    if wildcard := _WILDCARD.search(before):
        return [Typed(offset + wildcard.start(), wildcard["name"], frozenset[Kind]({"wildcard"}), True)]
    begin = max((cut.end() for cut in _ENDS.finditer(before)), default=0)
    words = [begin + word.start() for word in re.finditer(r"\S+", before[begin:])]
    if not words or before[-1:].isspace():
        return [Typed(place, "")]
    starts = dict.fromkeys([words[0], *words[-_WORDS_BACK:]])
    return [Typed(offset + start, before[start:].replace("\\", "")) for start in starts]


class Suggestions:
    """An index of names. Searching tens of thousands takes a few milliseconds."""

    def __init__(self, entries: Iterable[Suggestion] = ()) -> None:
        pairs = sorted(((folded(entry.name), entry) for entry in entries), key=lambda pair: pair[0])
        self._keys = [key for key, _ in pairs]
        self._entries = [entry for _, entry in pairs]
        # In pieces: an expression holds the interpreter as long as it looks through a text, and the window must not wait for it.
        self._pieces: list[tuple[int, str, list[int]]] = []
        for first in range(0, len(self._keys), _PIECE):
            keys = self._keys[first : first + _PIECE]
            self._pieces.append((first, "\n".join(keys), [0, *accumulate(len(key) + 1 for key in keys)]))

    def __len__(self) -> int:
        return len(self._entries)

    def find(
        self, typed: Iterable[Typed], family: str = "", kinds: Collection[Kind] | None = None, limit: int = LIMIT
    ) -> tuple[Typed, list[Suggestion]] | None:
        """The first of several readings that something begins with, else what is like the last of them; None if nothing is.

        Args:
            family: of the chosen model; what is for another comes last.
            kinds: what to look for besides what each reading asks for.
        """
        readings = list(typed)
        for reading in readings:
            if found := self.search(reading.query, family, _both(reading.kinds, kinds), limit, fuzzy=False):
                return reading, found
        for reading in readings[-1:]:
            if found := self.search(reading.query, family, _both(reading.kinds, kinds), limit):
                return reading, found
        return None

    def search(self, query: str, family: str = "", kinds: Collection[Kind] | None = None, limit: int = LIMIT, fuzzy: bool = True) -> list[Suggestion]:
        """The best entries for a query, at most `limit`; the empty query finds what is used most."""
        query = folded(query).strip("\n")
        ranks: dict[int, tuple[int, int]] = {}
        first, last = bisect_left(self._keys, query), bisect_right(self._keys, query + "\U0010ffff")
        wanted = [number for number in range(first, last) if kinds is None or self._entries[number].kind in kinds]
        ranks.update((number, (0, 0)) for number in wanted)
        own = sum(not self._is_foreign(number, family) for number in wanted[: limit * 4])
        if query and own < limit:
            self._add(ranks, rf"(?<=[^\w\n]){re.escape(query)}", 1, kinds)
            if fuzzy and len(ranks) < limit and len(query) >= _SHORTEST_FUZZY and not query.isspace():
                letters = [re.escape(letter) for letter in query if letter != " "]
                # Each letter is looked for up to the next one like it, so that a line is read once.
                self._add(ranks, "(?m)^[^\n]*?" + "".join(rf"{letter}[^\n]*?" for letter in letters[:-1]) + letters[-1], 2, kinds)
        best = heapq.nsmallest(limit, ranks, key=lambda number: self._order(number, ranks[number], family))
        return [self._entries[number] for number in best]

    def _add(self, ranks: dict[int, tuple[int, int]], pattern: str, tier: int, kinds: Collection[Kind] | None) -> None:
        expression = re.compile(pattern)
        hits = 0
        for first, text, starts in self._pieces:
            for hit in expression.finditer(text):
                number = first + bisect_right(starts, hit.start()) - 1
                if number not in ranks and (kinds is None or self._entries[number].kind in kinds):
                    ranks[number] = tier, hit.end() - hit.start() if tier > 1 else 0
                    hits += 1
            if hits > _HITS_AT_MOST:
                break

    def _is_foreign(self, number: int, family: str) -> bool:
        own = self._entries[number].family
        return bool(family and own and own != family)

    def _order(self, number: int, rank: tuple[int, int], family: str) -> tuple[bool, tuple[int, int], int, int, int]:
        entry = self._entries[number]
        return self._is_foreign(number, family), rank, -entry.count, len(self._keys[number]), number


def _both(one: Collection[Kind] | None, other: Collection[Kind] | None) -> Collection[Kind] | None:
    if one is None or other is None:
        return other if one is None else one
    return frozenset(one) & frozenset(other)
