"""What a person does with jobs that wait, run or have ended, by real keys and mouse; what the engine is then sent, and what a restart finds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QCoreApplication, QPoint, QPointF, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.disk import Disk
from sfumato.desktop.jobs import Job
from sfumato.desktop.queue import health
from sfumato.desktop.queue.keeping import Keeper
from sfumato.protocol.errors import DiskFull
from sfumato.transport.endpoint import State
from tests.desktop.conftest import Open
from tests.support.painting import Painter, emerging, encoded, scene
from tests.support.window import OpenWindow, accessible, application_of_this_process, items, until

CTRL, SHIFT, ALT = Qt.ControlModifier, Qt.ShiftModifier, Qt.AltModifier


def add(window: OpenWindow, *prompts: str) -> list[Job]:
    """Queue a job for each prompt, as the key does."""
    rows, made = window.studio.jobs.rows, []
    for prompt in prompts:
        before = {job.id for job in rows.all()}
        window.studio.prompts.text = prompt
        window.key(Qt.Key_Return, CTRL)
        until(lambda before=before: {job.id for job in rows.all()} - before, "the job in the queue")
        made += [job for job in rows.all() if job.id not in before]
    until(lambda: window.painter.submits or window.studio.jobs.property("paused"), "the first job at the engine")
    until(lambda: all(job.is_stored for job in made))
    return made


def waiting(window: OpenWindow) -> list[str]:
    return [str(job.params["prompt"]) for job in window.studio.jobs.rows.waiting]


def states(window: OpenWindow) -> list[tuple[str, str]]:
    return [(str(job.params["prompt"]), job.state) for job in window.studio.jobs.rows.all()]


def picture(window: OpenWindow, index: int = 0) -> None:
    window.painter.picture(encoded(scene()), index)


def finish(window: OpenWindow) -> None:
    """Let the job at the engine end well, and wait until the next one is there."""
    sent, left = len(window.painter.submits), window.studio.jobs.waiting
    picture(window)
    window.painter.finish()
    until(lambda: len(window.painter.submits) > sent if left and not window.studio.jobs.property("paused") else window.studio.jobs.running is None, "the end")


def rows(window: OpenWindow) -> list[QQuickItem]:
    """The rows of the panel on the screen, in their order."""
    found = [item for item in items(window.window.contentItem()) if item.metaObject().className().startswith("QueueRow")]
    return sorted(found, key=lambda item: item.mapToScene(QPointF(0, 0)).y())


def open_panel(window: OpenWindow) -> None:
    window.key(Qt.Key_J, CTRL)
    until(lambda: window.item("Jobs").hasActiveFocus(), "the list with the focus")
    until(lambda: rows(window), "the rows")


def press(window: OpenWindow, name: str) -> None:
    """Click a button of that name once it stands still: a row of buttons that has just come is laid out with the next frame."""
    places: list[QPointF] = []

    def still() -> bool:
        places.append(window.item(name, "Button").mapToScene(QPointF(0, 0)))
        return len(places) > 3 and places[-1] == places[-2] == places[-3]

    until(still, f"{name} in its place")
    window.click(window.item(name, "Button"))


def restart(open_window: Open, window: OpenWindow, data: Path) -> OpenWindow:
    """The window again, after its last change is on the disk but without a word of goodbye from the engine."""
    window.close()
    return open_window(Painter(), data)


@pytest.mark.rule("D80", "R72")
def test_the_panel_lists_what_runs_what_waits_and_what_has_ended(shown: OpenWindow) -> None:
    add(shown, "one", "two", "three", "four")
    finish(shown)
    shown.painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: len(shown.painter.submits) == 3)
    shown.painter.stage("denoise", 5, 25, 4.0, (emerging(scene(), 0.5),))
    open_panel(shown)
    assert states(shown) == [("three", "running"), ("four", "waiting"), ("two", "failed"), ("one", "finished")]
    until(lambda: "Painting 5 / 25" in str(accessible(rows(shown)[0], "name")), "the row that runs")
    names = [str(accessible(row, "name")) for row in rows(shown)]
    assert "three" in names[0] and "5 s left" in names[0] and "sfumato-starter" in names[0]
    assert "Not enough memory." in names[2]
    until(lambda: shown.studio.jobs.rows.ended[1].source.endswith(".jpg"), "the picture of a done job in its row")
    until(lambda: rows(shown)[0].property("source"), "what emerges in the row")
    shown.key(Qt.Key_Escape)
    until(lambda: not rows(shown))
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt", "the focus where it was")


@pytest.mark.rule("D81")
def test_keys_reorder_put_first_duplicate_and_remove(shown: OpenWindow) -> None:
    add(shown, "run", "a", "b", "c")
    open_panel(shown)
    shown.key(Qt.Key_End)
    shown.key(Qt.Key_Up, ALT)
    assert waiting(shown) == ["a", "c", "b"]
    shown.key(Qt.Key_Up, ALT)
    shown.key(Qt.Key_Up, ALT)
    assert waiting(shown) == ["c", "a", "b"]
    shown.key(Qt.Key_Down, SHIFT)
    shown.key(Qt.Key_Down, ALT)
    assert waiting(shown) == ["b", "c", "a"]
    shown.key(Qt.Key_Home, ALT)
    assert waiting(shown) == ["c", "a", "b"]
    assert shown.studio.queue.property("chosen") == 2
    shown.key(Qt.Key_D, CTRL)
    until(lambda: len(waiting(shown)) == 5)
    assert waiting(shown) == ["c", "a", "c", "a", "b"]
    shown.key(Qt.Key_Delete)
    assert waiting(shown) == ["c", "a", "b"]
    shown.key(Qt.Key_A, CTRL)
    shown.key(Qt.Key_Delete)
    assert waiting(shown) == [] and shown.studio.jobs.running is not None
    assert shown.painter.cancels == []


@pytest.mark.rule("D81")
def test_a_row_is_dragged_to_another_place_and_the_engine_follows(shown: OpenWindow) -> None:
    add(shown, "run", "a", "b", "c")
    open_panel(shown)
    until(lambda: len(rows(shown)) == 4)

    def middle(place: int, off: int = 0) -> QPoint:
        row = rows(shown)[place]
        return row.mapToScene(QPointF(row.width() / 2, row.height() / 2)).toPoint() + QPoint(0, off)

    start, goal = middle(3), middle(1, -20)
    QTest.mousePress(shown.window, Qt.LeftButton, Qt.NoModifier, start)
    for share in (0.2, 0.6, 1.0):
        QTest.mouseMove(shown.window, start + (goal - start) * share)
        QCoreApplication.processEvents()
    QTest.mouseRelease(shown.window, Qt.LeftButton, Qt.NoModifier, goal)
    QCoreApplication.processEvents()
    assert waiting(shown) == ["c", "a", "b"]
    finish(shown)
    assert shown.painter.submits[-1].params["prompt"] == "c"


@pytest.mark.rule("D81")
def test_ctrl_shift_enter_generates_before_what_waits(shown: OpenWindow) -> None:
    add(shown, "run", "a")
    shown.studio.prompts.text = "urgent"
    shown.key(Qt.Key_Return, CTRL | SHIFT)
    until(lambda: waiting(shown) == ["urgent", "a"])


@pytest.mark.rule("D81")
def test_editing_loads_a_job_into_the_controls_and_saves_it_in_its_place(shown: OpenWindow) -> None:
    add(shown, "run", "a")
    shown.studio.parameters.commit("steps", "40")
    add(shown, "b", "c")
    shown.studio.parameters.commit("steps", "7")
    shown.studio.prompts.text = "what I was writing"
    open_panel(shown)
    shown.key(Qt.Key_Down)
    shown.key(Qt.Key_Down)
    shown.key(Qt.Key_Return)
    until(lambda: shown.studio.prompts.text == "b")
    assert shown.studio.parameters.value("steps") == 40
    seed = shown.studio.jobs.rows.waiting[1].params["seed"]
    shown.studio.parameters.commit("steps", "33")
    shown.studio.prompts.text = "b, better"
    press(shown, "Save job")
    assert waiting(shown) == ["a", "b, better", "c"]
    saved = shown.studio.jobs.rows.waiting[1].params
    assert (saved["steps"], saved["seed"]) == (33, seed)
    assert (shown.studio.prompts.text, shown.studio.parameters.value("steps")) == ("what I was writing", 7)


@pytest.mark.rule("D81")
def test_a_job_that_is_edited_does_not_start(shown: OpenWindow) -> None:
    add(shown, "run", "a", "b")
    shown.studio.queue.choose(1, 0)
    shown.studio.act("queue_edit")
    finish(shown)
    assert shown.painter.submits[-1].params["prompt"] == "b"
    finish_alone(shown)
    assert shown.studio.jobs.running is None and waiting(shown) == ["a"]
    press(shown, "Leave as it was")
    until(lambda: shown.painter.submits[-1].params["prompt"] == "a")


def finish_alone(window: OpenWindow) -> None:
    window.painter.finish()
    until(lambda: window.studio.jobs.running is None, "the end")


@pytest.mark.rule("D82")
def test_pause_lets_the_running_job_finish_and_holds_the_rest(shown: OpenWindow) -> None:
    add(shown, "one", "two")
    shown.key(Qt.Key_J, CTRL | SHIFT)
    picture(shown)
    shown.painter.finish()
    until(lambda: shown.studio.jobs.running is None)
    assert len(shown.painter.submits) == 1 and shown.studio.jobs.property("stage") == "Paused"
    press(shown, "Continue")
    until(lambda: len(shown.painter.submits) == 2)


@pytest.mark.rule("D82", "D78")
def test_pause_now_stops_the_running_job_which_goes_on_where_it_was(shown: OpenWindow) -> None:
    shown.studio.parameters.commit("batch_size", "2")
    shown.studio.parameters.commit("batch_count", "2")
    add(shown, "one", "two")
    seed = shown.painter.submits[0].params["seed"]
    for index in range(3):
        picture(shown, index)
    until(lambda: shown.studio.jobs.running.pictures == 3)
    shown.studio.act("queue_pause_now")
    until(lambda: shown.painter.cancels)
    shown.painter.cancelled()
    until(lambda: shown.studio.jobs.running is None)
    assert states(shown) == [("one", "waiting"), ("two", "waiting")]

    shown.studio.act("queue_pause")
    until(lambda: len(shown.painter.submits) == 2)
    again = shown.painter.submits[1]
    assert again.job != shown.painter.submits[0].job, "a run of its own is a job of its own to the engine"
    assert (again.params["seed"], again.params["batch_size"], again.params["batch_count"]) == (seed + 3, 1, 1)
    picture(shown)
    shown.painter.finish()
    until(lambda: len(shown.painter.submits) == 3)
    assert shown.painter.submits[2].params["prompt"] == "two"
    until(lambda: [row for row in shown.studio.outputs._rows if row.state == "saved"].__len__() == 4, "four pictures of the first job")


@pytest.mark.rule("D82", "R73")
def test_cancelling_one_that_waits_leaves_the_others_and_cancel_all_asks(shown: OpenWindow) -> None:
    add(shown, "run", "a", "b", "c")
    shown.studio.queue.choose(2, 0)
    shown.studio.act("queue_cancel")
    assert waiting(shown) == ["a", "c"] and shown.painter.cancels == []
    shown.studio.act("cancel_all")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Cancel", "the question")
    shown.key(Qt.Key_Escape)
    assert waiting(shown) == ["a", "c"]
    shown.studio.act("cancel_all")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Cancel", "the question")
    press(shown, "Cancel all")
    until(lambda: shown.painter.cancels)
    shown.painter.cancelled()
    until(lambda: shown.studio.jobs.property("busy") is False)
    assert {state for _, state in states(shown)} == {"cancelled"}


@pytest.mark.rule("D83")
def test_what_failed_or_was_cancelled_is_retried_with_the_same_seed_and_done_jobs_are_cleared(shown: OpenWindow) -> None:
    add(shown, "one", "two", "three")
    first = shown.painter.submits[0]
    shown.painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: len(shown.painter.submits) == 2)
    finish(shown)
    finish(shown)
    saved = list((shown.studio._shell.places.outputs).rglob("*.png"))
    open_panel(shown)
    assert states(shown) == [("three", "finished"), ("two", "finished"), ("one", "failed")]
    shown.key(Qt.Key_End)
    shown.key(Qt.Key_R)
    until(lambda: len(shown.painter.submits) == 4)
    assert shown.painter.submits[3].params == first.params and shown.painter.submits[3].job != first.job
    shown.studio.act("queue_clear_done")
    assert [state for _, state in states(shown)] == ["running"]
    assert saved and all(path.is_file() for path in saved)


@pytest.mark.slow
@pytest.mark.rule("D84", "R137", "D33")
def test_after_a_restart_the_interrupted_job_is_first_and_the_queue_asks(open_window: Open, tmp_path: Path) -> None:
    data = tmp_path / "data"
    window = open_window(data=data)
    window.studio.parameters.commit("batch_count", "3")
    add(window, "done", "cut short", "later", "last")
    finish(window)
    picture(window)
    until(lambda: window.studio.jobs.running.pictures == 1)
    seed = window.painter.submits[1].params["seed"]

    again = restart(open_window, window, data)
    until(lambda: again.studio.queue.property("restored") == 3)
    assert states(again) == [("cut short", "interrupted"), ("later", "waiting"), ("last", "waiting"), ("done", "finished")]
    assert again.painter.submits == []
    assert again.item("3 jobs of the last session wait.")
    press(again, "Review")
    until(lambda: len(rows(again)) == 4)
    press(again, "Continue")
    until(lambda: len(again.painter.submits) == 1)
    # The picture that was made is not made again.
    assert (again.painter.submits[0].params["seed"], again.painter.submits[0].params["batch_count"]) == (seed + 1, 2)
    for prompt in ("later", "last"):
        finish(again)
        assert again.painter.submits[-1].params["prompt"] == prompt
    finish(again)
    assert [submit.params["prompt"] for submit in again.painter.submits] == ["cut short", "later", "last"]
    third = restart(open_window, again, data)
    until(lambda: third.studio.jobs.rows.rowCount() == 4)
    assert third.studio.jobs.property("paused") is False and third.studio.queue.property("restored") == 0


@pytest.mark.slow
@pytest.mark.rule("D84")
def test_a_job_killed_behind_its_last_picture_is_done_and_not_sent_again(open_window: Open, tmp_path: Path) -> None:
    window = open_window(data=tmp_path / "data")
    add(window, "all made", "next")
    picture(window)
    until(lambda: window.studio.jobs.running.pictures == 1)
    again = restart(open_window, window, tmp_path / "data")
    until(lambda: again.studio.queue.property("restored") == 2)
    press(again, "Continue")
    until(lambda: again.painter.submits)
    assert again.painter.submits[0].params["prompt"] == "next"
    assert states(again) == [("next", "running"), ("all made", "finished")]


@pytest.mark.rule("D84")
def test_clear_after_a_restart_keeps_the_jobs_for_a_retry(open_window: Open, tmp_path: Path) -> None:
    window = open_window(data=tmp_path / "data")
    add(window, "one", "two")
    again = restart(open_window, window, tmp_path / "data")
    until(lambda: again.studio.queue.property("restored") == 2)
    press(again, "Clear")
    assert {state for _, state in states(again)} == {"cancelled"} and not again.studio.jobs.property("paused")
    again.studio.act("queue_retry_all")
    until(lambda: again.painter.submits)
    assert again.painter.submits[0].params["prompt"] == "one"


@pytest.mark.rule("D84")
def test_a_job_is_on_the_disk_as_running_before_it_is_sent(shown: OpenWindow, tmp_path: Path) -> None:
    import sqlite3

    seen: list[tuple[str, str]] = []
    send = shown.painter.send

    def look(command: object) -> None:
        with sqlite3.connect(f"file:{tmp_path}/data/queue/queue.sqlite?mode=ro", uri=True) as other:
            seen.extend(other.execute("SELECT id, state FROM jobs"))
        send(command)  # type: ignore[arg-type]  # as it came

    shown.painter.send = look  # type: ignore[method-assign]  # a listener in the way
    (job,) = add(shown, "one")
    assert seen == [(job.id, "running")]


@pytest.mark.slow
@pytest.mark.rule("D85", "D83")
def test_pictures_of_a_job_outlive_their_file_and_a_restart(open_window: Open, tmp_path: Path) -> None:
    from sfumato.desktop.drafts import Draft

    window = open_window(data=tmp_path / "data")
    data = encoded(scene("blue"))
    file = tmp_path / "input.png"
    file.write_bytes(data)

    def contribute(draft: Draft) -> None:
        draft.later.append(lambda frozen: frozen.params.update(image=frozen.keep(file.read_bytes())))

    window.studio._shell.drafting.add(contribute)
    add(window, "one", "two")
    file.unlink()
    window.studio.queue.choose(1, 0)
    window.studio.act("queue_duplicate")
    until(lambda: waiting(window) == ["two", "two"])
    until(lambda: all(job.is_stored for job in window.studio.jobs.rows.waiting))
    assert [list(job.stored) for job in window.studio.jobs.rows.waiting] == [[job.params["image"]] for job in window.studio.jobs.rows.waiting]
    window.studio.act("queue_remove")
    blobs = tmp_path / "data" / "queue" / "blobs"
    assert len(list(blobs.iterdir())) == 1, "the same picture is stored once"
    again = restart(open_window, window, tmp_path / "data")
    until(lambda: again.studio.queue.property("restored") == 2)
    again.studio.act("queue_pause")
    until(lambda: again.painter.submits)
    sent = again.painter.submits[0]
    assert sent.blobs[sent.params["image"]] == data
    until(lambda: again.studio.jobs.property("busy"))
    again.studio.queue.chooseAll()
    again.painter.finish()
    until(lambda: len(again.painter.submits) == 2)
    again.painter.finish()
    until(lambda: not again.studio.jobs.property("busy"))
    again.studio.act("queue_clear_done")
    until(lambda: not list(blobs.iterdir()), "the pictures nobody needs to go")


@pytest.mark.rule("D40")
def test_forever_repeats_with_the_controls_of_the_moment_and_stops_after_two_failures(shown: OpenWindow) -> None:
    shown.studio.prompts.text = "first"
    shown.studio.act("generate_forever")
    until(lambda: len(shown.painter.submits) == 1)
    shown.studio.prompts.text = "second"
    shown.painter.finish()
    until(lambda: len(shown.painter.submits) == 2)
    assert [submit.params["prompt"] for submit in shown.painter.submits] == ["first", "second"]
    assert shown.painter.submits[0].params["seed"] != shown.painter.submits[1].params["seed"]
    shown.painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: len(shown.painter.submits) == 3)
    shown.painter.fail("out_of_memory", "Not enough memory.")
    until(lambda: shown.studio.jobs.running is None)
    assert shown.studio.queue.property("forever") is False
    shown.studio.act("generate_forever")
    until(lambda: len(shown.painter.submits) == 4)
    shown.key(Qt.Key_Escape, SHIFT)
    until(lambda: shown.painter.cancels)
    shown.painter.cancelled()
    until(lambda: shown.studio.jobs.running is None)
    assert shown.studio.queue.property("forever") is False and len(shown.painter.submits) == 4


@pytest.mark.rule("D172")
def test_a_job_that_killed_the_engine_runs_once_more_and_never_a_third_time(shown: OpenWindow) -> None:
    add(shown, "killer", "next")
    shown.painter.fail("worker_died", "The engine stopped while denoising.")
    until(lambda: len(shown.painter.submits) == 2)
    assert shown.painter.submits[1].params["prompt"] == "killer"
    assert "runs once more" in shown.studio.notices.property("sentence")
    shown.painter.fail("worker_died", "The engine stopped while denoising.")
    until(lambda: len(shown.painter.submits) == 3)
    assert shown.painter.submits[2].params["prompt"] == "next"
    assert ("killer", "failed") in states(shown)


@pytest.mark.rule("D172")
def test_without_the_setting_a_job_that_died_with_the_engine_has_failed(shown: OpenWindow) -> None:
    shown.studio._shell.set("queue_retry", False)
    add(shown, "killer", "next")
    shown.painter.fail("worker_died", "The engine stopped while denoising.")
    until(lambda: len(shown.painter.submits) == 2)
    assert shown.painter.submits[1].params["prompt"] == "next"


@pytest.mark.rule("D173")
def test_three_deaths_in_five_minutes_pause_the_queue_with_a_way_out(shown: OpenWindow) -> None:
    add(shown, "one", "two", "three")
    told = shown.studio.engine._told
    for name in ("restarting", "ready", "restarting", "ready", "failed"):
        told.emit(0, State(name, "The engine stopped (it was ended by SIGKILL)"))  # type: ignore[arg-type]  # a state
    until(lambda: shown.studio.health.property("trouble") == "deaths")
    assert shown.studio.jobs.property("pausedBy") == "deaths"
    press(shown, "Copy report")
    until(lambda: "Engine: The engine stopped" in QGuiApplication.clipboard().text())
    assert shown.item("Open log") and shown.item("Restart on CPU")
    press(shown, "Restart engine")
    until(lambda: shown.painter.restarts == 1)
    assert shown.studio.health.property("trouble") == "" and not shown.studio.jobs.property("paused")


@pytest.mark.rule("D177")
def test_a_job_that_does_not_end_after_cancel_offers_a_restart(shown: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.OBEYS_WITHIN_MS == 20_000
    shown.studio.health._patience.setInterval(30)
    add(shown, "one")
    shown.key(Qt.Key_Escape, SHIFT)
    until(lambda: shown.studio.health.property("trouble") == "stuck")
    press(shown, "Restart engine")
    until(lambda: shown.painter.restarts == 1)


@pytest.mark.rule("D88")
def test_a_command_of_the_users_runs_when_the_last_job_has_ended(shown: OpenWindow, tmp_path: Path) -> None:
    mark = tmp_path / "done here"
    script = f"import pathlib; pathlib.Path({str(mark)!r}).touch()"
    shown.studio._shell.set("queue_when_done", "command")
    shown.studio._shell.set("queue_command", f'"{sys.executable}" -c "{script}"')
    add(shown, "one", "two")
    finish(shown)
    assert not mark.exists()
    finish(shown)
    until(mark.exists, "the command's trace")


@pytest.mark.rule("D88")
def test_the_chime_is_a_short_sound(tmp_path: Path) -> None:
    import wave

    from sfumato.desktop.queue.farewell import write_chime

    write_chime(tmp_path / "done.wav")
    with wave.open(str(tmp_path / "done.wav")) as file:
        assert 0.3 < file.getnframes() / file.getframerate() < 1


@pytest.mark.rule("D86")
def test_the_window_has_one_job_at_the_engine_and_the_loaded_model_goes_first_if_asked(shown: OpenWindow) -> None:
    shown.studio._shell.set("queue_model_first", True)
    add(shown, "one")
    shown.studio.parameters.commit("model", "landscape-v2")
    add(shown, "other model")
    shown.studio.parameters.commit("model", "sfumato-starter")
    add(shown, "same model")
    assert len(shown.painter.submits) == 1
    shown.painter.stage("denoise", 1, 25, 4.0)
    finish(shown)
    assert shown.painter.submits[-1].params["prompt"] == "same model"


@pytest.mark.slow
@pytest.mark.rule("D87")
def test_five_thousand_jobs_fill_the_panel_quickly(open_window: Open, tmp_path: Path) -> None:
    import time

    from sfumato.jobs.queue_store import QueueStore, StoredJob

    store = QueueStore(tmp_path / "data" / "queue")
    store.load()
    store.add([(StoredJob(f"j{number}", "generate", {"prompt": f"picture {number}", "seed": number, "steps": 20}), {}, number) for number in range(5000)])
    store.close()
    window = open_window(data=tmp_path / "data")
    until(lambda: window.studio.jobs.waiting == 5000)
    began = time.thread_time()
    open_panel(window)
    until(lambda: rows(window))
    assert time.thread_time() - began < 1.0
    assert len(rows(window)) < 60, "only what is seen is made"
    taken = []
    for _ in range(21):
        began = time.thread_time()
        window.key(Qt.Key_PageDown)
        taken.append(time.thread_time() - began)
    assert sorted(taken)[10] < 0.1, [f"{seconds * 1000:.0f} ms" for seconds in taken]


@pytest.mark.rule("D88")
@pytest.mark.parametrize(
    ("command", "said"), [('"unclosed', "cannot be read"), ("no-such-program-anywhere x", "could not be started"), ("", "no command is set")]
)
def test_a_command_that_cannot_be_run_is_said(shown: OpenWindow, command: str, said: str) -> None:
    shown.studio._shell.set("queue_when_done", "command")
    shown.studio._shell.set("queue_command", command)
    add(shown, "one")
    finish(shown)
    until(lambda: said in shown.studio.notices.property("sentence"))


def test_short_requests_of_parts_go_first_mind_no_pause_and_leave_no_row(shown: OpenWindow) -> None:
    ended: list[Job] = []
    shown.studio.jobs.ended.connect(lambda job, event: ended.append(job))
    add(shown, "one", "two")
    shown.studio.jobs.pause()
    job = shown.studio.jobs.submit("annotate", {"annotator": "edges"}, {"image": b"x"}, owner="inputs:1")
    finish_to(shown, lambda: len(shown.painter.submits) == 2)
    assert shown.painter.submits[1].kind == "annotate" and shown.painter.submits[1].blobs == {"image": b"x"}
    shown.painter.finish()
    until(lambda: job in ended)
    assert states(shown) == [("two", "waiting"), ("one", "finished")]


def finish_to(window: OpenWindow, reached: Callable[[], bool]) -> None:
    picture(window)
    window.painter.finish()
    until(reached, "the next job")


def test_when_the_disk_refuses_several_jobs_each_keeps_its_pictures(tmp_path: Path) -> None:
    application_of_this_process()
    pictures, complaints, answered = Disk(), list[str](), list[str]()
    keeper = Keeper(tmp_path / "queue", pictures, lambda error: complaints.append(error.code))
    loaded = list[object]()
    keeper.load(loaded.append, lambda error: None)
    until(lambda: loaded)

    def refuse(jobs: object) -> None:
        raise DiskFull(str(tmp_path), 0, 1)

    keeper._store.add = refuse  # type: ignore[method-assign]  # a disk without room
    jobs = [Job(f"{number}", "generate", {"image": "x"}, {"x": b"bytes"}) for number in range(3)]
    held = threading.Event()
    keeper._disk.run(held.wait, lambda _: None, lambda error: None)
    for job in jobs:
        keeper.add(job, lambda job: answered.append(job.id))
    held.set()
    until(lambda: len(answered) == 3)
    assert complaints == ["disk_full"] * 3
    assert [job.blobs for job in jobs] == [{"x": b"bytes"}] * 3
    pictures.close()
    keeper.close()


@pytest.mark.rule("D33")
def test_finish_then_quit_waits_for_the_running_job_also_when_the_others_are_cancelled(shown: OpenWindow) -> None:
    left = list[bool]()
    shown.studio.leaving.connect(lambda: left.append(True))
    add(shown, "one", "two")
    shown.studio.leaving.disconnect(shown.launch._application_quit)
    shown.studio.leave(True)
    shown.studio.jobs.cancel_waiting(list(shown.studio.jobs.rows.waiting))
    assert not left
    picture(shown)
    shown.painter.finish()
    until(lambda: left, "the end")


@pytest.mark.rule("D87", "R137")
def test_quitting_while_a_job_is_edited_keeps_the_controls_of_before(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    add(window, "one", "two")
    window.studio.parameters.commit("steps", "33")
    window.studio.prompts.text = "my own"
    job = window.studio.jobs.rows.waiting[0]
    window.studio.jobs.rows.select([job.id])
    window.studio.queue.edit()
    assert window.studio.parameters.value("steps") != 33
    window.close()
    again = open_window(data=tmp_path / "data")
    assert (again.studio.parameters.value("steps"), again.studio.prompts.text) == (33, "my own")
