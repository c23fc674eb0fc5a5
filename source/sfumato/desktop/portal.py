"""Whether a Linux desktop is light or dark, asked over D-Bus without waiting. Imported only where the theme follows the desktop."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSlot
from PyQt5.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher

SETTINGS_OF_DESKTOP = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings")
COLOURS = ("org.freedesktop.appearance", "color-scheme")


class Portal(QObject):
    """Calls `take(is_light)` once the desktop has answered and whenever it changes; never where it has no wish."""

    def __init__(self, take: Callable[[bool], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._take = take
        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return
        bus.connect(*SETTINGS_OF_DESKTOP, "SettingChanged", self.said)
        question = QDBusMessage.createMethodCall(*SETTINGS_OF_DESKTOP, "Read")
        question.setArguments(list(COLOURS))
        self._watcher = QDBusPendingCallWatcher(bus.asyncCall(question), self)
        self._watcher.finished.connect(self._answered)

    @pyqtSlot(QDBusMessage)
    def said(self, message: QDBusMessage) -> None:
        """The desktop changed one of its settings."""
        arguments = message.arguments()
        if tuple(arguments[:2]) == COLOURS:
            self._interpret(arguments[2])

    def _answered(self, watcher: QDBusPendingCallWatcher) -> None:
        arguments = watcher.reply().arguments()
        if arguments:
            self._interpret(arguments[0])

    def _interpret(self, value: object) -> None:
        # 0: no wish, 1: dark, 2: light; wrapped in variants once or twice. An error is told in words.
        while hasattr(value, "variant"):
            value = value.variant()
        if value in (1, 2):
            self._take(value == 2)
