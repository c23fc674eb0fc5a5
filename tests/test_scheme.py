"""Who opens links that begin with `sfumato:`: registered for one user, taken back without a trace, and never through a shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher import scheme

PROGRAM = Path(__file__).resolve().parents[1]
LINK = "sfumato:?endpoint=ws://far.example:28888&password=hunter2hunter2"
OTHERS = "# my own\n[Added Associations]\nimage/png=gimp.desktop;\n\n[Default Applications]\ntext/html=firefox.desktop\nx-scheme-handler/http=firefox.desktop\n"


def linux(folder: Path) -> scheme.LinuxOpener:
    return scheme.LinuxOpener(folder / "share" / "applications", folder / "config" / "mimeapps.list")


def main(home: Path, *words: str, script: tuple[str, ...] = (str(PROGRAM / "source" / "main.py"),)) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SFUMATO_"))}
    environ = {**kept, "HOME": str(home), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    return subprocess.run([sys.executable, *script, *words], env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.rule("D15")
@pytest.mark.parametrize("script", [(str(PROGRAM / "source" / "main.py"),), ("-I", "-S", str(PROGRAM / "launcher"))], ids=["program", "launcher"])
def test_a_user_registers_and_unregisters_without_display_or_rights(tmp_path: Path, script: tuple[str, ...]) -> None:
    defaults = tmp_path / ".config" / "mimeapps.list"
    defaults.parent.mkdir()
    defaults.write_text(OTHERS)
    data = tmp_path / "my data"
    done = main(tmp_path, "--data", str(data), "--register", script=script)
    assert done.returncode == 0, done.stderr
    entry = tmp_path / ".local" / "share" / "applications" / scheme.ENTRY
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines() if "=" in line)
    assert lines["MimeType"] == "x-scheme-handler/sfumato;"
    assert shlex.split(lines["Exec"]) == [str(PROGRAM / "start_linux.sh"), "--data", str(data), "%u"]
    assert set(OTHERS.splitlines()) < set(defaults.read_text().splitlines())
    assert "x-scheme-handler/sfumato=sfumato-link.desktop\n" in defaults.read_text().partition("[Default Applications]\n")[2]
    # Taken back: nothing is left, and the next start does not do it again.
    assert main(tmp_path, "--data", str(data), "--unregister", script=script).returncode == 0
    assert not entry.exists()
    assert defaults.read_text() == OTHERS
    assert json.loads((data / "settings.json").read_text())["links"] == "off"
    assert main(tmp_path, "--data", str(data), "--unregister", script=script).returncode == 0
    assert main(tmp_path, "--data", str(data), "--register", script=script).returncode == 0
    assert json.loads((data / "settings.json").read_text())["links"] == ""


@pytest.mark.rule("D16")
def test_nothing_that_came_behind_a_link_is_a_flag(tmp_path: Path) -> None:
    done = main(tmp_path, "--", LINK, "--data", "//evil/share", "--unregister")
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr


WORDS = st.lists(st.text(st.characters(exclude_characters="\0\r", exclude_categories=("Cs",)), min_size=1, max_size=12), min_size=1, max_size=4)


@given(WORDS)
def test_any_path_stands_in_an_entry_as_one_word(words: list[str]) -> None:
    text = scheme.quoted(words)
    assert "\n" not in text
    assert scheme.unquoted(text) == words


def test_a_desktop_reads_an_entry_as_it_was_meant() -> None:
    words = ['/home/a b/100%/$HOME/`x`/"q"/back\\slash\nline', "%u", "$(id)", "\t'"]
    # The escapes of a text first, then the quotes of a shell, then the codes.
    plain = scheme.quoted(words).replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\")
    done = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {plain}"], capture_output=True, text=True, check=True)
    assert [word.replace("%%", "%") for word in done.stdout.split("\0")[:-1]] == words


def test_a_default_of_another_program_is_named_and_taken_only_on_request(tmp_path: Path) -> None:
    opener = linux(tmp_path)
    assert opener.command() == []
    assert scheme.is_gone(opener.command())
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mimeapps.list").write_text("[Default Applications]\nx-scheme-handler/sfumato=other.desktop;\n")
    assert opener.command() == ["other.desktop"]
    assert not scheme.is_gone(opener.command())
    opener.unregister()
    assert opener.command() == ["other.desktop"]
    opener.register(["/bin/sh", "--data", "/nowhere"])
    assert opener.command() == ["/bin/sh", "--data", "/nowhere"]
    assert not scheme.is_gone(opener.command())
    opener.register(["/nowhere/start_linux.sh"])
    assert scheme.is_gone(opener.command())


def test_the_users_list_of_programs_may_be_a_link_and_hold_any_bytes(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.write_bytes(b"[Added Associations]\nx=\xff\xfe.desktop")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mimeapps.list").symlink_to(kept)
    linux(tmp_path).register(["/bin/sh"])
    assert (tmp_path / "config" / "mimeapps.list").is_symlink()
    assert kept.read_bytes() == b"[Added Associations]\nx=\xff\xfe.desktop\n[Default Applications]\nx-scheme-handler/sfumato=sfumato-link.desktop\n"


class Keys:
    """A registry in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    def read(self, key: str, name: str) -> str:
        return self.values.get((key, name), "")

    def write(self, key: str, name: str, value: str) -> None:
        self.values[key, name] = value

    def delete(self, key: str) -> None:
        self.values = {place: value for place, value in self.values.items() if not (place[0] + "\\").startswith(key + "\\")}


@pytest.mark.rule("D15")
def test_windows_gets_the_keys_of_a_protocol_below_the_users_own_classes(tmp_path: Path) -> None:
    keys = Keys()
    keys.write(r"Software\Classes\sfumatofile", "", "another")
    opener = scheme.WindowsOpener(keys)
    words = scheme.words_of(tmp_path / "Program Files", tmp_path / "data", r"C:\Python\python.exe", "win32", {"LOCALAPPDATA": str(tmp_path)})
    opener.register(words)
    command = keys.values[r"Software\Classes\sfumato\shell\open\command", ""]
    assert command.endswith('"--" "%1"')
    assert ".bat" not in command
    assert keys.values[r"Software\Classes\sfumato", "URL Protocol"] == ""
    assert opener.command() == words
    opener.unregister()
    assert keys.values == {(r"Software\Classes\sfumatofile", ""): "another"}


def test_the_data_folder_is_named_only_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "SFUMATO_DATA": str(tmp_path / "elsewhere")}
    usual = tmp_path / ".local" / "share" / "sfumato"
    assert "--data" not in scheme.words_of(tmp_path, usual, "python", "linux", environ)
    assert scheme.words_of(tmp_path, tmp_path / "elsewhere", "python", "linux", environ)[-2:] == ["--data", str(tmp_path / "elsewhere")]


def test_a_system_without_such_a_registration_says_what_to_do() -> None:
    with pytest.raises(scheme.NotSupported, match="paste the link into Settings, Remote"):
        scheme.opener("darwin")
