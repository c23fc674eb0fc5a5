"""What a person does at the window, by real key events, and what the engine is then asked."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from PyQt5.QtCore import QObject, Qt, pyqtSlot
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtQml import QQmlComponent, QQmlExpression

from sfumato.protocol.errors import DiskFull
from sfumato.protocol.messages import Submit
from sfumato.transport.endpoint import State
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter, emerging, encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

CTRL = Qt.ControlModifier
SHIFT = Qt.ShiftModifier
BUTTON = 43  # Accessible.Button


def generate(window: OpenWindow) -> Submit:
    """Press Ctrl+Enter and wait for the request."""
    before = len(window.painter.submits)
    window.key(Qt.Key_Return, CTRL)
    until(lambda: len(window.painter.submits) > before, "the request")
    return window.painter.submits[-1]


def draw(window: OpenWindow, index: int = 0) -> None:
    window.painter.picture(encoded(scene()), index)


@pytest.mark.rule("D43", "D93", "D85")
def test_ctrl_enter_sends_exactly_what_is_shown(shown: OpenWindow) -> None:
    shown.type("a red circle, (white:1.2) background  ")
    shown.key(Qt.Key_Tab)
    shown.type("blurry")
    shown.studio.parameters.commit("steps", "12")
    shown.studio.parameters.commit("guidance", "5,5")
    sent = generate(shown)

    assert sent.kind == "generate"
    assert (sent.params["prompt"], sent.params["negative"]) == ("a red circle, (white:1.2) background  ", "blurry")
    form = shown.studio.parameters
    for name, value in sent.params.items():
        if name not in ("prompt", "negative", "seed"):
            assert value == form.value(name), name
    assert (sent.params["steps"], sent.params["guidance"], sent.params["model"]) == (12, 5.5, "sfumato-starter")
    assert 0 <= sent.params["seed"] < 2**32 - 2
    # What the sampler does not use is neither shown nor sent; an unset size is the model's own.
    assert not {"s_churn", "width", "height"} & set(sent.params)


def test_tab_goes_from_prompt_to_negative_to_the_first_parameter_and_back(shown: OpenWindow) -> None:
    def focused() -> object:
        item = shown.window.activeFocusItem()
        return accessible(item, "name")

    order = [focused()]
    for _ in range(2):
        shown.key(Qt.Key_Tab)
        order.append(focused())
    shown.key(Qt.Key_Backtab, SHIFT)
    order.append(focused())
    assert order == ["Prompt", "Negative prompt", "Model, open", "Negative prompt"]


@pytest.mark.rule("D186")
def test_every_stop_of_the_tab_key_is_visible_and_the_round_ends(shown: OpenWindow) -> None:
    seen: list[QObject] = []
    for _ in range(60):
        item = shown.window.activeFocusItem()
        if item in seen:
            break
        assert item is not None and item.isVisible()
        assert accessible(item, "name"), item.metaObject().className()
        seen.append(item)
        shown.key(Qt.Key_Tab)
    assert seen.index(shown.window.activeFocusItem()) == 0, "the focus is trapped"
    assert len(seen) > 15


@pytest.mark.rule("D36")
def test_undo_belongs_to_the_text_box_while_it_has_the_focus(shown: OpenWindow) -> None:
    shown.type("ab")
    shown.key(Qt.Key_Z, CTRL)
    assert shown.studio.prompts.property("text") in ("", "a")


@pytest.mark.rule("D73")
def test_preview_stands_where_the_result_will_be(shown: OpenWindow) -> None:
    generate(shown)
    until(lambda: shown.studio.outputs.rowCount() == 1)
    shown.painter.stage("denoise", 4, 20, 10.0, (emerging(scene(), 0.2),))
    until(lambda: shown.studio.outputs.property("shown").get("state") == "preview")
    until(lambda: any(item.property("ready") is True for item in items(shown.window.contentItem())), "the preview on screen")
    first = shown.studio.outputs.property("shown")["source"]
    shown.painter.stage("denoise", 8, 20, 10.0, (emerging(scene(), 0.5),))
    until(lambda: shown.studio.outputs.property("shown")["source"] not in ("", first))

    draw(shown)
    shown.painter.finish()
    until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")

    assert shown.studio.outputs.rowCount() == 1
    assert Path(shown.studio.outputs.property("shown")["path"]).read_bytes() == encoded(scene())


def test_progress_says_step_speed_and_time_left(shown: OpenWindow) -> None:
    generate(shown)
    shown.painter.stage("denoise", 5, 25, 4.0)
    until(lambda: shown.studio.jobs.property("fraction") == 0.2)
    jobs = shown.studio.jobs
    assert (jobs.property("steps"), jobs.property("rate"), jobs.property("timeLeft")) == ("5 / 25", "4.0 it/s", "5 s")
    words = [str(item.property("text")) for item in items(shown.window.contentItem()) if item.property("text")]
    assert any("5 / 25" in word and "4.0 it/s" in word and "5 s" in word for word in words)
    assert shown.window.title().startswith("20 %")


@pytest.mark.rule("D39", "R74")
def test_the_generate_key_while_busy_queues_and_never_cancels(shown: OpenWindow) -> None:
    first = generate(shown)
    shown.key(Qt.Key_Return, CTRL)
    shown.key(Qt.Key_Return, CTRL)
    until(lambda: shown.studio.jobs.property("waiting") == 2)
    assert shown.painter.submits == [first] and shown.painter.cancels == []

    draw(shown)
    shown.painter.finish()
    until(lambda: len(shown.painter.submits) == 2)
    assert shown.studio.jobs.property("waiting") == 1


@pytest.mark.rule("D82")
def test_shift_escape_cancels_the_running_job_and_leaves_the_others(shown: OpenWindow) -> None:
    first = generate(shown)
    shown.key(Qt.Key_Return, CTRL)
    shown.key(Qt.Key_Escape, SHIFT)
    until(lambda: shown.painter.cancels, "the cancel")
    assert [cancel.job for cancel in shown.painter.cancels] == [first.job]
    shown.painter.cancelled()
    until(lambda: len(shown.painter.submits) == 2)
    assert shown.studio.jobs.running.id == shown.painter.job


@pytest.mark.rule("D78")
def test_a_cancelled_job_keeps_its_finished_pictures_only(shown: OpenWindow) -> None:
    shown.studio.parameters.commit("batch_size", "2")
    generate(shown)
    until(lambda: shown.studio.outputs.rowCount() == 2)
    draw(shown)
    shown.painter.cancelled()
    until(lambda: shown.studio.jobs.property("busy") is False)
    until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")
    assert shown.studio.outputs.rowCount() == 1


@pytest.mark.rule("D178", "D179")
def test_an_error_is_a_sentence_with_details_behind_it_and_repeats_are_counted(shown: OpenWindow) -> None:
    for _ in range(2):
        generate(shown)
        shown.painter.fail("out_of_memory", "Not enough memory for 4096x4096. Use a smaller size.", detail="Traceback: 12 GiB asked")
        until(lambda: shown.studio.jobs.property("busy") is False)
    notices = shown.studio.notices
    assert (notices.property("sentence"), notices.property("count")) == ("Not enough memory for 4096x4096. Use a smaller size.", 2)

    shown.click(shown.item("Details"))
    until(lambda: [item for item in items(shown.window.contentItem()) if accessible(item, "name") == "What went wrong"], "the dialog")
    until(lambda: shown.item("Copy details").property("visible"))
    shown.click(shown.item("Copy details"))
    assert "12 GiB asked" in QGuiApplication.clipboard().text()
    shown.key(Qt.Key_Escape)
    until(lambda: not [item for item in items(shown.window.contentItem()) if accessible(item, "name") == "What went wrong"])
    # The queue goes on.
    generate(shown)


@pytest.mark.rule("D50")
def test_an_invalid_request_marks_every_control_it_names(shown: OpenWindow) -> None:
    generate(shown)
    shown.painter.fail("invalid", "Steps and guidance do not fit.", path="steps,guidance")
    until(lambda: shown.studio.parameters.cell("steps", "problem"))
    assert shown.studio.parameters.cell("guidance", "problem") == "Steps and guidance do not fit."


@pytest.mark.rule("D79")
def test_a_failed_write_keeps_the_picture_and_saves_it_elsewhere(shown: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(kind: str, params: dict[str, object], data: bytes) -> Path:
        raise DiskFull("txt2img", 10, len(data))

    real = shown.studio.outputs._save
    monkeypatch.setattr(shown.studio.outputs, "_save", full)  # a full disk cannot be had without being root
    generate(shown)
    draw(shown)
    shown.painter.finish()
    until(lambda: shown.studio.outputs.property("shown").get("state") == "unsaved")
    assert "txt2img" in shown.studio.notices.property("sentence")

    monkeypatch.setattr(shown.studio.outputs, "_save", real)
    shown.window.grabWindow()  # the row of buttons is laid out with the next frame
    shown.click(shown.item("Save elsewhere"))
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Folder")
    shown.type(str(tmp_path / "elsewhere"))
    shown.key(Qt.Key_Return)
    until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")
    (file,) = (tmp_path / "elsewhere").iterdir()
    assert file.read_bytes() == encoded(scene())


@pytest.mark.rule("D42")
def test_generating_while_the_engine_starts_waits_and_says_so(open_window: Open) -> None:
    window = open_window(Painter(greet=False))
    window.type("a star")
    generate(window)
    assert window.studio.jobs.property("stage") == "Starting engine"


def test_a_machine_without_a_model_says_what_to_do(open_window: Open) -> None:
    window = open_window(Painter({**CHOICES, "models": []}))
    until(lambda: window.studio.parameters.property("obstacle"))
    window.key(Qt.Key_Return, CTRL)
    assert window.painter.submits == []
    assert "models/checkpoints" in window.studio.notices.property("sentence")
    (button,) = [item for item in items(window.window.contentItem()) if accessible(item, "name") == "Generate" and accessible(item, "role") == BUTTON]
    assert button.property("enabled") is False


def test_a_dead_engine_is_told_and_the_queue_goes_on(shown: OpenWindow) -> None:
    generate(shown)
    shown.key(Qt.Key_Return, CTRL)
    shown.studio.engine._told.emit(0, State("restarting", "The engine stopped (killed by signal 9). Restarting"))
    shown.painter.fail("worker_died", "The engine stopped unexpectedly.")
    until(lambda: len(shown.painter.submits) == 2)
    assert any("killed by signal 9" in str(item.property("text")) for item in items(shown.window.contentItem()))


@pytest.mark.rule("D171")
def test_a_reload_runs_the_interrupted_job_again_first(shown: OpenWindow) -> None:
    first = generate(shown)
    shown.key(Qt.Key_Return, CTRL)
    shown.key(Qt.Key_R, CTRL)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Cancel", "the question")
    shown.click(shown.item("Reload now"))
    until(lambda: shown.painter.restarts == 1)
    shown.painter.fail("worker_died", "The engine stopped unexpectedly.")
    until(lambda: shown.studio.jobs.running is None)
    shown.painter.greet()
    until(lambda: len(shown.painter.submits) == 2)
    again = shown.painter.submits[1]
    assert again.job != first.job and again.params == first.params
    assert shown.studio.jobs.property("waiting") == 1
    assert not shown.studio.notices.property("present")


def test_full_view_walks_zooms_and_gives_the_focus_back(shown: OpenWindow) -> None:
    for _ in range(3):
        generate(shown)
        draw(shown)
        shown.painter.finish()
        until(lambda: shown.studio.jobs.property("busy") is False)
        until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")
    shown.studio.act("view_open")
    view = shown.window.activeFocusItem()
    shown.key(Qt.Key_Right)
    shown.key(Qt.Key_Right)
    shown.key(Qt.Key_Right)
    assert shown.studio.outputs.property("current") == 2
    shown.key(Qt.Key_Left)
    assert shown.studio.outputs.property("current") == 1
    until(lambda: view.property("fitted") > 1)
    shown.key(Qt.Key_Z)
    assert view.property("factor") == 1
    shown.key(Qt.Key_Delete)
    assert shown.studio.outputs.rowCount() == 2
    assert len(list(Path(shown.studio.outputs.property("shown")["path"]).parent.iterdir())) == 3, "the file stays"
    shown.key(Qt.Key_Escape)
    assert accessible(shown.window.activeFocusItem(), "name") == "Prompt"


def test_the_strip_follows_the_newest_until_another_picture_is_chosen(shown: OpenWindow) -> None:
    def one() -> None:
        count = shown.studio.outputs.rowCount()
        generate(shown)
        draw(shown)
        shown.painter.finish()
        until(lambda: shown.studio.jobs.property("busy") is False and shown.studio.outputs.rowCount() == count + 1)

    one()
    one()
    assert shown.studio.outputs.property("current") == 0
    shown.studio.outputs.choose(1)
    one()
    assert shown.studio.outputs.property("current") == 2
    shown.studio.outputs.choose(0)
    one()
    assert shown.studio.outputs.property("current") == 0


class Mistaken(QObject):
    """A slot with a mistake in it."""

    @pyqtSlot()
    def slip(self) -> None:
        raise RuntimeError("a mistake in a slot")


@pytest.mark.rule("D180", "R76")
def test_an_exception_in_a_slot_a_thread_or_qml_leaves_the_window_working(shown: OpenWindow, said: list[str]) -> None:
    notices = shown.studio.notices
    mistaken = Mistaken()
    shown.launch.engine.rootContext().setContextProperty("mistaken", mistaken)
    QQmlExpression(shown.launch.engine.rootContext(), shown.window, "mistaken.slip()").evaluate()
    until(lambda: "a mistake in a slot" in notices.property("detail"))
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    until(lambda: "ZeroDivisionError" in notices.property("detail"))
    component = QQmlComponent(shown.launch.engine)
    component.setData(b"import QtQuick 2.15\nItem { Component.onCompleted: nothingOfThatName.run() }", shown.launch.engine.baseUrl())
    broken = component.create()
    until(lambda: "nothingOfThatName" in notices.property("detail"))
    assert broken is not None
    assert notices.property("count") == 3
    said[:] = [message for message in said if "nothingOfThatName" not in message]
    # And the window still does its work.
    shown.type("x")
    assert generate(shown).params["prompt"] == "x"


def test_a_theme_is_switched_at_once_and_kept(shown: OpenWindow, open_window: Open, tmp_path: Path) -> None:
    before = shown.window.color()
    shown.studio.act("theme_light")
    until(lambda: shown.window.color() != before)
    shown.close()
    assert open_window(data=tmp_path / "data").studio.property("theme") == "light"


@pytest.mark.rule("D33")
def test_quitting_with_a_job_asks_and_can_wait_for_it(shown: OpenWindow) -> None:
    left: list[bool] = []
    shown.studio.leaving.connect(lambda: left.append(True))
    generate(shown)
    shown.key(Qt.Key_Q, CTRL)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Cancel", "the question")
    assert not left
    shown.click(shown.item("Finish, then quit"))
    assert not left
    draw(shown)
    shown.painter.finish()
    until(lambda: left)
    until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")


@pytest.mark.rule("D186")
def test_a_menu_is_opened_and_used_by_keys(shown: OpenWindow) -> None:
    shown.key(Qt.Key_V, Qt.AltModifier)
    until(lambda: any(accessible(item, "name") == "Light theme" for item in items(shown.window.contentItem())), "the menu")
    for _ in shown.studio.property("actions"):
        shown.key(Qt.Key_Down)
        if accessible(shown.window.activeFocusItem(), "name") == "Light theme":
            break
    shown.key(Qt.Key_Return)
    assert shown.studio.property("theme") == "light"
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt", "the focus in the prompt again")


def test_a_finished_picture_becomes_the_start_of_the_next_and_travels_beside_the_request(shown: OpenWindow) -> None:
    data = encoded(scene("blue", "star"))
    shown.studio.act("generate")
    until(lambda: shown.painter.submits)
    shown.painter.picture(data)
    shown.painter.finish()
    until(lambda: shown.studio.outputs.property("shown").get("state") == "saved")
    shown.key(Qt.Key_I, Qt.ControlModifier)
    until(lambda: shown.studio.inputs.property("mode") == "Img2Img", "the picture on a card")
    shown.key(Qt.Key_Return, Qt.ControlModifier)
    until(lambda: len(shown.painter.submits) == 2, "the second job")
    second = shown.painter.submits[1]
    assert second.blobs == {second.params["image"]: data}
    assert second.params["image"] == hashlib.sha256(data).hexdigest()
    shown.painter.finish()

    shown.studio.inputs.remove(shown.studio.inputs.property("chosen"))
    shown.studio.inputs.add("/nowhere/at all.png", "image")
    until(lambda: "'at all.png' is not a picture" in shown.studio.inputs.property("obstacle"), "the reason at the card")
    shown.key(Qt.Key_Return, Qt.ControlModifier)
    assert "'at all.png'" in shown.studio.notices.property("sentence")
    assert len(shown.painter.submits) == 2


@pytest.mark.rule("E115")
def test_the_settings_of_a_distilled_model_are_taken_with_one_press(open_window: Open) -> None:
    preset = {"name": "lcm", "title": "LCM", "fields": {"sampler": "DPM++ 2M", "steps": 6, "guidance": 1.5}}
    window = open_window(painter=Painter({**CHOICES, "models": [{**CHOICES["models"][0], "preset": preset}]}))
    button = window.item("Use these settings", "Button")
    assert not window.window.grabWindow().isNull()  # drawn once, so that everything has its place
    window.click(button)
    until(lambda: not button.isVisible(), "the offer to go")
    sent = generate(window)
    assert (sent.params["sampler"], sent.params["steps"], sent.params["guidance"]) == ("DPM++ 2M", 6, 1.5)


def test_what_is_hidden_while_it_has_the_focus_gives_it_to_something_that_is_seen(shown: OpenWindow) -> None:
    shown.type("a fox")
    shown.key(Qt.Key_Tab)
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Negative prompt", "the focus in the negative prompt")
    shown.studio.act("negative_prompt")
    until(lambda: accessible(shown.window.activeFocusItem(), "name") == "Prompt", "the focus in the prompt")
    shown.type("es")
    assert (shown.studio.prompts.property("text"), shown.studio.prompts.property("negative")) == ("a foxes", "")
