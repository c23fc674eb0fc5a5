"""What outlives a restart of the form: its values in the session, how the machine works in the settings, what belongs to a checkpoint with it, presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject

from sfumato.desktop.language import tr
from sfumato.desktop.parameters.presets import Presets
from sfumato.desktop.parameters.remembered import Remembered

if TYPE_CHECKING:
    from sfumato.desktop.prompts import Prompts
    from sfumato.desktop.shell import Shell


class Keeping(QObject):
    """Restores the form, then watches it."""

    def __init__(self, shell: Shell, prompts: Prompts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        form, self._prompts = shell.parameters, prompts
        shell.session.keep("parameters", form.set_values)
        refused = form.restore({**shell.settings["operation"], **shell.session.restored("parameters", dict, {})})
        if refused:
            said = tr("These values of the last session no longer fit and were reset: {names}.", names=", ".join(refused))
            shell.notices.show(said, kind="note")
        self._operation = form.operation_values()
        form.edited.connect(self._edited)
        self.remembered = Remembered(form, shell.places.data, shell.settings.__getitem__, shell.complain, self)
        self.presets = Presets(
            form, shell.places.data, shell.disk, shell.notices, shell.edits, self._texts, self._write_texts, shell.settings.__getitem__, shell.set, self
        )

    def close(self) -> None:
        """Write what waits to be written."""
        self.remembered.close()

    def _edited(self) -> None:
        self._shell.session.touch()
        operation = self._shell.parameters.operation_values()
        if operation != self._operation:
            self._operation = operation
            self._shell.set("operation", operation)

    def _texts(self) -> dict[str, str]:
        return {"prompt": str(self._prompts.property("text")), "negative": str(self._prompts.property("negative"))}

    def _write_texts(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self._prompts.setProperty("text" if name == "prompt" else name, text)
