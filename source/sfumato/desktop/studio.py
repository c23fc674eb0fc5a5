"""The application object QML binds to: it wires form, queue, strip, engine, notices and session together, and runs the actions of shortcuts.py.

QML knows this object and its parts as `studio`, holds no rule of its own, and neither reads files nor speaks the protocol.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, QObject, QRect, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication

from sfumato import __version__
from sfumato.config import Settings
from sfumato.desktop import shortcuts
from sfumato.desktop.disk import Disk
from sfumato.desktop.engine_link import EngineLink, MakeEndpoint
from sfumato.desktop.images import Frames
from sfumato.desktop.jobs import Job, JobQueue
from sfumato.desktop.mishaps import Mishaps
from sfumato.desktop.notices import Notices
from sfumato.desktop.outputs import OutputStrip
from sfumato.desktop.parameters import ParameterForm
from sfumato.desktop.session import Session
from sfumato.jobs.places import Places
from sfumato.library.outputs import folder_of
from sfumato.library.outputs import save_picture as save
from sfumato.protocol.errors import Invalid, Problem, SfumatoError
from sfumato.protocol.messages import Artifact, Event, Failed, Finished
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, specs

KIND = "generate"
# The range other programs can read as well (specification, "Settled").
SEED_DRAWS = 2**32 - 2
SMALLEST = (1024, 600)
# No screen is wider; a number beyond it is damage.
PIXELS_AT_MOST = 100_000


def save_picture(places: Places, folder: Path, data: bytes, beside: Mapping[str, str] | None = None) -> Path:
    """Write a finished picture into `folder`, and `beside` it the texts that it had no room for; raises `DiskFull`, `NotWritable` or `UnsafeName`."""
    return save(folder, "", data, pattern=places.naming, sidecars=places.sidecars, beside=beside)


def read_pictures(files: Mapping[str, str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Parameter -> name, and name -> bytes, of pictures given by their files; a name is the SHA-256. Raises `Invalid` naming every file that fails."""
    names: dict[str, str] = {}
    blobs: dict[str, bytes] = {}
    problems: list[Problem] = []
    for parameter, file in files.items():
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            problems.append(Problem(parameter, f"'{file}' cannot be read ({error.strerror}); choose another picture."))
            continue
        names[parameter] = hashlib.sha256(data).hexdigest()
        blobs[names[parameter]] = data
    if problems:
        raise Invalid(problems)
    return names, blobs


@dataclass
class Beginnings:
    """What is read before the window exists, away from the GUI thread."""

    places: Places
    settings: Settings
    session: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    log: logging.Handler | None = None


class Studio(QObject):
    """Everything the window shows and does."""

    changed = pyqtSignal()  # prompts, theme, view
    promptsReplaced = pyqtSignal()  # from outside the text boxes
    reloadAsked = pyqtSignal()
    quitAsked = pyqtSignal()
    leaving = pyqtSignal()
    viewAsked = pyqtSignal(str)  # an action that only the scene can carry out

    def __init__(self, beginnings: Beginnings, make_endpoint: MakeEndpoint) -> None:
        super().__init__()
        self._places = beginnings.places
        self._log = beginnings.log
        self._settings = beginnings.settings
        # The settings themselves belong to the disk thread once the window is open.
        self._theme = "light" if self._settings["theme"] == "light" else "dark"
        self._ui: dict[str, Any] = {}
        self._prompt = self._negative = ""
        self._last_seed = -1
        self._leave_when_done = False
        self.disk = Disk(self)
        self._notices = Notices(self)
        self.mishaps = Mishaps(self._notices, self)
        self._engine = EngineLink(make_endpoint, self)
        self._jobs = JobQueue(self._engine, self)
        self._parameters = ParameterForm(specs(Generate), self)
        self._outputs = OutputStrip(Frames(), self.disk, partial(save_picture, self._places), folder_of(self._places.outputs, KIND), self)
        self._session = Session(self._places.data, beginnings.session, self._remembered, self.disk, self._notices.show)
        self._restore(beginnings.session)
        for sentence in (*beginnings.settings.complaints, *beginnings.complaints):
            self._notices.show(sentence)
        self._wire()

    def _wire(self) -> None:
        self._engine.greeted.connect(self._greeted)
        self._jobs.started.connect(self._outputs.begin)
        self._jobs.previewed.connect(self._outputs.preview)
        self._jobs.pictured.connect(self._pictured)
        self._jobs.ended.connect(self._ended)
        self._parameters.edited.connect(self._session.touch)
        self._outputs.edited.connect(self._session.touch)
        self._outputs.unsaved.connect(partial(self._notices.show, kind="error"))

    # -- parts -----------------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def parameters(self) -> ParameterForm:
        return self._parameters

    @pyqtProperty(QObject, constant=True)
    def jobs(self) -> JobQueue:
        return self._jobs

    @pyqtProperty(QObject, constant=True)
    def outputs(self) -> OutputStrip:
        return self._outputs

    @pyqtProperty(QObject, constant=True)
    def engine(self) -> EngineLink:
        return self._engine

    @pyqtProperty(QObject, constant=True)
    def notices(self) -> Notices:
        return self._notices

    @pyqtProperty("QVariantList", constant=True)
    def actions(self) -> list[dict[str, object]]:
        return shortcuts.rows()

    @pyqtSlot(str, result=str)
    def hint(self, action: str) -> str:
        """What an action does and its key, for tooltips."""
        return shortcuts.hint(action)

    @pyqtProperty("QVariantMap", constant=True)
    def about(self) -> dict[str, str]:
        return {"version": __version__, "qt": QT_VERSION_STR, "pyqt": PYQT_VERSION_STR, "data": str(self._places.data), "outputs": str(self._places.outputs)}

    # -- what the user writes and sets -----------------------------------------------------------

    def _get_prompt(self) -> str:
        return self._prompt

    def _set_prompt(self, text: str) -> None:
        if text != self._prompt:
            self._prompt = text
            self._session.touch()
            self.changed.emit()

    def _get_negative(self) -> str:
        return self._negative

    def _set_negative(self, text: str) -> None:
        if text != self._negative:
            self._negative = text
            self._session.touch()
            self.changed.emit()

    prompt = pyqtProperty(str, _get_prompt, _set_prompt, notify=changed)
    negative = pyqtProperty(str, _get_negative, _set_negative, notify=changed)

    @pyqtProperty(str, notify=changed)
    def theme(self) -> str:
        return self._theme

    @pyqtProperty(str, notify=changed)
    def lastSeed(self) -> str:
        """Seed of the newest job, "" before there is one."""
        return str(self._last_seed) if self._last_seed >= 0 else ""

    @pyqtSlot(str, "QVariant", result="QVariant")
    def recall(self, name: str, otherwise: Any) -> Any:
        """A property of the window from the last session, if it is of the kind expected."""
        value = self._ui.get(name)
        if isinstance(otherwise, bool) or isinstance(value, bool):
            return value if isinstance(value, bool) and isinstance(otherwise, bool) else otherwise
        if isinstance(otherwise, int | float):
            return value if isinstance(value, int | float) and abs(value) < PIXELS_AT_MOST else otherwise
        return value if isinstance(value, str) else otherwise

    @pyqtSlot(str, "QVariant")
    def remember(self, name: str, value: Any) -> None:
        if self._ui.get(name) != value:
            self._ui[name] = value
            self._session.touch()
            self.changed.emit()

    @pyqtSlot(result=QRect)
    def geometry(self) -> QRect:
        """Where the window was, or a good place: always on a screen that exists, never larger than it."""
        screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
        kept = QRect(*(int(self.recall(name, 0)) for name in ("x", "y", "width", "height")))
        home = next((area for area in screens if area.contains(kept.center())), screens[0])
        width = kept.width() if kept.width() >= SMALLEST[0] else min(1440, round(home.width() * 0.9))
        height = kept.height() if kept.height() >= SMALLEST[1] else min(900, round(home.height() * 0.9))
        width, height = min(max(width, SMALLEST[0]), home.width()), min(max(height, SMALLEST[1]), home.height())
        place = QRect(kept.x(), kept.y(), width, height)
        if not kept.isValid() or not home.contains(place):
            place.moveCenter(home.center())
        return place

    # -- actions ---------------------------------------------------------------------------------

    @pyqtSlot(str)
    def act(self, action: str) -> None:
        """Run an action of the table."""
        runs = {
            "generate": self._generate,
            "cancel": self._jobs.cancel,
            "cancel_all": self._jobs.cancelAll,
            "use_image": self._use_image,
            "open_outputs": self._open_outputs,
            "reload": self._reload,
            "quit": self._quit,
            "theme_dark": partial(self._set_theme, "dark"),
            "theme_light": partial(self._set_theme, "light"),
            "advanced": lambda: self.remember("advanced", not self.recall("advanced", False)),
            "swap_side": lambda: self.remember("parametersLeft", not self.recall("parametersLeft", False)),
        }
        if action in runs:
            runs[action]()
        else:
            self.viewAsked.emit(action)

    def _generate(self) -> None:
        obstacle = self._parameters.property("obstacle")
        if obstacle:
            self._notices.show(obstacle, action="obstacle")
            return
        params = self._parameters.request() | {"prompt": self._prompt, "negative": self._negative}
        if params["seed"] == -1:
            # Drawn when the job is queued, so that the job repeats itself whatever becomes of it.
            params["seed"] = secrets.randbelow(SEED_DRAWS)
        self._last_seed = params["seed"]
        self.changed.emit()
        pictures = self._parameters.pictures()
        if not pictures:
            self._jobs.submit(KIND, params)
            return
        # Read away from the GUI thread, in the order of the clicks; what is read now is painted, whatever becomes of the file.
        self.disk.run(partial(read_pictures, pictures), partial(self._submit_with, params), self._refuse)

    def _submit_with(self, params: dict[str, Any], read: tuple[dict[str, str], dict[str, bytes]]) -> None:
        names, blobs = read
        self._jobs.submit(KIND, params | names, blobs)

    def _refuse(self, error: SfumatoError) -> None:
        self._complain(error)
        if isinstance(error, Invalid):
            self._parameters.mark({problem.path: problem.sentence for problem in error.problems})

    def _use_image(self) -> None:
        path = str(self._outputs.property("shown").get("path") or "")
        if path:
            self._parameters.commit("image", path)

    def _open_outputs(self) -> None:
        self.disk.run(lambda: self._places.outputs.mkdir(parents=True, exist_ok=True), lambda _: self._show_outputs(), self._complain)

    def _show_outputs(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._places.outputs))):
            self._notices.show(f"No program opens folders here. The pictures are in {self._places.outputs}.", kind="note")

    def _reload(self) -> None:
        if self._jobs.running is not None:
            self.reloadAsked.emit()
        else:
            self._jobs.reload(True)

    def _quit(self) -> None:
        if self._jobs.property("busy"):
            self.quitAsked.emit()
        else:
            self.leave(False)

    @pyqtSlot(bool)
    def leave(self, when_done: bool) -> None:
        """Close the window, now or when the last job has ended."""
        self._leave_when_done = when_done
        if not when_done or not self._jobs.property("busy"):
            self.leaving.emit()

    def _set_theme(self, theme: str) -> None:
        if theme != self.theme:
            self._theme = theme
            self.changed.emit()
            self.disk.run(partial(self._settings.set, "theme", theme), lambda _: None, self._complain)

    def close(self) -> None:
        """Save the session and end engine and threads; the last call."""
        self._session.save_now()
        self._engine.close()
        self._outputs.close()
        self.disk.close()
        self.mishaps.uninstall()
        if self._log is not None:
            logging.getLogger("sfumato").removeHandler(self._log)
            self._log.close()

    def _complain(self, error: SfumatoError) -> None:
        self._notices.show(error.message, error.detail)

    # -- the engine's words ----------------------------------------------------------------------

    def _greeted(self, catalog: Mapping[str, Any]) -> None:
        kind = (catalog.get("kinds") or {}).get(KIND) or {}
        offered = [ParamSpec.from_json(row) for row in kind.get("specs", ())]
        self._parameters.describe(offered or specs(Generate), catalog.get("choices") or {})
        if not self._parameters.property("obstacle"):
            self._notices.withdraw("obstacle")

    def _pictured(self, job: Job, artifact: Artifact) -> None:
        self._outputs.finish(job, artifact)
        if job.pictures < job.expected and job.pictures % job.batch_size == 0:
            self._outputs.begin(job)

    def _ended(self, job: Job, event: Event) -> None:
        self._outputs.end(job)
        if isinstance(event, Failed):
            self._notices.show(event.message, event.detail or f"{event.code} {event.path}".strip())
            if event.code == "invalid":
                self._parameters.mark(dict.fromkeys(event.path.split(","), event.message))
        elif isinstance(event, Finished):
            for warning in event.result.get("warnings") or ():
                self._notices.show(str(warning.get("message", "")), kind="note")
        if self._leave_when_done and not self._jobs.waiting:
            self.leaving.emit()

    # -- session ---------------------------------------------------------------------------------

    def _remembered(self) -> dict[str, Any]:
        values = {"prompt": self._prompt, "negative": self._negative, "parameters": self._parameters.set_values()}
        return values | {"window": dict(self._ui), "last_seed": self._last_seed, "outputs": self._outputs.records()}

    def _restore(self, session: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in session.items() if isinstance(value, dict | list | str | int)}
        self._prompt, self._negative = (value if isinstance(value := kept.get(name), str) else "" for name in ("prompt", "negative"))
        window, parameters, outputs = kept.get("window"), kept.get("parameters"), kept.get("outputs")
        self._ui = dict(window) if isinstance(window, dict) else {}
        self._last_seed = seed if isinstance(seed := kept.get("last_seed"), int) else -1
        if isinstance(parameters, dict):
            refused = self._parameters.restore(parameters)
            if refused:
                self._notices.show(f"These values of the last session no longer fit and were reset: {', '.join(refused)}.", kind="note")
        if isinstance(outputs, list):
            self._outputs.restore(record for record in outputs if isinstance(record, dict))
