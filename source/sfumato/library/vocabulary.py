"""Vocabulary files: lists of words to suggest while a prompt is typed, one a line, with how often each is used.

`tag,count`, or the four columns tag, category, count, other names that collections of tags are shared in. Any wildcard file can serve.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# More than any list people share.
SIZE_LIMIT_BYTES = 64 << 20
LONGEST = 200


class Word(NamedTuple):
    """A word, and how often it is used; 0 where the file does not count."""

    text: str
    count: int


def read_vocabulary(path: Path) -> list[Word]:
    """The words of a file in its order, each once; none where it cannot be read. Blank lines and those that begin with `#` are skipped."""
    try:
        if path.stat().st_size > SIZE_LIMIT_BYTES:
            return []
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return []
    return parse_vocabulary(text.splitlines())


def parse_vocabulary(lines: Iterable[str]) -> list[Word]:
    """The words of some lines."""
    found: dict[str, int] = {}
    for line in lines:
        line = line.strip()
        if line and line[0] != "#":
            word = _word(line)
            if word.text and len(word.text) <= LONGEST:
                found[word.text] = max(word.count, found.get(word.text, 0))
    return [Word(text, count) for text, count in found.items()]


def _word(line: str) -> Word:
    name, comma, rest = line.partition(",")
    if comma and '"' not in name:
        first, _, others = rest.partition(",")
        second = others.partition(",")[0].strip()
        if first.strip().isdecimal():
            # Two numbers: the first is a category.
            return Word(name.strip(), int(second if second.isdecimal() else first))
    if line.startswith('"'):
        row = next(csv.reader([line]), [""])
        numbers = [cell.strip() for cell in row[1:3] if cell.strip().isdecimal()]
        return Word(row[0].strip(), int(numbers[-1]) if numbers else 0)
    # A comma inside words is a part of them.
    return Word(line, 0)
