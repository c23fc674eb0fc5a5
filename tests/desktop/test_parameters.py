"""The form without a window, and its controls by real events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from sfumato.desktop.disk import Disk
from sfumato.desktop.edits import Edits
from sfumato.desktop.parameters import Arrangement, Aspect, ParameterForm, Section
from sfumato.desktop.parameters import form as form_module
from sfumato.desktop.parameters.form import ELSEWHERE
from sfumato.desktop.parameters.roles import ROLE
from sfumato.desktop.parameters.values import choice
from sfumato.desktop.session import Session
from sfumato.protocol.params import SEED_MAX
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs, validate
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter
from tests.support.window import OpenWindow, accessible, application_of_this_process, items, until


@pytest.fixture
def form() -> ParameterForm:
    made = ParameterForm(specs(Generate))
    made.describe(specs(Generate), CHOICES)
    return made


def rows(section: Section) -> set[str]:
    """The parameters that have a row in a section."""
    return {section.data(section.index(row, 0), ROLE["name"]) for row in range(section.rowCount())}


def test_a_machine_with_very_many_models_costs_no_more_per_parameter(form: ParameterForm, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [{**CHOICES["models"][0], "value": f"model-{number}"} for number in range(2000)]
    read: list[Mapping[str, Any]] = []
    monkeypatch.setattr(form_module, "choice", lambda row: read.append(row) or choice(row))
    form.describe(specs(Generate), {**CHOICES, "models": models})
    read.clear()
    for row in range(form.rowCount()):
        form.is_shown(row, "sampling")
    assert form.value("model") == "model-0"
    assert form.side("width") == 64
    assert len(read) < len(models)  # nothing of this goes through the whole list


@pytest.mark.rule("D48")
def test_every_parameter_has_a_row_and_its_request_is_valid(form: ParameterForm) -> None:
    names = {form.data(form.index(row), ROLE["name"]) for row in range(form.rowCount())}
    assert names == {spec.name for spec in specs(Generate)} - ELSEWHERE
    validate(Generate, form.request())


@pytest.mark.rule("D50")
@pytest.mark.parametrize(
    ("name", "typed"),
    [("steps", "0"), ("steps", "151"), ("steps", "2.5"), ("steps", "many"), ("guidance", "nan"), ("guidance", "-1"), ("width", "63"), ("seed", str(2**63))],
)
def test_what_is_out_of_range_is_refused_at_the_control_with_the_limit_in_words(form: ParameterForm, name: str, typed: str) -> None:
    before = form.value(name)
    assert not form.commit(name, typed)
    assert form.value(name) == before
    title = next(spec.title for spec in specs(Generate) if spec.name == name)
    assert form.cell(name, "problem").startswith(f"{title} must be")


@pytest.mark.rule("D191")
@pytest.mark.parametrize(("typed", "value"), [("6.5", 6.5), ("6,5", 6.5), (" 7 ", 7.0), ("1e1", 10.0)])
def test_either_decimal_separator_is_taken(form: ParameterForm, typed: str, value: float) -> None:
    assert form.commit("guidance", typed)
    assert form.value("guidance") == value


def test_a_seed_of_63_bits_passes_through_exactly(form: ParameterForm) -> None:
    assert form.commit("seed", str(SEED_MAX))
    assert form.request()["seed"] == SEED_MAX
    assert form.cell("seed", "text") == str(SEED_MAX)


def test_the_size_of_a_model_nobody_looked_at_yet_is_left_open() -> None:
    made = ParameterForm(specs(Generate))
    made.describe(specs(Generate), {**CHOICES, "models": [{"value": "new", "label": "new", "family": "", "width": 0, "height": 0, "state": "ready"}]})
    made.commit("model", "new")
    assert made.cell("width", "text") == ""
    assert made.cell("width", "placeholder") == "Model's size"
    assert "width" not in made.request()


@pytest.mark.rule("D32")
def test_what_is_taken_back_on_one_page_leaves_what_changed_on_another(form: ParameterForm) -> None:
    edits = Edits()
    form.stepped.connect(lambda words, undo, redo, key: edits.push(words, undo, redo, key, tab=page))
    page = "models"
    form.apply({"vae": "some.safetensors"}, "Use some")
    page = "generate"
    form.commit("steps", "31")
    edits.show("models")
    edits.undo()
    assert form.set_values() == {"steps": 31}
    edits.redo()
    assert form.set_values() == {"steps": 31, "vae": "some.safetensors"}


def test_a_locked_aspect_is_that_of_an_imported_size_and_no_rounding_moves_it(form: ParameterForm, session: Session) -> None:
    aspect = Aspect(form, session)
    form.apply({"width": 512, "height": 512}, "Start")
    aspect.setProperty("ratio", "locked")
    form.apply({"width": 768, "height": 512}, "Import")
    form.commit("width", "770")
    form.commit("steps", "31")
    form.commit("width", "1536")
    assert (form.value("width"), form.value("height")) == (1536, 1024)


@pytest.mark.rule("D32")
def test_a_drag_that_moves_the_other_side_now_and_then_is_taken_back_and_made_again_whole(form: ParameterForm, session: Session) -> None:
    edits = Edits()
    form.stepped.connect(edits.push)
    form.apply({"width": 512, "height": 512}, "Start")
    Aspect(form, session).setProperty("ratio", "locked")
    for width in (513, 514, 560, 561):
        form.commit("width", str(width))
    after = form.set_values()
    edits.undo()
    assert form.set_values() == {"width": 512, "height": 512}
    edits.redo()
    assert form.set_values() == after


@pytest.mark.rule("D51")
def test_an_unset_size_follows_the_model_until_it_is_set_and_again_after_reset(form: ParameterForm) -> None:
    assert form.cell("width", "text") == "64"
    form.commit("model", "landscape-v2")
    assert form.cell("width", "text") == "512"
    form.commit("width", "768")
    form.commit("model", "sfumato-starter")
    assert form.cell("width", "text") == "768"
    form.reset("width")
    assert (form.cell("width", "text"), form.cell("width", "isSet")) == ("64", False)


def test_parameters_a_sampler_does_not_use_are_neither_shown_nor_sent_and_come_back(form: ParameterForm) -> None:
    form.commit("eta", "0.5")
    assert form.request()["eta"] == 0.5
    form.commit("sampler", "DPM++ 2M")
    form.advanced = True
    shown = set().union(*(rows(section) for section in form.property("sections")))
    assert "eta" not in form.request() and "eta" not in shown and "clip_skip" in shown
    form.commit("sampler", "Euler a")
    assert form.request()["eta"] == 0.5


@pytest.mark.rule("D26")
def test_a_chosen_model_that_is_gone_stays_and_is_marked_missing(form: ParameterForm) -> None:
    form.commit("model", "landscape-v2")
    form.describe(specs(Generate), {**CHOICES, "models": CHOICES["models"][:1]})
    assert form.value("model") == "landscape-v2"
    assert [(row["value"], row["note"], row["enabled"]) for row in form.cell("model", "choices")][-1] == ("landscape-v2", "missing", False)
    assert "landscape-v2" in form.property("obstacle")


def test_an_unusable_model_is_shown_with_its_reason_and_is_not_taken_by_default(form: ParameterForm) -> None:
    form.describe(specs(Generate), {**CHOICES, "models": list(reversed(CHOICES["models"]))})
    assert form.value("model") == "landscape-v2"
    row = form.cell("model", "choices")[0]
    assert not row["enabled"] and "pickle" in row["reason"]


def test_rows_come_with_what_they_need_and_sections_count_and_reset_their_own(form: ParameterForm) -> None:
    sections = {section.group: section for section in form.property("sections")}
    assert "strength" not in rows(sections["image"]) and sections["loopback"].count == 0
    form.give({"image": "a picture"})
    assert {"strength", "resize_mode"} <= rows(sections["image"]) and "loops" not in rows(sections["loopback"])
    form.advanced = True
    assert "loops" in rows(sections["loopback"])
    assert "mask_blur" not in rows(sections["mask"]) and "mask_blur" not in form.request()
    form.give({"image": "a picture", "mask": "another"})
    assert "mask_blur" in rows(sections["mask"]) and not form.request().get("image")
    form.commit("rng", "nv")
    form.commit("clip_skip", "2")
    assert (sections["seed"].changes, sections["model"].changes) == (1, 1)
    sections["seed"].reset()
    assert (sections["seed"].changes, sections["model"].changes) == (0, 1)
    form.give({})
    assert "mask_blur" not in form.request()


@pytest.mark.rule("D27", "D43")
def test_a_seldom_needed_value_that_is_set_has_its_row_and_a_folded_section_tells_it(form: ParameterForm) -> None:
    model = next(section for section in form.property("sections") if section.group == "model")
    assert rows(model) == {"model"}
    form.commit("clip_skip", "2")
    assert rows(model) == {"model", "clip_skip"} and form.request()["clip_skip"] == 2
    assert (model.property("changes"), model.property("summary")) == (1, "2")
    form.resetAll()
    assert rows(model) == {"model"} and form.request()["clip_skip"] == 0
    assert model.property("summary") == "sfumato-starter"


@pytest.mark.rule("D32")
def test_every_change_of_the_form_is_taken_back_and_made_again(form: ParameterForm) -> None:
    edits = Edits()
    form.stepped.connect(edits.push)
    form.commit("steps", "30")
    form.commit("guidance", "5")
    assert form.apply({"steps": 12, "width": 640, "nothing of that name": 1, "guidance": "much"}, "Import") == ["nothing of that name", "guidance"]
    form.reset("width")
    states = [{"steps": 30}, {"steps": 30, "guidance": 5.0}, {"steps": 12, "guidance": 5.0, "width": 640}, {"steps": 12, "guidance": 5.0}]
    for expected in (*reversed(states[:-1]), {}):
        edits.undo()
        assert form.set_values() == expected
    assert edits.property("undoWords") == ""
    for expected in states:
        edits.redo()
        assert form.set_values() == expected
    # What is done anew drops what could have been made again.
    edits.undo()
    form.commit("steps", "99")
    assert edits.property("redoWords") == ""


@pytest.mark.rule("D25", "D32")
def test_dragging_a_slider_is_one_step_of_undo(form: ParameterForm) -> None:
    edits = Edits()
    form.stepped.connect(edits.push)
    for steps in range(20, 40):
        form.commit("steps", str(steps))
    edits.undo()
    assert form.set_values() == {}


@pytest.mark.rule("D51")
def test_a_value_that_follows_another_shows_it_until_it_is_set_and_after_a_reset(form: ParameterForm) -> None:
    form.commit("hr_scale", "2")
    form.commit("steps", "31")
    assert (form.cell("hr_steps", "text"), form.cell("hr_steps", "isSet"), form.cell("hr_guidance", "text")) == ("31", False, "7")
    assert form.request()["hr_steps"] == 0
    form.commit("hr_steps", "9")
    form.commit("steps", "40")
    assert (form.cell("hr_steps", "text"), form.request()["hr_steps"]) == ("9", 9)
    form.reset("hr_steps")
    assert (form.cell("hr_steps", "text"), form.request()["hr_steps"]) == ("40", 0)


@pytest.mark.rule("D49")
def test_what_the_chosen_model_does_not_use_is_hidden_not_sent_and_comes_back() -> None:
    made = ParameterForm(specs(Generate))
    models = [{**CHOICES["models"][0], "idle": ["clip_skip"]}, CHOICES["models"][1]]
    made.describe(specs(Generate), {**CHOICES, "models": models})
    made.commit("model", "landscape-v2")
    made.commit("clip_skip", "2")
    assert made.request()["clip_skip"] == 2
    made.commit("model", "sfumato-starter")
    assert "clip_skip" not in made.request()
    made.commit("model", "landscape-v2")
    assert made.request()["clip_skip"] == 2


def test_lists_are_typed_one_to_a_line_or_with_commas(form: ParameterForm) -> None:
    form.commit("schedule", "custom")
    assert form.commit("sigmas", "14.6, 7 3.2") and form.request()["sigmas"] == [14.6, 7.0, 3.2]
    assert not form.commit("sigmas", "14, high") and "high" in form.cell("sigmas", "problem")
    form.commit("tiled", "tiles")
    form.give({"image": "a picture"})
    assert form.commit("tile_captions", "a sky\n\na sea") and form.request()["tile_captions"] == ["a sky", "a sea"]
    validate(Generate, form.request())


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    application_of_this_process()  # timers need one
    disk = Disk()
    yield Session(tmp_path, {}, disk, lambda sentence: None)
    disk.close()


@pytest.mark.rule("D50")
def test_the_aspect_is_kept_by_whichever_side_is_changed_and_turned_by_a_swap(form: ParameterForm, session: Session) -> None:
    aspect = Aspect(form, session)
    form.commit("width", "768")
    form.commit("height", "512")
    aspect.ratio = "locked"
    form.commit("width", "960")
    assert form.value("height") == 640
    aspect.swap()
    assert (form.value("width"), form.value("height")) == (640, 960)
    form.commit("height", "480")
    assert form.value("width") == 320
    aspect.ratio = "16:9"
    assert abs(form.value("width") / form.value("height") - 16 / 9) < 0.05 and form.value("width") % 8 == 0
    form.commit("height", "720")
    assert form.value("width") == 1280
    aspect.ratio = ""
    form.commit("width", "512")
    assert form.value("height") == 720


@pytest.mark.rule("D27")
def test_sections_and_rows_are_pinned_hidden_and_brought_back(form: ParameterForm, session: Session) -> None:
    panel = Arrangement(form, session)
    sections = {section.group: section for section in form.property("sections")}
    panel.pin("batch")
    assert [section.group for section in panel.property("shown")][:2] == ["pinned", "batch"]
    panel.pinRow("steps")
    assert rows(sections["pinned"]) == {"steps"} and "steps" not in rows(sections["sampling"])
    panel.hide("size")
    panel.hideRow("guidance")
    assert "size" not in [section.group for section in panel.property("shown")] and "guidance" not in rows(sections["sampling"])
    form.commit("guidance", "many")
    assert "guidance" in rows(sections["sampling"]), "what is wrong is seen"
    form.commit("guidance", "5")
    assert form.request()["guidance"] == 5.0
    for hidden in panel.property("hidden"):
        panel.bringBack(hidden["name"])
    assert panel.property("hidden") == [] and "guidance" in rows(sections["sampling"])


def test_a_typed_value_beyond_the_slider_grows_it(form: ParameterForm) -> None:
    form.commit("width", "1536")
    assert form.cell("width", "maximum") == 2048


def wheel(window: OpenWindow, item: QQuickItem, modifiers: int) -> None:
    middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2))
    event = QWheelEvent(middle, middle, QPoint(), QPoint(0, 120), Qt.NoButton, modifiers, Qt.NoScrollPhase, False)
    QApplication.sendEvent(window.window, event)


@pytest.mark.rule("D25")
def test_sliders_by_keys_wheel_and_mouse(shown: OpenWindow) -> None:
    form = shown.studio.parameters
    slider = shown.item("Steps", "Slider")
    slider.forceActiveFocus()
    for key, value in ((Qt.Key_Right, 26), (Qt.Key_Left, 25), (Qt.Key_Up, 30), (Qt.Key_Down, 25)):
        shown.key(key)
        assert form.value("steps") == value
    wheel(shown, slider, Qt.NoModifier)
    assert form.value("steps") == 25
    wheel(shown, slider, Qt.ControlModifier)
    assert form.value("steps") == 30
    wheel(shown, slider, Qt.ControlModifier | Qt.ShiftModifier)
    assert form.value("steps") == 31
    end = slider.mapToScene(QPointF(slider.width() - 2, slider.height() / 2)).toPoint()
    QTest.mouseClick(shown.window, Qt.LeftButton, Qt.NoModifier, end)
    assert form.value("steps") == 50
    until(lambda: slider.property("value") == 50)


@pytest.mark.rule("D25")
def test_a_typed_number_is_taken_at_enter_refused_in_place_and_reset_by_escape(shown: OpenWindow) -> None:
    form = shown.studio.parameters
    field = shown.item("Steps", "NumberField")
    field.forceActiveFocus()
    shown.type("120")
    assert form.value("steps") == 25, "not before it is committed"
    shown.key(Qt.Key_Return)
    assert form.value("steps") == 120

    field.setProperty("text", "999")
    shown.key(Qt.Key_Return)
    assert (form.value("steps"), field.property("text"), field.property("wrong")) == (120, "999", True)
    assert any(item.property("text") == "Steps must be between 1 and 150." for item in items(shown.window.contentItem()))

    shown.key(Qt.Key_Escape)
    assert (form.value("steps"), field.property("text"), field.property("wrong")) == (25, "25", False)


def test_seed_is_random_a_number_or_the_last_one(shown: OpenWindow) -> None:
    form = shown.studio.parameters
    shown.studio.act("generate")
    until(lambda: shown.painter.submits)
    drawn = shown.painter.submits[0].params["seed"]
    shown.click(shown.item(f"Use the last seed again: {drawn}"))
    assert form.value("seed") == drawn
    field = shown.item("Seed", "NumberField")
    assert field.property("text") == str(drawn)
    shown.click(shown.item("Draw a new seed for each job"))
    assert form.value("seed") == -1
    until(lambda: field.property("text") == "Random")
    shown.click(field)
    shown.type("77")
    shown.key(Qt.Key_Tab)
    assert form.value("seed") == 77


def test_choosing_a_sampler_by_keys(shown: OpenWindow) -> None:
    choice = shown.item("Sampler", "Choice")
    choice.forceActiveFocus()
    shown.key(Qt.Key_Down)
    assert shown.studio.parameters.value("sampler") == "DPM++ 2M"
    until(lambda: choice.property("current") == "DPM++ 2M")


@pytest.mark.rule("D26")
def test_the_list_of_models_shows_why_one_cannot_be_chosen_and_does_not_choose_it(shown: OpenWindow) -> None:
    choice = shown.item("Model", "Choice")
    shown.click(choice)
    rows = [item for item in items(shown.window.contentItem()) if "ChoiceRow" in item.metaObject().className()]
    until(lambda: len(rows) == 3 and all(row.width() > 100 for row in rows))
    assert any("is a pickle" in str(item.property("text")) for item in items(rows[2]))
    shown.click(rows[2])
    assert shown.studio.parameters.value("model") == "sfumato-starter"
    shown.click(rows[1])
    assert shown.studio.parameters.value("model") == "landscape-v2"
    choice.forceActiveFocus()
    shown.key(Qt.Key_Down)
    assert shown.studio.parameters.value("model") == "landscape-v2"
    assert choice.property("currentIndex") == 1


def test_a_choice_that_may_stay_open_names_what_happens_then(form: ParameterForm) -> None:
    form.commit("hr_scale", "2")
    first = {name: form.cell(name, "choices")[0] for name in ("hr_sampler", "hr_schedule", "hr_model", "vae", "refiner")}
    assert {name: (row["value"], row["label"]) for name, row in first.items()} == {
        "hr_sampler": ("same", "= Euler a"),
        "hr_schedule": ("same", "= Automatic"),
        "hr_model": ("", "= Sfumato starter"),
        "vae": ("", "Checkpoint's own"),
        "refiner": ("", "None"),
    }
    assert form.commit("hr_sampler", "Euler") and form.request()["hr_sampler"] == "Euler"
    assert form.commit("hr_sampler", "same") and form.request()["hr_sampler"] == "same"


@pytest.mark.rule("E115")
def test_what_a_distilled_model_wants_is_offered_and_fills_only_what_nobody_set(form: ParameterForm) -> None:
    assert form.property("preset") == {}
    preset = {"name": "lcm", "title": "LCM", "fields": {"sampler": "DPM++ 2M", "steps": 6, "guidance": 1.5}}
    form.describe(specs(Generate), {**CHOICES, "models": [{**CHOICES["models"][0], "preset": preset}]})
    form.commit("steps", "4")
    assert form.property("preset") == {"title": "LCM", "words": "sampler DPM++ 2M, guidance 1.5"}
    form.takePreset()
    assert (form.value("sampler"), form.value("steps"), form.value("guidance")) == ("DPM++ 2M", 4, 1.5)
    assert form.property("preset") == {}


@pytest.mark.rule("D26")
def test_typing_narrows_a_drop_down_without_case_or_accents_and_enter_takes_the_hit(open_window: Open) -> None:
    models = [{**CHOICES["models"][0], "value": f"m{number}", "label": label} for number, label in enumerate(["Été <blue>", "Winter", "Old été"])]
    window = open_window(painter=Painter({**CHOICES, "models": models}))
    window.item("Model", "Choice").forceActiveFocus()
    window.type("ETE")
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Find in Model")

    def shown_rows() -> list[str]:
        return [str(accessible(item, "name")) for item in items(window.window.contentItem()) if "ChoiceRow" in item.metaObject().className()]

    until(lambda: shown_rows() == ["Été <blue>", "Old été"])
    window.key(Qt.Key_Down)
    window.key(Qt.Key_Return)
    assert window.studio.parameters.value("model") == "m2"
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "Model", "the focus back on the control")
    window.key(Qt.Key_X)
    until(lambda: shown_rows() == [])
    window.key(Qt.Key_Escape)
    assert window.studio.parameters.value("model") == "m2"
