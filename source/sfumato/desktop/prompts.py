"""The two prompts, as the user wrote them."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal

from sfumato.desktop.drafts import Draft
from sfumato.desktop.shell import Shell


class Prompts(QObject):
    """`text` and `negative`; every character is kept and passed on."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = shell.session
        self._text, self._negative = (shell.session.restored(name, str, "") for name in ("prompt", "negative"))
        shell.session.keep("prompt", lambda: self._text)
        shell.session.keep("negative", lambda: self._negative)
        shell.drafting.add(self._contribute)

    def _contribute(self, draft: Draft) -> None:
        draft.params |= {"prompt": self._text, "negative": self._negative}

    def _get_text(self) -> str:
        return self._text

    def _set_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._session.touch()
            self.changed.emit()

    def _get_negative(self) -> str:
        return self._negative

    def _set_negative(self, text: str) -> None:
        if text != self._negative:
            self._negative = text
            self._session.touch()
            self.changed.emit()

    text = pyqtProperty(str, _get_text, _set_text, notify=changed)
    negative = pyqtProperty(str, _get_negative, _set_negative, notify=changed)
