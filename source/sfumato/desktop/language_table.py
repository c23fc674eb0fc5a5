"""The texts of a language as Qt's own table of translations.

The threads that load QML ask for translations too, while the GUI thread waits for them and holds Python: what they ask must be no Python. The table
is made in memory as Qt's translation files are: a list of hashes, and messages of tagged fields, here without a context, so that they hold anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

MAGIC = bytes.fromhex("3cb86418caef9c95cd211cbf60a1bddd")
_HASHES, _MESSAGES, _PLURALS = 0x42, 0x69, 0x88
_END, _TRANSLATION, _SOURCE = 1, 3, 6


def table(texts: Iterable[tuple[str, Sequence[str]]], plural: bytes = b"") -> bytes:
    """A table for `QTranslator.loadFromData`.

    Args:
        texts: English -> the translation, or one for each plural form.
        plural: Qt's rule that chooses among the forms.
    """
    hashes: list[tuple[int, int]] = []
    messages = bytearray()
    for english, forms in texts:
        source = english.encode()
        hashes.append((_hash(source), len(messages)))
        for form in forms:
            said = form.encode("utf-16-be")
            messages += struct.pack(">BI", _TRANSLATION, len(said)) + said
        messages += struct.pack(">BI", _SOURCE, len(source)) + source
        messages.append(_END)
    hashes.sort()
    offsets = b"".join(struct.pack(">II", *row) for row in hashes)
    sections = ((_HASHES, offsets), (_MESSAGES, bytes(messages)), (_PLURALS, plural))
    return MAGIC + b"".join(struct.pack(">BI", tag, len(data)) + data for tag, data in sections if data)


def _hash(text: bytes) -> int:
    value = 0
    for letter in text:
        value = (value << 4) + letter
        if high := value & 0xF0000000:
            value ^= high | high >> 24
    return value or 1
