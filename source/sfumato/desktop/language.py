"""The words of the window in the language of the user: one JSON file per language in qml/languages, English where a text is missing.

QML says `qsTr("Delete")`, Python says `tr("Delete")`; the English text is the key. A text about a number is written as a list of the language's
plural forms. Sentences that come in English from elsewhere (the engine, the protocol) are told in the user's language by `told`, by their patterns.
docs/translating.md has the format of the files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from PyQt5.QtCore import QTranslator

from sfumato.desktop.language_table import table

ENGLISH = "en"
CAPTURE = "SFUMATO_MISSING_TEXTS"

# The signs of Qt's rules.
_EQUAL, _LESS, _BETWEEN, _NOT, _LAST_DIGIT, _LAST_DIGITS, _AND, _OR, _NEXT = 1, 2, 4, 8, 16, 32, 0xFD, 0xFE, 0xFF
_IS_FEW = (_LAST_DIGIT | _BETWEEN, 2, 4, _AND, _LAST_DIGITS | _NOT | _BETWEEN, 12, 14)
# Rule of a language file -> in how far a number takes the first form, the second ...; the last form is for all others.
PLURALS: Mapping[str, tuple[int, ...]] = {
    "one": (),
    "one-other": (_EQUAL, 1),
    "french": (_LESS, 2),
    "slavic": (_LAST_DIGIT | _EQUAL, 1, _AND, _LAST_DIGITS | _NOT | _EQUAL, 11, _NEXT, *_IS_FEW),
    "polish": (_EQUAL, 1, _NEXT, *_IS_FEW),
    "czech": (_EQUAL, 1, _NEXT, _BETWEEN, 2, 4),
}
FORMS: Mapping[str, int] = {name: 1 + (len(rule) > 0) + rule.count(_NEXT) for name, rule in PLURALS.items()}


class Words:
    """The texts of one language, for Qt (`translator`) and for Python.

    Args:
        held: what a language file holds; nothing is English.
        missing: a file that every text without a translation is written to, "" for none.
    """

    def __init__(self, held: Mapping[str, Any] | None = None, missing: str = "") -> None:
        held = held or {}
        self._scene: dict[str, Any] = dict(held.get("window") or {})
        self._texts: dict[str, Any] = self._scene | dict(held.get("texts") or {})
        self._sentences: dict[str, str] = dict(held.get("sentences") or {})
        self._patterns: list[Pattern] | None = None
        self._rule = str(held.get("plural")) if held.get("plural") in PLURALS else "one-other"
        self._table = b""  # Qt reads it where it is
        self.is_right_to_left = held.get("right_to_left") is True
        self.has_capital_nouns = held.get("capital_nouns") is True
        self._missing = missing
        self._seen: set[str] = set()

    @property
    def is_empty(self) -> bool:
        return not self._texts

    def prepare(self) -> None:
        """Make the table for Qt; on any thread."""
        rows = ((text, said if isinstance(said, list) else [said]) for text, said in self._scene.items())
        self._table = table(rows, bytes(PLURALS[self._rule]))

    def translator(self) -> QTranslator:
        """What Qt asks, while these words are kept."""
        made = QTranslator()
        if not self._table:
            self.prepare()
        made.loadFromData(self._table)
        return made

    def say(self, text: str, count: int = -1) -> str:
        """The translation, the text itself where there is none."""
        found = self._texts.get(text)
        if not found:
            self._note(text)
            return text
        if isinstance(found, list):
            return str(found[min(form_of(count, self._rule), len(found) - 1)] if count >= 0 else found[-1])
        return str(found)

    def told(self, sentence: str) -> str:
        """An English sentence with its facts filled in, said in this language as far as its pattern is known."""
        if not self._texts or not sentence:
            return sentence
        parts = re.split(r"(?<=[.?!]) ", sentence)
        told = [self._told(part) for part in parts]
        if all(told):
            return " ".join(map(str, told))
        found = self._told(sentence)
        if found is None and not any(told):
            self._note(sentence)
        return found or " ".join(new or old for new, old in zip(told, parts, strict=True))

    def _told(self, sentence: str) -> str | None:
        exact = self._sentences.get(sentence) or self._texts.get(sentence)
        if isinstance(exact, str):
            return exact
        if self._patterns is None:
            self._patterns = sorted((Pattern(english, said) for english, said in self._sentences.items() if "{" in english), key=lambda row: -row.weight)
        for pattern in self._patterns:
            facts = pattern.facts(sentence)
            if facts is not None:
                return pattern.said.format(**{name: self._told(fact) or fact for name, fact in facts.items()})
        return None

    def _note(self, text: str) -> None:
        if self._missing and text and text not in self._seen:
            self._seen.add(text)
            with Path(self._missing).open("a", encoding="utf-8") as file:
                file.write(json.dumps(text, ensure_ascii=False) + "\n")


class Pattern:
    """A sentence with {facts}, and how it is said in another language."""

    def __init__(self, english: str, said: str) -> None:
        self.said = said
        self._names: list[str] = []
        self._between = [""]
        for literal, name, _, _ in Formatter().parse(english):
            self._between[-1] += literal
            if name is not None:
                self._names.append(name)
                self._between.append("")
        self.weight = sum(map(len, self._between))

    def facts(self, sentence: str) -> dict[str, str] | None:
        """What stands in the places of the names; None where this is another sentence."""
        first, *middle, last = self._between
        if not (sentence.startswith(first) and sentence.endswith(last) and len(sentence) >= len(first) + len(last)):
            return None
        rest, found = sentence[len(first) : len(sentence) - len(last)], []
        for text in middle:
            # What stands directly behind another fact belongs to that.
            fact, mark, rest = rest.partition(text) if text else (rest, "", "")
            if text and not mark:
                return None
            found.append(fact)
        return dict(zip(self._names, [*found, rest], strict=True))


def chosen(setting: str, folder: Path, wanted: Iterable[str]) -> str:
    """The language to load.

    Args:
        setting: a language's code, or "" for the first of `wanted` (as the system names them: "de-DE") that there is.
    """
    if setting:
        return setting
    held = {path.stem for path in folder.glob("*.json")} | {ENGLISH}
    for name in wanted:
        for code in (name.replace("-", "_"), name.split("-")[0]):
            if code in held:
                return code
    return ENGLISH


def read(folder: Path, language: str) -> dict[str, Any]:
    """What a language file holds; nothing for English, and for a file that cannot be read. Runs on any thread."""
    if language in ("", ENGLISH):
        return {}
    try:
        held = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
        return held if isinstance(held, dict) and isinstance(held.get("texts"), dict) and isinstance(held.get("window"), dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def load(held: Mapping[str, Any]) -> Words:
    """The words of what `read` returned; runs on any thread."""
    words = Words(held, os.environ.get(CAPTURE, "") if held else "")
    if not words.is_empty:
        words.prepare()
    return words


def form_of(number: int, rule: str) -> int:
    """Which of the forms says a number."""
    form = 0
    for chosen in _split(PLURALS[rule], _NEXT):
        if any(all(_holds(number, test) for test in _split(either, _AND)) for either in _split(chosen, _OR)):
            return form
        form += 1
    return form


def _holds(number: int, test: tuple[int, ...]) -> bool:
    sign, *limits = test
    value = number % 10 if sign & _LAST_DIGIT else number % 100 if sign & _LAST_DIGITS else number
    kind = sign & 7
    holds = value == limits[0] if kind == _EQUAL else value < limits[0] if kind == _LESS else limits[0] <= value <= limits[1]
    return holds != bool(sign & _NOT)


def _split(rule: tuple[int, ...], at: int) -> list[tuple[int, ...]]:
    parts: list[list[int]] = [[]]
    for sign in rule:
        if sign == at:
            parts.append([])
        else:
            parts[-1].append(sign)
    return [tuple(part) for part in parts if part]


_words = Words()


def use(words: Words) -> None:
    """Take the language for everything Python says from now on."""
    global _words
    _words = words


def tr(text: str, **values: object) -> str:
    """`text` in the user's language with its {names} filled in; where it has plural forms, {count} chooses."""
    count = values.get("count")
    said = _words.say(text, count if isinstance(count, int) else -1)
    return said.format(**values) if values else said


def told(sentence: str) -> str:
    """A sentence that came in English, with its facts filled in, in the user's language where its pattern is known."""
    return _words.told(sentence)


def inside(word: str) -> str:
    """A title as it is written inside a sentence: small, but for languages whose nouns are not."""
    return word if _words.has_capital_nouns or word[1:2].isupper() else word[:1].lower() + word[1:]
