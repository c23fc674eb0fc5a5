"""One step of undo of the form: which values it changed, from what to what, and nothing of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

_numbers = count()


class _Unset:
    """Stands for a parameter that has no value of its own."""


UNSET = _Unset()


@dataclass(eq=False)
class FormStep:
    """`before` and `after`: values by parameter, `UNSET` where none was set. They grow while one control is moved.

    Attributes:
        words: what was done.
        key: the control that was moved, "" for several.
        when: it last grew, in seconds of the monotonic clock.
    """

    words: str
    key: str = ""
    when: float = 0.0
    before: dict[str, Any] = field(default_factory=dict[str, Any])
    after: dict[str, Any] = field(default_factory=dict[str, Any])
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def name(self) -> str:
        """By which the stack of undo knows that it is still the same step."""
        return f"form step {self.number}"

    def grow(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Take in what changed between two states of the form."""
        for name in (*before, *(other for other in after if other not in before)):
            old, new = before.get(name, UNSET), after.get(name, UNSET)
            if name in self.after or old != new:
                self.before.setdefault(name, old)
                self.after[name] = new
        for name in self.after:
            self.after[name] = after.get(name, UNSET)
