"""Requests refuse what is out of range, in words, and every parameter is a full row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.protocol.errors import Invalid
from sfumato.protocol.params import SEED_MAX
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs, validate


@pytest.mark.rule("R31", "R96")
def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        validate(Generate, {"steps": 0, "guidance": 101, "width": 32, "batch_size": 65, "seed": -2, "emphasis": "loud", "colour": 1, "prompt": 3})
    assert set(caught.value.path.split(",")) == {"steps", "guidance", "width", "batch_size", "seed", "emphasis", "colour", "prompt"}
    sentences = {problem.path: problem.sentence for problem in caught.value.problems}
    assert sentences["steps"] == "Steps must be between 1 and 150."
    assert sentences["emphasis"] == "Emphasis must be one of original, no_norm, ignore, none, interpolate."
    assert sentences["colour"] == "'colour' is not a parameter of this job."
    assert sentences["prompt"] == "Prompt must be a text."


@pytest.mark.rule("R31")
@pytest.mark.parametrize(
    ("params", "path", "sentence"),
    [
        ({"sigmas": [1.0, -1.0]}, "sigmas.1", "Custom levels: entry 2 must be 0 or more."),
        ({"sigmas": [20000.0]}, "sigmas.0", "Custom levels: entry 1 must be 10000 or less."),
        ({"sigmas": ["x"]}, "sigmas.0", "Custom levels: entry 1 must be a number."),
        ({"sigmas": [1.0] * 1001}, "sigmas", "Custom levels may have at most 1000 entries."),
        ({"styles": ["a" * 257]}, "styles.0", "Styles: entry 1 may have at most 256 characters."),
        ({"sigmas": 5}, "sigmas", "Custom levels must be a list."),
        ({"background": "red"}, "background", "Background must be written as in '#ffffff'."),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
def test_entries_of_lists_and_spellings_are_refused_in_words(params: dict[str, object], path: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(Generate, params)
    assert [(problem.path, problem.sentence) for problem in caught.value.problems] == [(path, sentence)]


@pytest.mark.rule("R31")
@pytest.mark.parametrize("spec", [s for s in specs(Generate) if s.minimum is not None], ids=lambda s: s.name)
def test_every_number_has_limits_that_are_refusals(spec: object) -> None:
    from sfumato.protocol.specs import ParamSpec

    assert isinstance(spec, ParamSpec)
    assert spec.minimum is not None
    assert spec.maximum is not None
    top = SEED_MAX if spec.name == "seed" else spec.maximum
    number = int if spec.kind == "int" else float
    for fine in (number(spec.minimum), number(top)):
        assert getattr(validate(Generate, {spec.name: fine}), spec.name) == fine
    for bad in (number(spec.minimum) - 1, number(top) + 1):
        with pytest.raises(Invalid, match=spec.title):
            validate(Generate, {spec.name: bad})


@pytest.mark.rule("R32")
@given(st.integers(0, SEED_MAX))
def test_a_seed_is_used_as_given(seed: int) -> None:
    assert validate(Generate, {"seed": seed}).seed == seed


@pytest.mark.rule("R30")
def test_every_field_may_be_left_out() -> None:
    assert validate(Generate, {}) == Generate()
    for name in Generate.model_fields:
        rest = {key: value for key, value in Generate().model_dump().items() if key != name}
        assert validate(Generate, rest) == Generate()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "seven", True, None, [7]])
def test_numbers_that_are_none_are_refused(value: object) -> None:
    if value is True:
        assert validate(Generate, {"guidance": 1.0}).guidance == 1.0
        return
    with pytest.raises(Invalid):
        validate(Generate, {"guidance": value})


@pytest.mark.rule("D48")
def test_every_parameter_is_a_full_row() -> None:
    rows = specs(Generate)
    assert [row.name for row in rows] == list(Generate.model_fields)
    for row in rows:
        assert row.title
        assert row.description.endswith(".")
        assert row.group
        assert row.to_json()["name"] == row.name
        if row.kind in ("int", "float"):
            assert row.slider_minimum is not None
            assert row.slider_maximum is not None
            assert row.step > 0
    sampler = next(row for row in rows if row.name == "sampler")
    assert (sampler.kind, sampler.choices_from, sampler.flag) == ("choice", "samplers", "--sampler")
    width = next(row for row in rows if row.name == "width")
    assert width.optional
    assert width.default is None
    assert width.unset == "Model's size"
