"""The connection: what is merged, what is never lost, and on which thread it arrives."""

from __future__ import annotations

import threading

import pytest
from PyQt5.QtCore import QCoreApplication

from sfumato.desktop.engine_link import EngineLink, merged
from sfumato.desktop.jobs import Job, duration
from sfumato.protocol.messages import Artifact, Finished, JobEvent, Progress, Submit
from tests.desktop.conftest import Open
from tests.support.painting import Painter
from tests.support.window import until


def progress(seq: int, job: str = "a", preview: tuple[bytes, ...] = ()) -> Progress:
    return Progress(job=job, seq=seq, stage="denoise", done=seq, total=100, preview=preview)


def test_progress_is_merged_within_a_job_and_keeps_the_newest_preview() -> None:
    picture = Artifact(job="a", seq=4, name="image-0", media_type="image/png")
    events = [progress(1), progress(2, preview=(b"p",)), progress(3), picture, progress(5), progress(6, "b"), progress(7, "b"), Finished(job="b", seq=8)]
    left = merged(list(events))
    assert [(event.job, event.seq) for event in left if isinstance(event, JobEvent)] == [("a", 3), ("a", 4), ("a", 5), ("b", 7), ("b", 8)]
    assert isinstance(left[0], Progress) and left[0].preview == (b"p",)


@pytest.mark.rule("D199")
def test_a_flood_of_progress_is_merged_to_the_frame_rate_and_everything_else_arrives_in_order(open_window: Open) -> None:
    link = open_window().studio.engine
    heard: list[JobEvent] = []
    threads: set[int] = set()

    def hear(event: JobEvent) -> None:
        heard.append(event)
        threads.add(threading.get_ident())

    link.heard.connect(hear)

    def flood() -> None:
        for seq in range(1, 2001):
            link._hear(0, progress(seq) if seq % 500 else Artifact(job="a", seq=seq, name=str(seq), media_type="image/png"))

    thread = threading.Thread(target=flood)
    thread.start()
    thread.join()
    until(lambda: any(event.seq == 2000 for event in heard))
    assert [event.seq for event in heard if isinstance(event, Artifact)] == [500, 1000, 1500, 2000]
    assert [event.seq for event in heard] == sorted(event.seq for event in heard)
    assert len(heard) < 100
    assert threads == {threading.get_ident()}, "events arrive on the GUI thread"


def test_what_is_sent_before_the_endpoint_is_open_arrives_after_it(open_window: Open) -> None:
    window = open_window()  # for the application
    painter = Painter()
    link = EngineLink(lambda on_state: painter)
    link.send(Submit(job="early", kind="generate"))
    link.open()
    until(lambda: painter.submits)
    assert painter.submits[0].job == "early"
    link.close()
    QCoreApplication.processEvents()
    assert window.studio.engine.property("state") == "ready"


def test_an_engine_that_cannot_be_made_is_said_and_reload_stays_possible(open_window: Open, caplog: pytest.LogCaptureFixture) -> None:
    window = open_window()

    def broken(on_state: object) -> Painter:
        raise OSError("no such program")

    link = EngineLink(broken)
    link.open()
    until(lambda: link.property("state") == "failed")
    assert "Reload" in link.property("sentence")
    assert "no such program" in caplog.text
    link.close()
    assert window.window.isVisible()


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3725, "1 h 02 min")])
def test_durations_in_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_speed_is_measured_when_the_engine_does_not_say_it() -> None:
    job = Job("a", "generate", {"batch_count": 2})
    for step in range(5):
        job.take(Progress(job="a", seq=step + 1, stage="denoise", done=step, total=40), 10.0 + step * 0.5)
    assert job.rate == pytest.approx(2.0)
    assert job.fraction == 0.1
    assert job.seconds_left == pytest.approx(18.0)
    job.take(Progress(job="a", seq=9, stage="decode", done=1, total=1), 13.0)
    assert job.fraction == 0.1, "decoding does not set the bar back"


@pytest.mark.rule("D122")
def test_the_engine_is_asked_to_look_for_models_again_and_its_lists_are_taken(open_window: Open) -> None:
    opened = open_window()
    link, painter = opened.studio.engine, opened.painter
    catalogs: list[dict[str, object]] = []
    link.greeted.connect(catalogs.append)
    painter.choices = {"models": [{"value": "new", "label": "New", "family": "SD1", "state": "ready", "reason": ""}]}
    link.refresh()
    until(lambda: catalogs, "the lists")
    assert catalogs[0]["choices"]["models"][0]["value"] == "new"  # type: ignore[index]
    assert catalogs[0]["choices"]["samplers"] and catalogs[0]["kinds"]  # type: ignore[index]  # what was not looked for stays
    assert opened.studio.parameters.value("model") == "new"
    link.refresh()
    until(lambda: len(catalogs) == 2, "the second look")
    assert painter.looks == 2 and painter.submits == []
