"""Python's collection of cycles, on the GUI thread alone.

Left to itself Python tidies up on whichever thread happens to allocate, and what it throws away may be an object of Qt's that must not end anywhere but on
the thread it lives on: the process then crashes, rarely and somewhere else. So while a window is open cycles are collected by a timer of its own thread.
"""

from __future__ import annotations

import gc

from PyQt5.QtCore import QObject, Qt, QTimer

INTERVAL_MS = 5000


class Tidying(QObject):
    """From its making to `close`, nothing is collected but here."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_on = gc.isenabled()
        gc.disable()
        # What was imported until now stays for good; looking through it again and again would be felt as a stall.
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.VeryCoarseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tidy)
        self._timer.start()

    def tidy(self) -> None:
        """Collect the generations whose time has come, as Python itself would."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [generation for generation, (count, limit) in enumerate(zip(counts, thresholds, strict=True)) if limit and count > limit]
        if due:
            gc.collect(max(due))

    def close(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_on:
            gc.enable()
