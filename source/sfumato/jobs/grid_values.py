"""The list of values that is typed for an axis of a grid: separated by commas or lines, quoted where a comma belongs to them, with ranges of numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

# No axis is longer, whatever a range says.
VALUES_AT_MOST = 1000
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_RANGE = re.compile(rf"(?P<first>{_NUMBER})\s*-\s*(?P<last>{_NUMBER})\s*(?:\(\s*(?P<step>{_NUMBER})\s*\)|\[\s*(?P<count>\d+)\s*\])?")
_PIECE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"\s*(?=,|\n|$)|(?P<bare>[^,\n]*))(?P<ends>,|\n|$)')


class BadRange(ValueError):
    """A range that cannot be written out; the message is a whole sentence."""


@dataclass(frozen=True)
class Piece:
    """One value as typed, without its quotes, and its place in the text. A quoted one is never a range."""

    text: str
    start: int
    end: int
    is_quoted: bool = False


def pieces_of(text: str) -> list[Piece]:
    """The values in a text. Lines and places between commas that hold nothing are left out; `""` is the empty value."""
    found: list[Piece] = []
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        assert piece is not None  # it matches the empty text too
        if piece["quoted"] is not None:
            found.append(Piece(piece["quoted"].replace('""', '"'), piece.start("quoted") - 1, piece.end("quoted") + 1, True))
        elif bare := piece["bare"].strip():
            start = piece.start("bare") + len(piece["bare"]) - len(piece["bare"].lstrip())
            found.append(Piece(bare, start, start + len(bare)))
        place = piece.end()
    return found


def is_range(piece: Piece) -> bool:
    """Whether a value stands for many numbers."""
    return not piece.is_quoted and _RANGE.fullmatch(piece.text) is not None


def numbers_of(text: str, whole: bool, step: float = 1) -> list[Decimal]:
    """The numbers a range stands for: `a-b`, `a-b(step)` or `a-b[count]`, downwards where b is the smaller one.

    A range by steps never passes b, and has b only where a step meets it.

    Args:
        whole: whether only whole numbers are wanted; those of a count are rounded, and each is given once.
        step: of a range shorter than 1 that does not name one; others go by 1.

    Raises:
        BadRange: it is no range, its step or count is zero, or it has more than `VALUES_AT_MOST` numbers.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise BadRange(f"'{text}' is no range; write it as 1-9, 1-9(2) or 1-9[5].")
    first, last = Decimal(found["first"]), Decimal(found["last"])
    if found["count"] is not None:
        return _counted(text, first, last, int(found["count"]), whole)
    stride = abs(Decimal(found["step"])) if found["step"] is not None else Decimal(1) if whole or abs(last - first) >= 1 else Decimal(str(step or 1))
    if stride == 0:
        raise BadRange(f"The step of '{text}' is 0; write how far one value is from the next.")
    count = int(abs(last - first) / stride) + 1
    if count > VALUES_AT_MOST:
        raise BadRange(f"'{text}' stands for {count} values; an axis has at most {VALUES_AT_MOST}.")
    return [first + (stride if last >= first else -stride) * place for place in range(count)]


def _counted(text: str, first: Decimal, last: Decimal, count: int, whole: bool) -> list[Decimal]:
    if count == 0:
        raise BadRange(f"'{text}' asks for no value; write how many there are, such as [5].")
    if count > VALUES_AT_MOST:
        raise BadRange(f"'{text}' stands for {count} values; an axis has at most {VALUES_AT_MOST}.")
    # Six decimals are finer than any parameter.
    numbers = [first if count == 1 else first + (last - first) * place / (count - 1) for place in range(count)]
    rounded = [round(number) if whole else round(number, 6) for number in numbers]
    return [Decimal(number) for number in dict.fromkeys(rounded)]


def quoted(value: str) -> str:
    """A value as it is typed: in quotes where it would be read as something else."""
    needs = value == "" or value != value.strip() or any(sign in value for sign in ',\n"') or _RANGE.fullmatch(value)
    doubled = value.replace('"', '""')
    return f'"{doubled}"' if needs else value
