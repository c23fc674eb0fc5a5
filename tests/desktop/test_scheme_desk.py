"""The window and links that begin with `sfumato:`: the first start takes them, the setting gives them back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.scheme import ENTRY, opener
from tests.desktop.conftest import Open
from tests.support.window import until


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.rule("D15")
def test_the_first_start_registers_and_the_setting_takes_it_back(open_window: Open, tmp_path: Path) -> None:
    entry = Path(os.environ["XDG_DATA_HOME"]) / "applications" / ENTRY
    shown = open_window()
    assert not entry.exists()  # only a start of the program registers
    shown.studio.scheme.begin()
    until(entry.exists, "the entry")
    until(lambda: opener().command()[1:] == ["--data", str(tmp_path / "data")], "the command")
    assert shown.studio.settings.commit("links", "off")
    until(lambda: opener().command() == [], "nothing opens links")
    assert not entry.exists()
    # The next start leaves it so.
    shown.studio.scheme.begin()
    assert shown.studio.settings.commit("theme", "light")  # behind it on the same thread
    until(lambda: '"light"' in (tmp_path / "data" / "settings.json").read_text())
    assert not entry.exists()
    shown.studio.settings.reset("links")
    until(entry.exists, "registered again")


@pytest.mark.rule("D15")
def test_a_start_leaves_the_links_of_another_installation_that_is_there(open_window: Open, tmp_path: Path) -> None:
    opener().register(["/bin/sh"])
    shown = open_window()
    shown.studio.scheme.begin()
    assert shown.studio.settings.commit("theme", "light")
    until(lambda: (tmp_path / "data" / "settings.json").exists())
    assert opener().command() == ["/bin/sh"]
    opener().register([str(tmp_path / "moved" / "start_linux.sh")])
    shown.studio.scheme.begin()
    until(lambda: opener().command()[-1] == str(tmp_path / "data"), "what was moved is replaced")


def test_what_cannot_be_written_is_told_in_one_sentence(open_window: Open, tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file where a folder belongs")
    shown = open_window()
    assert shown.studio.settings.commit("links", "off")
    shown.studio.settings.reset("links")
    until(lambda: "What opens links could not be changed" in str(shown.studio.notices.property("sentence")), "the sentence")
