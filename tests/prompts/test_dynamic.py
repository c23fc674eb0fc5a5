"""Choices, wildcards and variables: what is chosen, from which numbers, and what stops a text that grows."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import EmptyLibrary, Lines, PromptOptions, Reader, read_prompt
from sfumato.prompts.choosers import Stream
from sfumato.prompts.choosing import CHARACTERS_LIMIT, EXPANSIONS_LIMIT
from sfumato.prompts.dynamic import read_template


def lines(text: str) -> Lines:
    found = Lines.read(text)
    assert found is not None
    return found


LIBRARY = EmptyLibrary(
    wildcards={
        "colour": lines("red\n\n# none\nblue,123\n  \n2::{dark|light} green"),
        "number": lines("one\ntwo\nthree"),
        "self": lines("a __self__"),
        "first": lines("1 __second__"),
        "second": lines("2 {__first__|__first__}"),
        "nested": lines("{x|{y|__number__}} \\(kept\\)"),
        "dir/inner": lines("deep"),
        "wide": lines("__wide2__ __wide2__ __wide2__ __wide2__ __wide2__ __wide2__ __wide2__ __wide2__ __wide2__ __wide2__"),
        "wide2": lines("__wide3__ __wide3__ __wide3__ __wide3__ __wide3__ __wide3__ __wide3__ __wide3__ __wide3__ __wide3__"),
        "wide3": lines("x" * 2000),
        **{f"level{number}": lines(f"{number} __level{number + 1}__") for number in range(40)},
    }
)


def chosen(text: str, seed: int = 0, **more: object) -> str:
    return read_prompt(text, library=LIBRARY, seed=seed, **more).text  # type: ignore[arg-type]


def many(text: str, count: int = 400) -> Counter[str]:
    return Counter(chosen(text, seed) for seed in range(count))


def messages(text: str) -> list[str]:
    return [span.message for span in read_prompt(text, library=LIBRARY).spans if span.message]


@pytest.mark.rule("P54")
def test_the_stream_of_random_numbers_is_pinned() -> None:
    """These numbers must never change: they are what a seed means."""
    pinned = {
        ("positive", 0): [0.48540429817859376, 0.8137808626443528],
        ("positive", 1): [0.3552483940436544, 0.4438107637219656],
        ("negative", 1): [0.9303553663721379, 0.032258559750624305],
        ("hérissé", 2**63 - 1): [0.6692468269417714, 0.9452496180117033],
    }
    for (name, seed), numbers in pinned.items():
        stream = Stream(name, seed)
        assert [stream.fraction(), stream.fraction()] == numbers
        key = hashlib.sha256(f"sfumato-dynamic\0{name}\0{seed}".encode()).digest()
        first = int(hashlib.sha256(key + bytes(8)).hexdigest(), 16) >> 203  # 53 bits of 256
        assert numbers[0] == first / 2**53


@pytest.mark.rule("P54")
def test_what_a_seed_chooses_is_pinned() -> None:
    text = "{red|2::blue} {2$$ and $$a|b|c} {1-3$$x|y|z} __colour__ ${k=!{1|2|3}}${k}"
    assert [chosen(text, seed) for seed in (0, 1, 2**63 - 1)] == [
        "blue c and b x, z light green 2",
        "blue b and a z, y, x light green 2",
        "blue c and b x, y, z blue 3",
    ]
    assert chosen(text, 1) != chosen(text, 1, stream="negative")
    assert chosen(text, 1) == chosen(text, 1, stream="positive")


@pytest.mark.rule("P48")
def test_a_choice_picks_one_option_by_its_weight() -> None:
    found = many("{red|2::blue}", 600)
    assert set(found) == {"red", "blue"}
    assert 1.6 < found["blue"] / found["red"] < 2.5
    assert set(many("{a||{b|c}}")) == {"a", "", "b", "c"}
    assert set(many("{0::a|b}", 100)) == {"b"}
    assert set(many("{0::a|0::b}", 100)) == {"a", "b"}
    assert set(many("x{ .5:: a |b}y", 100)) == {"x a y", "xby"}


@pytest.mark.rule("P48")
@pytest.mark.parametrize(
    "text", ["{best}", "{prompt}", "{}", "{a", "a|b}", "a | b", "{[a|b]}", r"\{a|b\}", "{x$$y}", "{{x}}", "${", "$5 {x}", "{$$}", "_a_", "a__b", "__ a __"]
)
def test_what_is_no_choice_stays_text(text: str) -> None:
    assert chosen(text) == text
    assert messages(text) == []


@pytest.mark.rule("P48")
def test_square_brackets_keep_their_lines_to_themselves() -> None:
    assert set(many("{[a|b]|c}", 60)) == {"[a|b]", "c"}
    assert set(many("{[a|b}", 60)) == {"[a", "b"}
    assert set(many("[{a|b}:c:5]", 60)) == {"[a:c:5]", "[b:c:5]"}


@pytest.mark.rule("P49")
@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{2-1$$+$$a|b}", {"a", "b", "a+b", "b+a"}),
        ("{0-1$$a}", {"", "a"}),
        ("{1-$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{-1$$a|b}", {"a", "b"}),
        ("{3$$$$a}", {"aaa"}),
        ("{2$$|$$a|b}", {"a|b", "b|a"}),
        ("{2$$-$$__number__}", {"one-two", "two-one", "one-three", "three-one", "two-three", "three-two"}),
        ("{2$$-$$@__number__}", {"one-two"}),
    ],
)
def test_several_options(text: str, results: set[str]) -> None:
    assert set(many(text, 200)) == results


@pytest.mark.rule("P49")
def test_options_come_again_only_when_all_were_there() -> None:
    for seed in range(50):
        words = chosen("{5$$ $$a|b|3::c}", seed).split()
        assert sorted(words[:3]) == ["a", "b", "c"]
        assert len(set(words[3:])) == 2
    weighed = Counter(chosen("{2$$ $$8::a|b|c|d}", seed).split()[0] for seed in range(300))
    assert weighed["a"] > 150
    assert set(many("{2$$ $$0::a|b|0::c}", 100)) == {"b a", "b c"}


@pytest.mark.rule("P50", "R23")
def test_R23_wildcards_and_choices_nest_in_each_other() -> None:
    assert set(many("__colour__", 300)) == {"red", "blue", "dark green", "light green"}
    assert set(many("{__number__|__colour__}", 300)) == {"one", "two", "three", "red", "blue", "dark green", "light green"}
    assert set(many("__nested__", 200)) == {rf"{word} \(kept\)" for word in ("x", "y", "one", "two", "three")}
    assert chosen("__dir/inner__!") == "deep!"
    assert 0.4 < sum(many("__colour__")[green] for green in ("dark green", "light green")) / 400 < 0.6


@pytest.mark.rule("P50", "P3")
def test_an_unknown_wildcard_stays_text_and_is_marked() -> None:
    text = "a __nofile__ {b|__nor_this__}"
    prompt = read_prompt(text, library=LIBRARY, seed=0)
    assert prompt.text.startswith("a __nofile__ ")
    assert [text[span.start : span.end] for span in prompt.spans if span.message] == ["__nofile__", "__nor_this__"]


@pytest.mark.rule("P50")
def test_names_with_two_underscores_are_no_unknown_wildcards() -> None:
    assert chosen("<lora:my__best__v2:1>") == "<lora:my__best__v2:1>"
    assert messages("snake__case__name") == []
    assert chosen("a__number__b").startswith("a")


@pytest.mark.rule("P51", "R22")
def test_R22_names_that_contain_themselves_end() -> None:
    assert chosen("x __self__ y") == "x a  y"
    assert messages("x __self__ y") == ["This name contains itself (self > self): nothing is put in its place."]
    assert chosen("__first__") == "1 2 "
    assert messages("__first__") == ["This name contains itself (first > second > first): nothing is put in its place."]
    assert chosen("${v=${w}}${w=${v}}[${v}]") == "[]"
    assert messages("${v=${w}}${w=${v}}[${v}]") == ["This name contains itself (${v} > ${w} > ${v}): nothing is put in its place."]


@pytest.mark.rule("P51")
def test_limits_of_depth_number_and_length() -> None:
    assert chosen("__level0__!") == " ".join(map(str, range(32))) + " !"
    assert "nested more than 32 deep" in messages("__level0__")[0]
    grown = chosen("before __wide__ after")
    assert grown.startswith("before x")
    assert grown.endswith(" after")
    assert CHARACTERS_LIMIT - 2010 <= len(grown) <= CHARACTERS_LIMIT + 20
    assert "more than 100000 characters" in messages("before __wide__ after")[0]
    assert chosen("{999999999$$$$a}").count("a") == EXPANSIONS_LIMIT
    assert chosen("{a|a}" * (EXPANSIONS_LIMIT + 10) + "z") == "a" * EXPANSIONS_LIMIT + "z"
    assert chosen("z" * (CHARACTERS_LIMIT + 5) + "{a|a}").endswith("za")  # what is typed has no limit


@pytest.mark.rule("P52")
def test_walking_takes_line_after_line_from_image_to_image() -> None:
    assert [chosen("@__number__ @__number__", image_index=index) for index in range(4)] == ["one two", "two three", "three one", "one two"]
    reader = Reader(library=LIBRARY)
    assert [reader.read("@__number__", image_index=0).text for _ in range(2)] == ["one", "one"]


@pytest.mark.rule("P53")
def test_variables() -> None:
    assert chosen("${x=red}a ${x} ${x}") == "a red red"
    assert chosen("${x:blue} ${x=red}${x:blue}") == "blue red"
    assert any(len(set(chosen("${x={a|b|c}}${x} ${x}", seed).split())) == 2 for seed in range(10))
    assert all(len(set(chosen("${x=!{a|b|c}}${x} ${x}", seed).split())) == 1 for seed in range(20))
    assert {chosen("${x=!{a|b}}${y=${x}${x}}${y}", seed) for seed in range(20)} == {"aa", "bb"}
    assert set(many("${ x = {1|2}}<${x}>", 30)) == {"<1>", "<2>"}
    assert chosen("a ${nobody} b") == "a ${nobody} b"
    assert messages("a ${nobody} b") == ["Nothing is bound to 'nobody' before this: it stays text."]
    assert chosen("{a|a${x=1}}${x:2}", 0)[1:] in ("1", "2")


@pytest.mark.rule("P55")
def test_each_image_chooses_as_if_it_were_alone() -> None:
    reader = Reader(library=LIBRARY)
    text = "{a|b|c} __colour__"
    assert [reader.read(text, seed=7 + index, image_index=index).text for index in range(20)] == [chosen(text, 7 + index) for index in range(20)]


@pytest.mark.rule("P56")
def test_all_combinations_come_in_order() -> None:
    reader = Reader(library=LIBRARY)

    def all_of(text: str, limit: int = 99) -> list[str]:
        return [reader.read(text, path=path).text for path in reader.combinations(text, limit)]

    assert all_of("{a|{b|c}} {x|y}") == ["a x", "a y", "b x", "b y", "c x", "c y"]
    assert all_of("__number__ {x|y}", 4) == ["one x", "one y", "two x", "two y"]
    assert all_of("{2$$+$$a|b|c}") == ["a+b", "a+c", "b+a", "b+c", "c+a", "c+b"]
    assert all_of("{1-2$$+$$a|b}") == ["a", "b", "a+b", "b+a"]
    assert all_of("nothing to choose") == ["nothing to choose"]
    assert len(all_of("{a|b|c|d}" * 50, 17)) == 17


@pytest.mark.rule("P65")
def test_without_dynamic_everything_is_text() -> None:
    text = "{a|b} __colour__ ${x=1}"
    assert read_prompt(text, library=LIBRARY, options=PromptOptions(dynamic=False)).text == text


@pytest.mark.rule("P1")
def test_template_and_chosen_text_are_both_kept() -> None:
    prompt = read_prompt("{a|b} # note\ncat", library=LIBRARY)
    assert (prompt.source, prompt.template) == ("{a|b} # note\ncat", "{a|b} \ncat")
    assert prompt.text in ("a \ncat", "b \ncat")
    assert read_prompt("cat").template == "cat"


@pytest.mark.rule("R24")
def test_R24_each_image_names_the_networks_it_chose() -> None:
    reader = Reader(library=LIBRARY)
    texts = {seed: reader.read("{<lora:a:1>|<lora:b:1>} cat", seed=seed) for seed in range(12)}
    assert {prompt.tags[0].name for prompt in texts.values()} == {"a", "b"}
    assert all(f"<lora:{prompt.tags[0].name}:1>" in prompt.text for prompt in texts.values())


def test_a_long_job_does_not_keep_all_its_texts() -> None:
    reader = Reader(library=LIBRARY)
    first = reader.read("{" + "|".join(map(str, range(3000))) + "}", seed=0)
    for seed in range(1, 1500):
        reader.read(first.source, seed=seed)
    assert len(reader._compositions) <= 256  # pyright: ignore[reportPrivateUsage] - the count is the subject
    assert reader.read(first.source, seed=0).text == first.text


SIGNS = st.lists(
    st.sampled_from(
        ["{", "}", "|", "$$", "2$$", "1-$$", "::", "2::", "${x=", "${x}", "${x:", "__number__", "@__number__", "__self__", "[", "]", "\\", "a", " ", "_", "$"]
    ),
    max_size=40,
).map("".join)


@pytest.mark.rule("P2", "P5")
@given(SIGNS | st.text(max_size=40), st.integers(-5, 2**64))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_chosen_from_and_always_alike(text: str, seed: int) -> None:
    prompt = read_prompt(text, library=LIBRARY, seed=seed)
    assert prompt.text == read_prompt(text, library=LIBRARY, seed=seed).text
    assert all(0 <= span.start <= span.end <= len(text) for span in prompt.spans)


@pytest.mark.rule("P2", "P4")
def test_ten_thousand_nested_braces_are_fine() -> None:
    deep = 10_000
    assert chosen("{" * deep + "x" + "}" * deep) == "{" * deep + "x" + "}" * deep
    assert set(chosen("{a|" * 5000 + "b" + "}" * 5000)) <= {"a", "b"}
    assert chosen("{" * deep) == "{" * deep


@pytest.mark.rule("P4")
@pytest.mark.parametrize("unit", ["{a|b} ", "{", "}", "{|", "__a", "__number__", "${x=", "{[|", "2$$", "{a|b", "$", "_", "{1$$"])
def test_the_tree_grows_with_the_text(unit: str) -> None:
    small, large = (read_template(unit * repeats) for repeats in (500, 2000))
    assert len(large.constructs) + len(large.nodes) <= 4 * (len(small.constructs) + len(small.nodes)) + 8


@pytest.mark.rule("P54")
def test_fractions_are_between_zero_and_one() -> None:
    stream = Stream("any", -1)
    drawn = [stream.fraction() for _ in range(2000)]
    assert min(drawn) >= 0
    assert max(drawn) < 1
    assert 0.47 < sum(drawn) / len(drawn) < 0.53
