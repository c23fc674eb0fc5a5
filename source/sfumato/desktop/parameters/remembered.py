"""What a person used with a checkpoint comes back when it is chosen again, as part of the same step of undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer

from sfumato.desktop.disk import Disk
from sfumato.desktop.language import tr
from sfumato.desktop.parameters.form import ParameterForm
from sfumato.desktop.parameters.step import FormStep
from sfumato.library.hashes import Hashes
from sfumato.library.model_defaults import ModelDefaults
from sfumato.protocol.errors import SfumatoError

# What belongs to a file, and what a person may want to belong to it (setting "remember_sampling").
OF_THE_FILE = ("clip_skip", "prediction", "cfg_rescale", "zero_terminal_snr")
OF_TASTE = ("vae", "width", "height", "steps", "sampler", "schedule", "guidance")
DELAY_MS = 500


class Remembered(QObject):
    """Watches the form.

    Args:
        setting: reads a setting by its name.
        complain: shows an error.
    """

    def __init__(
        self, form: ParameterForm, data: Path, setting: Callable[[str], Any], complain: Callable[[SfumatoError], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._form = form
        self._setting = setting
        self._complain = complain
        self._defaults = ModelDefaults(data)
        self._hashes = Hashes(data)
        # Of its own: a checkpoint of gigabytes is read once for its checksum, and nothing else may wait for it.
        self._disk = Disk(self)
        self._model = ""
        self.digest = ""
        self._last: dict[str, Any] = {}
        self._watching = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._keep)
        form.changed.connect(self._changed)

    def close(self) -> None:
        """Write what is not written yet, and end."""
        if self._timer.isActive():
            self._keep()
        self._disk.close()

    def _names(self) -> tuple[str, ...]:
        return (*OF_THE_FILE, *OF_TASTE) if self._setting("remember_sampling") else OF_THE_FILE

    def _values(self) -> dict[str, Any]:
        kept = self._form.set_values()
        return {name: kept[name] for name in self._names() if name in kept}

    def _changed(self) -> None:
        model, values = str(self._form.value("model")), self._values()
        if model == self._model:
            self._last = values
            if self.digest:
                self._timer.start()
            return
        if self._timer.isActive():
            self._keep()
        # An import that brings a model and its values at once is not put right; neither is a session, nor what is undone.
        alone = self._watching and self._form.chose_model and values == self._last
        step = self._form.last_step
        self._model, self.digest, self._last = model, "", values
        path = self._form.model_path()
        if not path:
            return
        self._watching = True

        def known(found: tuple[str, dict[str, Any]]) -> None:
            if model != self._model:
                return
            self.digest, remembered = found
            if alone and self._values() == values:
                self._take(remembered, step)
            self._last = self._values()
            self._timer.start()

        self._disk.run(lambda: self._look_up(Path(path)), known, lambda error: None)

    def _look_up(self, path: Path) -> tuple[str, dict[str, Any]]:
        digest = self._hashes.compute(path)
        return digest, self._defaults.of(digest)

    def _take(self, remembered: dict[str, Any], step: FormStep) -> None:
        """What belongs to the file is what was used with it, or the default; the rest is taken only where it was ever used with it."""
        specs = self._form.specs
        wanted = {name: remembered.get(name, specs[name].default) for name in OF_THE_FILE if name in specs}
        wanted |= {name: value for name, value in remembered.items() if name in self._names() and name in specs}
        different = {name: value for name, value in wanted.items() if self._form.value(name) != value}
        if different:
            self._form.apply(different, tr("Take what was used with this model"), joins=step)

    def _keep(self) -> None:
        self._timer.stop()
        digest, kept = self.digest, self._last
        if digest:
            self._disk.run(lambda: self._defaults.remember(digest, kept), lambda _: None, self._complain)
