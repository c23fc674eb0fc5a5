"""From nothing to the window: splash, then imports and QML side by side, then the window, then the engine.

Nothing here may import what is heavy at its top: this module is loaded before the splash is on screen.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QCoreApplication, QObject, QSocketNotifier, Qt, QTranslator, QUrl, pyqtSignal
from PyQt5.QtGui import QFont, QFontDatabase, QGuiApplication
from PyQt5.QtQml import QQmlComponent, QQmlEngine
from PyQt5.QtQuick import QQuickWindow, QSGRendererInterface

from sfumato import __version__
from sfumato.desktop.language import Words, tr, use
from sfumato.desktop.single import SingleWindow
from sfumato.desktop.tidying import Tidying

if TYPE_CHECKING:
    from sfumato.desktop.engine_link import MakeEndpoint
    from sfumato.desktop.studio import Beginnings, Studio

Report = Callable[[dict[str, float]], None]
FONTS = ("Inter-400.ttf", "Inter-600.ttf", "JetBrainsMono-400.ttf")


class WindowBroken(Exception):
    """The window's own files cannot be used; the message lists what Qt said."""


class Launch(QObject):
    """One start of the program.

    Args:
        program: the program's folder, which holds `qml/`.
        data: the data folder asked for, or None.
        make_endpoint: another engine than the local one, for tests and pictures of the window.
    """

    _prepared = pyqtSignal(object)

    def __init__(self, program: Path, data: str | None, make_endpoint: MakeEndpoint | None = None) -> None:
        super().__init__()
        self._program = program
        self._qml = program / "qml"
        self._data = data
        self._words = ""
        self._is_program = False  # a window of a test registers nothing for the user
        self._make_endpoint = make_endpoint
        self._beginnings: Beginnings | None = None
        self.failure: BaseException | None = None
        self._component: QQmlComponent | None = None
        self._began: float | None = None
        self._report: Report = lambda _: None
        self._times: dict[str, float] = {}
        self._words_of_user = Words()
        self._translator: QTranslator | None = None
        self._tidying: Tidying | None = None
        self.studio: Studio | None = None
        self.window: QQuickWindow | None = None

    def run(self, began: float | None = None, report: Report = lambda _: None, words: str = "") -> int:
        """Show splash and window and run until the window closes; where another window has the data folder, hand it `words` and end.

        With `began` (s since the epoch), report the times of the first frames and quit.
        """
        from launcher.folders import find_data  # late: main.py puts the program's folder on the path

        self._began, self._report = began, report
        environ = dict(os.environ)
        self._application = application(self._qml)
        self._single = SingleWindow(find_data(self._program, self._data or "", os.environ))
        if not self._single.is_first():
            if self._single.hand_over(words):
                return 0
            raise WindowBroken("another Sfumato has this data folder open and does not answer; end it, or choose another folder with --data")
        self._single.called.connect(self._called)
        self._words = words
        self._signals = _Interrupts(self._application.quit)
        self._is_program = True
        self.start()
        code = self._application.exec_()
        self._signals.restore()
        if self.failure is not None:
            raise self.failure
        again = self.studio is not None and self.studio.restarts
        self.close()
        self._single.close()
        if again:
            start_again(environ)
        return code

    def start(self) -> None:
        """Put the splash on screen; the rest follows from its first frame."""
        self._prepared.connect(self._take_beginnings, Qt.ConnectionType.QueuedConnection)
        self.engine = QQmlEngine()
        self.engine.rootContext().setContextProperty("splashFacts", {"name": "Sfumato", "version": __version__})
        self._splash_component = QQmlComponent(self.engine, QUrl.fromLocalFile(str(self._qml / "Splash.qml")))
        self._splash = self._splash_component.create()
        if self._splash is None:
            raise WindowBroken(_errors(self._splash_component))
        self._splash.frameSwapped.connect(self._splash_shown, Qt.ConnectionType.QueuedConnection)
        self._splash.show()

    def _splash_shown(self) -> None:
        self._splash.frameSwapped.disconnect(self._splash_shown)
        self._time("splash")
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    # -- away from the GUI thread ----------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            from sfumato.desktop import studio
            from sfumato.desktop.beginnings import read

            del studio  # imported here so that the GUI thread finds it loaded
            self._prepared.emit(read(self._data))
        except Exception as error:  # noqa: BLE001  # the root of a thread; the GUI thread raises it again
            self._prepared.emit(error)

    # -- on it -----------------------------------------------------------------------------------

    def _take_beginnings(self, found: Any) -> None:
        if isinstance(found, BaseException):
            self._fail(found)
            return
        self._beginnings = found
        self._speak(found.language)
        self._splash.setProperty("stage", tr("Opening the studio"))
        try:
            self._build()
        except Exception as error:  # noqa: BLE001  # a slot's root; `run` raises it again
            self._fail(error)

    def _speak(self, words: Words) -> None:
        """Take the user's language, before anything of the window says a word."""
        use(words)
        self._words_of_user, self._translator = words, None if words.is_empty else words.translator()
        if self._translator is not None:
            QCoreApplication.installTranslator(self._translator)
        QGuiApplication.setLayoutDirection(Qt.LayoutDirection.RightToLeft if words.is_right_to_left else Qt.LayoutDirection.LeftToRight)

    def _build(self) -> None:
        from sfumato.desktop.beginnings import local_engine
        from sfumato.desktop.studio import Studio

        assert self._beginnings is not None
        self._tidying = Tidying(self)
        self.studio = studio = Studio(self._beginnings, self._make_endpoint or local_engine(self._beginnings.places, self._beginnings.settings))
        self.engine.rootContext().setContextProperty("studio", studio)
        url = QUrl.fromLocalFile(str(self._qml / "Main.qml"))
        self._component = QQmlComponent(self.engine, url, QQmlComponent.CompilationMode.Asynchronous)
        if self._component.isLoading():
            self._component.statusChanged.connect(self._show)
        else:
            self._show()

    def _show(self) -> None:
        assert self._component is not None and self.studio is not None
        try:
            window = self._component.create() if self._component.isReady() else None
            if not isinstance(window, QQuickWindow):
                raise WindowBroken(_errors(self._component))
        except Exception as error:  # noqa: BLE001  # a slot's root; `run` raises it again
            self._fail(error)
            return
        self.window = window
        self.studio.mishaps.install()
        self.studio.mishaps.watch(self.engine)
        self.studio.leaving.connect(self._application_quit)
        window.frameSwapped.connect(self._window_shown, Qt.ConnectionType.QueuedConnection)
        window.show()

    def _window_shown(self) -> None:
        assert self.window is not None and self.studio is not None
        self.window.frameSwapped.disconnect(self._window_shown)
        self._time("window")
        self._splash.close()
        self._splash.deleteLater()  # a hidden animation would go on ticking
        self._splash = None
        self.window.requestActivate()
        if self._began is not None:
            self._report(self._times)
            self._application_quit()
            return
        self.studio.engine.open()
        if self._is_program:
            self.studio.scheme.begin()
        if self._words:
            self.studio.open_address(self._words)

    def _called(self, words: str) -> None:
        """Another start handed over: come to the front."""
        if self.window is not None and self.studio is not None:
            if self.window.visibility() == QQuickWindow.Visibility.Minimized:
                self.window.showNormal()
            self.window.raise_()
            self.window.requestActivate()
            if words:
                self.studio.open_address(words)
        else:
            self._words = words or self._words  # taken up when the window is there

    def close(self) -> None:
        """Take the window down, then save and end what it used."""
        if self.window is not None:
            self.window.close()
        if self.studio is not None:
            self.studio.close()
        # The scene goes before the objects it is bound to.
        self.window = self._component = self._splash = None
        self.engine.collectGarbage()
        if self._tidying is not None:
            self._tidying.close()
            self._tidying = None
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)

    def _application_quit(self) -> None:
        QCoreApplication.quit()

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        QCoreApplication.exit(1)

    def _time(self, what: str) -> None:
        if self._began is not None:
            self._times[f"{what}_ms"] = round((time.time() - self._began) * 1000, 1)


def start_again(environ: Mapping[str, str]) -> None:
    """Put a new start of this program in the place of this one, which has closed everything; `environ` is what this one was started with.

    What the window changed in its own (an engine without graphics cards), and what the launcher told it alone, do not outlive it.
    """
    environ = {name: value for name, value in environ.items() if name != "SFUMATO_ABSENT"}
    # By the launcher, if that started it: a setting may ask for the install screen.
    launcher = environ.get("SFUMATO_LAUNCHER", "")
    command = [sys.executable, launcher] if launcher else [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":
        subprocess.Popen(command, env=environ)  # there a program cannot be replaced in its process
    else:
        os.execve(sys.executable, command, environ)


def application(qml: Path) -> QGuiApplication:
    """The Qt application with the program's own fonts; the one there is, if there is one."""
    existing = QCoreApplication.instance()
    if isinstance(existing, QGuiApplication):
        return existing
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_UseHighDpiPixmaps)
    if sys.platform == "win32":
        # Elsewhere the factor may come from a screen's physical size, and 1.04 only blurs.
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    QCoreApplication.setApplicationName("Sfumato")
    QCoreApplication.setApplicationVersion(__version__)
    if sys.platform.startswith("linux") and not any(Path("/dev/dri").glob("renderD*")):
        # Without a graphics card OpenGL is emulated, and the first frame takes a second longer than with Qt's own rasteriser.
        QQuickWindow.setSceneGraphBackend(QSGRendererInterface.GraphicsApi.Software)
    made = QGuiApplication(["sfumato"])
    for font in FONTS:
        QFontDatabase.addApplicationFont(str(qml / "fonts" / font))
    made.setFont(QFont("Inter"))
    made.setQuitOnLastWindowClosed(False)
    return made


def _errors(component: QQmlComponent) -> str:
    return "\n".join(error.toString() for error in component.errors()) or "the window could not be made"


class _Interrupts(QObject):
    """Ctrl+C in the terminal, and a polite kill, quit the program: Python's handlers alone would wait for the next event of Qt."""

    def __init__(self, quit_program: Callable[[], None]) -> None:
        super().__init__()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(lambda *_: quit_program())

    def restore(self) -> None:
        """Give the signals back: what follows the event loop can be interrupted as any program."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
