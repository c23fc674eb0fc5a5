"""The families this program runs, and the kinds of files it knows by sight. A new family is one module and one row here."""

from __future__ import annotations

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.families import foreign, sd1, sd2, sdxl, sdxl_refiner
from sfumato.engine.family import Family, family_of

FAMILIES: tuple[Family, ...] = (sd1.FAMILY, sd2.FAMILY, sdxl.FAMILY, sdxl_refiner.FAMILY)


def recognise(checkpoint: Checkpoint) -> Family:
    """The family of a checkpoint, from its header; raises `ModelUnsupported` saying what it looks like."""
    return family_of(checkpoint, FAMILIES, foreign.ROWS)
