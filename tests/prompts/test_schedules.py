"""Schedules, alternation and AND: what is said at which call, by the examples of the specification."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import PassSpan, PromptOptions, Segment, read_prompt
from sfumato.prompts.schedules import read_timeline

TEN = PassSpan(10)
Weighed = list[tuple[str, float]]


def said(text: str, span: PassSpan = TEN, options: PromptOptions | None = None) -> list[tuple[int, str]]:
    """First call of each phase and the words then in force, of the first part."""
    found: list[tuple[int, str]] = []
    part = read_prompt(text, options=options).parts[0]
    for call in range(span.calls):
        words = "".join(piece.text for piece in part.at(call, span).pieces if isinstance(piece, Segment))
        if not found or found[-1][1] != words:
            found.append((call, words))
    return found


def weighed(text: str, call: int, span: PassSpan = TEN) -> Weighed:
    pieces = read_prompt(text).parts[0].at(call, span).pieces
    return [(piece.text, pytest.approx(piece.weight)) for piece in pieces if isinstance(piece, Segment)]


@pytest.mark.rule("P14", "P16", "P18", "R25")
@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("k [m:3]", [(0, "k "), (4, "k m")]),
        ("[u:v:.5]", [(0, "u"), (6, "v")]),
        ("[u::5]", [(0, "u"), (6, "")]),
        ("[:v:5]", [(0, ""), (6, "v")]),
        ("[u:v:0]", [(0, "v")]),
        ("[u:v:1.0]", [(0, "u")]),
        ("[u:v:12]", [(0, "u")]),
        ("[u:v:-1]", [(0, "v")]),
        ("[u:v:0.09]", [(0, "v")]),
        ("[u:v:3e0]", [(0, "u"), (4, "v")]),
        ("[u:v:1e9999]", [(0, "u")]),
        ("[u:v:" + "9" * 5000 + "]", [(0, "u")]),
        ("[12:34]", [(0, "")]),
        ("x[y:[z:w:2]:1]v", [(0, "xyv"), (2, "xzv"), (3, "xwv")]),
        ("a [b:c:d:3] e", [(0, "a b:c:d:3 e")]),
        ("[a|b:c:3]", [(0, "a|b:c:3")]),
        ("a | b [c:d:5]", [(0, "a | b c"), (6, "a | b d")]),
        ("[a:b:c]", [(0, "a:b:c")]),
        ("[a:b:0x3]", [(0, "a:b:0x3")]),
        (r"[a\:b:c:5]", [(0, "a:b"), (6, "c")]),
        ("[(a:1.3):(b:0.7):5]", [(0, "a"), (6, "b")]),
        ("[a (b:c:5] d", [(0, "a b d"), (6, "c d")]),
    ],
)
def test_schedules_switch_where_the_specification_says(text: str, meaning: list[tuple[int, str]]) -> None:
    assert said(text) == meaning


@pytest.mark.rule("P19", "R25")
def test_alternation_stays_two_calls_on_its_first_option_and_then_one_on_each() -> None:
    lion = ["lioness", "lioness", "ess", "lioness", "ess", "lioness", "ess", "lioness", "ess", "lioness"]
    part = read_prompt("[lion|]ess").parts[0]
    assert [part.at(call, TEN).text for call in range(10)] == lion
    part = read_prompt("[a|b|c]").parts[0]
    assert "".join(part.at(call, TEN).text for call in range(10)) == "aabcabcabc"
    assert "".join(part.at(call, PassSpan(10, 5, True)).text for call in range(5)) == "aabca"  # anew with every pass
    part = read_prompt("[[a|b]:c:4]").parts[0]
    assert "".join(part.at(call, TEN).text for call in range(10)) == "aababccccc"


@pytest.mark.rule("P14")
def test_a_schedule_in_round_brackets_has_their_weight() -> None:
    assert weighed("(a [b:c:3]:1.2)", 3) == [("a b", 1.2)]
    assert weighed("(a [b:c:3]:1.2)", 4) == [("a c", 1.2)]
    assert weighed("a [b:c:d:3] e", 0) == [("a ", 1), ("b:c:d:3", 1 / 1.1), (" e", 1)]


@pytest.mark.rule("P15")
def test_blanks_around_the_number_are_nothing_and_all_others_text() -> None:
    assert said("p [q : r : 1] s") == [(0, "p q  s"), (2, "p  r  s")]
    assert said("[a:b: \n HR ]", PassSpan(10, 10, True)) == [(0, "b")]


@pytest.mark.rule("P17", "P21")
@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("[a:b:0.5]", [(0, "a"), (6, "b")], [(0, "b")]),
        ("[a:b:1.5]", [(0, "a")], [(0, "a"), (4, "b")]),
        ("[a:b:1.0]", [(0, "a")], [(0, "b")]),
        ("[a:b:2.0]", [(0, "a")], [(0, "a")]),
        ("[a:b:12]", [(0, "a")], [(0, "a"), (3, "b")]),
        ("[a:b:10]", [(0, "a")], [(0, "b")]),
        ("[a:b:HR]", [(0, "a")], [(0, "b")]),
    ],
)
def test_numbers_from_one_to_two_address_the_highres_pass(text: str, first: list[tuple[int, str]], second: list[tuple[int, str]]) -> None:
    assert said(text, PassSpan(10, 6)) == first
    assert said(text, PassSpan(10, 6, True)) == second


@pytest.mark.rule("P65")
def test_old_timelines_take_numbers_below_one_for_fractions_in_both_passes() -> None:
    old = PromptOptions(timelines="old")
    for highres in (False, True):
        assert said("[a:b:.5]", PassSpan(10, 10, highres), old) == [(0, "a"), (6, "b")]
        assert said("[a:b:1.0]", PassSpan(10, 10, highres), old) == [(0, "a"), (2, "b")]
        assert said("[a:b:3]", PassSpan(10, 10, highres), old) == [(0, "a"), (4, "b")]


@pytest.mark.rule("P20")
def test_calls_beyond_the_plan_say_what_the_last_one_would() -> None:
    for text in ("[a:b:9]", "[a|b|c]", "[a:b:1.0]"):
        part = read_prompt(text).parts[0]
        assert {part.at(call, TEN) for call in range(10, 40)} == {part.at(10, TEN)}
    assert read_prompt("[a:b:9]").parts[0].at(10, TEN).text == "b"


@pytest.mark.rule("P22")
@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("(x:[1.2:0.8:5])", [1.2] * 6 + [0.8] * 4),
        ("(x:[0.8:5])", [1.0] * 6 + [0.8] * 4),
        ("(x:[1.2|0.8])", [1.2, 1.2, 0.8, 1.2, 0.8, 1.2, 0.8, 1.2, 0.8, 1.2]),
        ("(x: [ 1.2 :[0.5:2:4]:2] )", [1.2] * 3 + [0.5] * 2 + [2.0] * 5),
        ("(x:[[1.2:2:3]:5])", [1.0] * 6 + [2.0] * 4),
        ("((x:[2:3:5]):1.5)", [3.0] * 6 + [4.5] * 4),
    ],
)
def test_weights_follow_schedules(text: str, weights: list[float]) -> None:
    assert [weighed(text, call) for call in range(10)] == [[("x", pytest.approx(weight))] for weight in weights]


@pytest.mark.rule("P24")
def test_numbers_count_calls_not_steps() -> None:
    assert said("[a:b:10]", PassSpan(40)) == [(0, "a"), (11, "b")]  # Heun, 20 steps: inside the sixth


@pytest.mark.rule("P25")
def test_calls_that_say_the_same_share_one_wording() -> None:
    prompt = read_prompt("[a|b] [c:d:4] AND e")
    first = prompt.parts[0]
    assert len({id(first.at(call, TEN)) for call in range(10)}) == len(first.wordings(TEN)) == 4
    assert len({id(prompt.parts[1].at(call, span)) for call in range(10) for span in (TEN, PassSpan(10, 10, True))}) == 1
    phases = read_prompt("[a:b:3] AND [c:d:6]").phases(TEN)
    assert [(phase.first, phase.last, [wording.text for wording in phase.wordings]) for phase in phases] == [
        (0, 3, ["a", "c"]), (4, 6, ["b", "c"]), (7, 9, ["b", "d"]),
    ]  # fmt: skip


@pytest.mark.rule("P25")
def test_negative_prompts_have_schedules_too() -> None:
    part = read_prompt("[fog:rain:4] AND mud", negative=True).parts[0]
    assert [part.at(call, TEN).text for call in (4, 5)] == ["fog AND mud", "rain AND mud"]


@pytest.mark.rule("P4")
def test_no_part_holds_more_texts_than_calls() -> None:
    part = read_prompt("[a|b|c] [d|e] [f:g:3] [h:i:7]").parts[0]
    assert len(part.wordings(TEN)) <= 10


@pytest.mark.rule("P2", "P4")
def test_ten_thousand_nested_schedules_are_fine() -> None:
    part = read_prompt("[" * 3000 + "x" + ":y:3]" * 3000).parts[0]
    assert (part.at(0, TEN).text, part.at(9, TEN).text) == ("x", "y")
    assert read_prompt("[" * 10_000 + "x").parts[0].at(0, TEN).text == "[" * 10_000 + "x"
    assert len(read_timeline("[a|" * 10_000 + "x" + "]" * 10_000).alternations) == 10_000


def rendered(tree: object) -> str:
    """A tree as a prompt."""
    match tree:
        case str():
            return tree
        case ("row", *members):
            return "".join(map(rendered, members))
        case ("round", inner):
            return f"({rendered(inner)})"
        case ("schedule", before, after, when):
            return f"[{rendered(before)}:{rendered(after)}:{when}]"
        case (_, *options):
            return f"[{'|'.join(map(rendered, options))}]"
    raise AssertionError(tree)


def expected(tree: object, call: int, first_calls: int, highres_calls: int | None) -> str:
    """What a tree says, by the rules as they are written, without any cleverness."""
    match tree:
        case str():
            return tree
        case ("row", *members):
            return "".join(expected(member, call, first_calls, highres_calls) for member in members)
        case ("round", inner):
            return f"({expected(inner, call, first_calls, highres_calls)})"
        case ("schedule", before, after, when):
            if when == "HR":
                boundary = first_calls if highres_calls is None else 0
            elif highres_calls is None:
                boundary = min(int(float(when) * first_calls) if "." in when else int(when), first_calls)
            else:
                boundary = min(int((float(when) - 1.0) * highres_calls) if "." in when else int(when) - first_calls, highres_calls)
            return expected(before if boundary >= 1 and call <= boundary else after, call, first_calls, highres_calls)
        case (_, *options):
            return expected(options[(max(call, 1) - 1) % len(options)], call, first_calls, highres_calls)
    raise AssertionError(tree)


LEAVES = st.text("ab ,é", max_size=4)
WHENS = st.integers(-2, 14).map(str) | st.decimals(-1, 3, places=2, allow_nan=False).map(lambda number: f"{number:.2f}") | st.just("HR")
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("row"), inner, inner),
        st.tuples(st.just("round"), inner),
        st.tuples(st.just("schedule"), inner, inner, WHENS),
        st.lists(inner, min_size=2, max_size=4).map(lambda options: ("alternation", *options)),
    ),
    max_leaves=12,
)


@pytest.mark.rule("P14", "P16", "P17", "P18", "P19", "P21", "R25")
@given(TREES)
@settings(max_examples=150, deadline=None)
def test_R25_any_tree_says_at_every_call_what_the_rules_say(tree: object) -> None:
    part = read_prompt(rendered(tree)).parts[0]
    for call in range(10):
        assert part.at(call, PassSpan(10, 7)).text == expected(tree, call, 10, None)
    for call in range(7):
        assert part.at(call, PassSpan(10, 7, True)).text == expected(tree, call, 10, 7)
