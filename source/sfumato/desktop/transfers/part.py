"""`studio.transfers`: downloads from the web, files sent to another machine and fetched from it; a list with pause, retry and what is left.

None of it goes through the queue: transfers run beside jobs, several at once, and are taken up again after a restart. Rules D121, D145, D162.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer, QUrl, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import told, tr
from sfumato.desktop.remote.connection import Connection
from sfumato.desktop.shell import Shell
from sfumato.desktop.transfers import keeping
from sfumato.desktop.transfers.choices import AUTOMATIC, SITES, folder_of, folders, models_of, pasted
from sfumato.desktop.transfers.row import Row, another_name
from sfumato.desktop.transfers.rows import TransferRows
from sfumato.desktop.transfers.running import Running
from sfumato.library.models import SUFFIXES
from sfumato.protocol.messages import Hello
from sfumato.protocol.secret import Secret
from sfumato.transport.transfers import News

# So many move at once; the others wait for their turn.
AT_ONCE = 3
SAVE_MS = 500
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_IN_NEED_OF_SAVING = ("state", "result", "message")


class Transfers(QObject):
    """The part."""

    changed = pyqtSignal()
    shownChanged = pyqtSignal()
    tokenAsked = pyqtSignal(str, str)  # address and folder of a download that needs one

    def __init__(self, shell: Shell, connection: Connection, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._connection = connection
        self._running = Running(shell.engine, self)
        self._rows = TransferRows(lambda row: row.endpoint == self._endpoint, self)
        self._tokens: dict[str, Secret] = {}  # of rows that have not begun
        self._remembered: set[str] = set()
        self._is_vault_asked = False  # not before somebody looks: a keyring may take a second
        self._role = "owner"
        self._choices: dict[str, Any] = {}
        self._shown = False
        self._is_loaded = False
        self._is_closed = False
        self._asking: set[str] = set()
        self._saving = QTimer(self)
        self._saving.setInterval(SAVE_MS)
        self._saving.setSingleShot(True)
        self._saving.timeout.connect(self._save)
        self._running.told.connect(self._take)
        self._endpoint = str(connection.property("endpoint"))
        connection.changed.connect(self._line_changed)
        shell.engine.changed.connect(self._line_changed)
        shell.engine.welcomed.connect(self._welcomed)
        shell.engine.greeted.connect(self._greeted)
        shell.register({"transfers": lambda: self.show(not self._shown)})
        shell.disk.run(partial(keeping.load, shell.places.data), self._restore, shell.complain)

    def close(self) -> None:
        """Let everything be as it is, and write down what the next start goes on with."""
        self._running.leave()
        self._is_closed = True
        self._saving.stop()
        if self._is_loaded:
            self._save()

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def rows(self) -> TransferRows:
        return self._rows

    @pyqtProperty(bool, notify=shownChanged)
    def shown(self) -> bool:
        """Whether the panel is open."""
        return self._shown

    @pyqtProperty(str, notify=changed)
    def machine(self) -> str:
        """The machine that files go to."""
        return str(self._connection.property("name"))

    @pyqtProperty(bool, notify=changed)
    def isRemote(self) -> bool:
        return self._endpoint != ""

    @pyqtProperty(str, notify=changed)
    def refusal(self) -> str:
        """Why no file can be moved to the machine in use, "" where it can."""
        if self._connection.property("isRemote") and not self._endpoint:
            return tr("No machine is connected. Connect to one under Settings, Remote.")
        if self._endpoint and self._role == "guest":
            return tr("You are a guest at {machine}, whose files stay as they are.", machine=self.property("machine"))
        return ""

    @pyqtProperty(int, notify=changed)
    def open(self) -> int:
        """How many have not ended."""
        return sum(not row.has_ended for row in self._rows.all())

    @pyqtProperty(int, notify=changed)
    def ended(self) -> int:
        return sum(row.has_ended for row in self._rows.all())

    @pyqtProperty(int, notify=changed)
    def failed(self) -> int:
        return sum(row.news.state == "failed" for row in self._rows.all())

    @pyqtProperty(float, notify=changed)
    def fraction(self) -> float:
        """How far all that have not ended are."""
        rows = [row for row in self._rows.all() if not row.has_ended]
        total = sum(row.news.total for row in rows)
        return sum(row.news.done for row in rows) / total if total else 0.0

    @pyqtProperty(str, notify=changed)
    def summary(self) -> str:
        """All of it in a sentence, "" where there is nothing."""
        rows = [row for row in self._rows.all() if not row.has_ended]
        paused = sum(row.is_paused for row in rows)
        parts = [tr("{count} transfers", count=len(rows)) if len(rows) != 1 else tr("One transfer")] if rows else []
        parts += [f"{round(100 * self.property('fraction'))} %"] if rows and self.property("fraction") else []
        parts += [tr("{count} paused", count=paused)] if paused else []
        failed = self.property("failed")
        parts += [tr("{count} failed", count=failed)] if failed else []
        return "   ·   ".join(parts)

    @pyqtProperty("QVariantList", constant=True)
    def folders(self) -> list[dict[str, Any]]:
        return folders()

    @pyqtProperty("QVariantList", notify=changed)
    def models(self) -> list[dict[str, Any]]:
        """What the other machine has."""
        return models_of(self._choices) if self._endpoint else []

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(bool)
    def show(self, shown: bool) -> None:
        """Open or close the panel."""
        if shown != self._shown:
            self._shown = shown
            if shown:
                self._shell.notices.withdraw("transfers")
                if not self._is_vault_asked:
                    self._is_vault_asked = True
                    self._connection.with_vault(lambda vault: {site for site in SITES if vault.find(_key(site)) is not None}, self._found_sites)
            self.shownChanged.emit()

    @pyqtSlot(str, result="QVariantMap")
    def site(self, address: str) -> dict[str, Any]:
        """The site of an address that gives tokens: {id, title, remembered}; id "" for any other."""
        found = pasted(address).site
        return {"id": found, "title": SITES.get(found, ""), "remembered": found in self._remembered}

    @pyqtSlot(str, str, str, str, str, bool, bool, result=str)
    def download(self, address: str, folder: str, name: str, sha256: str, token: str, remember: bool, use_remembered: bool) -> str:
        """Have the machine in use fetch an address; "" or the sentence that says why not."""
        found, digest = pasted(address), sha256.strip().casefold()
        if not found.address:
            return tr("Type or paste the address of a model file.")
        if digest and not _DIGEST.match(digest):
            return tr("A SHA-256 has 64 digits from 0 to 9 and a to f.")
        if refusal := self.property("refusal"):
            return str(refusal)
        secret = Secret(token.strip() or found.token)
        row = self._row("download", found.address, folder=folder or AUTOMATIC, name=name.strip(), sha256=digest, site=found.site)
        row.uses_token = found.site in self._remembered and use_remembered
        if secret and found.site:
            self._tokens[row.key] = secret
            if remember:
                row.uses_token = True
                self._remembered.add(found.site)
                self._connection.with_vault(lambda vault: vault.keep(_key(found.site), secret))
        self._add([row])
        return ""

    @pyqtSlot(str)
    def forgetToken(self, site: str) -> None:
        """Keep the token of a site no longer."""
        self._remembered.discard(site)
        self._connection.with_vault(lambda vault: vault.drop(_key(site)))
        self.changed.emit()

    @pyqtSlot("QVariantList", str)
    def send(self, addresses: list[Any], folder: str) -> None:
        """Send files of this computer to the machine in use."""
        files = [path for address in addresses if (path := _local(address)) is not None]
        models = [path for path in files if path.suffix.casefold() in SUFFIXES]
        if refusal := self.property("refusal"):
            self._shell.notices.show(str(refusal))
        elif not self._endpoint:
            self._shell.notices.show(tr("Files are sent to another machine; connect to one under Settings, Remote."))
        elif models:
            self._add([self._row("upload", str(path), folder=folder or AUTOMATIC, name=path.name) for path in models])
            self.show(True)
        elif files:
            self._shell.notices.show(tr("'{name}' is no model file.", name=files[0].name))

    def send_model(self, path: Path, category: str) -> None:
        """Send one model of this computer into the folder of its category."""
        self.send([str(path)], folder_of(category))

    @pyqtSlot(str)
    def fetch(self, value: str) -> None:
        """Bring a row of `models` to this computer."""
        folder, _, name = value.partition("|")
        if name and self._endpoint:
            target = self._shell.places.models[0] / folder / name.rsplit("/", 1)[-1]
            self._add([self._row("fetch", name, folder=folder, name=target.name, target=str(target))])

    @pyqtSlot(str)
    def pause(self, key: str) -> None:
        self._hold(key, True)

    @pyqtSlot(str)
    def goOn(self, key: str) -> None:
        self._hold(key, False)

    @pyqtSlot(bool)
    def holdAll(self, held: bool) -> None:
        """Pause everything, or let it go on."""
        for row in self._rows.all():
            self._hold(row.key, held)

    @pyqtSlot(str)
    def cancel(self, key: str) -> None:
        """End a transfer; what was moved is removed where that can be told now."""
        row = self._rows.find(key)
        if row is None or row.has_ended:
            return
        if row in self._running:
            row.is_paused = False
            self._running.cancel(row)
        else:
            self._take(row, News("cancelled", row.news.done, row.news.total))

    @pyqtSlot(str)
    def retry(self, key: str) -> None:
        """Try one that failed or was cancelled again; it goes on from what is there."""
        row = self._rows.find(key)
        if row is not None and row.has_ended:
            row.begin_anew()
            self._touch([row])

    @pyqtSlot(str)
    def keepBoth(self, key: str) -> None:
        """Take another name for a file whose name is in use."""
        row = self._rows.find(key)
        if row is not None and row.is_name_taken:
            row.name = another_name(row.taken_name())
            if row.target:
                row.target = str(Path(row.target).with_name(row.name))
            row.begin_anew()
            self._touch([row])

    @pyqtSlot(str)
    def giveToken(self, key: str) -> None:
        """Ask for the token that a download lacks; the row makes room for the next try."""
        row = self._rows.find(key)
        if row is not None and row.asks_for_token:
            self.tokenAsked.emit(row.source, row.folder)
            self._rows.remove([row])
            self._touch([])

    @pyqtSlot(str)
    def remove(self, key: str) -> None:
        """Take an ended row off the list; files stay."""
        row = self._rows.find(key)
        if row is not None and row.has_ended:
            self._rows.remove([row])
            self._touch([])

    @pyqtSlot()
    def removeEnded(self) -> None:
        self._rows.remove([row for row in self._rows.all() if row.has_ended])
        self._touch([])

    # -- what moves ------------------------------------------------------------------------------

    def _row(self, way: Any, source: str, **about: Any) -> Row:
        return Row(way, self._endpoint, str(self._connection.property("name")), source, **about)

    def _add(self, rows: Sequence[Row]) -> None:
        self._rows.add(rows)
        self._touch(rows)

    def _hold(self, key: str, held: bool) -> None:
        row = self._rows.find(key)
        if row is None or row.has_ended or row.is_paused == held:
            return
        row.is_paused = held
        (self._running.pause if held else self._running.go_on)(row)
        self._touch([row])

    def _touch(self, rows: Sequence[Row]) -> None:
        """These rows changed in a way that is to be kept; whatever may begin now begins."""
        self._rows.tell(rows)
        self._saving.start()
        self._advance()
        self.changed.emit()

    def _advance(self) -> None:
        if not self._is_loaded or self._is_closed or not self._shell.engine.takes_jobs or self.property("refusal"):
            return
        moving = sum(row in self._running and not row.is_paused for row in self._rows.all()) + len(self._asking)
        for row in reversed(self._rows.all()):
            if moving >= AT_ONCE:
                return
            if row.endpoint == self._endpoint and not (row.has_ended or row.is_paused or row in self._running or row.key in self._asking):
                moving += 1
                self._begin(row)

    def _begin(self, row: Row) -> None:
        token = self._tokens.pop(row.key, None)
        if token is not None or not row.uses_token:
            self._running.start(row, token)
            return
        self._asking.add(row.key)

        def found(secret: Secret | None) -> None:
            self._asking.discard(row.key)
            if not self._is_closed and not (row.has_ended or row.is_paused or row in self._running) and row.endpoint == self._endpoint:
                self._running.start(row, secret)
            self._advance()

        self._connection.with_vault(lambda vault: vault.find(_key(row.site)), found)

    def _take(self, row: Row, news: News) -> None:
        before, row.news = row.news, news
        self._rows.tell([row])
        if row.has_ended:
            self._running.end(row)
            self._tell_end(row)
            self._touch([row])
        elif any(getattr(before, name) != getattr(news, name) for name in _IN_NEED_OF_SAVING):
            self._saving.start()
        self.changed.emit()

    def _tell_end(self, row: Row) -> None:
        news = row.news
        if news.state == "finished":
            if not self._shown:
                self._shell.notices.show(tr("'{name}' is there.", name=row.title), kind="note", action="transfers")
            if row.way != "fetch":
                self._shell.engine.refresh()
        elif news.state == "failed" and not self._shown:
            self._shell.notices.show(told(news.message), action="transfers")

    # -- what comes from elsewhere ---------------------------------------------------------------

    def _line_changed(self) -> None:
        endpoint = str(self._connection.property("endpoint"))
        if endpoint != self._endpoint or not self._running.is_of_now():
            left = self._running.leave()
            self._endpoint, self._choices, self._role = endpoint, {}, "owner"
            for row in left:
                row.news = News("waiting", row.news.done, row.news.total)
            self._rows.tell(self._rows.all())
        self._advance()
        self.changed.emit()

    def _welcomed(self, hello: Hello) -> None:
        self._role = hello.role
        self._advance()

    def _greeted(self, catalog: dict[str, Any]) -> None:
        self._choices = catalog.get("choices") or {}
        self.changed.emit()

    def _found_sites(self, sites: set[str] | None) -> None:
        self._remembered |= sites or set()
        self.changed.emit()

    def _restore(self, rows: list[Row]) -> None:
        self._is_loaded = True
        self._rows.restore(rows)
        self._advance()
        self.changed.emit()

    def _save(self) -> None:
        rows = [row.kept() for row in keeping.chosen(self._rows.all())]
        self._shell.disk.run(partial(keeping.save, self._shell.places.data, rows), lambda _: None, self._shell.complain)


def _key(site: str) -> str:
    return f"token:{site}"


def _local(address: Any) -> Path | None:
    """The file of an address or path."""
    text = address.toString() if isinstance(address, QUrl) else str(address)
    url = QUrl(text)
    path = url.toLocalFile() if url.isLocalFile() else text if "://" not in text else ""
    return Path(os.path.expanduser(path.strip().strip("\"'"))) if path.strip() else None
