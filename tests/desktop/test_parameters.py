"""The form without a window, and its controls by real events."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from sfumato.desktop.parameters import ParameterForm, Section
from sfumato.protocol.params import SEED_MAX
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs, validate
from tests.support.painting import CHOICES
from tests.support.window import OpenWindow, items, until


@pytest.fixture
def form() -> ParameterForm:
    made = ParameterForm(specs(Generate))
    made.describe(specs(Generate), CHOICES)
    return made


@pytest.mark.rule("D48")
def test_every_parameter_has_a_row_and_its_request_is_valid(form: ParameterForm) -> None:
    names = {form.cell(spec.name, "name") for spec in form._specs}
    assert names == {spec.name for spec in specs(Generate)} - {"prompt", "negative"}
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
    shown = {section.data(section.index(row, 0), 257) for section in form.advanced for row in range(section.rowCount())}
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


def test_rows_come_with_what_they_need_and_groups_count_and_reset_their_own(form: ParameterForm) -> None:
    def rows(section: Section) -> set[str]:
        return {section.data(section.index(row, 0), 257) for row in range(section.rowCount())}

    groups = {section.name: section for section in form.advanced}
    assert "strength" not in rows(form.everyday) and groups["loopback"].count == 0
    form.commit("image", "/pictures/a.png")
    assert {"strength", "resize_mode", "mask"} <= rows(form.everyday) and "loops" in rows(groups["loopback"])
    assert "mask_blur" not in rows(form.everyday) and "mask_blur" not in form.request()
    form.commit("mask", "file:///pictures/a%20mask.png")
    assert "mask_blur" in rows(form.everyday)
    assert form.pictures() == {"image": "/pictures/a.png", "mask": "/pictures/a mask.png"}
    form.commit("rng", "nv")
    form.commit("clip_skip", "2")
    assert (groups["seed"].changes, groups["model"].changes, form.property("advancedSet")) == (1, 1, 2)
    groups["seed"].reset()
    assert (groups["seed"].changes, groups["model"].changes) == (0, 1)
    form.reset("image")
    assert form.pictures() == {} and "mask" not in form.request()


@pytest.mark.rule("D43")
def test_a_folded_advanced_value_stays_in_force_and_is_counted(form: ParameterForm) -> None:
    assert form.property("advancedSet") == 0
    form.commit("clip_skip", "2")
    assert (form.property("advancedSet"), form.request()["clip_skip"]) == (1, 2)
    form.resetHidden()
    assert (form.property("advancedSet"), form.request()["clip_skip"]) == (0, 0)


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
        "hr_sampler": ("same", "Same"),
        "hr_schedule": ("same", "Same"),
        "hr_model": ("", "Same"),
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
