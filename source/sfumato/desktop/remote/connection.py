"""Which machine the window works with: this computer, or another one that is reached by a connection link.

It makes the endpoint, hands it to the engine link, and tells the queue whose jobs may run. What travels is transport/remote.py's. Rules D145, D157 to D163.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, Qt, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.disk import Disk
from sfumato.desktop.engine_link import MakeEndpoint
from sfumato.desktop.language import told, tr
from sfumato.desktop.queue.job import duration
from sfumato.desktop.remote.questions import Questions
from sfumato.desktop.remote.saved import Saved, SavedConnections
from sfumato.desktop.remote.vault import Vault
from sfumato.desktop.shell import Condition, Shell
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.messages import Command, Hello
from sfumato.protocol.secret import Secret
from sfumato.transport.endpoint import Endpoint, OnEvent, OnState, State
from sfumato.transport.link import SCHEME, Link
from sfumato.transport.relay_words import Delivery

if TYPE_CHECKING:
    from sfumato.transport.arriving import OnTransfer

# Makes the endpoint of another machine; opened on the sending thread, so that nothing slow is done on the GUI thread.
MakeRemote = Callable[[Link, Questions, Delivery, "OnTransfer", OnState], Endpoint]
FOLDER = "remote"
CALM_CLOSE_S = 2.0
LINE_WORDS = {
    "disconnected": "Disconnected",
    "connecting": "Connecting",
    "reconnecting": "Reconnecting",
    "dropping": "Dropping",
    "refused": "Refused",
}


def remote_endpoint(link: Link, questions: Questions, artifacts: Delivery, on_transfer: OnTransfer, on_state: OnState) -> Endpoint:
    """The endpoint of another machine over its relay."""
    from sfumato.transport.remote import RemoteInference  # late: a window that works with this computer needs no websockets

    return RemoteInference(link, on_state, artifacts=artifacts, label=platform.node(), known=questions, on_transfer=on_transfer)


class Nowhere:
    """The endpoint of a window that is connected to nothing."""

    def open(self, on_event: OnEvent) -> None:
        """Nobody will say anything."""

    def send(self, command: Command) -> None:
        """Nobody hears it; the queue sends nothing to a line that is disconnected."""

    def close(self) -> None:
        """There is nothing to end."""


class Connection(QObject):
    """`studio.remote`.

    Args:
        make_local: makes the engine of this computer; None where the program was installed for other machines alone.
        make_remote: makes the endpoint of another machine, for tests another than the relay's.
    """

    changed = pyqtSignal()
    settingsAsked = pyqtSignal()
    _transferred = pyqtSignal(object)
    passwordAsked = pyqtSignal(str, str)  # name and endpoint of a connection whose password is not known here

    def __init__(self, shell: Shell, make_local: MakeEndpoint | None, make_remote: MakeRemote = remote_endpoint, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._make_local = make_local
        self._make_remote = make_remote
        self._disk = Disk(self)
        self._vault = Vault(shell.places.data / FOLDER)
        self._saved = SavedConnections(shell, self._vault, self._disk)
        self._questions = Questions(shell.places.data, self)
        self._endpoint = ""  # "" is this computer, unless there is none to work with
        self._name = ""
        self._problem = ""
        self._kept_s = 0.0
        self._is_monitored = False
        self._role = ""
        self._where = ""
        self._is_vault_asked = False
        self._state_since = time.monotonic()
        self._tick = QTimer(self)
        self._tick.setInterval(1000)
        self._tick.timeout.connect(self.changed)
        shell.jobs.rows.name_of = self.name_of
        shell.engine.changed.connect(self._engine_changed)
        self._transferred.connect(lambda told: shell.jobs.arrive(told.job, told.done, told.total), Qt.ConnectionType.QueuedConnection)
        shell.engine.welcomed.connect(self._welcomed)
        shell.register({"remote_settings": self.settingsAsked.emit, "remote_disconnect": self.hangUp, "remote_local": self.useThisComputer})
        shell.describe(
            {
                # A folder of another machine cannot be opened here; reloading its engine is its owner's.
                "open_models": Condition(can=self._is_here, title=lambda: self._or_where("Open models folder")),
                "reload": Condition(can=self._is_here, title=lambda: self._or_where("Reload engine")),
                "remote_disconnect": Condition(can=lambda: self.property("connected")),
                "remote_local": Condition(can=lambda: self._make_local is not None, ticked=lambda: self._make_local is not None and not self._endpoint),
            }
        )
        self._begin()

    def _begin(self) -> None:
        """Work where the last session did, as far as that needs nobody's word."""
        last = str(self._shell.settings["endpoint"])
        saved = self._saved.at(last) if last else None
        if saved is not None and saved.remembers and self._shell.settings["connect_at_start"]:
            self.connectTo(saved.name)
        elif self._make_local is None:
            self._rest("", tr("Not connected. Paste a connection link under Settings, Remote."))

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def isRemote(self) -> bool:
        """Whether the window works with another machine, or would."""
        return self._endpoint != "" or self._make_local is None

    @pyqtProperty(bool, constant=True)
    def hasLocal(self) -> bool:
        return self._make_local is not None

    @pyqtProperty(str, notify=changed)
    def endpoint(self) -> str:
        """The address of the other machine, "" for none."""
        return self._endpoint

    @pyqtProperty(str, notify=changed)
    def name(self) -> str:
        """What the machine is called that the window works with."""
        return self.name_of(self._endpoint) if self.property("isRemote") else tr("This computer")

    @pyqtProperty(bool, notify=changed)
    def connected(self) -> bool:
        """Whether there is, or is looked for, a line that can be hung up."""
        return self._endpoint != "" and self._state.name not in ("disconnected", "refused", "closed")

    @pyqtProperty(str, notify=changed)
    def state(self) -> str:
        """disconnected, connecting, connected, reconnecting, dropping or refused; "local" for this computer."""
        if not self.property("isRemote"):
            return "local"
        return self._state.name if self._state.name in LINE_WORDS else "connected"

    @pyqtProperty(str, notify=changed)
    def word(self) -> str:
        """The state in a word or two."""
        state = self.property("state")
        if state == "reconnecting" and self._state.retry_s is not None:
            left = max(0, round(self._state.retry_s - (time.monotonic() - self._state_since)))
            return tr("Reconnecting (attempt {attempt}, next in {seconds} s)", attempt=max(1, self._state.attempt), seconds=left)
        if state == "connected":
            return tr("Connected")
        return tr(LINE_WORDS[state]) if state in LINE_WORDS else ""

    @pyqtProperty(str, notify=changed)
    def sentence(self) -> str:
        """What is to be known of the line: why it is not there, or how the engine behind it is."""
        if self._problem:
            return self._problem
        return "" if self._state.name in ("ready", "connecting", "dropping") else told(self._state.sentence)

    @pyqtProperty(bool, notify=changed)
    def isTrouble(self) -> bool:
        """Whether the sentence is about something that went wrong."""
        return bool(self._problem) or self.property("state") in ("reconnecting", "dropping", "refused") or self._state.name == "failed"

    @pyqtProperty(str, notify=changed)
    def latency(self) -> str:
        """The mean of the last answers, such as "23 ms"; "" where it is not known."""
        latency_s = self._state.latency_s
        return "" if latency_s is None or not self.property("isRemote") else f"{max(1, round(latency_s * 1000))} ms"

    @pyqtProperty(str, notify=changed)
    def promise(self) -> str:
        """How long the other machine keeps what is not delivered, "" where it has not said."""
        if not self._kept_s or not self.property("connected"):
            return ""
        return tr("If the line is lost, {name} keeps jobs and pictures for {time}.", name=self.property("name"), time=duration(self._kept_s))

    @pyqtProperty(str, notify=changed)
    def rights(self) -> str:
        """What is to be known of being a guest, "" for an owner."""
        if not self.property("connected") or not self._role:
            return ""
        guest = tr("You are a guest there: pictures can be made, files of that machine stay as they are.") if self._role == "guest" else ""
        return " ".join(filter(None, [guest, tr("Its owner sees what is made.") if self._is_monitored else ""]))

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        """The machines that were saved: {name, endpoint, remembers, current, jobs}, `jobs` being those that wait for it."""
        return [
            {
                "name": row.name,
                "endpoint": row.endpoint,
                "remembers": row.remembers,
                "current": row.endpoint == self._endpoint,
                "jobs": self._waiting(row.endpoint),
            }
            for row in self._saved.all()
        ]

    @pyqtProperty(int, notify=changed)
    def jobsHere(self) -> int:
        """How many jobs wait for this computer."""
        return self._waiting("")

    @pyqtProperty(str, notify=changed)
    def whereKept(self) -> str:
        """Where passwords live, in a sentence; "" until that was looked for, which begins with the first question: at a start nobody asks."""
        if not self._is_vault_asked:
            self._is_vault_asked = True
            self._disk.run(self._look_at_vault, self._seen_vault, self._shell.complain)
        return self._where

    @pyqtProperty(QObject, constant=True)
    def questions(self) -> Questions:
        """What must be answered before a line is trusted."""
        return self._questions

    def name_of(self, endpoint: str) -> str:
        """What a machine is called."""
        if not endpoint:
            return tr("This computer") if self._make_local is not None else tr("no machine yet")
        if endpoint == self._endpoint and self._name:
            return self._name
        saved = self._saved.at(endpoint)
        return saved.name if saved is not None else _plain(endpoint)

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str, result="QVariantMap")
    def read(self, text: str) -> dict[str, str]:
        """What was typed or pasted as an endpoint: a whole link is taken apart into {endpoint, password}; anything else is {}."""
        if not text.strip().lower().startswith(SCHEME + ":"):
            return {}
        try:
            link = Link.read(text)
        except SfumatoError as error:
            self._say(error)
            return {}
        self._problem = ""
        self.changed.emit()
        return {"endpoint": link.endpoint, "password": link.secret.reveal() if link.secret else ""}

    @pyqtSlot(str, str, str, bool, result=bool)
    def connectWith(self, endpoint: str, password: str, name: str, remember: bool) -> bool:
        """Connect to what was typed; False, and the sentence says why, where that cannot be an endpoint or a password is missing."""
        try:
            link = Link.read(endpoint)
        except SfumatoError as error:
            self._say(error)
            return False
        secret = Secret(password) if password else link.secret
        if not secret:
            self._problem = tr("A password or key is needed to connect to {host}. Whoever shares that machine has it.", host=_plain(link.endpoint))
            self.changed.emit()
            return False
        self._go(Link(link.endpoint, secret), name.strip(), remember)
        return True

    @pyqtSlot(str)
    def connectLink(self, text: str) -> None:
        """Connect by a whole link that the person has said yes to; nothing secret of it is kept between two starts."""
        try:
            link = Link.read(text)
        except SfumatoError as error:
            self._say(error)
            return
        if link.secret is None:
            saved = self._saved.at(link.endpoint)
            self._ask_password(saved.name if saved else "", link.endpoint)
            return
        self._go(link, "", False)

    @pyqtSlot(str)
    def connectTo(self, name: str) -> None:
        """Connect to a saved machine; where its password is not kept here, `passwordAsked`."""
        saved = self._saved.find(name)
        if saved is None:
            return
        if not saved.remembers:
            self._ask_password(saved.name, saved.endpoint)
            return
        self._rest(saved.endpoint, tr("Looking for the password of {name}.", name=name), "connecting")

        def found(secret: Secret | None) -> None:
            if self._endpoint != saved.endpoint or self._state.name != "connecting":
                return  # something else was asked for meanwhile
            if secret is None:
                self._rest(saved.endpoint, tr("The password of {name} is not kept here any more; type it again.", name=name))
                self._ask_password(saved.name, saved.endpoint)
            else:
                self._go(Link(saved.endpoint, secret), saved.name, True)

        self._saved.password(name, found)

    @pyqtSlot()
    def hangUp(self) -> None:
        """End the line. Jobs for that machine wait until it is there again; what it has at work goes on there."""
        if self._endpoint:
            self._rest(self._endpoint, tr("Disconnected from {name}.", name=self.property("name")))

    @pyqtSlot()
    def useThisComputer(self) -> None:
        """Work with the engine of this computer."""
        if self._make_local is None or not self._endpoint:
            return
        self._turn("", "")
        self._shell.engine.switch(self._make_local, State("starting", "Starting engine"))

    @pyqtSlot(str)
    def forget(self, name: str) -> None:
        """Forget a saved machine and its password; one step of undo."""
        saved = self._saved.find(name)
        if saved is None:
            return

        def forgotten(secret: Secret | None) -> None:
            def again() -> None:
                self._saved.forget(name, lambda _: None)
                self.changed.emit()

            def back() -> None:
                self._saved.keep(saved, secret)
                self.changed.emit()

            self._shell.edits.push(tr("Forget {name}", name=name), back, again, tab="settings")

        self._saved.forget(name, forgotten)
        self.changed.emit()

    def with_vault(self, work: Callable[[Vault], Any], done: Callable[[Any], None] = lambda _: None) -> None:
        """Do something with what is kept of secrets, away from the GUI thread; `done` is given what comes of it, None where it failed."""

        def failed(error: SfumatoError) -> None:
            self._shell.complain(error)
            done(None)

        self._disk.run(lambda: work(self._vault), done, failed)

    def close(self) -> None:
        """Take no more questions, and finish what the vault was given."""
        self._questions.close()
        self._disk.close(CALM_CLOSE_S)

    # -- lines -----------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._shell.engine.condition

    def _go(self, link: Link, name: str, remember: bool) -> None:
        """Leave what the window works with, and connect."""
        known = self._saved.at(link.endpoint)
        name = name or (known.name if known else _plain(link.endpoint))
        self._saved.keep(Saved(name, link.endpoint, remember), link.secret if remember else None)
        self._turn(link.endpoint, name)
        if self._make_local is None:  # what was queued before there was any machine is for the first one
            self._shell.jobs.move_here([job for job in self._shell.jobs.rows.waiting if not job.endpoint])
        artifacts: Delivery = "on_demand" if self._shell.settings["fetch_in_background"] else "inline"
        make = partial(self._make_remote, link, self._questions, artifacts, self._transferred.emit)
        self._shell.engine.switch(make, State("connecting", tr("Connecting to {name}.", name=name)))

    def _rest(self, endpoint: str, sentence: str, state: Any = "disconnected") -> None:
        """Be connected to nothing, for jobs of `endpoint`."""
        self._turn(endpoint, self._name if endpoint == self._endpoint else "")
        self._shell.engine.switch(lambda _: Nowhere(), State(state, sentence))

    def _turn(self, endpoint: str, name: str) -> None:
        self._problem, self._kept_s, self._role, self._is_monitored = "", 0.0, "", False
        self._questions.withdraw()
        self._shell.jobs.turn_to(endpoint)
        self._endpoint, self._name = endpoint, name
        if self._shell.settings["endpoint"] != endpoint:
            self._shell.set("endpoint", endpoint)

    def _ask_password(self, name: str, endpoint: str) -> None:
        self._problem = tr("The password of {name} is not kept here. Type it, then connect.", name=name or _plain(endpoint))
        self.changed.emit()
        self.settingsAsked.emit()
        self.passwordAsked.emit(name, endpoint)

    def _is_here(self) -> bool:
        return not self.property("isRemote")

    def _or_where(self, title: str) -> str:
        """The words of an action of this computer's, with the reason where it cannot act."""
        return tr(title) if self._is_here() else tr("{action} (it is on {name})", action=tr(title), name=self.property("name"))

    def _waiting(self, endpoint: str) -> int:
        return sum(job.endpoint == endpoint and job.lasting for job in self._shell.jobs.rows.waiting)

    def _say(self, error: SfumatoError) -> None:
        self._problem = told(error.message)
        self.changed.emit()

    def _engine_changed(self) -> None:
        self._state_since = time.monotonic()
        if self._state.name == "reconnecting":
            self._tick.start()
        else:
            self._tick.stop()
        self.changed.emit()

    def _welcomed(self, hello: Hello) -> None:
        kept = hello.limits.get("session_s")
        self._kept_s = float(kept) if isinstance(kept, int | float) and 0 < kept < 1e7 else 0.0
        self._role, self._is_monitored = (hello.role, hello.monitored) if self._endpoint else ("", False)
        self.changed.emit()

    def _look_at_vault(self) -> tuple[bool, str]:
        return self._vault.in_keyring, str(self._vault.path)

    def _seen_vault(self, found: tuple[bool, str]) -> None:
        in_keyring, path = found
        self._where = (
            tr("Remembered passwords are kept in the keyring of this system.")
            if in_keyring
            else tr("This system has no keyring: remembered passwords are kept in {path}, which only you can read.", path=path)
        )
        self.changed.emit()


def _plain(endpoint: str) -> str:
    """Host and port of an endpoint, for people."""
    try:
        link = Link.of(endpoint)
    except SfumatoError:
        return endpoint
    return f"{link.host}:{link.port}"
