"""Collects every text that the window shows, so that language files can be compared with them.

    python docs/collect_texts.py                 all texts, by the sections of a language file
    python docs/collect_texts.py CODE            what qml/languages/CODE.json has no translation for, and what it holds too much
    python docs/collect_texts.py --missing CODE  the missing ones alone, as a JSON object to fill in

Texts stand in `qsTr("...")` of QML, in `tr("...")` of Python, and in the tables that are said through `tr`. Sentences that other rooms make (errors,
refusals) are collected as patterns, with {names} where facts stand.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "source" / "sfumato"
LANGUAGES = ROOT / "qml" / "languages"
SECTIONS = ("window", "texts", "sentences")
_LITERAL = r'"(?:[^"\\]|\\.)*"'
_CALL = re.compile(rf"qsTr\(\s*((?:{_LITERAL})(?:\s*\+\s*{_LITERAL})*)")
# Modules whose sentences reach the window in English: their texts that end like one.
SPEAKERS = (
    "config.py",
    "protocol/errors.py",
    "protocol/specs.py",
    "transport/keys.py",
    "transport/link.py",
    "transport/known_servers.py",
    "transport/link.py",
    "transport/local.py",
    "transport/remote.py",
    "desktop/beginnings.py",
    "desktop/session.py",
    "desktop/engine_link.py",
    "desktop/outputs.py",
    "desktop/mishaps.py",
)


def texts() -> dict[str, set[str]]:
    """The texts by the sections of a language file: what QML says, what Python says besides, and patterns of sentences from elsewhere."""
    window = {text for text in of_qml() if text.strip()}
    said = {text for text in (*of_python(), *of_tables()) if text.strip()} - window
    return {"window": window, "texts": said, "sentences": sentences() - window - said}


def of_qml() -> Iterator[str]:
    for file in sorted((ROOT / "qml").rglob("*.qml")):
        yield from calls(file.read_text(encoding="utf-8"))


def calls(text: str) -> Iterator[str]:
    """The texts of one QML file; literals that are added up are one text."""
    for found in _CALL.finditer(text):
        yield "".join(json.loads(part.replace(r"\'", "'")) for part in re.findall(_LITERAL, found[1]))


def of_python() -> Iterator[str]:
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr" and node.args:
                yield from _constants(node.args[0])


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def of_tables() -> Iterator[str]:
    """The words of rows that are declared once and said wherever they are shown."""
    from sfumato import config
    from sfumato.desktop import jobs, settings_folders, settings_page, shortcuts, tabs
    from sfumato.desktop.canvas import room
    from sfumato.desktop.inputs import card_settings, cards, controls
    from sfumato.desktop.models import categories, details
    from sfumato.desktop.outputs_rows import GIVEN, ORIGINAL
    from sfumato.desktop.parameters import section
    from sfumato.desktop.prompts import completion
    from sfumato.desktop.queue import rows
    from sfumato.desktop.remote import connection, questions
    from sfumato.desktop.transfers import choices
    from sfumato.protocol.params import GROUPS

    for action in shortcuts.ACTIONS:
        yield from (action.title, action.sentence, *(scope.capitalize() for scope in action.scopes))
    yield from shortcuts.MENUS
    yield from (tab.title for tab in tabs.TABS)
    for setting in config.SETTINGS.values():
        yield from (setting.title, setting.description)
    for name, setting in config.SETTINGS.items():
        yield from (() if name == "language" else (setting.choices or {}).values())
    yield "System"
    yield from config.SETTING_GROUPS.values()
    yield from settings_page.SPECIAL.values()
    yield from (*GROUPS.values(), *section.OTHER_TITLES.values())
    yield from _of_parameters()
    yield from (*jobs.STAGES.values(), *jobs.MODES.values(), *rows.STATES.values())
    yield from choices.TITLES.values()
    for category in categories.CATEGORIES:
        yield from (category.title, category.empty)
    yield from (*details.KINDS.values(), *completion.KINDS.values(), *cards.TITLES.values(), *room.WORDS.values())
    yield from (kind.title for kind in controls.TYPES)
    yield from (card_settings.KIND_TITLE, card_settings.KIND_WORDS, card_settings._TILE.title, card_settings._TILE.description)
    yield from (*connection.LINE_WORDS.values(), *questions.TITLES.values(), *questions.AGREEMENTS.values())
    for title, words in settings_folders.CLEANABLE.values():
        yield from (title, words)
    yield from (*GIVEN.values(), ORIGINAL)


def _of_parameters() -> Iterator[str]:
    from sfumato.desktop.parameters.values import spelled
    from sfumato.protocol.requests.annotate import Annotate
    from sfumato.protocol.requests.control import ControlUnit
    from sfumato.protocol.requests.generate import Generate
    from sfumato.protocol.requests.upscale import Upscale
    from sfumato.protocol.specs import specs

    for request in (Generate, Upscale, Annotate, ControlUnit):
        for spec in specs(request):
            yield from (spec.title, spec.description, spec.unset)
            yield from (spelled(choice) for choice in spec.choices)
            if spec.kind == "choice" and isinstance(spec.default, str):
                yield spelled(spec.default)


def sentences() -> set[str]:
    """The patterns of the sentences that other rooms make."""
    found: set[str] = set()
    for name in SPEAKERS:
        tree = ast.parse((SOURCE / name).read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        raised = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) and "TypeError" in ast.unparse(node) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in inner | documented | raised:
                continue
            text = pattern(node)
            if text and " " in text.strip() and text.rstrip().endswith((".", "?", "!")):
                found.add(text.strip())
    return found


def pattern(node: ast.AST) -> str:
    """A literal as it is written, or one with facts as "{name} is ...": facts are named by the last word of what fills them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    text, names = "", []
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            words = re.findall(r"[a-z_]+", ast.unparse(part.value)) or ["fact"]
            name = words[-1].strip("_") or "fact"
            names.append(name)
            text += "{" + name + (str(names.count(name)) if names.count(name) > 1 else "") + "}"
    return text


def language(code: str) -> dict[str, dict[str, object]]:
    """The sections of a language file; empty where there is none."""
    file = LANGUAGES / f"{code}.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {section: held.get(section, {}) for section in SECTIONS}


def compared(code: str) -> dict[str, dict[str, list[str]]]:
    """What a language file lacks, and what it holds that nothing says any more."""
    held, wanted = language(code), texts()
    return {
        "missing": {section: sorted(wanted[section] - held[section].keys()) for section in SECTIONS},
        "stale": {section: sorted(held[section].keys() - wanted[section]) for section in SECTIONS},
    }


def main(words: list[str]) -> None:
    if words[:1] == ["--missing"]:
        told: object = {section: dict.fromkeys(found, "") for section, found in compared(words[1])["missing"].items()}
    else:
        told = compared(words[0]) if words else {section: sorted(found) for section, found in texts().items()}
    print(json.dumps(told, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "source"))
    main(sys.argv[1:])
