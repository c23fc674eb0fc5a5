"""Finding here the model that a picture names: by its checksum, by the first digits of it, by its name, by the closest name. Rule: M16 of metadata."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sfumato.library.hashes import OLD_DIGITS, Hashes, old_hash
from sfumato.protocol.errors import SfumatoError

_CLOSE = 0.6
_DIGITS_AT_LEAST = 8


@dataclass(frozen=True, slots=True)
class Match:
    """A model of this machine: its name, and by what it was found; `is_guess` if only its name is close."""

    name: str
    by: Literal["checksum", "digits", "name", "closest name"]

    @property
    def is_guess(self) -> bool:
        return self.by == "closest name"


def match_model(name: str, digits: str, models: Sequence[tuple[str, Path]], hashes: Hashes) -> Match | None:
    """The model of `models` (name, file) that a picture means, None if there is none like it.

    Args:
        name: as the picture has it, without an ending; "" if it has none.
        digits: of its SHA-256: all 64, the first of them, or the eight of before 2023; "" if it has none.
        hashes: only what is known already is asked; no weights are read.
    """
    digits = digits.lower()
    if len(digits) >= _DIGITS_AT_LEAST:
        known = [(title, digest) for title, path in models if (digest := hashes.known(path))]
        if (found := _first(title for title, digest in known if digest.startswith(digits))) is not None:
            return Match(found, "checksum" if len(digits) == 64 else "digits")
        if len(digits) == OLD_DIGITS and (found := _first(title for title, path in models if _has_old(path, digits))) is not None:
            return Match(found, "digits")
    if not name:
        return None
    for same in (str, str.casefold):
        if (found := _first(title for title, _ in models if same(name) in (same(title), same(title.rsplit("/", 1)[-1])))) is not None:
            return Match(found, "name")
    last = name.rsplit("/", 1)[-1]
    if (found := _first(title for title, _ in models if title.rsplit("/", 1)[-1].casefold() == last.casefold())) is not None:
        return Match(found, "name")
    close = difflib.get_close_matches(last.casefold(), [title.casefold() for title, _ in models], 1, _CLOSE)
    return Match(next(title for title, _ in models if title.casefold() == close[0]), "closest name") if close else None


def _first(titles: Iterable[str]) -> str | None:
    return next(iter(titles), None)


def _has_old(path: Path, digits: str) -> bool:
    with suppress(SfumatoError):
        return path.is_file() and old_hash(path) == digits
    return False
