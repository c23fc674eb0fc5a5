"""Weights changed by keys: what becomes of the text and of the selection, which is shown between bars here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.prompts.editing import reweigh


def after(shown: str, steps: int) -> str | None:
    """The text after the key, its selection between bars; one bar is the cursor."""
    first, *others = shown.split("|")
    text = "".join((first, *others))
    start = len(first)
    end = start + (len(others[0]) if len(others) > 1 else 0)
    edit = reweigh(text, start, end, steps)
    if edit is None:
        return None
    new = edit.applied(text)
    begin, stop = edit.selected
    return f"{new[:begin]}|{new[begin:]}" if begin == stop else f"{new[:begin]}|{new[begin:stop]}|{new[stop:]}"


@pytest.mark.rule("P62")
@pytest.mark.parametrize(
    ("before", "steps", "expected"),
    [
        ("a red c|at, b", 1, "a red (|cat|:1.1), b"),
        ("a |red cat|, b", 1, "a (|red cat|:1.1), b"),
        ("a (|red cat|:1.1), b", 1, "a (|red cat|:1.2), b"),
        ("a (|red cat|:1.1), b", -1, "a |red cat|, b"),
        ("a (|red cat|:0.9), b", 1, "a |red cat|, b"),
        ("a |(red cat:1.1)| b", 2, "a (|red cat|:1.3) b"),
        ("a (red c|at:1.1), b", 1, "a (red c|at:1.2), b"),
        ("a (red c|at), b", 1, "a (red c|at:1.2), b"),
        ("a (red c|at), b", -1, "a red c|at, b"),
        ("((c|at:1.2) b:1.5)", -5, "((c|at:0.7) b:1.5)"),
        ("(a |red| cat:1.2)", 1, "(a (|red|:1.1) cat:1.2)"),
        ("| a |", -1, " (|a|:0.9) "),
        (r"\(a c|at\)", 1, r"\(a (|cat|:1.1)\)"),
        ("a , | , b", 1, None),
        ("", 1, None),
        ("a <lora:x:0|.8> b", 1, "a <lora:x:|0.85|> b"),
        ("a <lora:x:0|.8:0.5> b", -1, "a <lora:x:|0.75|:0.5> b"),
        ("<lo|ra:x>", 1, "<lora:x:|1.05|>"),
        ("<lo|ra:x:unet=2>", 1, "<lora:x:|1.05|:unet=2>"),
        ("<lora:x:[0:1|:5]>", 1, None),
        ("<foo:x|:1>", 1, None),
        ("cat|", 30, "(|cat|:4)"),
        ("(cat|:0.1)", -1, "(cat|:0)"),
        ("(cat|:0)", -1, "(cat|:-0.1)"),
    ],
)
def test_a_key_changes_the_selection_the_bracket_or_the_word(before: str, steps: int, expected: str | None) -> None:
    assert after(before, steps) == expected


@pytest.mark.rule("P62")
@given(st.text(st.sampled_from("ab (),:.1\\<>lor[]"), max_size=30), st.integers(0, 30), st.integers(0, 30), st.integers(-20, 20))
def test_any_text_can_be_edited(text: str, start: int, end: int, steps: int) -> None:
    edit = reweigh(text, start, end, steps)
    if edit is not None:
        new = edit.applied(text)
        assert 0 <= edit.start <= edit.end <= len(text)
        assert 0 <= edit.selected[0] <= edit.selected[1] <= len(new)
        assert text[: edit.start] == new[: edit.start]


@pytest.mark.rule("P62")
@given(st.lists(st.sampled_from([1, -1]), max_size=12))
def test_up_and_down_lead_back(steps: list[int]) -> None:
    text, selected = "a cat", (2, 5)
    for step in [*steps, *(-step for step in steps)]:
        edit = reweigh(text, *selected, step)
        assert edit is not None
        text, selected = edit.applied(text), edit.selected
    assert text == "a cat"
