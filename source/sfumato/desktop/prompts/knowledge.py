"""What prompts may name, kept fresh: read when the window opens, when files change, and when an engine says what it has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PyQt5.QtCore import QFileSystemWatcher, QObject, QTimer, pyqtSignal

from sfumato.desktop.prompts.analyst import Analyst
from sfumato.desktop.prompts.snapshot import EMBEDDINGS, LISTS, Reading, Snapshot
from sfumato.desktop.shell import Shell

# Programs write files in several steps.
SETTLE_MS = 250
VOCABULARY = "vocabulary"


def marked_files(setting: str) -> list[str]:
    """The names in the setting of vocabulary files."""
    return [name.strip() for name in setting.split(",") if name.strip()]


class Knowledge(QObject):
    """`now` is the newest snapshot, `is_read` once there is one, `is_whole` once headers were read for it; `family` and `encoders` are the chosen model's."""

    changed = pyqtSignal()
    modelChanged = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.now = Snapshot()
        self.is_read = False
        self.is_whole = False  # headers were read too
        self.family = ""
        self.encoders = ""
        self._shell = shell
        self._reader = Analyst("word files", self)
        self._reading = Reading(shell.places.data, shell.places.models, lambda: self._reader.closing)
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._models: list[Mapping[str, Any]] = []
        self._watcher = QFileSystemWatcher(self)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.refresh)
        self._watcher.directoryChanged.connect(self._touched)
        self._watcher.fileChanged.connect(self._touched)
        shell.engine.greeted.connect(self._greeted)
        shell.parameters.changed.connect(self._look_at_model)
        shell.observe(VOCABULARY, self.refresh)
        # After the first frame: nothing waits for it.
        QTimer.singleShot(0, self.refresh)

    @property
    def families(self) -> Mapping[tuple[str, str], str]:
        """(kind, name) -> the family a network is for, where the engine knows."""
        return self.now.families

    def refresh(self) -> None:
        """Read everything anew: at first what takes no time, then headers."""
        vocabulary = marked_files(self._shell.settings[VOCABULARY])
        rows = dict(self._rows)
        self._reader.ask("words", partial(self._reading.read, rows, vocabulary, True), partial(self._take, then=partial(self._read_headers, rows, vocabulary)))

    def close(self) -> None:
        self._settle.stop()
        self._reader.close()

    def _read_headers(self, rows: dict[str, list[Mapping[str, Any]]], vocabulary: list[str]) -> None:
        self._reader.ask("words", partial(self._reading.read, rows, vocabulary, False), self._take)

    def _take(self, snapshot: Snapshot, then: Any = None) -> None:
        self.now = snapshot
        self.is_read = True
        self.is_whole = then is None
        watched = {*self._watcher.directories(), *self._watcher.files()}
        if gone := watched - set(snapshot.watched):
            self._watcher.removePaths(sorted(gone))
        if fresh := set(snapshot.watched) - watched:
            self._watcher.addPaths(sorted(fresh))
        self.changed.emit()
        if then is not None:
            then()

    def _touched(self, path: str) -> None:
        # The data folder itself changes whenever the session is saved; only a new style file or folder in it matters.
        if path == str(self._shell.places.data):
            folder = self._shell.places.data
            there = {str(folder / name) for name in ("wildcards", "styles", "styles.csv") if (folder / name).exists()}
            if there <= set(self.now.watched):
                return
        self._settle.start()

    def _greeted(self, catalog: Mapping[str, Any]) -> None:
        choices = catalog.get("choices") or {}
        rows = {name: list(choices.get(name) or ()) for name in (*LISTS.values(), EMBEDDINGS)}
        self._models = list(choices.get("models") or ())
        self._look_at_model()
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def _look_at_model(self) -> None:
        model = self._shell.parameters.value("model")
        row = next((row for row in self._models if row.get("value") == model), {})
        family = str(row.get("family") or "")
        encoders = ", ".join(part.upper().replace("_", "-") for part in row.get("encoders") or ())
        if (family, encoders) != (self.family, self.encoders):
            self.family, self.encoders = family, encoders
            self.modelChanged.emit()
