"""Controls in a request: lists of objects are rows, refusals in words, and survive the catalog."""

from __future__ import annotations

import json

import pytest

from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, specs, validate

CONTROL = next(spec for spec in specs(Generate) if spec.name == "control")


def test_a_list_of_objects_is_one_row_with_the_rows_of_its_fields_through_the_catalog() -> None:
    assert (CONTROL.kind, CONTROL.item, CONTROL.max_length, CONTROL.default) == ("list", "object", 8, ())
    assert [field.name for field in CONTROL.fields] == list(ControlUnit.model_fields)
    assert all(field.title and field.description.endswith(".") and field.label for field in CONTROL.fields)
    assert ParamSpec.from_json(json.loads(json.dumps(CONTROL.to_json()))) == CONTROL


@pytest.mark.rule("E81", "R31")
@pytest.mark.parametrize(
    ("control", "path", "sentence"),
    [
        ([{"weight": 2.5}], "control.0.weight", "Control 1: weight must be between 0 and 2."),
        ([{}, {"end": 1.5}], "control.1.end", "Control 2: until must be between 0 and 1."),
        ([{"mode": "loud"}], "control.0.mode", "Control 1: mode must be one of balanced, prompt, control."),
        ([{"colour": 1}], "control.0.colour", "Control 1: 'colour' is not a parameter of this job."),
        ([{"model": 5}], "control.0.model", "Control 1: model must be a text."),
        ([{"threshold_a": "x"}], "control.0.threshold_a", "Control 1: first setting must be a number."),
        (["canny"], "control.0", "Control: entry 1 must be an object with fields."),
        ([{}] * 9, "control", "Control may have at most 8 entries."),
        ("canny", "control", "Control must be a list."),
    ],
)
def test_what_is_wrong_in_a_control_is_said_of_that_control(control: object, path: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Generate, {"control": control})
    assert [(problem.path, problem.sentence) for problem in caught.value.problems] == [(path, sentence)]


@pytest.mark.rule("E81")
def test_eight_controls_are_taken_and_come_back_from_json() -> None:
    request = validate(Generate, {"control": [{"weight": index / 4, "image": f"{index}"} for index in range(8)]})
    assert [unit.weight for unit in request.control] == [index / 4 for index in range(8)]
    assert Generate.model_validate(json.loads(request.model_dump_json())) == request
    assert ControlUnit() == ControlUnit(weight=1.0, start=0.0, end=1.0, mode="balanced", resize_mode="crop", guess=False)
