"""The words of the window in the language of the user: one JSON file per language in qml/languages, English where a text is missing.

QML says `qsTr("Delete")`, Python says `tr("Delete")`; the English text is the key. A text about a number carries `%n` and is written as a list of the
language's plural forms.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QTranslator

ENGLISH = "en"


class Words(QTranslator):
    """The texts of one language, for Qt and for Python."""

    def __init__(self, texts: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._texts = texts or {}

    @staticmethod
    def load(folder: Path, language: str) -> Words:
        """The words of a language file; English, or a file that cannot be read, has none of its own."""
        try:
            held = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
            return Words(dict(held["texts"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Words()

    def isEmpty(self) -> bool:
        return not self._texts

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        """Called by Qt; "" lets it take the text itself."""
        del context, disambiguation
        found = self._texts.get(text, "")
        if isinstance(found, list):
            found = found[0 if n == 1 else -1] if found else ""
        return found


_words = Words()


def use(words: Words) -> None:
    """Take the language for everything Python says from now on."""
    global _words
    _words = words


def tr(text: str, **values: object) -> str:
    """`text` in the user's language with its {names} filled in."""
    said = _words.translate("", text) or text
    return said.format(**values) if values else said
