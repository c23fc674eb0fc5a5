"""What typed lists of values mean, what is wrong with them, and which cells a grid has in which order."""

from __future__ import annotations

import pytest

from sfumato.jobs.grid_axes import Axis, Choice, Resolved, Setting, can_be_axis, kinds_of, resolve
from sfumato.jobs.grid_plan import Cell, Plan
from sfumato.jobs.grid_values import BadRange, Piece, numbers_of, pieces_of, quoted
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs

SPECS = {spec.name: spec for spec in specs(Generate)}
CHOICES = {
    "sampler": [Choice("Euler", "Euler"), Choice("Euler a", "Euler a"), Choice("DPM++ 2M", "DPM++ 2M")],
    "model": [Choice("one", "One"), Choice("two", "Two"), Choice("old", "Old", "it is a pickle.")],
}


def setting(prompt: str = "a red fox in snow", negative: str = "", **params: object) -> Setting:
    return Setting(SPECS, CHOICES, {"prompt": prompt, "negative": negative, **params}, ("Oil", "Ink"))


def told(kind: str, text: str, prompt: str = "a red fox in snow", regex: bool = False) -> Resolved:
    return resolve(Axis(kind, text, regex), setting(prompt))


def data(kind: str, text: str, prompt: str = "a red fox in snow") -> list[object]:
    found = told(kind, text, prompt)
    assert found.problems == ()
    return [value.data for value in found.values]


@pytest.mark.rule("D104")
def test_values_are_separated_by_commas_or_lines_and_quotes_keep_commas() -> None:
    assert [piece.text for piece in pieces_of('a, b\nc,,"d, e"\n"say ""hi"""')] == ["a", "b", "c", "d, e", 'say "hi"']
    assert pieces_of(' one ,"two"') == [Piece("one", 1, 4), Piece("two", 6, 11, True)]
    assert [piece.text for piece in pieces_of('"", x')] == ["", "x"]
    assert [piece.text for piece in pieces_of('"open, end')] == ['"open', "end"]
    for value in ("", "a, b", 'a "b"', "1-3", " x "):
        assert [piece.text for piece in pieces_of(f"{quoted(value)},z")] == [value, "z"]


@pytest.mark.rule("D104")
@pytest.mark.parametrize(
    ("text", "whole", "wanted"),
    [
        ("1-4", True, [1, 2, 3, 4]),
        ("1-10(3)", True, [1, 4, 7, 10]),
        ("1-9(3)", True, [1, 4, 7]),
        ("-2-2(2)", True, [-2, 0, 2]),
        ("-3--1", True, [-3, -2, -1]),
        ("5-1(2)", True, [5, 3, 1]),
        ("5-1(-2)", True, [5, 3, 1]),
        ("0.1-0.4(0.1)", False, [0.1, 0.2, 0.3, 0.4]),
        ("0-1[5]", False, [0, 0.25, 0.5, 0.75, 1]),
        ("-1-1[3]", False, [-1, 0, 1]),
        ("10-20[3]", True, [10, 15, 20]),
        ("1-3[9]", True, [1, 2, 3]),
        ("7-9[1]", True, [7]),
        ("3-3", True, [3]),
        ("0 - 1 (.5)", False, [0, 0.5, 1]),
    ],
)
def test_a_range_is_written_out_and_never_passes_its_end(text: str, whole: bool, wanted: list[float]) -> None:
    assert [float(number) for number in numbers_of(text, whole)] == wanted


@pytest.mark.rule("D104")
@pytest.mark.parametrize("text", ["1-2(0)", "1-2[0]", "1-100000", "a-b", "0-1(0.0001)"])
def test_a_range_that_cannot_be_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadRange, match=r".+\.$"):
        numbers_of(text, False)


@pytest.mark.rule("D103")
def test_every_numeric_choice_and_boolean_parameter_is_an_axis_made_from_its_spec() -> None:
    kinds = {kind.id for kind in kinds_of(setting("fox <lora:glow:0.5>"))}
    assert {"", "replace", "order", "matrix", "style", "seed", "steps", "guidance", "sampler", "model", "vae", "clip", "hr_only", "network:glow"} <= kinds
    wanted = {spec.name for spec in SPECS.values() if spec.kind in ("int", "float", "choice", "bool") and spec.group not in ("operation", "batch")}
    assert wanted <= kinds and not can_be_axis(SPECS["prompt"]) and not can_be_axis(SPECS["batch_count"])


@pytest.mark.rule("D104")
def test_values_become_what_the_parameter_takes_and_each_wrong_one_has_its_sentence() -> None:
    assert data("steps", "10-30(10), 50") == [10, 20, 30, 50]
    assert data("guidance", "1.5\n2-3[2]") == [1.5, 2.0, 3.0]
    assert data("seed", "-1, 9223372036854775807") == [-1, 9223372036854775807]
    assert data("hr_only", "yes,no,TRUE") == [True, False, True]
    assert data("sampler", "euler, dpm") == ["Euler", "DPM++ 2M"]
    assert told("steps", "0-3").problems == ("0: Steps must be between 1 and 150.",)
    assert "whole numbers" in told("steps", "1.5").problems[0]
    assert "neither a number nor a range" in told("steps", "many").problems[0]
    assert "there is Euler, Euler a, DPM++ 2M" in told("sampler", "Heun").problems[0]
    assert "can mean Euler, Euler a" in told("sampler", "eul").problems[0]
    assert told("model", "old").problems == ("Model 'Old' cannot be used: it is a pickle.",)
    assert "no values yet" in told("steps", " ").problems[0]
    assert len(told("steps", "x, y").problems) == 2


def made(kind: str, text: str, prompt: str, negative: str = "", regex: bool = False) -> list[tuple[str, str]]:
    around = setting(prompt, negative)
    plan = Plan((resolve(Axis(kind, text, regex), around), Resolved(Axis(), ""), Resolved(Axis(), "")))
    assert plan.problems == []
    return [(str(params["prompt"]), str(params["negative"])) for params in (plan.params(cell, around.params) for cell in plan.cells())]


@pytest.mark.rule("D105")
def test_replace_takes_plain_text_and_patterns_only_on_demand() -> None:
    assert made("replace", "red (1), blue", "a red (1) fox", "red (1)") == [("a red (1) fox", "red (1)"), ("a blue fox", "blue")]
    assert made("replace", r"r\w+, blue", "a red fox", regex=True) == [("a blue fox", "")]
    assert made("replace", r"(\w+) fox, fox \1, \9", "a red fox", regex=True) == [("a fox red", ""), (r"a \9", "")]
    assert made("replace", '"", a cat, a dog', "a red fox", "bad") == [("a cat", "bad"), ("a dog", "bad")]
    assert made("replace", 'red, ""', "a red fox")[1] == ("a  fox", "")


@pytest.mark.rule("D105")
def test_what_is_searched_and_not_there_is_an_error_before_the_start() -> None:
    assert told("replace", "wolf, cat").problems == ("'wolf' does not occur in the prompts; write it as it stands there.",)
    assert "is no pattern" in told("replace", "(, cat", regex=True).problems[0]


@pytest.mark.rule("D103")
def test_order_matrix_style_and_network_weight_change_the_prompts() -> None:
    assert [prompt for prompt, _ in made("order", "red, fox", "a red fox")] == ["a red fox", "a fox red"]
    assert len(made("order", "a, b, c", "a b c")) == 6
    assert [prompt for prompt, _ in made("matrix", "snow, night", "fox")] == ["fox", "fox, snow", "fox, night", "fox, snow, night"]
    assert [prompt for prompt, _ in made("network:glow", "0.2-0.6(0.4)", "x <lora:glow:1> y")] == ["x <lora:glow:0.2> y", "x <lora:glow:0.6> y"]
    around = setting(styles=["Ink"])
    plan = Plan((resolve(Axis("style", "None, oil"), around), Resolved(Axis(), ""), Resolved(Axis(), "")))
    assert [plan.params(cell, around.params)["styles"] for cell in plan.cells()] == [["Ink"], ["Ink", "Oil"]]
    assert "does not occur" in told("order", "red, cat").problems[0] and "too many" in told("order", "a,r,e,d,f,o,x").problems[0]
    assert "There is no style" in told("style", "Chalk").problems[0]
    assert "names no network" in told("network:glow", "1").problems[0]


@pytest.mark.rule("D106")
def test_slow_axes_turn_outermost_whatever_the_layout() -> None:
    around = setting()

    def order(*axes: tuple[str, str]) -> list[tuple[int, int, int]]:
        x, y, z = (resolve(Axis(*axis), around) for axis in (*axes, *[("", "")] * (3 - len(axes))))
        return [(cell.x, cell.y, cell.z) for cell in Plan((x, y, z)).cells()]

    assert order(("steps", "1,2"), ("guidance", "1,2")) == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)]
    assert order(("model", "one,two"), ("steps", "1,2")) == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    assert order(("vae", ""), ("model", "one,two"), ("steps", "1,2"))[:2] == [(0, 0, 0), (0, 0, 1)]


@pytest.mark.rule("D103", "D106")
def test_a_plan_counts_its_cells_and_refuses_one_parameter_on_two_axes() -> None:
    around = setting()
    x, y, z = resolve(Axis("steps", "1-4"), around), resolve(Axis("guidance", "1-3"), around), resolve(Axis("sampler", "dpm, euler"), around)
    plan = Plan((x, y, z))
    assert plan.shape == (4, 3, 2) and plan.count == 24 and plan.problems == []
    assert plan.params(Cell(3, 1, 0), around.params)["guidance"] == 2.0
    assert plan.labels()[0][0] == "Steps: 1"
    assert "on two axes" in Plan((x, x, Resolved(Axis(), ""))).problems[0]
    assert "at least one axis" in Plan((Resolved(Axis(), ""),) * 3).problems[0]
    assert Resolved.from_json(x.to_json()) == x
