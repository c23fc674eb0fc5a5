"""The window answers while pictures are large and the engine talks without pause; what makes it stand still is named."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QWindow
from PyQt5.QtTest import QTest

from sfumato.desktop.watchdog import Watchdog
from tests.support.painting import encoded, scene
from tests.support.strain import large_pictures, strained, talking
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


@pytest.mark.rule("D194")
@pytest.mark.slow
def test_large_inputs_and_a_running_job_do_not_hold_up_typing_scrolling_and_painting(shown: OpenWindow, tmp_path: Path) -> None:
    found = strained(shown, large_pictures(tmp_path / "pictures", 2), turns=20)
    assert list(found) == ["typing", "scrolling the parameters", "scrolling the models", "scrolling the history", "painting"]
    for name, beats in found.items():
        assert len(beats) > 10, name
        # What the thread had a processor for: the wait itself, which benchmarks print, is also that of whatever else runs on the machine of a test.
        longest = max(beats, key=lambda beat: beat.worked)
        assert longest.worked < 0.05, f"{name}: {longest.worked * 1000:.0f} ms{longest.where and ' in ' + longest.where}"


@pytest.mark.rule("D199")
def test_progress_is_merged_to_the_frame_rate_and_previews_keep_coming(shown: OpenWindow) -> None:
    shown.type("fox")
    shown.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: shown.painter.submits, "the job")
    heard: list[float] = []
    previews: set[str] = set()
    shown.studio.engine.heard.connect(lambda event: heard.append(time.perf_counter()))

    def look() -> int:
        previews.add(str(shown.studio.outputs.property("shown").get("source", "")))
        return len(previews)

    began = time.perf_counter()
    with talking(shown.painter):
        until(lambda: look() > 8, "eight previews")
    until(lambda: len(heard) > 0, "progress")
    # Sent in threes to one frame; a busy machine draws fewer frames and merges more.
    assert len(heard) / (time.perf_counter() - began) < 75


@pytest.mark.rule("D197")
def test_a_minimised_window_decodes_no_previews(shown: OpenWindow) -> None:
    shown.type("fox")
    shown.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: shown.painter.submits, "the job")
    outputs, preview = shown.studio.outputs, encoded(scene(), "JPEG")
    shown.painter.stage("Sampling", 1, 4, preview=(preview,))
    until(lambda: outputs.property("shown").get("source"), "a preview")
    first = outputs.property("shown")["source"]
    heard: list[object] = []
    shown.studio.jobs.previewed.connect(lambda job, pictures: heard.append(pictures))
    shown.window.setVisibility(QWindow.Minimized)
    shown.painter.stage("Sampling", 2, 4, preview=(preview,))
    until(lambda: heard, "a preview that nobody sees")
    QTest.qWait(200)
    assert outputs.property("shown")["source"] == first
    shown.window.setVisibility(QWindow.Windowed)
    shown.painter.stage("Sampling", 3, 4, preview=(preview,))
    until(lambda: outputs.property("shown")["source"] != first, "previews again")
