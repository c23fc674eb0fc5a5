"""Text that remembers where it was written, so that a mark on what a prompt became points at what was typed.

Each step of reading (styles, comments, choices, tags) makes a new `Traced` from pieces of the old one. Knows no step of the language.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple


class _Run(NamedTuple):
    """Text from `begin` on comes from `start` on in the source, character by character if `is_exact`, else as a whole from `start` to `end`."""

    begin: int
    start: int
    end: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Traced:
    """A text and the places of the source that its characters come from."""

    text: str
    runs: tuple[_Run, ...]
    begins: tuple[int, ...]

    @classmethod
    def typed(cls, text: str) -> "Traced":
        """The source itself."""
        return cls(text, (_Run(0, 0, len(text), True),), (0,))

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The smallest place of the source that holds what stands from `start` to `end` here."""
        if not self.runs:
            return 0, 0
        first = self._run(start)
        last = self._run(max(end - 1, start))
        low = first.start + (start - first.begin) if first.is_exact else first.start
        high = last.start + (end - last.begin) if last.is_exact else last.end
        return (low, max(low, min(high, last.end) if last.is_exact else high))

    def is_typed(self, start: int, end: int) -> bool:
        """Whether a place here is the same characters in the source, not put in by a style or a choice."""
        return bool(self.runs) and self._run(start).is_exact and self._run(start) is self._run(max(end - 1, start))

    def _run(self, place: int) -> _Run:
        return self.runs[max(bisect_right(self.begins, place) - 1, 0)]


class Weaver:
    """Puts a new text together from pieces of traced ones."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._length = 0
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return self._length

    def copy(self, traced: Traced, start: int, end: int) -> None:
        """Append a piece of `traced`, with its origins."""
        if start >= end:
            return
        number = max(bisect_right(traced.begins, start) - 1, 0)
        while number < len(traced.runs) and (run := traced.runs[number]).begin < end:
            shift = max(start - run.begin, 0)
            begin = self._length + run.begin + shift - start
            self._runs.append(_Run(begin, run.start + shift if run.is_exact else run.start, run.end, run.is_exact))
            number += 1
        self._add(traced.text[start:end])

    def insert(self, text: str, start: int, end: int) -> None:
        """Append text that stands for the place `start` to `end` of the source."""
        if text:
            self._runs.append(_Run(self._length, start, end, False))
            self._add(text)

    def _add(self, text: str) -> None:
        self._written.append(text)
        self._length += len(text)

    def done(self) -> Traced:
        return Traced("".join(self._written), tuple(self._runs), tuple(run.begin for run in self._runs))
