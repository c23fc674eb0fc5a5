"""What is done when memory runs out, one rung after the other (E111). Each is told to the user; the work that failed begins anew from what it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sfumato.engine.offload import Offload
from sfumato.engine.vae_tiling import SMALL_TILE_PX, TILE_PX
from sfumato.engine.workplace import Stage

if TYPE_CHECKING:
    from sfumato.engine.job_memory import JobMemory

# What torch's CPU allocator says, on Linux and on Windows; what devices say for which torch has no class, and the libraries that multiply on them.
_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


@dataclass(frozen=True)
class Measures:
    """How a job saves memory; what was found to be needed for a shape is where its next job begins.

    Attributes:
        tile_px: side of the VAE's tiles where a picture is larger, 0 = whole.
        rows: that the network evaluates at once, 0 = all.
        offload: how networks are kept.
    """

    tile_px: int = 0
    rows: int = 0
    offload: Offload = "none"


@dataclass(frozen=True)
class Rung:
    """One thing to do.

    Attributes:
        name: of this rung.
        note: what the user is told.
        stages: what it helps; None = everything.
        climb: do it; False where there is nothing left of it to do.
        is_once: helps at most once while the same work is attempted.
    """

    name: str
    note: str
    climb: Callable[[JobMemory], bool]
    stages: tuple[Stage, ...] | None = None
    is_once: bool = False

    def helps(self, stage: Stage) -> bool:
        return self.stages is None or stage in self.stages or stage == "other"


def _offloaded(way: Offload) -> Callable[[JobMemory], bool]:
    return lambda memory: memory.keep(way)


RUNGS: tuple[Rung, ...] = (
    Rung("free", "Memory ran out: letting go of caches and of other models", lambda memory: memory.let_go(), is_once=True),
    Rung("tile", "Memory ran out: the VAE works in tiles", lambda memory: memory.tile(TILE_PX), ("vae",)),
    Rung("apart", "Memory ran out: evaluating the negative and the positive side one after the other", lambda memory: memory.separate(), ("denoise",)),
    Rung("fewer", "Memory ran out: evaluating fewer pictures at once", lambda memory: memory.halve(), ("denoise",)),
    Rung("components", "Memory ran out: only the network at work stays on the device", _offloaded("components")),
    Rung("blocks", "Memory ran out: the network at work comes to the device block by block", _offloaded("blocks")),
    Rung("small tiles", "Memory ran out: the VAE works in small tiles", lambda memory: memory.tile(SMALL_TILE_PX), ("vae",)),
    Rung("sequential", "Memory ran out: the network at work comes to the device layer by layer", _offloaded("sequential")),
)
