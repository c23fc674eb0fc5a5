"""The window answers while pictures are large and the engine talks without pause; what makes it stand still is named."""

from __future__ import annotations

import threading
import time

import pytest
from PyQt5.QtCore import QTimer

from sfumato.desktop.watchdog import Watchdog
from tests.support.window import OpenWindow, until


def hold_up(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.rule("D194")
def test_what_holds_the_window_is_measured_and_named(shown: OpenWindow, caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(limit_s=0.1, beat_s=0.005)
    watchdog.start()
    until(lambda: len(watchdog.beats) > 20, "beats")
    QTimer.singleShot(0, lambda: hold_up(0.3))
    until(lambda: any("hold_up" in beat.where for beat in watchdog.late), "the stall")
    watchdog.stop()
    longest = max(watchdog.late, key=lambda beat: beat.waited)
    assert 0.2 < longest.waited < 5
    assert 0 < longest.worked <= longest.waited
    assert "stood still" in caplog.text and "hold_up" in caplog.text


def test_a_detailed_log_watches_and_an_ordinary_one_does_not(shown: OpenWindow) -> None:
    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    assert "watchdog" not in names()
    shown.studio.settings.commit("debug_log", "true")
    assert "watchdog" in names()
    shown.studio.settings.commit("debug_log", "false")
    assert "watchdog" not in names()
