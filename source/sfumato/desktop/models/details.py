"""Everything the details pane says of one model."""

from __future__ import annotations

import time
from typing import Any

from sfumato.desktop.language import tr
from sfumato.desktop.models.activation import is_negative, words_of
from sfumato.desktop.models.categories import HOME
from sfumato.desktop.models.shelf import problem_of, size_in_words
from sfumato.library.descriptions import shown
from sfumato.library.hashes import short_hash
from sfumato.library.model_notes import full_name
from sfumato.library.models_index import ModelRow

KINDS = {"diffusers": "Folder", "pickle": "Pickle", "text": "Text", "damaged": "Damaged", "unknown": "Unknown"}


def details_of(row: ModelRow, digest: str, favourite: bool) -> dict[str, Any]:
    """Texts for the pane; `facts` are lines {name, value} in their order, those that are not known left out."""
    notes = row.notes
    lines = (
        (tr("Family"), row.told.family or notes.base),
        (tr("Type"), row.told.network or tr(KINDS.get(row.kind, ""))),
        (tr("Precision"), row.facts.precision),
        (tr("Weights"), _count(row.facts.weights)),
        (tr("Size"), size_in_words(row.bytes)),
        (tr("Changed"), time.strftime("%Y-%m-%d %H:%M", time.localtime(row.mtime_ns / 1e9)) if row.mtime_ns else ""),
        (tr("Checksum"), short_hash(digest)),
        (tr("Folder"), row.folder),
    )
    description = notes.description or row.facts.description
    return {
        "path": row.path,
        "name": row.name,
        "fileName": row.file_name,
        "fullName": full_name(row.file),
        "title": row.facts.title if row.facts.title != row.name else "",
        "category": HOME[row.category].title if row.category in HOME else "",
        "kind": row.kind,
        "problem": problem_of(row),
        "preview": row.preview,
        "favourite": favourite,
        "size": size_in_words(row.bytes),
        "facts": [{"name": name, "value": value} for name, value in lines if value],
        "words": list(notes.words or row.facts.words),
        "tags": list(notes.tags or row.facts.tags),
        "weight": f"{notes.weight:g}" if notes.weight is not None else "",
        "description": shown(description, notes.is_html) if description else "",
        "plainDescription": description,
        "insertable": words_of(row),
        "negative": is_negative(row),
    }


def _count(number: int) -> str:
    for unit, size in ((tr("billion"), 1e9), (tr("million"), 1e6), (tr("thousand"), 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number) if number else ""
