"""Where things are, and settings that survive everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfumato.config import SETTINGS, Settings, data_folder, find_places


@pytest.mark.rule("D5")
def test_the_data_folder_is_the_named_one_then_the_environments_then_the_portable_then_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.mkdir()
    monkeypatch.delenv("SFUMATO_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    assert data_folder(None, program) == tmp_path / "user" / "sfumato"
    (program / "data").mkdir()
    assert data_folder(None, program) == program / "data"
    monkeypatch.setenv("SFUMATO_DATA", str(tmp_path / "env"))
    assert data_folder(None, program) == tmp_path / "env"
    assert data_folder(tmp_path / "flag", program) == tmp_path / "flag"


def test_models_of_the_repository_are_always_looked_in_as_well(tmp_path: Path) -> None:
    program, data = tmp_path / "program", tmp_path / "data"
    data.mkdir()
    (data / "settings.json").write_text(json.dumps({"outputs": "pictures", "models": str(tmp_path / "big disk")}))
    places = find_places(data, program)
    assert places.outputs == data / "pictures"
    assert places.models == (tmp_path / "big disk", program / "models")
    assert not places.outputs.exists()


@pytest.mark.rule("D148")
def test_only_what_differs_is_written_and_unknown_keys_are_kept(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"from_the_future": [1], "theme": "light"}))
    settings = Settings.load(tmp_path, tmp_path)
    assert settings["theme"] == "light"
    settings.set("outputs", "elsewhere")
    settings.set("theme", "dark")
    assert json.loads((tmp_path / "settings.json").read_text()) == {"from_the_future": [1], "outputs": "elsewhere", "version": 1}
    assert Settings.load(tmp_path, tmp_path)["outputs"] == "elsewhere"


@pytest.mark.rule("D148")
@pytest.mark.parametrize(
    ("text", "words"), [("{", "not JSON"), ("[1]", "object"), ('{"theme": 3}', "wrong type"), ("[" * 100_000, "settings.json"), ("\xff\xfe", "settings.json")]
)
def test_a_bad_file_is_reported_and_defaults_hold(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "settings.json").write_bytes(text.encode("latin-1"))
    settings = Settings.load(tmp_path, tmp_path)
    assert words in settings.complaints[0]
    assert settings["theme"] == SETTINGS["theme"].default
    assert (tmp_path / "settings.json").read_bytes() == text.encode("latin-1")


@pytest.mark.rule("M3", "M25", "D148")
def test_how_pictures_are_named_is_a_setting_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"output_name": "[seed]-[number]", "sidecars": "txt"}')
    places = find_places(tmp_path, tmp_path / "program")
    assert (places.naming, places.sidecars) == ("[seed]-[number]", "txt")
    (tmp_path / "settings.json").write_text('{"sidecars": "all"}')
    settings = Settings.load(tmp_path, tmp_path / "program")
    assert settings["sidecars"] == ""
    assert settings.complaints == ["settings.json: 'sidecars' must be one of txt, json, both or empty; its default is used."]
