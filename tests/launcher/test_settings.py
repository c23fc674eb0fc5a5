"""The mode is remembered in the user's file, and a broken file is told and survived."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher import folders, settings
from tests.launcher.conftest import Program, give_environment


def test_the_mode_is_remembered_in_the_users_file_with_everything_else_kept(tmp_path: Path) -> None:
    program, data = tmp_path / "program", tmp_path / "data"
    program.mkdir()
    (program / "config.json").write_text('{"mode": "cpu"}')
    data.mkdir()
    (data / "settings.json").write_text('{"theme": "light", "later": {"a": 1}}')
    told: list[str] = []
    assert settings.mode(program, data, told.append) == "cpu"
    settings.remember(program, data, {"mode": "remote"})
    assert settings.mode(program, data, told.append) == "remote"
    assert json.loads((data / "settings.json").read_text()) == {"theme": "light", "later": {"a": 1}, "mode": "remote"}
    assert (program / "config.json").read_text() == '{"mode": "cpu"}'
    assert told == []
    assert [path.name for path in data.iterdir()] == ["settings.json"]


def test_a_broken_user_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"theme": ')
    settings.remember(tmp_path, tmp_path, {"mode": "cpu"})
    assert (tmp_path / "settings.json").read_text() == '{"theme": '


def test_a_config_that_is_not_json_is_told_with_file_and_line_and_the_program_starts(program: Program) -> None:
    # Given a complete environment and a config.json that breaks off in its third line
    give_environment(program, 'echo "$@"')
    (program.folder / ".venv/lib/python3.11/site-packages/sfumato_sample-1.0.dist-info").mkdir(parents=True)
    (program.folder / "config.json").write_text('{\n  "mode": "cpu",\n  oops\n}')

    # When the program is started
    done = program.start("hello")
    assert (done.returncode, done.stdout) == (0, "-P -m sfumato hello\n")

    # Then one sentence names the file and the line
    sentences = [line for line in done.stderr.splitlines() if "config.json" in line]
    assert len(sentences) == 1
    assert f"{program.folder / 'config.json'} is not JSON (line 3, column 3" in sentences[0]


@pytest.mark.rule("D5")
def test_the_data_folder_is_found_by_the_rule(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.mkdir()
    environ = {"SFUMATO_DATA": str(tmp_path / "named"), "HOME": str(tmp_path / "home")}
    assert folders.find_data(program, str(tmp_path / "typed"), environ) == tmp_path / "typed"
    assert folders.find_data(program, "", environ) == tmp_path / "named"
    del environ["SFUMATO_DATA"]
    assert folders.user_data(environ, "linux") == tmp_path / "home/.local/share/sfumato"
    assert folders.user_data({**environ, "XDG_DATA_HOME": "/xdg"}, "linux") == Path("/xdg/sfumato")
    assert folders.user_data(environ, "darwin") == tmp_path / "home/Library/Application Support/sfumato"
    assert folders.user_data({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/sfumato")
    assert folders.find_data(program, "", environ) == folders.user_data(environ)
    (program / "data").mkdir()
    assert folders.find_data(program, "", environ) == program / "data"


@pytest.mark.rule("D5")
def test_the_environment_lies_with_the_data_where_the_program_can_not_be_written(tmp_path: Path) -> None:
    # /proc is a folder where nobody, not even root, can make a file.
    read_only = Path("/proc")
    assert folders.find(read_only, str(tmp_path), {}).environment == tmp_path / ".venv"
    assert folders.find(tmp_path, str(tmp_path / "data"), {}).environment == tmp_path / ".venv"
