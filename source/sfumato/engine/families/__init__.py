"""The families this program runs, and the kinds of files it knows by sight. A new family is one module and one row here."""

from __future__ import annotations

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.families import foreign, sd1, sd2, sdxl, sdxl_refiner
from sfumato.engine.family import Family, family_of, foreign_title

FAMILIES: tuple[Family, ...] = (sd1.FAMILY, sd2.FAMILY, sdxl.FAMILY, sdxl_refiner.FAMILY)


def recognise(checkpoint: Checkpoint) -> Family:
    """The family of a checkpoint, from its header; raises `ModelUnsupported` saying what it looks like."""
    return family_of(checkpoint, FAMILIES, foreign.ROWS)


def looks_like(checkpoint: Checkpoint) -> str:
    """What kind of file it is, in words that complete "looks like ...", for who wanted another kind."""
    family = next((family for family in FAMILIES if family.match(checkpoint)), None)
    return f"a checkpoint of {family.title}" if family else foreign_title(checkpoint, foreign.ROWS)
