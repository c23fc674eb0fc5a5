"""The Settings page: rows drawn from config.SETTINGS alone, changed at once, searched, reset; what acts later says so."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.config import SETTING_GROUPS, SETTINGS, Setting, folder_refusal
from sfumato.desktop.language import told, tr
from sfumato.desktop.shell import Shell
from sfumato.protocol.errors import Invalid

ROLES = ("name", "title", "description", "group", "kind", "text", "choices", "isSet", "problem", "effect", "pending", "minimum", "maximum", "step")
_FIRST = Qt.ItemDataRole.UserRole + 1
KEYBOARD, DATA, REMOTE = "keyboard", "data", "remote"
# Sections that are no list of settings.
SPECIAL = {KEYBOARD: "Keyboard", DATA: "Data folder"}


class SettingsPage(QAbstractListModel):
    """`studio.settings`: one row per setting that belongs to a section."""

    changed = pyqtSignal()
    revealAsked = pyqtSignal(str)  # a setting by name
    sectionAsked = pyqtSignal(str)

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._names = [name for name, setting in SETTINGS.items() if setting.group in SETTING_GROUPS]
        self._problems: dict[str, str] = {}
        self._typed: dict[str, str] = {}
        # What the engine and the program were started with.
        self._in_force = {name: shell.settings[name] for name in self._names}
        self._found = SettingSearch(self)
        shell.observe("", self._told)
        shell.engine.greeted.connect(self._reloaded)

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def found(self) -> SettingSearch:
        """The rows of the section that is shown, or those that were searched for."""
        return self._found

    @pyqtProperty("QVariantList", constant=True)
    def sections(self) -> list[dict[str, str]]:
        """The sections that hold something, in order."""
        groups = {SETTINGS[name].group for name in self._names}
        named = {name: title for name, title in SETTING_GROUPS.items() if name in groups} | SPECIAL
        return [{"id": name, "title": tr(title)} for name, title in named.items()]

    @pyqtProperty("QVariantMap", notify=changed)
    def values(self) -> dict[str, Any]:
        """Every setting's value, for what acts at once."""
        return {name: self._shell.settings[name] for name in SETTINGS}

    @pyqtProperty("QStringList", notify=changed)
    def pending(self) -> list[str]:
        """What must happen before every change acts: "reload", "restart"."""
        return sorted({SETTINGS[name].effect for name in self._names if self._is_pending(name)})

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str, str, result=bool)
    def commit(self, name: str, text: str) -> bool:
        """Take what was typed or chosen; False, and the row says why, when it cannot be taken."""
        self._problems.pop(name, None)
        self._typed.pop(name, None)
        try:
            value = _value(SETTINGS[name], text)
            if SETTINGS[name].widget == "folder" and (problem := folder_refusal(value)):
                raise ValueError(problem)
            self._shell.set(name, value)
        except Invalid as error:
            return self._refuse(name, text, told(error.problems[0].sentence))
        except ValueError as error:
            return self._refuse(name, text, told(str(error)))
        return True

    def _refuse(self, name: str, text: str, sentence: str) -> bool:
        self._problems[name], self._typed[name] = sentence, text
        self._touch(name)
        return False

    @pyqtSlot(str)
    def reset(self, name: str) -> None:
        """Give a setting the installation's value."""
        self._problems.pop(name, None)
        self._typed.pop(name, None)
        self._shell.set(name, self._shell.settings.otherwise(name))

    @pyqtSlot(str)
    def reveal(self, name: str) -> None:
        """Lead to a setting, or to a section."""
        if name in SETTINGS:
            self.revealAsked.emit(name)
        else:
            self.sectionAsked.emit(name)

    @pyqtSlot(str, result=str)
    def sectionOf(self, name: str) -> str:
        return SETTINGS[name].group

    def titled(self) -> list[tuple[str, str, str]]:
        """(name, title, description) of each row, for finding one."""
        return [(name, tr(SETTINGS[name].title), tr(SETTINGS[name].description)) for name in self._names]

    # -- the model -------------------------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {_FIRST + index: name.encode() for index, name in enumerate(ROLES)}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._names)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or not _FIRST <= role < _FIRST + len(ROLES):
            return None
        return self.cell(self._names[index.row()], ROLES[role - _FIRST])

    def cell(self, name: str, role: str) -> Any:
        """One value of one row, by its role's name."""
        setting = SETTINGS[name]
        whole = isinstance(setting.default, int)
        span = (setting.maximum or 0) - (setting.minimum or 0)
        cells = {
            "name": lambda: name,
            "title": lambda: tr(setting.title),
            "description": lambda: tr(setting.description),
            "group": lambda: tr(SETTING_GROUPS[setting.group]),
            "kind": lambda: _kind(setting),
            "text": lambda: self._typed.get(name, _text(self._shell.settings[name])),
            "choices": lambda: [_choice(value, words) for value, words in (setting.choices or {}).items()],
            "isSet": lambda: self._shell.settings[name] != self._shell.settings.otherwise(name),
            "problem": lambda: self._problems.get(name, ""),
            "effect": lambda: setting.effect,
            "pending": lambda: self._is_pending(name),
            "minimum": lambda: float(setting.minimum) if setting.minimum is not None else -1e9,
            "maximum": lambda: float(setting.maximum) if setting.maximum is not None else 1e9,
            "step": lambda: (5.0 if span >= 100 else 1.0) if whole else 0.05,
        }
        return cells[role]()

    def _is_pending(self, name: str) -> bool:
        return SETTINGS[name].effect != "" and self._shell.settings[name] != self._in_force[name]

    def _told(self) -> None:
        self._touch(*self._names)
        self.changed.emit()

    def _reloaded(self, catalog: object) -> None:
        del catalog
        self._in_force |= {name: self._shell.settings[name] for name in self._names if SETTINGS[name].effect == "reload"}
        self._told()

    def _touch(self, *names: str) -> None:
        rows = [self._names.index(name) for name in names]
        self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), 0))


class SettingSearch(QSortFilterProxyModel):
    """The rows of one section, or of all sections where words are searched for."""

    changed = pyqtSignal()

    def __init__(self, page: SettingsPage) -> None:
        super().__init__(page)
        self._page = page
        self._section = next(iter(SETTING_GROUPS))
        self._words: list[str] = []
        self.setSourceModel(page)

    @pyqtSlot(str, str)
    def show(self, section: str, words: str) -> None:
        """Show a section; words go before it."""
        self._section, self._words = section, words.casefold().split()
        self.invalidateFilter()
        self.changed.emit()

    @pyqtProperty(int, notify=changed)
    def count(self) -> int:
        return self.rowCount()

    @pyqtSlot(str, result=int)
    def place(self, name: str) -> int:
        """The row of a setting here, -1 where it is not shown."""
        return next((row for row in range(self.rowCount()) if self.index(row, 0).data(_FIRST) == name), -1)

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        name = self._page._names[row]
        if not self._words:
            return SETTINGS[name].group == self._section
        text = " ".join(str(self._page.cell(name, role)) for role in ("title", "description", "group")).casefold()
        return all(word in text for word in self._words)


def _kind(setting: Setting) -> str:
    if setting.choices is not None:
        return "choice"
    if setting.widget:
        return setting.widget
    return {bool: "toggle", int: "number", float: "number"}.get(type(setting.default), "line")


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _choice(value: str, words: str) -> dict[str, Any]:
    return {"value": value, "label": tr(words), "note": "", "enabled": True, "reason": ""}


def _value(setting: Setting, text: str) -> Any:
    """What a control says as the setting's own type. Raises `ValueError` with a sentence."""
    if isinstance(setting.default, bool):
        return text == "true"
    if isinstance(setting.default, int | float):
        if not text.strip():
            return setting.default
        try:
            number = float(text.strip().replace(",", "."))
            return int(number) if isinstance(setting.default, int) and number == int(number) else _fraction(setting, number)
        except (ValueError, OverflowError):
            raise ValueError(tr("'{typed}' is not a number that fits here.", typed=text)) from None
    return text.strip() if setting.widget == "folder" else text


def _fraction(setting: Setting, number: float) -> float:
    if isinstance(setting.default, int) or number != number or number in (float("inf"), float("-inf")):
        raise ValueError
    return number
