"""Where things are and what the user has set.

The data folder: `--data`, else SFUMATO_DATA, else `data/` beside the program if it exists, else the per-user data folder. `config.json` of the
installation gives defaults, the user's own changes are one file in the data folder that holds only what differs. No tracked file is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from sfumato.imaging.naming import SIDECARS
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.jobs.places import Places
from sfumato.library.foreign_models import split
from sfumato.protocol.errors import Invalid, Problem

PROGRAM_FOLDER = Path(__file__).resolve().parents[2]
SETTINGS_FILE = "settings.json"
VERSION = 1  # of the settings' file
SIDECAR_WORDS: Mapping[str, str] = {name: {"": "None", "txt": "Text", "json": "Record"}.get(name, name.capitalize()) for name in SIDECARS}


def find_places(data: str | Path | None = None, program: Path = PROGRAM_FOLDER) -> Places:
    """The folders by the rule above, with `outputs` and `models` of the settings where they are set. Creates nothing."""
    folder = data_folder(data, program)
    settings = Settings.load(folder, program)
    # An absolute setting replaces the folder it is joined to.
    outputs = folder / Path(settings["outputs"] or "outputs").expanduser()
    own_models = folder / Path(settings["models"] or "models").expanduser()
    models = dict.fromkeys((own_models, *split(settings["models_more"]), program / "models"))
    return Places(folder, outputs, tuple(models), settings["output_name"], settings["sidecars"], settings["download_hosts"])


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


SETTING_GROUPS: Mapping[str, str] = {
    "program": "Program",
    "files": "Files",
    "appearance": "Appearance",
    "prompt": "Prompt",
    "queue": "Queue",
    "remote": "Remote",
    "host": "Host",
}

# Native names of languages; a file of another language is named by its code.
NATIVE_NAMES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "it": "Italiano",
    "pt": "Português",
    "nl": "Nederlands",
    "pl": "Polski",
    "cs": "Čeština",
    "sv": "Svenska",
    "da": "Dansk",
    "fi": "Suomi",
    "tr": "Türkçe",
    "ru": "Русский",
    "uk": "Українська",
    "he": "עברית",
    "ar": "العربية",
    "ja": "日本語",
    "ko": "한국어",
    "zh_CN": "简体中文",
    "zh_TW": "繁體中文",
    "pt_BR": "Português (Brasil)",
}
LANGUAGE_FILES = PROGRAM_FOLDER / "qml" / "languages"
LANGUAGES: Mapping[str, str] = {"": "System"} | {
    code: NATIVE_NAMES.get(code, code) for code in ("en", *sorted(path.stem for path in LANGUAGE_FILES.glob("*.json") if path.stem != "en"))
}
THEMES: Mapping[str, str] = {"dark": "Dark", "light": "Light", "system": "System", "contrast": "High contrast"}

# The only list of settings, in the order they are shown.
SETTINGS: Mapping[str, Setting] = {
    "mode": Setting("", "Mode", "Which requirements are installed: nvidia, amd, cpu or remote; empty asks."),
    "outputs": Setting("", "Outputs folder", "Folder for pictures; empty is outputs/ in the data folder.", "files", effect="restart", widget="folder"),
    "models": Setting("", "Models folder", "Folder for models; empty is models/ in the data folder.", "files", effect="restart", widget="folder"),
    "models_more": Setting(
        "",
        "More models folders",
        "Folders that are searched as well and never written to, such as those of another program; a | stands between them.",
        "files",
        effect="restart",
    ),
    "output_name": Setting(
        "",
        "Names of pictures",
        "Pattern for the names of pictures, such as [number:5]-[seed]; empty is number and time, AUTOMATIC1111 is that program's.",
        "files",
        effect="restart",
    ),
    "output_folder": Setting(
        "",
        "Folder of pictures",
        "Pattern for the folder inside the outputs folder, such as %date%/%model%; empty is a folder for each kind: txt2img, img2img, upscale ...",
        "files",
    ),
    "incomplete": Setting(
        "drop",
        "Unfinished pictures",
        "What becomes of the picture that is being painted when its job is cancelled; finished ones are kept in any case.",
        "files",
        choices={"drop": "Dropped", "keep": "Kept as incomplete"},
    ),
    "sidecars": Setting(
        "",
        "Texts beside pictures",
        "Texts written beside each picture: txt (what other programs read), json (the whole record) or both; empty writes none.",
        "files",
        choices=SIDECAR_WORDS,
        effect="restart",
    ),
    "checksums": Setting(
        True,
        "Checksums while idle",
        "Compute the checksums of models while nothing is painted, so that pictures name the very file and find it again.",
        "files",
    ),
    "download_hosts": Setting(
        "",
        "Hosts for downloads",
        "Computers of the own network that models may be downloaded from, such as nas.local or 192.168.1.5:8080, with commas between.",
        "files",
        effect="restart",
    ),
    "show_installer": Setting(False, "Show the installer", "The next start shows the install screen, once.", "program", effect="restart"),
    "enforce_versions": Setting(
        False,
        "Enforce versions",
        "Packages of another version than this program was made for count as missing; the install screen replaces them.",
        "program",
        effect="restart",
    ),
    "restore_session": Setting(
        "everything",
        "Restore the session",
        "What the window shows again after a start; the queue is kept in any case.",
        "program",
        choices={"everything": "Everything", "parameters": "Parameters", "nothing": "Nothing"},
        effect="restart",
    ),
    "start_preset": Setting("", "Preset at the start", "The preset that every start takes; empty takes none."),
    "remember_sampling": Setting(
        False,
        "Remember sampling with models",
        "Keep size, steps, sampler, guidance and VAE with each checkpoint too, not only what belongs to the file, and bring them back with it.",
        "program",
    ),
    "operation": Setting({}, "Operation", "How this machine works: the section Operation of the parameters."),
    "debug_log": Setting(False, "Detailed log", "Write every step of the window into its log, for finding errors; the title then says so.", "program"),
    "keys": Setting({}, "Keys", "Keys of the user's own: action -> sequences."),
    "theme": Setting("dark", "Theme", "Colours of the window; System follows the desktop.", "appearance", choices=THEMES),
    "language": Setting("", "Language", "Of the window; System is that of the computer.", "appearance", choices=LANGUAGES, effect="restart"),
    "font_size": Setting(100, "Size of words", "In percent; buttons and rows grow with it.", "appearance", minimum=75, maximum=200),
    "density": Setting("normal", "Density", "How close rows stand.", "appearance", choices={"normal": "Normal", "compact": "Compact"}),
    "reduced_motion": Setting(False, "Reduced motion", "Nothing fades, slides or turns by itself.", "appearance"),
    "autocomplete": Setting(1, "Autocomplete", "Suggest names after so many typed characters; 0 only on Ctrl+Space.", "prompt", minimum=0, maximum=10),
    "vocabulary": Setting("", "Vocabulary", "Names of wildcard files, with commas between them, whose lines are suggested while a prompt is typed.", "prompt"),
    "trigger_words": Setting(
        True, "Trigger words", "Write the words that call a network up behind its tag, where its file or a note beside it names them.", "prompt"
    ),
    "weight_step": Setting(0.1, "Weight step", "What Ctrl+Up and Ctrl+Down change of a weight.", "prompt", minimum=0.01, maximum=1),
    "network_weight_step": Setting(
        0.05,
        "Weight step of networks",
        "What Ctrl+Up and Ctrl+Down change of a network's weight, and with Shift and the wheel of any.",
        "prompt",
        minimum=0.01,
        maximum=1,
    ),
    "highlight": Setting(True, "Colours in prompts", "Show brackets, tags, wildcards and comments in colours, and underline what is doubtful.", "prompt"),
    "engine_unanswered": Setting(30, "Say that the engine is silent", "After so many seconds.", "program", minimum=5, maximum=3600, effect="restart"),
    "engine_silence": Setting(
        120, "Restart a silent engine", "After so many seconds in which it gave no sign of life.", "program", minimum=10, maximum=36000, effect="restart"
    ),
    "grid_save_cells": Setting(False, "Save the cells of grids", "Beside the sheet, keep the picture of each cell with the other outputs.", "files"),
    "queue_retry": Setting(True, "Run once more", "Run a job once more when the engine stopped while it ran.", "queue"),
    "queue_model_first": Setting(False, "Loaded model first", "Let jobs of the model that is loaded go before others, to load models less often.", "queue"),
    "queue_when_done": Setting(
        "",
        "When the queue is done",
        "What happens when the last job has ended.",
        "queue",
        choices={"": "Nothing", "notification": "Notification", "sound": "Sound", "command": "Command"},
    ),
    "links": Setting(
        "",
        "Links to other machines",
        "What becomes of links that begin with sfumato: when one is opened anywhere; for you alone. A link always asks before anything is contacted.",
        "remote",
        choices={"": "Open in this program", "off": "Left alone by this program"},
    ),
    "connect_at_start": Setting(True, "Connect at the start", "Connect to the machine that was used last, if its password is remembered.", "remote"),
    "fetch_in_background": Setting(
        True, "Pictures in the background", "The next job starts while the full pictures of the last one arrive; from the next connection on.", "remote"
    ),
    "endpoint": Setting("", "Endpoint", "The machine that was used last; empty is this computer."),
    "connections": Setting({}, "Connections", "Saved connections: name -> endpoint; no passwords."),
    "queue_command": Setting("", "Command", "Program with its arguments, started when the queue is done and Command is chosen.", "queue", widget="command"),
    "host_address": Setting(
        "127.0.0.1",
        "Address",
        "Where this computer listens: 127.0.0.1 for its own programs alone, one of its addresses in a network, or 0.0.0.0 for all of them.",
        "host",
    ),
    "host_port": Setting(28888, "Port", "The number others name behind the address.", "host", minimum=1, maximum=65535),
    "host_read_only": Setting(
        True, "Read-only", "Whoever comes can make pictures, but upload, delete and change no file of this computer; otherwise they can do everything.", "host"
    ),
    "host_monitor": Setting(
        False, "Monitor", "Keep the pictures of everybody who comes read-only, in the folder monitor of the outputs folder. They are told so.", "host"
    ),
    "host_tunnel": Setting(
        "",
        "Tunnel",
        "A helper program that gives this computer a public address: cloudflared, if it is installed, or another by its command. It ends with hosting.",
        "host",
        choices={"": "Off", "cloudflared": "cloudflared", "command": "Own command"},
    ),
    "host_tunnel_command": Setting(
        "",
        "Command of the tunnel",
        "Used where the tunnel is an own command; {host} and {port} stand for the address. It has to print the public address.",
        "host",
        widget="command",
    ),
    "host_has_password": Setting(False, "Own password", "Whether a password of your own is kept for hosting; it stands in the keyring, not here."),
    "host_at_start": Setting(False, "Host at the start", "Begin to host as soon as the window is open.", "host"),
}
FOLDER_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.widget == "folder")


# What makes values of version n of the file ones of n + 1.
MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (dict,)  # the first version carried no number


@dataclass
class Settings:
    """The settings in force.

    Values of a wrong type fall back to their default and are named in `complaints`. Nothing of the user's file is lost by writing it again: unknown
    keys and unusable values stay in it, and a file that is damaged or of an older version is kept as `kept_as`.
    """

    folder: Path
    installed: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    unusable: dict[str, Any] = field(default_factory=dict)
    kept_as: str = ""
    version: int = VERSION

    @staticmethod
    def load(folder: Path, program: Path = PROGRAM_FOLDER) -> Settings:
        settings = Settings(folder)
        settings.installed = settings._read(program / "config.json")
        settings.unusable, settings.kept_as = {}, ""  # that file is never written
        settings.own = settings._read(folder / SETTINGS_FILE)
        version = settings.own.pop("version", 0)
        settings.version = version if isinstance(version, int) and version > VERSION else VERSION
        if settings.own and isinstance(version, int) and 0 <= version < VERSION:
            settings.kept_as = f"settings.version-{version}.json"
            for migrate in MIGRATIONS[version:]:
                settings.own = migrate(settings.own)
        return settings

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError as error:
            self.complaints.append(f"{path.name} is not JSON (line {error.lineno}, column {error.colno}); its values are ignored until it is mended.")
            return self._damaged()
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or an integer of thousands of digits
            self.complaints.append(f"{path.name} could not be read ({type(error).__name__}); its values are ignored.")
            return self._damaged()
        if not isinstance(values, dict):
            self.complaints.append(f"{path.name} must hold a JSON object; its values are ignored.")
            return self._damaged()
        for name in [name for name, value in values.items() if name in SETTINGS and type(value) is not type(SETTINGS[name].default)]:
            self.complaints.append(f"{path.name}: '{name}' has a value of the wrong type; its default is used.")
            self.unusable[name] = values.pop(name)
        for name in [name for name in FOLDER_SETTINGS if name in values and not _is_folder_name(values[name])]:
            self.complaints.append(f"{path.name}: '{name}' is no name of a folder on this system; its default is used.")
            self.unusable[name] = values.pop(name)
        for name in list(values):
            if name in SETTINGS and (problem := refusal(name, values[name])):
                self.complaints.append(f"{path.name}: {problem[:-1]}; its default is used.")
                self.unusable[name] = values.pop(name)
        return values

    def _damaged(self) -> dict[str, Any]:
        self.kept_as = f"settings.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"
        return {}

    def __getitem__(self, name: str) -> Any:
        return self.own.get(name, self.otherwise(name))

    def otherwise(self, name: str) -> Any:
        """What a setting is where the user has set nothing."""
        return self.installed.get(name, SETTINGS[name].default)

    def set(self, name: str, value: Any) -> None:
        """Change one setting and write the user's file atomically; raises `Invalid`, `DiskFull` or `NotWritable`."""
        self.write(self.change(name, value))

    def change(self, name: str, value: Any) -> dict[str, Any]:
        """Change one setting here; what is then to be written, for any thread to write. Raises `Invalid`."""
        if type(value) is not type(SETTINGS[name].default):
            raise TypeError(f"{name} takes {type(SETTINGS[name].default).__name__}")
        if problem := refusal(name, value):
            raise Invalid([Problem(name, problem)])
        self.unusable.pop(name, None)
        if value == self.otherwise(name):
            self.own.pop(name, None)
        else:
            self.own[name] = value
        return self.unusable | self.own | {"version": self.version}

    def write(self, values: Mapping[str, Any]) -> None:
        """Write the user's file atomically; a file that could not be read, or of an older version, is kept beside it. Raises `DiskFull` or `NotWritable`."""
        make_folder(self.folder)
        path = self.folder / SETTINGS_FILE
        if self.kept_as:
            with contextlib.suppress(FileNotFoundError):
                replace_file(self.folder / self.kept_as, path.read_bytes())
            self.kept_as = ""
        replace_file(path, json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n")


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


def folder_refusal(name: str) -> str:
    """Why a setting cannot be this folder, one sentence, or ""; it need not be there yet."""
    if not _is_folder_name(name):
        return "That is no name of a folder on this system."
    if name and Path(name).expanduser().is_file():
        return f"'{name}' is a file; choose a folder."
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
