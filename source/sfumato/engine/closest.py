"""A name that nobody knows, told with the closest there is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sfumato.protocol.errors import Problem


def unknown(path: str, what: str, name: str, known: Sequence[str]) -> Problem:
    """There is no such thing; the closest name is offered."""
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), 1, cutoff=0.4)
    hint = f" Closest: '{folded[close[0]]}'." if close else ""
    listed = f"known are {', '.join(known)}" if known else "none are known yet"
    return Problem(path, f"There is no {what} '{name}'; {listed}.{hint}")
