"""Colours, sizes and motion: every pair of tokens can be read in every theme, and words may grow."""

from __future__ import annotations

import re

import pytest
from PyQt5.QtGui import QColor

from sfumato.config import SETTINGS
from tests.desktop.conftest import Open
from tests.support.window import PROGRAM, OpenWindow, until

QML = PROGRAM / "qml"
WORDS = ("text", "soft", "faint", "error", "warning")
GROUNDS = ("stage", "window", "panel", "field", "raised")
SCHEMES = ("dark", "light", "contrast")


def _luminance(colour: QColor) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (colour.redF(), colour.greenF(), colour.blueF())]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one: QColor, other: QColor) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _tokens(scheme: str) -> dict[str, QColor]:
    rows = re.findall(r'color (\w+): pick\("(#\w+)", "(#\w+)", "(#\w+)"\)', (QML / "Theme.qml").read_text(encoding="utf-8"))
    assert len(rows) >= 20
    return {name: QColor(values[SCHEMES.index(scheme)]) for name, *values in rows}


@pytest.mark.rule("D187")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_and_marks_can_be_read_on_every_ground(scheme: str) -> None:
    colours = _tokens(scheme)
    for ground in GROUNDS:
        for word in WORDS:
            assert _contrast(colours[word], colours[ground]) >= 4.5, f"{word} on {ground}"
        for mark in ("accent", "edge"):
            assert _contrast(colours[mark], colours[ground]) >= 3, f"{mark} on {ground}"
    for ground in ("accent", "accentHover", "accentPressed"):
        assert _contrast(colours["accentInk"], colours[ground]) >= 4.5, ground
    for ground in ("hover", "accentSoft"):
        assert _contrast(colours["text"], colours[ground]) >= 4.5, ground
    assert _contrast(colours["accent"], colours["accentSoft"]) >= 3


@pytest.mark.rule("D187")
def test_no_file_but_the_theme_holds_a_colour() -> None:
    """But for those that pick colours and draw over pictures."""
    strays = []
    for file in sorted(QML.rglob("*.qml")):
        if file.name not in ("Theme.qml", "Splash.qml") and file.parent.name != "canvas":
            strays += [f"{file.name}: {found}" for found in re.findall(r'"#[0-9a-fA-F]{3,8}"', file.read_text(encoding="utf-8"))]
    assert not strays


@pytest.mark.rule("D187")
def test_every_theme_acts_at_once_and_is_kept(shown: OpenWindow, open_window: Open) -> None:
    grounds = {}
    for theme in ("light", "contrast", "dark"):
        shown.studio.act(f"theme_{theme}")
        until(lambda theme=theme: shown.studio.appearance.property("scheme") == theme)
        grounds[theme] = shown.window.color().name()
    assert len(set(grounds.values())) == 3
    shown.studio.act("theme_contrast")
    data = shown.studio._shell.places.data
    shown.close()
    assert open_window(data=data).studio.appearance.property("scheme") == "contrast"


@pytest.mark.rule("D187")
def test_the_system_theme_follows_what_the_desktop_says(shown: OpenWindow) -> None:
    appearance = shown.studio.appearance
    shown.studio.act("theme_system")
    appearance._take(True)
    assert appearance.property("scheme") == "light"
    appearance._take(False)
    until(lambda: shown.window.color() == _tokens("dark")["window"])


@pytest.mark.rule("D189")
def test_reduced_motion_gives_every_movement_no_time(shown: OpenWindow) -> None:
    for file in sorted(set(QML.rglob("*.qml")) - {QML / "Splash.qml"}):
        text = file.read_text(encoding="utf-8")
        for length in re.findall(r"duration: *(.+?)[;}\n]", text):
            assert re.search(r"Theme\.(quick|calm|turn|still)", length), f"{file.name}: duration {length}"
        if "Animation.Infinite" in text:
            assert "Theme.still" in text, file.name
    shown.studio._shell.set("reduced_motion", True)
    assert shown.studio.appearance.property("still") is True


def test_words_grow_and_shrink_within_their_limits(shown: OpenWindow) -> None:
    studio = shown.studio
    before = shown.item("Settings", "TabButton").height()
    for _ in range(20):
        studio.act("font_larger")
    assert studio.appearance.property("scale") == 2
    assert not studio.commands.can("font_larger")
    until(lambda: shown.item("Settings", "TabButton").height() > before)
    for _ in range(20):
        studio.act("font_smaller")
    assert studio._shell.settings["font_size"] == SETTINGS["font_size"].minimum == 75
    studio.act("font_normal")
    assert studio.appearance.property("scale") == 1
