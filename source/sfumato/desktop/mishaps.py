"""Exceptions of the window's own code: logged with their traceback, shown once as a notice, never the end of the program.

Without a hook PyQt ends the process at the first exception in a slot.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtQml import QQmlEngine, QQmlError

from sfumato.desktop.notices import Notices
from sfumato.protocol.redaction import Redactor

log = logging.getLogger(__name__)

SENTENCE = "Something in the window failed, and what it was doing was not finished. The program goes on; Details has what to report."


class Mishaps(QObject):
    """Hears of exceptions on any thread and shows them on the GUI thread."""

    _caught = pyqtSignal(str)

    def __init__(self, notices: Notices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notices = notices
        self._caught.connect(lambda detail: notices.show(SENTENCE, detail), Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Become the hook of this process for exceptions nobody caught."""
        sys.excepthook = self._take
        threading.excepthook = lambda args: self._take(args.exc_type, args.exc_value, args.exc_traceback)

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def watch(self, engine: QQmlEngine) -> None:
        """Hear of errors in QML handlers and bindings."""
        engine.warnings.connect(self._take_warnings)

    def _take(self, kind: type[BaseException], value: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            return
        log.error("uncaught exception", exc_info=(kind, value, trace))  # type: ignore[arg-type]  # logging takes None as well
        self._caught.emit(Redactor().clean("".join(traceback.format_exception(kind, value, trace))))

    def _take_warnings(self, errors: list[QQmlError]) -> None:
        detail = "\n".join(error.toString() for error in errors)
        log.error("QML: %s", detail)
        self._caught.emit(detail)
