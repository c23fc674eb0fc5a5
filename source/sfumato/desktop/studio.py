"""The application object QML binds to: it makes the parts of the window, gives them their shell, and runs the actions of shortcuts.py.

QML knows this object and its parts as `studio`, holds no rule of its own, and neither reads files nor speaks the protocol. A new part is a class that
takes the `Shell`, and a property here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, QObject, QRect, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices, QGuiApplication
from PyQt5.QtQml import QJSValue, qjsEngine

from sfumato import __version__
from sfumato.config import Settings
from sfumato.desktop import shortcuts, tabs
from sfumato.desktop.appearance import Appearance
from sfumato.desktop.canvas.cards import InputCards
from sfumato.desktop.canvas.room import CanvasRoom
from sfumato.desktop.commands import Commands
from sfumato.desktop.disk import Disk
from sfumato.desktop.drafts import KIND, Draft, Drafting, Frozen
from sfumato.desktop.edits import Edits
from sfumato.desktop.engine_link import EngineLink, MakeEndpoint
from sfumato.desktop.finder import Finder
from sfumato.desktop.first_models import FirstModels
from sfumato.desktop.grid.cells import GridCells
from sfumato.desktop.grid.runs import GridRuns
from sfumato.desktop.grid.setup import Grid
from sfumato.desktop.guide import Guide
from sfumato.desktop.history import History
from sfumato.desktop.host import HostDesk
from sfumato.desktop.images import Frames, is_seen
from sfumato.desktop.importing.importer import Importer
from sfumato.desktop.inputs.strip import InputStrip
from sfumato.desktop.install_mode import InstallMode
from sfumato.desktop.jobs import Job, JobQueue
from sfumato.desktop.keys import Keys
from sfumato.desktop.language import Words, tr
from sfumato.desktop.live import Live
from sfumato.desktop.mishaps import Mishaps
from sfumato.desktop.models import Models
from sfumato.desktop.notices import Notices
from sfumato.desktop.opened_links import OpenedLinks
from sfumato.desktop.outputs import OutputStrip, Rescue
from sfumato.desktop.outputs_desk import OutputsDesk
from sfumato.desktop.parameters import Arrangement, Aspect, ParameterForm
from sfumato.desktop.parameters.keeping import Keeping
from sfumato.desktop.parameters.presets import Presets
from sfumato.desktop.pose.desk import PoseDesk
from sfumato.desktop.prompts import Prompts
from sfumato.desktop.queue.desk import QueueDesk
from sfumato.desktop.queue.health import EngineHealth
from sfumato.desktop.queue.keeping import Keeper
from sfumato.desktop.remote.connection import Connection, MakeRemote, remote_endpoint
from sfumato.desktop.scheme import Scheme
from sfumato.desktop.session import Session, chosen
from sfumato.desktop.settings_folders import DataFolder
from sfumato.desktop.settings_page import KEYBOARD, REMOTE, SettingsPage
from sfumato.desktop.shell import Condition, Shell
from sfumato.desktop.thumbnails import ThumbnailPool
from sfumato.desktop.transfers.part import Transfers
from sfumato.desktop.watchdog import Watchdog
from sfumato.jobs.places import Places
from sfumato.library.outputs import incomplete_picture
from sfumato.library.outputs import save_picture as save
from sfumato.library.thumbnails import Thumbnails
from sfumato.protocol.errors import Invalid, Problem, SfumatoError
from sfumato.protocol.messages import Artifact, Cancelled, Event, Failed, Finished
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, specs

SMALLEST = (1024, 600)
LABEL_FONT = Path(__file__).resolve().parents[3] / "qml" / "fonts" / "Inter-400.ttf"
# No screen is wider; a number beyond it is damage.
PIXELS_AT_MOST = 100_000


def save_picture(
    places: Places,
    settings: Settings,
    kind: str,
    params: Mapping[str, Any],
    data: bytes,
    beside: Mapping[str, str] | None = None,
    into: Path | None = None,
) -> Path:
    """Write a finished picture where those of such a job go, or `into` another folder, and `beside` it the texts that it had no room for.

    Raises `DiskFull`, `NotWritable` or `UnsafeName`.
    """
    told = {"pattern": places.naming, "sidecars": places.sidecars, "beside": beside}
    if into is not None:
        return save(into, "", data, **told)
    return save(places.outputs, kind, data, params=params, inside=settings["output_folder"], **told)


def take_pictures(files: Mapping[str, str], frozen: Frozen) -> None:
    """Put the pictures of `files` (parameter -> file) into a job. Raises `Invalid` naming every file that fails."""
    problems: list[Problem] = []
    for parameter, file in files.items():
        try:
            frozen.params[parameter] = frozen.keep(Path(file).read_bytes())
        except OSError as error:
            problems.append(Problem(parameter, tr("'{file}' cannot be read ({reason}); choose another picture.", file=file, reason=error.strerror)))
    if problems:
        raise Invalid(problems)


@dataclass
class Beginnings:
    """What is read before the window exists, away from the GUI thread."""

    places: Places
    settings: Settings
    session: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    log: logging.Handler | None = None
    language: Words = field(default_factory=Words)


class Studio(QObject):
    """Everything the window shows and does."""

    changed = pyqtSignal()  # theme, tab, view
    hintsChanged = pyqtSignal()
    reloadAsked = pyqtSignal()
    quitAsked = pyqtSignal()
    leaving = pyqtSignal()
    viewAsked = pyqtSignal(str)  # an action that only the scene can carry out

    def __init__(self, beginnings: Beginnings, make_endpoint: MakeEndpoint, make_remote: MakeRemote = remote_endpoint) -> None:
        super().__init__()
        self._log = beginnings.log
        self._watchdog = Watchdog(self)
        settings, places = beginnings.settings, beginnings.places
        self._leave_when_done = False
        self.restarts = False  # whether the program is started again after it has ended
        self.disk = Disk(self)
        self._notices = Notices(self)
        self.mishaps = Mishaps(self._notices, self)
        self._engine = EngineLink(make_endpoint, self)
        keeper = Keeper(places.data / "queue", self.disk, lambda error: self._shell.complain(error), self)
        self._jobs = JobQueue(self._engine, keeper, lambda name: settings[name], self)
        self._parameters = ParameterForm(specs(Generate), self)
        self._outputs = OutputStrip(Frames(), self.disk, partial(save_picture, places, settings), self, self._rescue)
        self._session = Session(places.data, chosen(beginnings.session, settings["restore_session"]), self.disk, self._notices.show)
        self._edits = Edits(self)
        self._thumbnails = ThumbnailPool(Thumbnails(places.data / "thumbnails"), self)
        self._shell = Shell(
            places,
            settings,
            self.disk,
            self._notices,
            self._engine,
            self._jobs,
            self._parameters,
            self._session,
            self._edits,
            Drafting(),
            self._thumbnails,
        )
        self._sections = Arrangement(self._parameters, self._session, self)
        self._aspect = Aspect(self._parameters, self._session, self)
        self._shell.drafting.add(self._contribute)
        self._prompts = Prompts(self._shell, self)
        self._models = Models(self._shell, self._prompts, self)
        self._first_models = FirstModels(self._shell, self)
        self._guide = Guide(self._shell, self)
        self._install_mode = InstallMode(self._shell, self)
        self._keeping = Keeping(self._shell, self._prompts, self)
        self._canvas = CanvasRoom(self._shell, self)
        self._pose = PoseDesk(self._shell, self)
        self._inputs = InputStrip(self._shell, self)
        for signal in (self._prompts.changed, self._inputs.regionsChanged):
            signal.connect(lambda: self._inputs.hear_prompt(self._prompts.property("text")))
        self._canvas.use(InputCards(self._shell, self._inputs))
        self._pose.use(self._inputs)
        self._importer = Importer(self._shell, self)
        self._live = Live(self._shell, self._outputs, (self._prompts, self._inputs), self)
        self._pictures = OutputsDesk(self._shell, self._outputs, self)
        self._history = History(self._shell, self)
        self._keys = Keys(self._shell, self)
        self._appearance = Appearance(self._shell, self)
        self._commands = Commands(self._shell, self)
        self._settings_page = SettingsPage(self._shell, self)
        self._data_folder = DataFolder(self._shell, self)
        self._finder = Finder(self._shell, self._keys, self._commands, self._settings_page, self.act, self)
        self._queue = QueueDesk(self._shell, self._prompts, self)
        runs = GridRuns(self._shell, self._outputs, partial(save_picture, places, settings), LABEL_FONT, self)
        self._grid = Grid(self._shell, self._prompts, runs, GridCells(self._shell, self._importer.openText, self), self)
        self._health = EngineHealth(self._shell, parent=self)
        # Installed for other machines alone, the program has no engine of its own.
        self._remote = Connection(self._shell, None if settings["mode"] == "remote" else make_endpoint, make_remote, self)
        self._transfers = Transfers(self._shell, self._remote, self)
        self._models.transfers = self._transfers
        self.scheme = Scheme(self._shell, self)
        self._host = HostDesk(self._shell, self)
        self._links = OpenedLinks(self._shell, self._remote.connectLink, lambda: self._remote.property("name"), self)
        self._ui = dict(self._session.restored("window", dict, {}))
        self._last_seed = self._session.restored("last_seed", int, -1)
        kept = self.recall("tab", "")
        self._tab = kept if any(tab.id == kept for tab in tabs.TABS) else tabs.TABS[0].id
        self._edits.show(self._tab)
        self._restore()
        for sentence in (*settings.complaints, *beginnings.complaints):
            self._notices.show(sentence)
        self._wire()
        self._register()

    def _wire(self) -> None:
        self._shell.observe("theme", self.changed.emit)
        self._shell.observe("debug_log", self._set_log)
        self._set_log()
        self._keys.changed.connect(self.hintsChanged)
        self._remote.settingsAsked.connect(partial(self._open_settings, REMOTE))
        self._engine.greeted.connect(self._greeted)
        self._jobs.started.connect(self._started)
        self._jobs.given.connect(self._given)
        self._jobs.previewed.connect(self._previewed)
        self._jobs.announced.connect(self._announced)
        self._jobs.arriving.connect(lambda job: None if job.owner else self._outputs.arrive(job))
        self._jobs.pictured.connect(self._pictured)
        self._jobs.ended.connect(self._ended)
        self._jobs.putBack.connect(self._put_back)
        self._parameters.stepped.connect(self._edits.push)
        self._outputs.edited.connect(self._session.touch)
        self._outputs.saved.connect(self._history.take)
        self._grid.runs.saved.connect(self._history.take)
        self._grid.runs.heldAgain.connect(lambda grid: self._queue.hold_grid(grid, True))
        self._host.revealAsked.connect(partial(self._open_settings, "host"))
        self._queue.held.connect(self._grid.runs.hold)
        self._queue.property("list").tell = self._grid.runs.told
        self._outputs.unsaved.connect(partial(self._notices.show, kind="error"))

    # -- parts -----------------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def parameters(self) -> ParameterForm:
        return self._parameters

    @pyqtProperty(QObject, constant=True)
    def sections(self) -> Arrangement:
        return self._sections

    @pyqtProperty(QObject, constant=True)
    def aspect(self) -> Aspect:
        return self._aspect

    @pyqtProperty(QObject, constant=True)
    def links(self) -> OpenedLinks:
        return self._links

    @pyqtProperty(QObject, constant=True)
    def host(self) -> HostDesk:
        return self._host

    @pyqtProperty(QObject, constant=True)
    def firstModels(self) -> FirstModels:
        return self._first_models

    @pyqtProperty(QObject, constant=True)
    def guide(self) -> Guide:
        return self._guide

    @pyqtProperty(QObject, constant=True)
    def live(self) -> Live:
        return self._live

    @pyqtProperty(QObject, constant=True)
    def presets(self) -> Presets:
        return self._keeping.presets

    @pyqtProperty(QObject, constant=True)
    def canvas(self) -> CanvasRoom:
        return self._canvas

    @pyqtProperty(QObject, constant=True)
    def pose(self) -> PoseDesk:
        return self._pose

    @pyqtProperty(QObject, constant=True)
    def inputs(self) -> InputStrip:
        return self._inputs

    @pyqtProperty(QObject, constant=True)
    def jobs(self) -> JobQueue:
        return self._jobs

    @pyqtProperty(QObject, constant=True)
    def queue(self) -> QueueDesk:
        return self._queue

    @pyqtProperty(QObject, constant=True)
    def grid(self) -> Grid:
        return self._grid

    @pyqtProperty(QObject, constant=True)
    def remote(self) -> Connection:
        return self._remote

    @pyqtProperty(QObject, constant=True)
    def transfers(self) -> Transfers:
        return self._transfers

    @pyqtProperty(QObject, constant=True)
    def health(self) -> EngineHealth:
        return self._health

    @pyqtProperty(QObject, constant=True)
    def outputs(self) -> OutputStrip:
        return self._outputs

    @pyqtProperty(QObject, constant=True)
    def engine(self) -> EngineLink:
        return self._engine

    @pyqtProperty(QObject, constant=True)
    def notices(self) -> Notices:
        return self._notices

    @pyqtProperty(QObject, constant=True)
    def keys(self) -> Keys:
        return self._keys

    @pyqtProperty(QObject, constant=True)
    def commands(self) -> Commands:
        return self._commands

    @pyqtProperty(QObject, constant=True)
    def settings(self) -> SettingsPage:
        return self._settings_page

    @pyqtProperty(QObject, constant=True)
    def dataFolder(self) -> DataFolder:
        return self._data_folder

    @pyqtProperty(QObject, constant=True)
    def finder(self) -> Finder:
        return self._finder

    @pyqtProperty(QObject, constant=True)
    def appearance(self) -> Appearance:
        return self._appearance

    @pyqtProperty("QVariantList", constant=True)
    def actions(self) -> list[dict[str, object]]:
        """The table of actions; their keys are in `keys`."""
        return shortcuts.rows()

    @pyqtProperty("QStringList", constant=True)
    def menus(self) -> list[str]:
        """The menus in the order of the bar."""
        return [tr(menu) for menu in shortcuts.MENUS]

    @pyqtProperty(QJSValue, notify=hintsChanged)
    def hint(self) -> QJSValue:
        """A function: what an action does and its key, for tooltips. As a property, so that a text made of it follows a rebinding."""
        return qjsEngine(self).evaluate("keys => action => keys.hint(action)").call([qjsEngine(self).newQObject(self._keys)])

    @pyqtProperty("QVariantMap", constant=True)
    def about(self) -> dict[str, str]:
        return {
            "version": __version__,
            "qt": QT_VERSION_STR,
            "pyqt": PYQT_VERSION_STR,
            "data": str(self._shell.places.data),
            "outputs": str(self._shell.places.outputs),
        }

    @pyqtProperty(QObject, constant=True)
    def pictures(self) -> OutputsDesk:
        return self._pictures

    @pyqtProperty(QObject, constant=True)
    def importer(self) -> Importer:
        return self._importer

    @pyqtProperty(QObject, constant=True)
    def models(self) -> Models:
        return self._models

    @pyqtProperty(QObject, constant=True)
    def prompts(self) -> Prompts:
        return self._prompts

    @pyqtProperty(QObject, constant=True)
    def edits(self) -> Edits:
        return self._edits

    @pyqtProperty(QObject, constant=True)
    def thumbnails(self) -> ThumbnailPool:
        return self._thumbnails

    @pyqtProperty(QObject, constant=True)
    def history(self) -> History:
        return self._history

    # -- the pages -------------------------------------------------------------------------------

    @pyqtProperty("QVariantList", constant=True)
    def tabs(self) -> list[dict[str, str]]:
        """The pages in the order of their tabs."""
        return tabs.rows()

    @pyqtProperty(str, notify=changed)
    def tab(self) -> str:
        """The page that is shown."""
        return self._tab

    @pyqtSlot(str)
    def show(self, tab: str) -> None:
        """Turn to a page."""
        if tab != self._tab:
            self._tab = tab
            self._edits.show(tab)
            self.remember("tab", tab)

    # -- what the user sets ----------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def theme(self) -> str:
        """The theme that was chosen; what is drawn is `appearance.scheme`."""
        return str(self._shell.settings["theme"])

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

    @pyqtSlot()
    def forgetPages(self) -> None:
        """Let files of pages that are not in use be read anew."""
        qjsEngine(self).trimComponentCache()

    @pyqtSlot(str)
    def copyText(self, text: str) -> None:
        """Put a text on the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)

    # -- actions ---------------------------------------------------------------------------------

    def _register(self) -> None:
        self._shell.register(
            {
                "generate": self._generate,
                "generate_first": partial(self._generate, True),
                "open_outputs": self._open_outputs,
                "open_data": partial(self._open_folder, self._shell.places.data),
                "open_logs": partial(self._open_folder, self._shell.places.logs),
                "settings_keyboard": partial(self._open_settings, KEYBOARD),
                "restart": self._restart,
                "reload": self._reload,
                "quit": self._quit,
                "undo": self._edits.undo,
                "redo": self._edits.redo,
                "reset_parameters": self._parameters.resetAll,
                "advanced": self._toggle_advanced,
                "swap_side": lambda: self.remember("parametersLeft", not self.recall("parametersLeft", False)),
                **{tab.action: partial(self.show, tab.id) for tab in tabs.TABS},
            }
        )

        self._shell.describe(
            {
                "undo": Condition(can=lambda: self._edits.undoWords, title=lambda: self._edits.title("undo")),
                "redo": Condition(can=lambda: self._edits.redoWords, title=lambda: self._edits.title("redo")),
                "advanced": Condition(ticked=lambda: self.recall("advanced", False)),
                "swap_side": Condition(ticked=lambda: self.recall("parametersLeft", False)),
                **{tab.action: Condition(ticked=partial(self._shows, tab.id)) for tab in tabs.TABS},
            }
        )

    def _shows(self, tab: str) -> bool:
        return self._tab == tab

    def open_address(self, words: str) -> None:
        """A start, this one or a later one, was given an address."""
        self._links.open(words)

    @pyqtSlot(str)
    def act(self, action: str) -> None:
        """Run an action of the table."""
        handler = self._shell.handlers.get(action)
        if handler is not None:
            handler()
        else:
            self.viewAsked.emit(action)

    def _contribute(self, draft: Draft) -> None:
        draft.obstacle = self._parameters.property("obstacle")
        draft.params |= self._parameters.request()
        pictures = self._parameters.pictures()
        if pictures:
            draft.later.append(partial(take_pictures, pictures))

    def _toggle_advanced(self) -> None:
        shown = not self._parameters.advanced
        self._parameters.advanced = shown
        self.remember("advanced", shown)

    def _generate(self, front: bool = False) -> None:
        draft = self._shell.drafting.draft()
        if draft.obstacle:
            self._notices.show(draft.obstacle, action="obstacle")
            return
        self._last_seed = draft.params["seed"]
        self.changed.emit()
        # Away from the GUI thread, in the order of the clicks; what is read now is painted, whatever becomes of the file.
        for work in reversed(draft.works()) if front else draft.works():
            self.disk.run(work, partial(self._submit, front), self._refuse)

    def _submit(self, front: bool, frozen: Frozen) -> None:
        self._jobs.submit(frozen.kind, frozen.params, frozen.blobs, front=front)

    def _refuse(self, error: SfumatoError) -> None:
        self._queue.stop_forever()
        self._shell.complain(error)
        if isinstance(error, Invalid):
            self._parameters.mark({problem.path: problem.sentence for problem in error.problems})

    def _open_outputs(self) -> None:
        self.disk.run(lambda: self._shell.places.outputs.mkdir(parents=True, exist_ok=True), lambda _: self._show_outputs(), self._shell.complain)

    def _show_outputs(self) -> None:
        self._open_folder(self._shell.places.outputs)

    def _open_folder(self, folder: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._notices.show(tr("No program opens folders here. The folder is {folder}.", folder=folder), kind="note")

    def _set_log(self) -> None:
        detailed = self._shell.settings["debug_log"]
        logging.getLogger("sfumato").setLevel(logging.DEBUG if detailed else logging.INFO)
        self._watchdog.start() if detailed else self._watchdog.stop()

    def _open_settings(self, section: str) -> None:
        self.show("settings")
        self._settings_page.reveal(section)

    def _restart(self) -> None:
        self.restarts = True
        self._ask_to_leave()

    def _reload(self) -> None:
        if self._remote.property("isRemote"):
            self._notices.show(tr("The engine of another machine is reloaded there."), kind="note")
            return
        if self._jobs.running is not None:
            self.reloadAsked.emit()
        else:
            self._jobs.reload(True)

    def _quit(self) -> None:
        self.restarts = False  # a restart that was asked for and then not confirmed
        self._ask_to_leave()

    def _ask_to_leave(self) -> None:
        if self._jobs.property("busy"):
            self.quitAsked.emit()
        else:
            self.leave(False)

    @pyqtSlot(bool)
    def leave(self, when_done: bool) -> None:
        """Close the window, now or when the last job has ended."""
        self._leave_when_done = when_done
        if when_done:
            self._jobs.resume()
        if not when_done or not self._jobs.property("busy"):
            self.leaving.emit()

    def close(self) -> None:
        """Save the session and end engine and threads; the last call."""
        self._watchdog.stop()
        self._host.close()  # others leave while there is an engine to take their jobs back from
        self._pose.close()
        self._canvas.end()
        self._queue.end_edit()
        self._session.save_now()
        self._prompts.close()
        self._keeping.close()
        self._live.close()
        self._install_mode.close()
        self._transfers.close()
        self._remote.close()
        self._engine.close()
        self._importer.close()
        self._outputs.close()
        self._inputs.close()
        self._models.close()
        self._history.close()
        self._thumbnails.close()
        self._grid.runs.close()
        self._queue.close()
        self.disk.close()
        self._jobs.close()
        self.mishaps.uninstall()
        if self._log is not None:
            logging.getLogger("sfumato").removeHandler(self._log)
            self._log.close()

    # -- the engine's words ----------------------------------------------------------------------

    def _greeted(self, catalog: Mapping[str, Any]) -> None:
        kind = (catalog.get("kinds") or {}).get(KIND) or {}
        offered = [ParamSpec.from_json(row) for row in kind.get("specs", ())]
        self._parameters.describe(offered or specs(Generate), catalog.get("choices") or {})
        if not self._parameters.property("obstacle"):
            self._notices.withdraw("obstacle")

    def _started(self, job: Job) -> None:
        if not job.owner:
            self._outputs.begin(job)

    def _given(self, job: Job, pictures: Mapping[str, bytes]) -> None:
        if not job.owner:
            self._outputs.give(job, pictures)

    def _rescue(self) -> Rescue | None:
        return incomplete_picture if self._shell.settings["incomplete"] == "keep" else None

    def _previewed(self, job: Job, pictures: tuple[bytes, ...]) -> None:
        if not job.owner:
            self._outputs.preview(job, pictures, is_seen())

    def _announced(self, job: Job, small: bytes) -> None:
        if not job.owner:
            self._outputs.announce(job, small)

    def _pictured(self, job: Job, artifact: Artifact) -> None:
        if job.owner:
            return
        self._outputs.finish(job, artifact)
        if job.pictures < job.expected and job.pictures % job.batch_size == 0:
            self._outputs.begin(job)

    def _put_back(self, job: Job) -> None:
        if not job.owner:
            self._outputs.end(job)

    def _ended(self, job: Job, event: Event) -> None:
        if not job.owner:
            self._outputs.end(job, isinstance(event, Cancelled))
        if isinstance(event, Failed):
            self._notices.show(event.message, event.detail or f"{event.code} {event.path}".strip())
            if event.code == "invalid":
                self._parameters.mark(dict.fromkeys(event.path.split(","), event.message))
        elif isinstance(event, Finished):
            for warning in event.result.get("warnings") or ():
                self._notices.show(str(warning.get("message", "")), kind="note")
        if self._leave_when_done and not self._jobs.property("busy"):
            self.leaving.emit()

    # -- session ---------------------------------------------------------------------------------

    def _restore(self) -> None:
        session = self._session
        session.keep("window", lambda: dict(self._ui))
        session.keep("last_seed", lambda: self._last_seed)
        session.keep("outputs", self._outputs.records)
        self._parameters.advanced = self.recall("advanced", False)
        self._outputs.restore(record for record in session.restored("outputs", list, []) if isinstance(record, dict))
