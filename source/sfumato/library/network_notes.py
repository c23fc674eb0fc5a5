"""What people wrote beside a network's file about its use: the weight it is liked at, and the words that call it up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import SfumatoError

_BYTES_AT_MOST = 4 << 20
_WORDS_AT_MOST = 1000
_WEIGHT_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class NetworkNotes:
    """`weight` is None where nobody said; `words` are written into the prompt as they are."""

    weight: float | None = None
    words: str = ""


def notes_of(path: Path) -> NetworkNotes:
    """Read `NAME.json` and `NAME.civitai.info` beside a file, else the trigger phrase in its header. What cannot be read says nothing."""
    own, shared = _document(path.with_suffix(".json")), _document(path.with_suffix(".civitai.info"))
    weight = own.get("preferred weight")
    words = own.get("activation text")
    if not isinstance(words, str) or not words.strip():
        trained = shared.get("trainedWords")
        words = ", ".join(word.strip(" ,") for word in trained if isinstance(word, str)) if isinstance(trained, list) else ""
    if not words.strip() and path.suffix == ".safetensors":
        try:
            words = read_header(path).metadata.get("modelspec.trigger_phrase", "")
        except (SfumatoError, OSError):
            words = ""
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < abs(weight) <= _WEIGHT_AT_MOST:
        weight = None
    return NetworkNotes(weight, words.strip(" ,")[:_WORDS_AT_MOST])


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _BYTES_AT_MOST:
            return {}
        held = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
