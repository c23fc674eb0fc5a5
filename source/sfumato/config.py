"""Where things are and what the user has set.

The data folder: `--data`, else SFUMATO_DATA, else `data/` beside the program if it exists, else the per-user data folder. `config.json` of the
installation gives defaults, the user's own changes are one file in the data folder that holds only what differs. No tracked file is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from sfumato.imaging.naming import SIDECARS
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.jobs.places import Places
from sfumato.protocol.errors import Invalid, Problem

PROGRAM_FOLDER = Path(__file__).resolve().parents[2]
SETTINGS_FILE = "settings.json"
SIDECAR_WORDS: Mapping[str, str] = {name: {"": "None", "txt": "Text", "json": "Record"}.get(name, name.capitalize()) for name in SIDECARS}


def find_places(data: str | Path | None = None, program: Path = PROGRAM_FOLDER) -> Places:
    """The folders by the rule above, with `outputs` and `models` of the settings where they are set. Creates nothing."""
    folder = data_folder(data, program)
    settings = Settings.load(folder, program)
    # An absolute setting replaces the folder it is joined to.
    outputs = folder / Path(settings["outputs"] or "outputs").expanduser()
    own_models = folder / Path(settings["models"] or "models").expanduser()
    models = dict.fromkeys((own_models, program / "models"))
    return Places(folder, outputs, tuple(models), settings["output_name"], settings["sidecars"])


def data_folder(data: str | Path | None, program: Path = PROGRAM_FOLDER) -> Path:
    """The data folder by the rule at the top; absolute, not created."""
    named = data or os.environ.get("SFUMATO_DATA")
    if named:
        if not _is_folder_name(str(named)):
            raise Invalid([Problem("data", f"The data folder {str(named)!r} is no name of a folder on this system; give another with --data.")])
        return Path(named).expanduser().absolute()
    beside = program / "data"
    return beside if beside.is_dir() else user_data_path("sfumato", appauthor=False)


@dataclass(frozen=True)
class Setting:
    """One thing the user can set.

    Attributes:
        default: its value unless config.json or the user says otherwise; its type is the setting's.
        title, description: for the Settings page.
        group: section of the Settings page, a key of `SETTING_GROUPS`; "" is set elsewhere and not shown there.
        choices: the values allowed, with their words; empty = any.
        minimum, maximum: limits of a number.
        effect: when a change acts: "" at once, "reload" of the engine, or "restart" of the program.
        widget: "folder", "command" or "secret" where the type does not tell.
    """

    default: Any
    title: str
    description: str
    group: str = ""
    choices: Mapping[str, str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    effect: str = ""
    widget: str = ""


SETTING_GROUPS: Mapping[str, str] = {"program": "Program", "files": "Files", "appearance": "Appearance", "prompt": "Prompt", "queue": "Queue"}

# The only list of settings, in the order they are shown.
SETTINGS: Mapping[str, Setting] = {
    "mode": Setting("", "Mode", "Which requirements are installed: nvidia, amd, cpu or remote; empty asks."),
    "outputs": Setting("", "Outputs folder", "Folder for pictures; empty is outputs/ in the data folder.", "files", effect="restart", widget="folder"),
    "models": Setting("", "Models folder", "Folder for models; empty is models/ in the data folder.", "files", effect="restart", widget="folder"),
    "output_name": Setting(
        "",
        "Names of pictures",
        "Pattern for the names of pictures, such as [number:5]-[seed]; empty is number and time, AUTOMATIC1111 is that program's.",
        "files",
        effect="restart",
    ),
    "sidecars": Setting(
        "",
        "Texts beside pictures",
        "Texts written beside each picture: txt (what other programs read), json (the whole record) or both; empty writes none.",
        "files",
        choices=SIDECAR_WORDS,
        effect="restart",
    ),
    "theme": Setting("dark", "Theme", "Colours of the window.", "appearance", choices={"dark": "Dark", "light": "Light"}),
}
FOLDER_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.widget == "folder")


@dataclass
class Settings:
    """The settings in force. Values of a wrong type fall back to their default and are named in `complaints`; unknown keys are kept."""

    folder: Path
    installed: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @staticmethod
    def load(folder: Path, program: Path = PROGRAM_FOLDER) -> Settings:
        settings = Settings(folder)
        settings.installed = settings._read(program / "config.json")
        settings.own = settings._read(folder / SETTINGS_FILE)
        return settings

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError as error:
            self.complaints.append(f"{path.name} is not JSON (line {error.lineno}, column {error.colno}); its values are ignored until it is mended.")
            return {}
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or an integer of thousands of digits
            self.complaints.append(f"{path.name} could not be read ({type(error).__name__}); its values are ignored.")
            return {}
        if not isinstance(values, dict):
            self.complaints.append(f"{path.name} must hold a JSON object; its values are ignored.")
            return {}
        for name in [name for name, value in values.items() if name in SETTINGS and type(value) is not type(SETTINGS[name].default)]:
            self.complaints.append(f"{path.name}: '{name}' has a value of the wrong type; its default is used.")
            del values[name]
        for name in [name for name in FOLDER_SETTINGS if name in values and not _is_folder_name(values[name])]:
            self.complaints.append(f"{path.name}: '{name}' is no name of a folder on this system; its default is used.")
            del values[name]
        for name in list(values):
            if name in SETTINGS and (problem := refusal(name, values[name])):
                self.complaints.append(f"{path.name}: {problem[:-1]}; its default is used.")
                del values[name]
        return values

    def __getitem__(self, name: str) -> Any:
        return self.own.get(name, self.installed.get(name, SETTINGS[name].default))

    def set(self, name: str, value: Any) -> None:
        """Change one setting and write the user's file atomically; raises `Invalid`, `DiskFull` or `NotWritable`."""
        if type(value) is not type(SETTINGS[name].default):
            raise TypeError(f"{name} takes {type(SETTINGS[name].default).__name__}")
        if value == self.installed.get(name, SETTINGS[name].default):
            self.own.pop(name, None)
        else:
            self.own[name] = value
        make_folder(self.folder)
        replace_file(self.folder / SETTINGS_FILE, json.dumps(self.own, indent=2, ensure_ascii=False).encode() + b"\n")


def refusal(name: str, value: Any) -> str:
    """Why a setting cannot have this value, one sentence, or ""; its type is right already."""
    setting = SETTINGS[name]
    if setting.choices is not None and value not in setting.choices:
        empty = " or empty" if "" in setting.choices else ""
        return f"'{name}' must be one of {', '.join(filter(None, setting.choices))}{empty}."
    if setting.minimum is not None and value < setting.minimum:
        return f"'{name}' must be at least {setting.minimum:g}."
    if setting.maximum is not None and value > setting.maximum:
        return f"'{name}' must be at most {setting.maximum:g}."
    return ""


def _is_folder_name(name: str) -> bool:
    """Whether the system can be asked for a folder of this name: no NUL, no text it cannot spell, no home of an unknown user."""
    try:
        os.stat(Path(name).expanduser())
    except OSError:
        return True  # absent or out of reach; whoever writes there says so
    except (ValueError, RuntimeError):
        return False
    return True
