"""What menus say of actions: whether one can act now, whether it is in force, and its words where they change. Asked whenever a menu opens."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.desktop.shortcuts import ACTIONS

TITLES = {action.id: action.title for action in ACTIONS}


class Commands(QObject):
    """`studio.commands`; parts say what they know by `shell.describe`."""

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known = shell.conditions

    @pyqtSlot(str, result=bool)
    def can(self, identity: str) -> bool:
        """Whether an action would do something now."""
        known = self._known.get(identity)
        return known is None or known.can is None or bool(known.can())

    @pyqtSlot(str, result=bool)
    def ticked(self, identity: str) -> bool:
        """Whether what an action chooses is in force."""
        known = self._known.get(identity)
        return known is not None and known.ticked is not None and bool(known.ticked())

    @pyqtSlot(str, str, result=str)
    def title(self, identity: str, otherwise: str) -> str:
        """An action's words now: "Undo Change Steps"."""
        known = self._known.get(identity)
        if known is not None and known.title is not None:
            return known.title()
        return tr(TITLES[identity]) if identity in TITLES else otherwise
