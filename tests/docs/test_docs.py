"""The documents say what is so: generated pages are current, links lead somewhere, commands and flags exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from sfumato.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.rule("R145")
def test_the_parameter_page_is_what_the_rows_say() -> None:
    found = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8") == module.page()


@pytest.mark.rule("R145")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_named_file_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    for target in targets:
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    folders = ("source/", "protocol/", "jobs/", "transport/", "engine/", "imaging/", "library/", "prompts/", "qml/", "launcher/", "models/", "docs/", "tests/")
    for name in re.findall(r"`((?:[a-z_]+/)+[A-Za-z_.]+\.[a-z]+)`", text):
        if name.startswith(folders):
            assert any((base / name).exists() for base in (ROOT, ROOT / "source" / "sfumato")), f"{page.name} names {name}"


@pytest.mark.rule("R145")
def test_every_command_in_the_readme_parses() -> None:
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/remote.md"))
    lines = re.findall(r"^\./start_linux\.sh (?:--mode cpu )?((?:generate|models|prompt|serve|download)\b[^#\n]*)", text, re.MULTILINE)
    assert len(lines) >= 4
    import shlex

    for line in lines:
        words = shlex.split(line)
        if "--help" not in words:
            assert build_parser().parse_args(words).run


# Keys of the surrounding text that no row of the table has: they belong to Qt's own text boxes and lists.
_TEXTUAL = {"Shift+Tab"}


@pytest.mark.rule("R145", "D34")
def test_every_key_that_the_documents_name_runs_an_action() -> None:
    pytest.importorskip("PyQt5.QtGui")
    from sfumato.desktop.shortcuts import ACTIONS, canonical

    bound = {canonical(key) for action in ACTIONS for key in action.keys}
    named = 0
    for page in (ROOT / "docs" / "window.md", ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        keys = re.findall(r"(?<![\w`])((?:(?:Ctrl|Alt|Shift)\+)+(?:[A-Z][a-z]+|[A-Z]|[0-9]|,)|F[0-9]{1,2})(?![\w+])", text)
        named += len(keys)
        for key in keys:
            pressed = canonical(key.replace("Enter", "Return"))
            assert pressed in bound or key in _TEXTUAL, f"{page.name} names {key}, which does nothing"
    assert named > 40


@pytest.mark.rule("R145")
def test_every_setting_file_and_menu_entry_that_the_window_page_names_exists() -> None:
    pytest.importorskip("PyQt5.QtGui")
    from sfumato.config import SETTING_GROUPS
    from sfumato.desktop.shortcuts import ACTIONS

    text = (ROOT / "docs" / "window.md").read_text(encoding="utf-8")
    titles = {(action.menu, action.title) for action in ACTIONS if action.menu}
    for menu, title in re.findall(r"\b(File|Edit|View|Help), ([A-Z][a-z]+(?: [a-z]+)*?)(?=[ ,;.)]|$)", text):
        assert any(menu == held and title.split()[0] == words.split()[0] for held, words in titles), f"there is no {menu}, {title}"
    for section in re.findall(r"Settings, ([A-Z][a-z]+)", text):
        assert section in {*SETTING_GROUPS.values(), "Keyboard", "Data"}, f"Settings has no {section}"
    pictures = {path.name for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert {Path(target).name for target in re.findall(r"\]\((pictures/[^)]+)\)", text)} <= pictures
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("*.png")) < 6_000_000
