"""A job before it is queued: the form, the prompts and the inputs each put in their part, then it is frozen away from the GUI thread.

What is frozen is what is painted: the seed is drawn, the bytes of every picture are taken, and nothing that changes afterwards reaches the job.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

KIND = "generate"
# The range other programs can read as well (specification, "Settled").
SEED_DRAWS = 2**32 - 2


@dataclass
class Frozen:
    """A job as it is sent: parameters, and the pictures they name by the SHA-256 of their bytes."""

    kind: str
    params: dict[str, Any]
    blobs: dict[str, bytes] = field(default_factory=dict)

    def keep(self, data: bytes) -> str:
        """Take a picture along; the name its parameter carries."""
        name = hashlib.sha256(data).hexdigest()
        self.blobs[name] = data
        return name


Later = Callable[[Frozen], None]


@dataclass
class Draft:
    """What the parts have said so far.

    Attributes:
        kind: the job kind; the inputs may turn "generate" into another.
        params: values ready on the GUI thread.
        later: work that reads or computes, in order, away from the GUI thread; it may raise `Invalid`.
        series: one job for each, in order, which does this work last; empty is one job.
        obstacle: one sentence on why nothing can be sent, "" if it can.
    """

    kind: str = KIND
    params: dict[str, Any] = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    series: list[Later] = field(default_factory=list)
    obstacle: str = ""

    def freeze(self, last: Later | None = None) -> Frozen:
        """Run what was left for later, and `last` after it; not on the GUI thread."""
        frozen = Frozen(self.kind, dict(self.params))
        for work in (*self.later, *((last,) if last else ())):
            work(frozen)
        return frozen

    def works(self) -> list[Callable[[], Frozen]]:
        """What makes each job of the draft, to be run in order away from the GUI thread; one that fails leaves the others."""
        return [partial(self.freeze, last) for last in self.series] or [self.freeze]


Contributor = Callable[[Draft], None]


class Drafting:
    """Collects drafts from its contributors, in the order they were added."""

    def __init__(self) -> None:
        self._contributors: list[Contributor] = []

    def add(self, contributor: Contributor) -> None:
        """`contributor(draft)` is called on the GUI thread at every draft: it must be quick and leave reading to `draft.later`."""
        self._contributors.append(contributor)

    def draft(self) -> Draft:
        """What would be sent now."""
        draft = Draft()
        for contributor in self._contributors:
            contributor(draft)
            if draft.obstacle:
                break
        if draft.params.get("seed") == -1:
            # Drawn when the job is queued, so that the job repeats itself whatever becomes of it.
            draft.params["seed"] = secrets.randbelow(SEED_DRAWS)
        if draft.params.get("variation_seed") == -1 and draft.params.get("variation_strength"):
            draft.params["variation_seed"] = secrets.randbelow(SEED_DRAWS)
        return draft
