"""Links that begin with `sfumato:`: which program opens them for this user. Nothing here needs or asks for an administrator's rights.

Linux: a desktop entry, and its line in the user's mimeapps.list. Windows: keys below the user's own Software\\Classes. A bundle for macOS is not made.
The command that is registered takes the link as one argument and never passes a shell: a link comes from anywhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from launcher.folders import find_data
from launcher.settings import remember, write_atomically

SCHEME = "sfumato"
MIME_TYPE = f"x-scheme-handler/{SCHEME}"
ENTRY = "sfumato-link.desktop"
DEFAULTS = "[Default Applications]"
# The setting that a start looks at before it registers by itself.
SETTING, LEFT_ALONE = "links", "off"
CLASSES = rf"Software\Classes\{SCHEME}"
COMMAND_KEY = rf"{CLASSES}\shell\open\command"


class NotSupported(Exception):
    """This system has no such registration that could be made; the message is for the person."""


class Opener(Protocol):
    """Where a system keeps who opens the links."""

    def command(self) -> list[str]:
        """The words of the command that opens them now, without the link; nothing if no program does."""
        ...

    def register(self, words: Sequence[str]) -> None:
        """Have `words` and the link behind them open it. Raises `OSError`."""
        ...

    def unregister(self) -> None:
        """Take our registration away, as if it had never been; that of another program stays. Raises `OSError`."""
        ...


def opener(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Opener:
    """That of this system; raises `NotSupported`."""
    if platform == "win32":
        return WindowsOpener(UserRegistry())
    if platform == "darwin":
        raise NotSupported("On macOS a link can only be given to a program in a bundle, which Sfumato is not yet; paste the link into Settings, Remote.")
    home = Path(environ.get("HOME") or Path.home())
    data, config = (Path(environ.get(name, "").strip() or home / usual) for name, usual in (("XDG_DATA_HOME", ".local/share"), ("XDG_CONFIG_HOME", ".config")))
    return LinuxOpener(data / "applications", config / "mimeapps.list")


def words_of(program: Path, data: Path, python: str, platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The command that opens the window of the folder `data` with a link behind it; the folder is named only where it is not the one found by itself."""
    usual = find_data(program, "", {name: value for name, value in environ.items() if name != "SFUMATO_DATA"})
    folder = [] if data == usual else ["--data", str(data)]
    if platform == "win32":
        # Not the .bat: its interpreter would take `&` and `%` of a link for its own. All that follows `--` is the link, quotes in it or not.
        windowless = python.removesuffix("python.exe") + "pythonw.exe"
        return [windowless if os.path.exists(windowless) else python, str(program / "source" / "main.py"), *folder, "--"]
    return [str(program / "start_linux.sh"), *folder]


def is_gone(words: Sequence[str]) -> bool:
    """Whether a registered command leads nowhere: there is none, or its program was moved or deleted."""
    program = words[: words.index("--data")] if "--data" in words else words
    return not words or any(os.path.isabs(word) and not os.path.exists(word) for word in program)


def change(register: bool, program: Path, data: Path, python: str = sys.executable, found: Opener | None = None) -> str:
    """Register or unregister because the person said so, remember that for the next start, and say what holds now.

    Raises `NotSupported` or `OSError`.
    """
    found = found or opener()
    found.register(words_of(program, data, python)) if register else found.unregister()
    remember(program, data, {SETTING: "" if register else LEFT_ALONE})
    return "Links that begin with sfumato: open in this program." if register else "Links that begin with sfumato: are left alone by this program."


class LinuxOpener:
    """By the specifications of desktop entries and of MIME applications; no tool of a desktop is needed.

    Args:
        applications: the user's folder of desktop entries.
        defaults: the user's mimeapps.list.
    """

    def __init__(self, applications: Path, defaults: Path) -> None:
        self._entry = applications / ENTRY
        # Kept in a folder of its own and linked, it stays a link.
        self._defaults = defaults.resolve()

    def command(self) -> list[str]:
        chosen = _default_of(_read(self._defaults))
        if chosen not in ("", ENTRY):
            return [chosen]  # another program's, wherever its entry lies
        found = re.search(r"^Exec=(.*)$", _read(self._entry), re.MULTILINE)
        return unquoted(found[1]) if found else []

    def register(self, words: Sequence[str]) -> None:
        write_atomically(self._entry, _entry_text(words))
        self._write_default(ENTRY)

    def unregister(self) -> None:
        if _default_of(_read(self._defaults)) == ENTRY:
            self._write_default("")
        self._entry.unlink(missing_ok=True)

    def _write_default(self, entry: str) -> None:
        before = _read(self._defaults)
        after = _with_default(before, entry)
        if after != before:
            write_atomically(self._defaults, after)


class Registry(Protocol):
    """Keys of the current user, by paths below HKEY_CURRENT_USER."""

    def read(self, key: str, name: str) -> str:
        """A text, "" if it is not there."""
        ...

    def write(self, key: str, name: str, value: str) -> None: ...

    def delete(self, key: str) -> None:
        """A key with all below it; nothing if it is not there."""
        ...


class WindowsOpener:
    """By the keys that Windows asks for a protocol."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def command(self) -> list[str]:
        found = re.findall(r'"([^"]*)"|(\S+)', self._registry.read(COMMAND_KEY, ""))
        return [word for pair in found if (word := pair[0] or pair[1]) != "%1"]

    def register(self, words: Sequence[str]) -> None:
        if any('"' in word for word in words):
            raise OSError("a path holds a quote")
        self._registry.write(CLASSES, "", f"URL:{SCHEME}")
        # What makes the key a protocol: the name counts, not its text.
        self._registry.write(CLASSES, "URL Protocol", "")
        self._registry.write(COMMAND_KEY, "", " ".join(f'"{word}"' for word in (*words, "%1")))

    def unregister(self) -> None:
        self._registry.delete(CLASSES)


class UserRegistry:
    """The registry of Windows."""

    def __init__(self) -> None:
        import winreg  # late: no other system has it

        self._winreg: Any = winreg

    def read(self, key: str, name: str) -> str:
        try:
            with self._winreg.OpenKey(self._winreg.HKEY_CURRENT_USER, key) as held:
                value = self._winreg.QueryValueEx(held, name)[0]
        except OSError:
            return ""
        return value if isinstance(value, str) else ""

    def write(self, key: str, name: str, value: str) -> None:
        with self._winreg.CreateKey(self._winreg.HKEY_CURRENT_USER, key) as held:
            self._winreg.SetValueEx(held, name, 0, self._winreg.REG_SZ, value)

    def delete(self, key: str) -> None:
        try:
            with self._winreg.OpenKey(self._winreg.HKEY_CURRENT_USER, key) as held:
                below = [self._winreg.EnumKey(held, index) for index in range(self._winreg.QueryInfoKey(held)[0])]
        except FileNotFoundError:
            return
        for name in below:
            self.delete(rf"{key}\{name}")
        self._winreg.DeleteKey(self._winreg.HKEY_CURRENT_USER, key)


# -- texts of Linux --------------------------------------------------------------------------


def quoted(words: Sequence[str]) -> str:
    """Words as the value of `Exec`: each in quotes, then escaped once more as every text of a desktop entry."""
    inside = (re.sub(r'(["`$\\])', r"\\\1", word).replace("%", "%%") for word in words)
    return " ".join(f'"{word}"' for word in inside).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def unquoted(text: str) -> list[str]:
    """The words of an `Exec` that `quoted` wrote, or that another program did; codes such as `%u` are left out."""
    plain = re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": "\r", "s": " "}.get(found[1], found[1]), text)
    pairs = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', plain, re.DOTALL)
    words = [(bare or re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL), bool(bare)) for inside, bare in pairs]
    return [word.replace("%%", "%") for word, is_bare in words if not (is_bare and re.fullmatch(r"%[a-zA-Z]", word))]


def _entry_text(words: Sequence[str]) -> str:
    lines = {
        "Type": "Application",
        "Name": "Sfumato",
        "Comment": "Opens links to Sfumato on another machine; it asks first",
        "Exec": f"{quoted(words)} %u",
        "Terminal": "false",
        "NoDisplay": "true",
        "MimeType": f"{MIME_TYPE};",
    }
    return "".join(["[Desktop Entry]\n", *(f"{name}={value}\n" for name, value in lines.items())])


def _default_of(text: str) -> str:
    """The entry that mimeapps.list names for the links first, "" for none."""
    for line in _section(text.splitlines()):
        if line.partition("=")[0].strip() == MIME_TYPE:
            return line.partition("=")[2].strip().split(";")[0]
    return ""


def _section(lines: list[str]) -> list[str]:
    begin = next((place for place, line in enumerate(lines) if line.strip() == DEFAULTS), len(lines))
    end = next((place for place in range(begin + 1, len(lines)) if lines[place].lstrip().startswith("[")), len(lines))
    return lines[begin + 1 : end]


def _with_default(text: str, entry: str) -> str:
    """mimeapps.list with `entry` as the default of the links, without one for ""; every other line stays what it is."""
    lines = text.splitlines()
    inside = _section(lines)
    others = [line for line in inside if line.partition("=")[0].strip() != MIME_TYPE]
    wanted = [f"{MIME_TYPE}={entry}"] if entry else []
    if DEFAULTS in (line.strip() for line in lines):
        begin = next(place for place, line in enumerate(lines) if line.strip() == DEFAULTS) + 1
        lines[begin : begin + len(inside)] = [*wanted, *others]
    elif wanted:
        lines += [DEFAULTS, *wanted]
    return "".join(f"{line}\n" for line in lines)


def _read(path: Path) -> str:
    """A file of text, "" if there is none; bytes that are no UTF-8 survive being written again."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    return ""
