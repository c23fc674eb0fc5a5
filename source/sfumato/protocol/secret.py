"""A text that must never be seen: it prints as stars, refuses to be serialised, and is taken out by one call that can be searched for."""

from __future__ import annotations

import hashlib
import hmac
import weakref
from typing import Any, NoReturn

SHOWN = "***"

# Every secret there is, so that no log has to be told of each (`redaction.py`). It holds none of them alive.
_LIVING: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()


class Secret:
    """A password, key or token. `reveal()` is the only way to its text."""

    __slots__ = ("__weakref__", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        _LIVING[id(self)] = self

    def reveal(self) -> str:
        """The text itself, for the one who uses it now."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_digest(self._text), _digest(other._text))

    __hash__ = None  # type: ignore[assignment]  # a key of a mapping would be a way to guess it

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        return format(SHOWN, form)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self


def living() -> list[Secret]:
    """Every secret that somebody still holds."""
    return list(_LIVING.values())


def _digest(text: str) -> bytes:
    """Of one length for every text, so that comparing takes the same time for all."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
