"""How the window looks: theme, size of words, density, motion. Read from the settings; "system" follows the desktop."""

from __future__ import annotations

import sys
from functools import partial

from PyQt5.QtCore import QObject, QSettings, pyqtProperty, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QPalette

from sfumato.config import SETTINGS
from sfumato.desktop.shell import Condition, Shell

SETTING_NAMES = ("theme", "font_size", "density", "reduced_motion")
FONT_STEP = 10


class Appearance(QObject):
    """`studio.appearance`; acts at once."""

    changed = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._portal: QObject | None = None
        self._desktop_is_light: bool | None = None
        for name in SETTING_NAMES:
            shell.observe(name, self._changed)
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.paletteChanged.connect(self._palette_changed)
        self._ask_desktop()
        shell.register(
            {
                **{f"theme_{name}": partial(shell.set, "theme", name) for name in SETTINGS["theme"].choices or ()},
                "font_larger": partial(self._resize, FONT_STEP),
                "font_smaller": partial(self._resize, -FONT_STEP),
                "font_normal": partial(shell.set, "font_size", SETTINGS["font_size"].default),
            }
        )
        shell.describe(
            {
                **{f"theme_{name}": Condition(ticked=partial(self._has_theme, name)) for name in SETTINGS["theme"].choices or ()},
                "font_larger": Condition(can=lambda: shell.settings["font_size"] < (SETTINGS["font_size"].maximum or 0)),
                "font_smaller": Condition(can=lambda: shell.settings["font_size"] > (SETTINGS["font_size"].minimum or 0)),
                "font_normal": Condition(can=lambda: shell.settings["font_size"] != SETTINGS["font_size"].default),
            }
        )

    def _has_theme(self, name: str) -> bool:
        return self._shell.settings["theme"] == name

    @pyqtProperty(str, notify=changed)
    def scheme(self) -> str:
        """ "dark", "light" or "contrast"."""
        theme = self._shell.settings["theme"]
        if theme != "system":
            return str(theme)
        light = self._desktop_is_light if self._desktop_is_light is not None else _palette_is_light()
        return "light" if light else "dark"

    @pyqtProperty(float, notify=changed)
    def scale(self) -> float:
        """Size of words, 1 = 100 %."""
        return self._shell.settings["font_size"] / 100

    @pyqtProperty(bool, notify=changed)
    def compact(self) -> bool:
        return self._shell.settings["density"] == "compact"

    @pyqtProperty(bool, notify=changed)
    def still(self) -> bool:
        """Whether nothing may move by itself."""
        return bool(self._shell.settings["reduced_motion"])

    def _resize(self, difference: int) -> None:
        row = SETTINGS["font_size"]
        size = self._shell.settings["font_size"] + difference
        self._shell.set("font_size", int(min(max(size, row.minimum or size), row.maximum or size)))

    def _changed(self) -> None:
        self.changed.emit()
        self._ask_desktop()

    def _palette_changed(self, palette: QPalette) -> None:
        del palette
        self.changed.emit()

    # -- what the desktop wants ------------------------------------------------------------------

    def _ask_desktop(self) -> None:
        """Find out, without waiting for it, whether the desktop is light; where nobody says so the palette tells."""
        if self._shell.settings["theme"] != "system":
            return
        if sys.platform == "win32":
            values = QSettings(r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize", QSettings.Format.NativeFormat)
            self._take(values.value("AppsUseLightTheme", 1) not in (0, "0"))
        elif sys.platform.startswith("linux") and self._portal is None:
            from sfumato.desktop.portal import Portal  # late: few need D-Bus

            self._portal = Portal(self._take, self)

    def _take(self, is_light: bool) -> None:
        if is_light != self._desktop_is_light:
            self._desktop_is_light = is_light
            self.changed.emit()


def _palette_is_light() -> bool:
    return QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() > 127
