"""The keys of the window as QML sees them: which sequences run what, and what the user changed about that, kept in the settings.

Actions of the scope "window" are bound by Main.qml; those of other scopes by a `ScopeKeys` in the place, which asks `found`.
"""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QObject, Qt, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QKeySequence

from sfumato.desktop.actions.action import EVERYWHERE
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.desktop.shortcuts import Bindings, canonical, shown

SETTING = "keys"
# What text boxes edit with, of which Qt leaves them only some where a shortcut has the same keys.
EDITING = (
    "Ctrl+Backspace",
    "Ctrl+Del",
    "Ctrl+Z",
    "Ctrl+Shift+Z",
    "Ctrl+Y",
    "Ctrl+A",
    "Ctrl+C",
    "Ctrl+X",
    "Ctrl+V",
    "Ctrl+Left",
    "Ctrl+Right",
    "Ctrl+Home",
    "Ctrl+End",
)
MODIFIER_KEYS = (Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr, Qt.Key.Key_CapsLock, Qt.Key.Key_NumLock)


class Keys(QObject):
    """`studio.keys`."""

    changed = pyqtSignal()
    taken_changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._bindings = Bindings(shell.settings[SETTING])
        self._entered: list[str] = []
        self._revision = 0

    # -- what runs what --------------------------------------------------------------------------

    @pyqtProperty(int, notify=changed)
    def revision(self) -> int:
        """Read it beside the slots below, and what is made of them follows a rebinding."""
        return self._revision

    @pyqtSlot(str, bool, result="QStringList")
    def sequences(self, identity: str, typing: bool) -> list[str]:
        """What runs an action, for a `Shortcut`; while text is typed without the keys that edit it."""
        keys = [key for key in self._bindings.keys(identity) if not typing or key not in EDITING]
        return [form for key in keys for form in _forms(key)]

    @pyqtSlot(str, result=str)
    def shown(self, identity: str) -> str:
        """The first sequence of an action as people write it, "" where it has none or is no action of the table."""
        keys = self._bindings.keys(identity) if self.knows(identity) else ()
        return shown(keys[0]) if keys else ""

    @pyqtSlot(str, result=str)
    def hint(self, identity: str) -> str:
        """What an action does and its key, for tooltips; "" for one that is not in the table."""
        if not self.knows(identity):
            return ""
        sentence, key = tr(self._bindings.actions[identity].sentence).rstrip("."), self.shown(identity)
        return f"{sentence}  ({key})" if key else sentence

    @pyqtSlot(str, result=bool)
    def knows(self, identity: str) -> bool:
        """Whether there is an action of that name."""
        return identity in self._bindings.actions

    @pyqtSlot(str, int, int, result=str)
    def found(self, scope: str, key: int, modifiers: int) -> str:
        """The action that a key press means in a scope, or ""."""
        pressed = _pressed(key, modifiers)
        if not pressed:
            return ""
        # A sign that is typed with Shift on this keyboard is still that sign.
        plain = _pressed(key, modifiers & ~int(Qt.KeyboardModifier.ShiftModifier))
        is_sign = 0x20 < key < 0x100 and not chr(key).isalnum()
        return self._bindings.found(scope, pressed) or (self._bindings.found(scope, plain) if is_sign else "")

    @pyqtSlot(str, bool)
    def enter(self, scope: str, has_focus: bool) -> None:
        """The focus came into a place with keys of its own, or left it."""
        if has_focus:
            self._entered.append(scope)
        elif scope in self._entered:
            self._entered.remove(scope)
        self.taken_changed.emit()

    @pyqtProperty("QStringList", notify=taken_changed)
    def taken(self) -> list[str]:
        """Actions of the window whose place another takes where the focus is now."""
        return [action.instead for action in self._bindings.actions.values() if action.instead and any(scope in self._entered for scope in action.scopes)]

    # -- the sheet and the settings --------------------------------------------------------------

    @pyqtSlot(str, bool, result="QVariantList")
    def search(self, text: str, bound_only: bool) -> list[dict[str, Any]]:
        """The actions whose words or keys hold `text`, grouped by their scopes: rows {id, title, sentence, group, opensGroup, keys, isDefault}."""
        wanted = text.casefold().split()
        rows: list[dict[str, Any]] = []
        for action in sorted(self._bindings.actions.values(), key=lambda action: (action.scope != EVERYWHERE, action.scope)):
            keys = [shown(key) for key in self._bindings.keys(action.id)]
            title, sentence, group = tr(action.title), tr(action.sentence), _place(action.scopes)
            words = " ".join((title, sentence, group, *keys)).casefold()
            if (bound_only and not keys) or not all(word in words for word in wanted):
                continue
            opens = not rows or rows[-1]["group"] != group
            row = {"id": action.id, "title": title, "sentence": sentence, "group": group, "opensGroup": opens, "keys": keys}
            rows.append(row | {"isDefault": self._bindings.is_default(action.id)})
        return rows

    @pyqtSlot(int, int, result=str)
    def spelled(self, key: int, modifiers: int) -> str:
        """A key press as the table spells it; "" while only Ctrl, Shift or the like are held."""
        return _pressed(key, modifiers)

    @pyqtSlot(str, result=str)
    def written(self, key: str) -> str:
        """A sequence as people write it."""
        return shown(key)

    @pyqtSlot(str, str, result=str)
    def refusal(self, identity: str, key: str) -> str:
        """Why an action cannot have a sequence, or ""."""
        return self._bindings.refusal(identity, key)

    @pyqtSlot(str, str, result=str)
    def rivals(self, identity: str, key: str) -> str:
        """The titles of those who would lose a sequence, or ""."""
        return ", ".join(tr(other.title) for other in self._bindings.rivals(identity, key))

    @pyqtSlot(str, str)
    def add(self, identity: str, key: str) -> None:
        """Give an action one more sequence, as its first; of two it has the second goes. Who else had it loses it."""
        kept = [held for held in self._bindings.keys(identity) if held != key][:1]
        self._bindings.bind(identity, (key, *kept))
        self._keep()

    @pyqtSlot(str, int)
    def remove(self, identity: str, place: int) -> None:
        """Take one of an action's sequences away."""
        keys = self._bindings.keys(identity)
        self._bindings.bind(identity, (*keys[:place], *keys[place + 1 :]))
        self._keep()

    @pyqtSlot(str)
    def reset(self, identity: str) -> None:
        """Give an action its default keys, but for those that others have now; they are told."""
        rivals = self._bindings.reset(identity)
        if rivals:
            names = ", ".join(tr(rival.title) for rival in rivals)
            self._shell.notices.show(tr("Some of the keys belong to {names} now; reset that as well to have them back.", names=names), kind="note")
        self._keep()

    @pyqtSlot()
    def resetAll(self) -> None:
        self._bindings.reset_all()
        self._keep()

    @pyqtProperty(bool, notify=changed)
    def isDefault(self) -> bool:
        return all(self._bindings.is_default(identity) for identity in self._bindings.actions)

    def _keep(self) -> None:
        self._shell.set(SETTING, self._bindings.changes())
        self._revision += 1
        self.changed.emit()


def _pressed(key: int, modifiers: int) -> str:
    if key in MODIFIER_KEYS or key in (0, Qt.Key.Key_unknown):
        return ""
    if key == Qt.Key.Key_Backtab:
        key = Qt.Key.Key_Tab
    return canonical(QKeySequence(key | modifiers & ~int(Qt.KeyboardModifier.KeypadModifier)).toString(QKeySequence.SequenceFormat.PortableText))


def _forms(key: str) -> tuple[str, ...]:
    """What Qt must be told to hear a sequence from either Enter key."""
    return (key, key.replace("Return", "Enter")) if "Return" in key else (key,)


def _place(scopes: tuple[str, ...]) -> str:
    return tr("Everywhere") if EVERYWHERE in scopes else ", ".join(tr(scope.capitalize()) for scope in scopes)
