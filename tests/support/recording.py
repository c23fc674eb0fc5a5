"""What a job said and sent, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """One report of progress."""

    stage: str
    done: int
    total: int
    rate: float | None
    preview: tuple[bytes, ...]
    note: str = ""


@dataclass
class Recording:
    """What a job reported and sent. `cancel_at(stage, done)` cancels it there."""

    progress_made: list[Said] = field(default_factory=list)
    artifacts: list[tuple[str, str, bytes, Mapping[str, Any]]] = field(default_factory=list)
    on_progress: Callable[[Said], None] = lambda said: None

    def progress(self, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        said = Said(stage, done, total, rate, preview, note)
        self.progress_made.append(said)
        self.on_progress(said)

    def artifact(self, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        self.artifacts.append((name, media_type, data, info))

    def stages(self) -> list[str]:
        """The stages in the order they came, neighbours merged."""
        order: list[str] = []
        for said in self.progress_made:
            if not order or order[-1] != said.stage:
                order.append(said.stage)
        return order
