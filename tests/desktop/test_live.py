"""Live: a picture follows each change, and nothing is saved until it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt5.QtCore import Qt

from tests.support.painting import encoded, scene
from tests.support.window import OpenWindow, until

CTRL = Qt.ControlModifier


def pictures(data: Path) -> list[Path]:
    return list((data / "outputs").rglob("*.png"))


@pytest.mark.rule("D41")
def test_the_picture_follows_the_words_with_one_seed_and_only_keep_saves_it(shown: OpenWindow, tmp_path: Path) -> None:
    painter, live = shown.painter, shown.studio.live
    shown.studio.parameters.commit("batch_count", "4")
    shown.key(Qt.Key_L, CTRL)
    until(lambda: live.property("on"), "live")
    until(lambda: len(painter.submits) == 1, "the first picture")
    shown.type("a red")
    until(lambda: painter.cancels, "the end of the one in progress")
    painter.cancelled()
    until(lambda: len(painter.submits) == 2, "the picture of the new words")
    first, second = painter.submits
    assert (first.params["prompt"], second.params["prompt"]) == ("", "a red")
    assert first.params["seed"] == second.params["seed"] and second.params["batch_count"] == 1

    painter.picture(encoded(scene()))
    painter.finish()
    until(lambda: live.property("keeps") and live.property("source"))
    assert shown.studio.outputs.rowCount() == 0 and not pictures(tmp_path / "data")
    shown.studio.act("live_keep")
    until(lambda: len(pictures(tmp_path / "data")) == 1, "the kept picture")
    assert pictures(tmp_path / "data")[0].read_bytes() == encoded(scene())
    assert not live.property("keeps")

    shown.studio.act("live")
    shown.type(" fox")
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: len(painter.submits) == 3)
    assert painter.submits[2].params["batch_count"] == 4, "off, the button does its own work"


@pytest.mark.rule("D41")
def test_jobs_that_wait_come_before_a_live_picture_and_a_failure_switches_it_off(shown: OpenWindow) -> None:
    painter = shown.painter
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: len(painter.submits) == 1)
    shown.studio.act("live")
    shown.type("x")
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: shown.studio.jobs.property("waiting") == 1)
    painter.finish()
    until(lambda: len(painter.submits) == 2)
    assert painter.submits[1].params["batch_count"] == 1 and painter.submits[1].params["prompt"] == "x"
    assert not painter.cancels, "a job of the user's is never cancelled by it"
    painter.finish()
    until(lambda: len(painter.submits) == 3, "the live picture")
    painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: not shown.studio.live.property("on"))
    assert "Not enough memory" in shown.studio.notices.property("sentence")
