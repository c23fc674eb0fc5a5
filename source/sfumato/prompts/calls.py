"""Calls: where a sampling pass stands, and the moments at which a prompt switches.

A *call* is the index from 0 of a denoiser evaluation inside one pass; a *state* is the call whose text is in force. Rules: P15-P18, P20, P21, P23, P24 of the
prompt language (the step rule is AUTOMATIC1111 1.10's).
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sfumato.prompts.options import Timelines

# Boundaries beyond any pass; also keeps int() of an infinite number away.
_FARTHEST = 1e9

_WHEN = re.compile(r"\s*+(?:(?P<highres>HR)|(?P<number>[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?))\s*+")


@dataclass(frozen=True, slots=True)
class PassSpan:
    """One sampling pass among the passes of a picture.

    Attributes:
        first_calls: planned calls of the first pass, steps times the sampler's call factor (N1).
        highres_calls: those of the highres pass (N2), 0 if there is none.
        is_highres: which of the two is meant.
    """

    first_calls: int
    highres_calls: int = 0
    is_highres: bool = False

    @property
    def calls(self) -> int:
        """Planned calls of this pass, at least 1."""
        return max(self.highres_calls if self.is_highres else self.first_calls, 1)


class When(NamedTuple):
    """The moment of a switch: a number of calls, a fraction (written with a dot), or the beginning of the highres pass."""

    value: float
    is_fraction: bool = False
    is_highres: bool = False

    def boundary(self, span: PassSpan, timelines: Timelines) -> int:
        """The last call of the *from* side; below 1 there is none."""
        if self.is_highres:
            return 0 if span.is_highres else span.calls
        if timelines == "old":
            planned, offset, is_fraction = span.first_calls, 0.0, self.value < 1
        elif span.is_highres:
            planned, is_fraction = span.highres_calls, self.is_fraction
            offset = 1.0 if is_fraction else span.first_calls
        else:
            planned, offset, is_fraction = span.first_calls, 0.0, self.is_fraction
        reached = (self.value - offset) * (planned if is_fraction else 1)
        return min(int(min(max(reached, -_FARTHEST), _FARTHEST)), planned)


def state_of(call: int, span: PassSpan, timelines: Timelines) -> int:
    """The call whose text is in force at `call`: the first two are alike, and beyond the plan the last state stays."""
    last = span.first_calls if timelines == "old" else span.calls
    return min(max(call, 1), max(last, 1))


def read_when(text: str, start: int, end: int) -> When | None:
    """The moment that is written from `start` to `end`, blanks around it allowed; None if anything else is there."""
    written = _WHEN.match(text, start, end)
    if written is None or written.end() != end:
        return None
    if written["highres"]:
        return When(0.0, is_highres=True)
    return When(float(written["number"]), "." in written["number"])


def interval_of(state: int, boundaries: Sequence[int]) -> int:
    """How many of the (ascending) boundaries are behind a state: states of equal number show the same text where nothing alternates."""
    return bisect_left(boundaries, state)
