"""Links that begin with `sfumato:` and this window: registered for the user at the first start, and as the setting says afterwards."""

from __future__ import annotations

import sys
from functools import partial

from PyQt5.QtCore import QObject

from launcher.scheme import SETTING, NotSupported, Opener, is_gone, opener, words_of
from sfumato.config import PROGRAM_FOLDER
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell


class Scheme(QObject):
    """Keeps the registration as the setting `links` says; a program that has the links already keeps them until the user chooses."""

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._words = words_of(PROGRAM_FOLDER, shell.places.data, sys.executable)
        shell.observe(SETTING, self._follow)

    def begin(self) -> None:
        """What a start of the program does; quietly, whatever comes of it."""
        if not self._shell.settings[SETTING]:
            self._shell.disk.run(partial(_take_free, self._words), lambda _: None, lambda _: None)

    def _follow(self) -> None:
        words = [] if self._shell.settings[SETTING] else self._words
        self._shell.disk.run(partial(_change, words), self._tell, self._shell.complain)

    def _tell(self, reason: str | None) -> None:
        if reason == "":
            self._shell.notices.show(tr("On this system a link cannot be given to the program; paste it into Settings, Remote."), kind="note")
        elif reason:
            self._shell.notices.show(tr("What opens links could not be changed ({reason}); look at the rights of your own folders.", reason=reason))


def _take_free(words: list[str]) -> None:
    try:
        found = opener()
        if is_gone(found.command()):
            found.register(words)
    except (NotSupported, OSError):
        return  # asked for by nobody; the setting says why when it is


def _change(words: list[str]) -> str | None:
    """Why it cannot be done, "" where the system knows no such thing; None where it was done."""
    try:
        found: Opener = opener()
        found.register(words) if words else found.unregister()
    except NotSupported:
        return ""
    except OSError as error:
        return str(error.strerror or error)
    return None
