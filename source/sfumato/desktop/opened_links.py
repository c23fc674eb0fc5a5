"""A connection link that was opened from outside, by a page, a mail or another start: it is looked at, and the person is asked.

Until the answer is Connect nothing is changed, saved or contacted. The secret in it is neither shown nor logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import told, tr
from sfumato.desktop.shell import Shell
from sfumato.protocol.errors import LinkRefused
from sfumato.transport.link import Link

log = logging.getLogger(__name__)


class OpenedLinks(QObject):
    """`studio.links`: at most one link at a time.

    Args:
        connect: takes the text of a link that the person agreed to.
        now: what the window works with until then, in words.
    """

    changed = pyqtSignal()
    asked = pyqtSignal()

    def __init__(self, shell: Shell, connect: Callable[[str], None], now: Callable[[], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._connect = connect
        self._now = now
        self._link: Link | None = None

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def isAsking(self) -> bool:
        """Whether a link waits for the person's word."""
        return self._link is not None

    @pyqtProperty(str, notify=changed)
    def host(self) -> str:
        return self._link.host if self._link else ""

    @pyqtProperty(str, notify=changed)
    def port(self) -> str:
        return str(self._link.port) if self._link else ""

    @pyqtProperty(str, notify=changed)
    def endpoint(self) -> str:
        """The whole address, without the secret."""
        return self._link.endpoint if self._link else ""

    @pyqtProperty(bool, notify=changed)
    def isHere(self) -> bool:
        """The link leads to this very computer."""
        return self._link is not None and self._link.is_loopback

    @pyqtProperty(bool, notify=changed)
    def hasPassword(self) -> bool:
        return self._link is not None and self._link.secret is not None

    @pyqtProperty(str, notify=changed)
    def now(self) -> str:
        """What the window works with until another word is given."""
        return self._now()

    # -- what happens ----------------------------------------------------------------------------

    def open(self, text: str) -> None:
        """Look at a link and ask about it, or say why it cannot be opened."""
        try:
            link = Link.parse(text)
        except LinkRefused as error:
            # By the kind of mistake alone: what was given may hold a password.
            log.warning("a link was refused: %s", error.message)
            self._shell.notices.show(told(error.message))
            return
        if self._link is not None:
            # What is read must be what is agreed to: a second link never takes the place of the one that is shown.
            self._shell.notices.show(tr("Another link was opened while one waits for an answer; answer, then open it again."), kind="note")
            return
        self._link = link
        self.changed.emit()
        self.asked.emit()

    @pyqtSlot()
    def accept(self) -> None:
        """The person said Connect."""
        link = self._forget()
        if link is not None:
            self._connect(link.text())

    @pyqtSlot()
    def cancel(self) -> None:
        """The person did not; nothing has happened."""
        self._forget()

    def _forget(self) -> Link | None:
        link, self._link = self._link, None
        if link is not None:
            self.changed.emit()
        return link
