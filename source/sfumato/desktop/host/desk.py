"""Hosting in the window: on and off, what others need to come, and who is there. What takes time is done on a thread of its own."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.disk import Disk
from sfumato.desktop.host import plan as plans
from sfumato.desktop.host.clients import ClientList
from sfumato.desktop.language import told, tr
from sfumato.desktop.remote.vault import Vault
from sfumato.desktop.shell import Condition, Shell
from sfumato.protocol.errors import Invalid, SfumatoError
from sfumato.protocol.secret import Secret
from sfumato.transport.link import is_loopback_host

if TYPE_CHECKING:
    from sfumato.desktop.host.hosting import Hosting

log = logging.getLogger(__name__)

LOOK_MS = 1000
# Where a password of the person's own is kept between two starts.
FOLDER, KEPT_AS = "host", "host"
HIDDEN = "\u2022" * 8


class HostDesk(QObject):
    """`studio.host`."""

    changed = pyqtSignal()
    clientsChanged = pyqtSignal()
    revealAsked = pyqtSignal()
    _news = pyqtSignal()
    _tunnelEnded = pyqtSignal(str)
    _trouble = pyqtSignal(object)

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._worker = Disk(self)
        self._vault = Vault(shell.places.data / FOLDER)
        self._awaits_password = bool(shell.settings["host_has_password"])
        self._clients = ClientList(self)
        self._state = "off"
        self._problem = ""
        self._password = Secret("")
        self._is_shown = False
        self._hosting: Hosting | None = None
        self._starts_again = False
        self._in_force: dict[str, Any] = {}
        self._starts_by_itself = bool(shell.settings["host_at_start"])
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._news.connect(self._hear)
        self._tunnelEnded.connect(self._tunnel_ended)
        self._trouble.connect(shell.complain)
        shell.engine.changed.connect(self._engine_changed)
        for name in plans.SETTINGS:
            shell.observe(name, self.changed.emit)
        shell.observe("host_monitor", self._watch)
        if self._awaits_password:
            self._worker.run(partial(self._vault.find, KEPT_AS), self._found, shell.complain)
        shell.register({"host_settings": self.revealAsked.emit, "host_copy_link": self.copyLink})
        shell.describe({"host_copy_link": Condition(can=lambda: self._state == "ready")})

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def state(self) -> str:
        """off, starting, ready, stopping or failed."""
        return self._state

    @pyqtProperty(str, notify=changed)
    def words(self) -> str:
        """The state, as a person says it."""
        return {
            "off": tr("Off"),
            "starting": tr("Starting"),
            "ready": tr("Ready"),
            "stopping": tr("Ending"),
            "failed": tr("Not started"),
        }[self._state]

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        """Why it did not start, or what ended by itself; "" if nothing is wrong."""
        return self._problem

    @pyqtProperty(str, notify=changed)
    def obstacle(self) -> str:
        """Why it cannot be started here and now, "" if it can."""
        if self._hosting is not None or self._shell.engine.shared() is not None:
            return ""
        if self._shell.settings["mode"] == "remote":
            return tr("This installation drives other machines and has no engine to share. File, Change mode installs one.")
        if self._shell.engine.property("state") in ("disconnected", "connecting", "reconnecting", "dropping", "refused", "ready"):
            return tr("The window works with another machine now; disconnect from it to share the engine of this computer.")
        return tr("The engine of this computer is not there yet.")

    @pyqtProperty(str, notify=changed)
    def reach(self) -> str:
        """Who can come, in a sentence."""
        plan = self._hosting.plan if self._hosting is not None else None
        if plan.tunnel if plan is not None else self._shell.settings["host_tunnel"]:
            return tr("Everybody with the link can come, over the tunnel.")
        if is_loopback_host(plan.address if plan is not None else plans.address_of(self._shell.settings)):
            return tr("Only programs of this computer can come; another address or a tunnel lets others in.")
        return tr("Everybody in the network with the link can come.")

    @pyqtProperty(str, notify=changed)
    def endpoint(self) -> str:
        return self._hosting.endpoint if self._hosting is not None else ""

    @pyqtProperty(str, notify=changed)
    def publicEndpoint(self) -> str:
        return self._hosting.public_endpoint if self._hosting is not None else ""

    @pyqtProperty(bool, notify=changed)
    def hasTunnel(self) -> bool:
        return self._hosting is not None and bool(self._hosting.plan.tunnel) and self._hosting.has_tunnel

    @pyqtProperty(str, notify=changed)
    def link(self) -> str:
        """The link as it may be seen: its secret is dots unless the person shows it."""
        link = self._hosting.link if self._hosting is not None else None
        if link is None:
            return ""
        return link.text() if self._is_shown else f"{type(link)(link.endpoint).text()}&password={HIDDEN}"

    @pyqtProperty(str, notify=changed)
    def password(self) -> str:
        """The secret in force, or the one that was typed; shown as dots by the field that holds it."""
        return (self._hosting.secret if self._hosting is not None else self._password).reveal()

    @pyqtProperty(bool, notify=changed)
    def isShown(self) -> bool:
        """Whether the person wants to see secrets."""
        return self._is_shown

    @pyqtProperty(bool, notify=changed)
    def isMonitored(self) -> bool:
        return self._hosting is not None and self._hosting.is_monitored

    @pyqtProperty(bool, notify=changed)
    def isPending(self) -> bool:
        """A setting was changed that acts at the next start."""
        return bool(self._in_force) and any(self._shell.settings[name] != value for name, value in self._in_force.items())

    @pyqtProperty(QObject, constant=True)
    def clients(self) -> ClientList:
        return self._clients

    @pyqtSlot(result="QStringList")
    def code(self) -> list[str]:
        """The link as a QR code: rows of 0 and 1. Never a file, since it holds the secret."""
        link = self._hosting.link if self._hosting is not None else None
        if link is None:
            return []
        import segno  # late: only this picture needs it

        return ["".join("1" if cell else "0" for cell in row) for row in segno.make(link.text(), error="m", micro=False).matrix]

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot()
    def start(self) -> None:
        """Share the engine; the state says what becomes of it."""
        shared = self._shell.engine.shared()
        if self._hosting is not None or shared is None:
            return
        if self._awaits_password:
            self._starts_by_itself = True  # as soon as it was found
            return
        try:
            plan = plans.read(self._shell.settings, self._password)
        except plans.NotShared as error:
            self._fail(str(error))
            return
        except Invalid as error:
            self._fail(told(error.problems[0].sentence))
            return
        from sfumato.desktop.host.hosting import Hosting  # late: websockets and cryptography are only needed by those who share
        from sfumato.library.monitoring import Monitor

        self._problem = ""
        self._in_force = {name: self._shell.settings[name] for name in plans.SETTINGS}
        places, watched = self._shell.places, bool(self._shell.settings["host_monitor"])
        monitor = Monitor(places.outputs, places.naming, places.sidecars, self._trouble.emit)
        self._hosting = Hosting(shared, plan, places.data, monitor, watched, self._news.emit, self._tunnelEnded.emit)
        self._turn("starting")
        self._worker.run(self._hosting.open, partial(self._opened, self._hosting), partial(self._failed, self._hosting))

    @pyqtSlot()
    def stop(self) -> None:
        """End relay, tunnel and the connections of clients."""
        hosting = self._hosting
        if hosting is None or self._state == "stopping":
            return
        self._timer.stop()
        self._turn("stopping")
        self._worker.run(hosting.close, lambda _: self._closed(), lambda _: self._closed())

    @pyqtSlot()
    def startAgain(self) -> None:
        """Start anew with the settings as they are now."""
        self._starts_again = True
        self.stop()

    @pyqtSlot(str)
    def setPassword(self, text: str) -> None:
        """A password of the person's own; empty has one made at each start."""
        if text == self._password.reveal() or self._hosting is not None:
            return
        self._password = Secret(text)
        self._problem = ""
        if self._state == "failed":
            self._state = "off"
        self.changed.emit()
        self._shell.set("host_has_password", bool(text))
        keep = partial(self._vault.keep, KEPT_AS, self._password) if text else partial(self._vault.drop, KEPT_AS)
        self._worker.run(keep, lambda _: None, self._shell.complain)

    @pyqtSlot()
    def makePassword(self) -> None:
        """Make a password that nobody can guess, to be used from now on."""
        from sfumato.transport.keys import make_secret

        self.setPassword(make_secret().reveal())

    @pyqtSlot(bool)
    def showSecrets(self, shown: bool) -> None:
        self._is_shown = shown
        self.changed.emit()

    @pyqtSlot()
    def copyLink(self) -> None:
        link = self._hosting.link if self._hosting is not None else None
        if link is not None:
            _copy(link.text())

    @pyqtSlot()
    def copyPassword(self) -> None:
        _copy(self.password)

    @pyqtSlot(str)
    def dismiss(self, session: str) -> None:
        """End a client's connection."""
        if self._hosting is not None:
            self._worker.run(partial(self._hosting.dismiss, session), lambda _: self._look(), self._shell.complain)

    def close(self) -> None:
        """End it with the window."""
        self._timer.stop()
        hosting, self._hosting = self._hosting, None
        if hosting is not None:
            self._worker.run(hosting.close, lambda _: None, lambda _: None)
        self._worker.close()

    def _found(self, secret: Secret | None) -> None:
        self._awaits_password = False
        if secret is not None and not self._password:
            self._password = secret
        self._engine_changed()

    # -- what is heard ---------------------------------------------------------------------------

    def _turn(self, state: str) -> None:
        self._state = state
        self.changed.emit()

    def _fail(self, sentence: str) -> None:
        self._problem = sentence
        self._turn("failed")

    def _opened(self, hosting: Hosting, result: object) -> None:
        del result
        if hosting is self._hosting and self._state == "starting":
            hosting.tell(self._shell.engine.condition)
            self._timer.start()
            self._turn("ready")

    def _failed(self, hosting: Hosting, error: SfumatoError) -> None:
        if hosting is self._hosting:
            self._hosting, self._in_force = None, {}
            self._fail(told(error.problems[0].sentence if isinstance(error, Invalid) else error.message))

    def _closed(self) -> None:
        self._hosting, self._in_force = None, {}
        self._is_shown = False
        self._clients.show(())
        self._turn("failed" if self._problem else "off")
        if self._starts_again:
            self._starts_again = False
            self.start()

    def _hear(self) -> None:
        self._look()
        self.changed.emit()

    def _look(self) -> None:
        if self._hosting is not None and self._state == "ready":
            self._clients.show(self._hosting.clients())

    def _watch(self) -> None:
        if self._hosting is not None:
            self._worker.run(partial(self._hosting.watch, bool(self._shell.settings["host_monitor"])), lambda _: self.changed.emit(), self._shell.complain)

    def _tunnel_ended(self, sentence: str) -> None:
        if self._hosting is not None:
            self._problem = told(sentence)
            self.changed.emit()

    def _engine_changed(self) -> None:
        shared = self._shell.engine.shared()
        hosting = self._hosting
        if hosting is not None and shared is not hosting.shared and self._state in ("starting", "ready"):
            self._problem = tr("Hosting ended, since the window left the engine of this computer.")
            self.stop()
        elif hosting is not None:
            hosting.tell(self._shell.engine.condition)
        elif self._starts_by_itself and shared is not None and not self._awaits_password:
            self._starts_by_itself = False
            self.start()
        self.changed.emit()


def _copy(text: str) -> None:
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
