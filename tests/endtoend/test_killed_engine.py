"""The engine is killed in the middle of a job, under the real window: it is said, and the job paints once more without anybody restarting anything."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from PIL import Image

from sfumato.transport.local import LocalInference
from tests.support.display import display_of_this_process
from tests.support.window import OpenWindow, until

PATIENCE_S = 100


@pytest.mark.slow
@pytest.mark.rule("R75", "D172")
@pytest.mark.skipif(sys.platform != "linux", reason="the virtual display is X11")
def test_sigkill_is_said_and_the_job_paints_once_more_and_the_next_after_it(tmp_path: Path) -> None:
    display_of_this_process()
    window = OpenWindow(tmp_path / "data", real_engine=True)
    try:
        studio = window.studio
        until(lambda: studio.engine.property("state") == "ready", "the engine", PATIENCE_S)
        studio.parameters.commit("steps", "40")
        window.type("a red circle")
        studio.act("generate")
        until(lambda: studio.jobs.running and studio.jobs.running.stage == "denoise", "painting", PATIENCE_S)

        engine = studio.engine._endpoint
        assert isinstance(engine, LocalInference) and engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)

        until(lambda: studio.notices.property("present"), "the sentence", PATIENCE_S)
        assert "engine stopped" in studio.notices.property("sentence")
        assert "runs once more" in studio.notices.property("sentence")
        until(lambda: studio.outputs.property("shown").get("state") == "saved", "the picture of the second run", PATIENCE_S)
        until(lambda: not studio.jobs.property("busy"))
        assert studio.outputs.rowCount() == 1, "the unfinished picture is dropped"

        studio.parameters.commit("steps", "2")
        studio.act("generate")
        until(lambda: studio.outputs.rowCount() == 2 and studio.outputs.property("shown").get("state") == "saved", "the next picture", PATIENCE_S)
        with Image.open(studio.outputs.property("shown")["path"]) as picture:
            assert picture.size == (64, 64)
    finally:
        window.close()
