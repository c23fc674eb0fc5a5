"""Networks and embeddings for choosers, told by their headers: what they are and whose family they are for. Rule: R142."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sfumato.engine.families import FAMILIES
from sfumato.engine.networks.description import describe
from sfumato.library.embedding_files import words_of
from sfumato.library.models import FOLDERS, ModelEntry
from sfumato.library.safetensors_header import Header, read_header
from sfumato.protocol.errors import CorruptFile, ModelUnsupported, SfumatoError

log = logging.getLogger(__name__)

Row = dict[str, Any]


def lora_row(entry: ModelEntry) -> Row:
    """A LoRA or one of its relatives. `kind`: "LoRA", "LoHa, DoRA", ...; `family`: title of the family it is for, "" if nothing tells."""

    def told(header: Header) -> Row:
        kinds, family = describe(header)
        if not kinds:
            raise ModelUnsupported(entry.path.name, "no network for a model", use="use it as a LoRA")
        return {"kind": kinds, "family": family}

    return _row(entry, told)


def hypernetwork_row(entry: ModelEntry) -> Row:
    """A hypernetwork; those of SD1 have layers for the width of its text."""

    def told(header: Header) -> Row:
        widths = {int(key.partition(".")[0]) for key in header.tensors if key.partition(".")[0].isdecimal()}
        return {"kind": "hypernetwork", "family": next((title for title in map(_of_context, sorted(widths)) if title), "")}

    return _row(entry, told)


def embedding_row(entry: ModelEntry) -> Row:
    """An embedding. `vectors`: how many places of a text it takes."""

    def told(header: Header) -> Row:
        words = words_of(header, entry.path.stem)
        if not words:
            raise ModelUnsupported(entry.path.name, "no table of vectors", use="use it as an embedding")
        return {"kind": "embedding", "family": _of_context(sum(width for _, width in words[0].widths)), "vectors": words[0].vectors}

    return _row(entry, told)


def unread_tag_row(entry: ModelEntry) -> Row:
    """A network of which nothing but the name is known."""
    path = str(entry.path).encode("utf-8", "replace").decode()
    name = entry.name.encode("utf-8", "replace").decode()
    return {"value": name, "label": entry.path.stem, "kind": "", "family": "", "vectors": 0, "state": "ready", "reason": entry.reason, "path": path}


def tag_name(entry: ModelEntry, folders: Sequence[Path], category: str) -> str:
    """How a prompt names a file: its stem, or where others have the same one, its path in its folder (P38)."""
    if "/" not in entry.name:
        return entry.path.stem
    roots = [root / folder for root in folders for folder in FOLDERS[category]]
    inside = next((entry.path.relative_to(root) for root in roots if entry.path.is_relative_to(root)), entry.path)
    return inside.with_suffix("").as_posix()


def named(rows: Sequence[Row], entries: Sequence[ModelEntry], folders: Sequence[Path], category: str) -> list[Row]:
    """Rows of these entries whose values are the names in tags."""
    return [{**row, "value": tag_name(entry, folders, category)} for row, entry in zip(rows, entries, strict=True)]


def _of_context(width: int) -> str:
    """Title of the family whose networks read text of this width."""
    return next((family.title for family in FAMILIES if family.networks.context == width), "")


def _row(entry: ModelEntry, told: Callable[[Header], Row]) -> Row:
    row = {**unread_tag_row(entry), "state": "unusable"}
    if entry.reason:
        return row
    try:
        return {**row, **told(read_header(entry.path)), "state": "ready"}
    except SfumatoError as error:
        return {**row, "reason": error.message}
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # One file that nobody foresaw must not take the list of all others with it.
        log.warning("%s cannot be understood", entry.path, exc_info=True)
        return {**row, "reason": CorruptFile(entry.path.name, f"it cannot be understood ({type(error).__name__})").message}
