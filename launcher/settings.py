"""The few settings the launcher reads: the installation's `config.json`, and over it the user's `settings.json` in the data folder.

What the launcher writes goes to the user's file, atomically and with every other key kept. A broken file is told in one sentence and counts as empty.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

USER_FILE = "settings.json"


def read(path: Path, tell: Callable[[str], None]) -> dict[str, object]:
    """The JSON object in `path`; empty where there is none. `tell` receives one sentence about a file that can not be used."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        tell(f"{path} is not JSON (line {error.lineno}, column {error.colno}: {error.msg}); its values are ignored until it is mended.")
        return {}
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        tell(f"{path} could not be read ({type(error).__name__}); its values are ignored.")
        return {}
    if not isinstance(values, dict):
        tell(f"{path} must hold a JSON object in braces; its values are ignored.")
        return {}
    return values


def mode(program: Path, data: Path, tell: Callable[[str], None]) -> str:
    """The mode that was chosen before, or empty."""
    installed, own = read(program / "config.json", tell), read(data / USER_FILE, tell)
    value = own.get("mode") or installed.get("mode") or ""
    return value if isinstance(value, str) else ""


def flag(program: Path, data: Path, name: str) -> bool:
    """A setting that is on or off."""
    own, installation = (read(path, lambda sentence: None) for path in (data / USER_FILE, program / "config.json"))
    return (own.get(name) if name in own else installation.get(name)) is True


def remember(program: Path, data: Path, values: Mapping[str, object]) -> None:
    """Write settings to the user's file unless they are in force already. A user's file that is broken is left as it is."""
    broken: list[str] = []
    own, installation = read(data / USER_FILE, broken.append), read(program / "config.json", lambda sentence: None)
    new = {name: value for name, value in values.items() if (own.get(name) or installation.get(name) or type(value)()) != value}
    if broken or not new:
        return
    write_atomically(data / USER_FILE, json.dumps({**own, **new}, indent=2, ensure_ascii=False) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` so that a reader, or a crash, sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
