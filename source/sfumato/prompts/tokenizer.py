"""The byte-pair tokenizer of CLIP, as Stable Diffusion 1, 2 and XL use it.

It knows text and token numbers only: nothing of weights, chunks or the 77 places of an encoder (see `chunks`). The vocabulary is the one OpenAI published with
CLIP (`data/bpe_simple_vocab_16e6.txt.gz`, MIT, see `data/NOTICE`). Algorithm: Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with
subword units", over bytes; merges are applied lowest rank first with a heap, so that a word of 100,000 characters takes no quadratic time.
"""

import gzip
import heapq
import html
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import islice, pairwise
from pathlib import Path

START = 49406
END = 49407

_VOCABULARY = Path(__file__).with_name("data") / "bpe_simple_vocab_16e6.txt.gz"
_MERGES = 49152 - 256 - 2  # the vocabulary CLIP was trained with, less the two sets of byte symbols and the two special tokens; the file holds more
_WORD_END = "</w>"
_SPECIAL = {"<|startoftext|>": START, "<|endoftext|>": END}
_WORDS_REMEMBERED = 1 << 16

# Unicode's White_Space, spelled out: Python's \s also takes the separators U+001C..U+001F, which the reference tokenizers keep.
_BLANKS = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
# The third alternative also takes fractions, superscripts and Roman numerals, which are numbers and not letters: `_words` cuts them out.
_WORDS = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^ \w]|_)+")
_LETTER_OR_NUMBER_SIGN = re.compile(r"[^\W\d_]")


class ClipTokenizer:
    """Text to token numbers and back. One instance serves all threads; use `clip_tokenizer()`."""

    def __init__(self, vocabulary: Path = _VOCABULARY) -> None:
        """Read a merge list.

        Args:
            vocabulary: gzipped text; after one heading line, a pair of symbols per line, most frequent first.
        """
        with gzip.open(vocabulary, "rt", encoding="utf-8") as lines:
            pairs = [(left, right) for left, right in map(str.split, islice(lines, 1, 1 + _MERGES))]
        self._byte_symbols = _byte_symbols()
        symbols = [self._byte_symbols[byte] for byte in _byte_order()]
        symbols += [symbol + _WORD_END for symbol in symbols]
        symbols += [left + right for left, right in pairs]
        symbols += _SPECIAL
        self._symbols = symbols
        self._ids = {symbol: number for number, symbol in enumerate(symbols)}
        self._ranks = {pair: rank for rank, pair in enumerate(pairs)}
        self._bytes = {symbol: byte for byte, symbol in self._byte_symbols.items()}
        self._word_ids = lru_cache(maxsize=_WORDS_REMEMBERED)(self._encode_word)

    def __len__(self) -> int:
        """Number of tokens, the two special ones included."""
        return len(self._symbols)

    def encode(self, text: str) -> list[int]:
        """Token numbers of `text`, without start and end token and of any length.

        Case is folded, runs of blanks (newlines too) count as one, HTML entities are resolved as in CLIP's training. Any text is accepted: a lone surrogate
        reads as a question mark.
        """
        text = unicodedata.normalize("NFC", html.unescape(html.unescape(text)))
        text = _BLANKS.sub(" ", text).lower()
        return [number for word in _words(text) for number in self._word_ids(word)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens, a blank after each end of a word; bytes that are no UTF-8 show as U+FFFD.

        Raises:
            IndexError: a number is not in the vocabulary.
        """
        spelled = bytearray()
        for number in ids:
            symbol = self._symbols[number]
            if symbol in _SPECIAL:
                spelled += symbol.encode()
                continue
            ends_word = symbol.endswith(_WORD_END)
            spelled += bytes(self._bytes[character] for character in (symbol.removesuffix(_WORD_END) if ends_word else symbol))
            if ends_word:
                spelled += b" "
        return spelled.decode("utf-8", errors="replace")

    def _encode_word(self, word: str) -> tuple[int, ...]:
        if word in _SPECIAL:
            return (_SPECIAL[word],)
        symbols = [self._byte_symbols[byte] for byte in word.encode("utf-8", errors="replace")]
        symbols[-1] += _WORD_END
        return tuple(self._ids[symbol] for symbol in _merge(symbols, self._ranks))


def _merge(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Join neighbouring symbols, lowest rank first and leftmost first among equals, until no known pair is left. `symbols` is used up."""
    count = len(symbols)
    following = list(range(1, count + 1))
    previous = list(range(-1, count - 1))
    waiting = [(ranks[pair], place, pair) for place, pair in enumerate(pairwise(symbols)) if pair in ranks]
    heapq.heapify(waiting)
    while waiting:
        _, place, (left, right) = heapq.heappop(waiting)
        after = following[place]
        if after >= count or symbols[place] != left or symbols[after] != right:
            continue  # one of the two was joined with another neighbour since this pair was noted
        symbols[place] = left + right
        symbols[after] = ""
        following[place] = following[after]
        if following[place] < count:
            previous[following[place]] = place
        for start in (previous[place], place):
            if start >= 0 and following[start] < count:
                pair = (symbols[start], symbols[following[start]])
                if pair in ranks:
                    heapq.heappush(waiting, (ranks[pair], start, pair))
    return [symbol for symbol in symbols if symbol]


def _words(text: str) -> list[str]:
    """Cut folded text into runs of letters, single digits, runs of other signs, and the English endings such as 's."""
    found = _WORDS.findall(text)
    if text.isascii():
        return found
    words: list[str] = []
    for word in found:
        if word.isalpha() or not _LETTER_OR_NUMBER_SIGN.match(word):  # a digit, an ending or other signs
            words.append(word)
        else:
            words += _numbers_apart(word)
    return words


def _numbers_apart(word: str) -> list[str]:
    """Cut a run of letters and number signs such as "x²y" into runs of letters and single numbers."""
    pieces: list[str] = []
    letters = ""
    for character in word:
        if character.isalpha():
            letters += character
            continue
        if letters:
            pieces.append(letters)
            letters = ""
        pieces.append(character)
    return [*pieces, letters] if letters else pieces


def _byte_order() -> list[int]:
    """The 256 bytes in the order of the vocabulary: those with a visible Latin-1 sign first, the others after them."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return visible + sorted(set(range(256)) - set(visible))


def _byte_symbols() -> dict[int, str]:
    """A visible character for each byte: its own Latin-1 sign, or one from U+0100 on."""
    visible = 188
    return {byte: chr(byte) if place < visible else chr(0x100 + place - visible) for place, byte in enumerate(_byte_order())}


@cache
def clip_tokenizer() -> ClipTokenizer:
    """The tokenizer with CLIP's own vocabulary, read once per process."""
    return ClipTokenizer()
