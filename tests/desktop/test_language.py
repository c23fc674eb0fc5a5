"""The window in other languages: German whole, one that is 40 % longer, one that runs from right to left; and no text that goes around the translator."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PyQt5.QtCore import Qt

from sfumato.config import LANGUAGE_FILES, LANGUAGES
from sfumato.desktop import language, shortcuts
from sfumato.desktop.language import FORMS, Pattern, Words, chosen, form_of
from tests.desktop.conftest import Open
from tests.desktop.test_accessibility import PAGES, cut
from tests.support.window import PROGRAM, OpenWindow, accessible, items, until

PLACEHOLDERS = re.compile(r"%\d|%n|\{\w*\}")
# Properties of QML whose words are shown or read out.
SHOWN = r"(?:text|title|hint|name|words|first|second|label|description|placeholder\w*|caption|note|message|Accessible\.(?:name|description))"
# Names of the program, of fonts and of signs are the same in every language.
SAME = {"Sfumato", "Inter", "JetBrains Mono"}
# Calls of Python that show their first argument.
SHOWING = {"show", "push", "complain"}


def _collector() -> ModuleType:
    found = importlib.util.spec_from_file_location("collect_texts", PROGRAM / "docs" / "collect_texts.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def collector() -> ModuleType:
    return _collector()


def _files() -> list[Path]:
    return sorted(LANGUAGE_FILES.glob("*.json"))


# -- files ------------------------------------------------------------------------------------------


@pytest.mark.rule("D190")
@pytest.mark.parametrize("file", _files(), ids=lambda file: file.stem)
def test_a_language_is_complete_and_says_nothing_that_is_gone(collector: ModuleType, file: Path) -> None:
    found = collector.compared(file.stem)
    nothing = {section: [] for section in collector.SECTIONS}
    assert found == {"missing": nothing, "stale": nothing}


@pytest.mark.rule("D190")
@pytest.mark.parametrize("file", _files(), ids=lambda file: file.stem)
def test_a_translation_has_the_placeholders_and_plural_forms_of_its_text(file: Path) -> None:
    held = json.loads(file.read_text(encoding="utf-8"))
    for section in ("window", "texts", "sentences"):
        for english, said in held[section].items():
            forms = said if isinstance(said, list) else [said]
            assert not isinstance(said, list) or len(said) == FORMS[held["plural"]], english
            assert ("%n" in english) == isinstance(said, list), english
            for form in forms:
                assert form.strip(), english
                assert sorted(PLACEHOLDERS.findall(form)) == sorted(PLACEHOLDERS.findall(english)), english
    menus = [(held["texts"] | held["window"])[menu][0] for menu in shortcuts.MENUS]
    assert len(set(menus)) == len(menus), "menus open by their first letters"


@pytest.mark.rule("D190")
def test_no_text_of_qml_goes_around_the_translator() -> None:
    strays = []
    for file in sorted((PROGRAM / "qml").rglob("*.qml")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for found in re.finditer(rf'(?<![\w.]){SHOWN}: *(?:[^;"]*\? *)?"([^"]*)"', line):
                if re.search(r"[A-Za-z]{3}", found[1]) and found[1].strip() not in SAME and re.search(r"^[A-Z]| ", found[1]):
                    strays.append(f"{file.name}:{number}: {found[0]}")
    assert not strays, "\n".join(strays)


@pytest.mark.rule("D190")
def test_no_sentence_of_python_goes_around_the_translator() -> None:
    strays = []
    for file in sorted((PROGRAM / "source" / "sfumato" / "desktop").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.func, ast.Attribute) or node.func.attr not in SHOWING:
                continue
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "tr":
                    break
                if isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and " " in str(part.value)):
                    strays.append(f"{file.name}:{node.lineno}")
    assert not strays, "\n".join(strays)


# -- words ------------------------------------------------------------------------------------------


@pytest.mark.rule("D190")
@pytest.mark.parametrize(
    ("rule", "forms"),
    [
        ("one-other", {0: 1, 1: 0, 2: 1, 21: 1}),
        ("french", {0: 0, 1: 0, 2: 1}),
        ("slavic", {0: 2, 1: 0, 3: 1, 5: 2, 11: 2, 13: 2, 21: 0, 24: 1}),
        ("polish", {1: 0, 2: 1, 12: 2, 21: 2, 22: 1}),
        ("czech", {1: 0, 4: 1, 5: 2}),
    ],
)
def test_a_number_takes_its_form_in_python_and_in_qt(rule: str, forms: dict[int, int]) -> None:
    said = [f"form {place}: %n" for place in range(FORMS[rule])]
    words = Words({"plural": rule, "window": {"%n files": said}, "texts": {}})
    translator = words.translator()
    for number, form in forms.items():
        assert form_of(number, rule) == form
        assert words.say("%n files", number) == said[form] == translator.translate("Any", "%n files", "", number), number


@pytest.mark.rule("D178", "D190")
def test_a_sentence_that_came_in_english_is_told_by_its_pattern() -> None:
    held = {
        "texts": {"Steps": "Schritte"},
        "window": {},
        "sentences": {
            "{title} must be between {minimum} and {maximum}.": "{title} muss zwischen {minimum} und {maximum} liegen.",
            "The folder '{folder}' cannot be written to{tail}. Change it.": "{folder} ist nicht beschreibbar{tail}. Ändern.",
        },
    }
    words = Words(held)
    assert words.told("Steps must be between 1 and 150.") == "Schritte muss zwischen 1 und 150 liegen."
    assert words.told("The folder 'a' cannot be written to (full). Change it.") == "a ist nicht beschreibbar (full). Ändern."
    two = words.told("Steps must be between 1 and 2. Seed must be between 3 and 4.")
    assert two == "Schritte muss zwischen 1 und 2 liegen. Seed muss zwischen 3 und 4 liegen."
    assert words.told("Nobody knows this.") == "Nobody knows this."
    assert Pattern("a {b}{c} d", "").facts("a 1 d") == {"b": "", "c": "1"} or Pattern("a {b}{c} d", "").facts("a 1 d") == {"b": "1", "c": ""}


@pytest.mark.rule("D190")
def test_the_system_language_is_taken_where_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "de.json").write_text("{}")
    assert chosen("", tmp_path, ["fr-FR", "de-AT", "en"]) == "de"
    assert chosen("", tmp_path, ["C"]) == chosen("", tmp_path, ["en-GB", "de"]) == "en"
    assert chosen("de", tmp_path, ["en"]) == "de"
    (tmp_path / "fr.json").write_text('{"texts": 7')
    assert language.read(tmp_path, "fr") == language.read(tmp_path, "de") == language.read(tmp_path, "nl") == {}


@pytest.mark.rule("D190")
def test_texts_without_a_translation_are_written_down(tmp_path: Path) -> None:
    file = tmp_path / "missing.txt"
    words = Words({"texts": {"Close": "Zu"}, "window": {}}, str(file))
    assert [words.say(text) for text in ("Close", "Open", "Open")] == ["Zu", "Open", "Open"]
    assert [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] == ["Open"]


# -- the window -------------------------------------------------------------------------------------


@pytest.mark.rule("D146", "D190")
def test_german_is_chosen_in_the_settings_and_spoken_after_a_restart(shown: OpenWindow, open_window: Open) -> None:
    shown.studio.prompts.setProperty("text", "ein Fuchs")
    shown.studio.show("settings")
    shown.studio.settings.reveal("language")
    until(lambda: any(accessible(item, "name") == "Language" for item in items(shown.window.contentItem())), "the setting")
    shown.item("Language", "Choice").forceActiveFocus()
    for _ in range(list(LANGUAGES).index("de")):
        shown.key(Qt.Key_Down)
    until(lambda: shown.studio._shell.settings["language"] == "de", "the choice")
    data = shown.studio._shell.places.data
    shown.close()
    again = open_window(data=data)
    names = lambda: [accessible(item, "name") for item in items(again.window.contentItem())]  # noqa: E731
    assert {"Datei", "Bearbeiten", "Ansicht", "Hilfe", "Generieren", "Modelle", "Verlauf", "Einstellungen"} <= set(names())
    again.studio.show("generate")
    until(lambda: "Schritte" in names(), "a parameter")
    assert again.studio.prompts.property("text") == "ein Fuchs"
    again.key(Qt.Key_D, Qt.AltModifier)
    until(lambda: "Beenden" in names(), "the menu")
    again.key(Qt.Key_Escape)
    again.studio.parameters.commit("steps", "9000")
    assert again.studio.parameters.cell("steps", "problem") == "Schritte muss zwischen 1 und 150 liegen."


def longer(text: str) -> str:
    """A text that is 40 % longer and keeps its placeholders."""
    return text + " " + "ab cde "[: max(3, len(text) * 2 // 5)] * max(1, len(text) // 18)


def _walked(window: OpenWindow) -> list[str]:
    window.window.setGeometry(0, 0, 1280, 720)
    until(lambda: window.window.contentItem().width() == 1280)
    problems = []
    for page in PAGES:
        window.studio.show(page)
        window.window.grabWindow()
        problems += [f"{page}: {words}" for words in cut(window)]
    return list(dict.fromkeys(problems))


def _speaks(monkeypatch: pytest.MonkeyPatch, held: dict[str, Any]) -> None:
    monkeypatch.setattr(language, "read", lambda folder, code: held)


@pytest.mark.rule("D190")
def test_words_that_are_longer_are_not_cut(collector: ModuleType, open_window: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    _speaks(monkeypatch, {"plural": "one"} | {section: {text: longer(text) for text in found} for section, found in collector.texts().items()})
    problems = _walked(open_window())
    assert not problems, "\n".join(problems)


@pytest.mark.rule("D190")
def test_words_that_run_from_right_to_left_are_not_cut(collector: ModuleType, open_window: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def turned(text: str) -> str:
        return "".join(chr(0x5D0 + ord(letter) % 27) if letter.isalpha() else letter for letter in text)

    texts = {section: {text: text if PLACEHOLDERS.search(text) else turned(text) for text in found} for section, found in collector.texts().items()}
    _speaks(monkeypatch, {"plural": "one", "right_to_left": True} | texts)
    window = open_window()
    assert not _walked(window)
    assert window.application.layoutDirection() == Qt.RightToLeft
    assert any(accessible(item, "name") == turned("Settings") for item in items(window.window.contentItem()))
