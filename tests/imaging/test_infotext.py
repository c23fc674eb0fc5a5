"""The infotext: its exact form, and that readers give back what was written."""

import json
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfumato.imaging.infotext import VERSION, read_infotext, write_infotext

USUAL = {"Seed": 5, "Steps": 20, "Sampler": "Euler a", "CFG scale": 7.0, "Size": (64, 96), "Model": "starter"}


def other_reader(text: str) -> dict[str, str]:
    """The rule M13 said once more, as the regular expression that the community's programs use."""
    pair = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
    found: dict[str, str] = {}
    for key, value in pair.findall(text.strip().split("\n")[-1]):
        try:
            found[key] = json.loads(value) if value[:1] == '"' and value[-1:] == '"' else value
        except ValueError:
            found[key] = value
    return found


@pytest.mark.rule("M6", "M7", "M9")
def test_the_whole_form() -> None:
    text = write_infotext(" a cat,\n(blue:1.2) ", "ugly\nbad", {**USUAL, "RNG": "CPU", "Clip skip": None, "Eta": 0.5, "VAE": "x: y", "Emphasis": "No norm"})
    assert text == (
        "a cat,\n(blue:1.2) \nNegative prompt: ugly\nbad\n"
        'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x96, Model: starter, VAE: "x: y", RNG: CPU, Eta: 0.5, '
        f"Emphasis: No norm, Version: {VERSION}"
    )


@pytest.mark.rule("M6")
def test_an_empty_negative_has_no_line() -> None:
    assert write_infotext("a", "", {"Steps": 1}) == f"a\nSteps: 1, Version: {VERSION}"
    assert write_infotext("", "", {"Steps": 1}) == f"Steps: 1, Version: {VERSION}"


@pytest.mark.rule("M7")
@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"), ("a, b", '"a, b"'), ("a: b", '"a: b"'), ("a\nb", '"a\\nb"'), ('say "x", \\ é', '"say \\"x\\", \\\\ é"'), (7.0, "7"), (7.25, "7.25"),
        (0.1 + 0.2, "0.30000000000000004"), (True, "True"), (False, "False"), ((8, 16), "8x16"), (1 << 62, str(1 << 62)), (-0.5, "-0.5"), ('"x"', '"\\"x\\""'),
    ],
)  # fmt: skip
def test_values_are_quoted_exactly(value: str | float | tuple[int, int], written: str) -> None:
    assert write_infotext("", "", {"VAE": value}) == f"VAE: {written}, Version: {VERSION}"


@pytest.mark.rule("M7")
def test_where_key_and_value_are_equal_only_the_key_is_written() -> None:
    assert write_infotext("", "", {"Steps": 1, "Tiling": "Tiling"}) == f"Steps: 1, Tiling, Version: {VERSION}"


@pytest.mark.rule("M8")
@pytest.mark.parametrize("key", ["", "a", "-ab", " ab", "a:b", "a,b", "a\nb", "ab "])
def test_other_keys_are_never_written(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        write_infotext("", "", {key: 1})


@pytest.mark.rule("M9")
def test_an_unknown_key_stands_before_the_version() -> None:
    assert write_infotext("", "", {"My key": 1, "Version": "other 2", "Emphasis": "x", "Steps": 2}) == "Steps: 2, Emphasis: x, My key: 1, Version: other 2"


# Prompts that do not themselves look like a line of the form; their outer blanks are not kept (M6).
PROMPTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.just("\n"), max_size=60).map(
    lambda text: "\n".join(line.strip() for line in text.strip().split("\n")).strip()
).filter(lambda text: "Negative prompt:" not in text)  # fmt: skip
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(['"', '""', "a,b:c", '\\"', '"a', " x ", "64y64"])


@pytest.mark.rule("M12", "M13")
@given(PROMPTS, PROMPTS, st.dictionaries(st.sampled_from(["Model", "VAE", "Sampler", "Emphasis", "Lora hashes", "X-Y/z 1"]), VALUES))
@example("a\n\nb", "", {"Model": '"a\\', "VAE": "\u2028"})
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back_here_and_elsewhere(prompt: str, negative: str, values: dict[str, str]) -> None:
    text = write_infotext(prompt, negative, {**USUAL, **values})
    expected = {"Steps": "20", "Sampler": "Euler a", "CFG scale": "7", "Seed": "5", "Size": "64x96", "Model": "starter", **values, "Version": VERSION}
    expected = {key: value for key, value in expected.items() if key != value}
    assert other_reader(text) == expected
    read = read_infotext(text)
    assert (read.prompt, read.negative) == (prompt, negative)
    assert {key: value if isinstance(value, str) else f"{value[0]}x{value[1]}" for key, value in read.pairs.items()} == expected


@pytest.mark.rule("M13")
def test_a_last_line_with_fewer_than_three_pairs_belongs_to_the_prompt() -> None:
    read = read_infotext("a cat\nSteps: 3, Seed: 4")
    assert (read.prompt, read.negative, read.pairs) == ("a cat\nSteps: 3, Seed: 4", "", {})
    read = read_infotext(" one \n two\nNegative prompt: three \n four \nSteps: 3, Seed: 4, Size: 8x16")
    assert (read.prompt, read.negative) == ("one\ntwo", "three\nfour")
    assert read.pairs == {"Steps": "3", "Seed": "4", "Size": (8, 16)}


@pytest.mark.rule("M13")
@given(st.text(max_size=100) | st.text(st.sampled_from('ab:," \\\n-'), max_size=60))
@settings(max_examples=250, deadline=None)
def test_any_text_is_read_as_the_expression_reads_it(text: str) -> None:
    pairs = read_infotext(text).pairs
    expected = other_reader(text)
    assert pairs == (expected if len(expected) >= 3 else {})


@pytest.mark.rule("M13")
@pytest.mark.parametrize("unit", ["a", "a cat, (blue:1.2), ", 'a:"\\",', 'ab:"x,', " ", "ab:", "-", '"', "\\", "ab: c,"])
def test_reading_takes_time_in_proportion(unit: str) -> None:
    """A ratio within one run; one good try of ten counts, since other work on the machine only ever disturbs."""

    def seconds(size: int) -> float:
        text = "x\n" + (unit * (size // len(unit) + 1))[:size] + "."
        begin = time.perf_counter()
        read_infotext(text)
        return time.perf_counter() - begin

    assert any(seconds(200_000) < 8 * seconds(50_000) + 0.002 for _ in range(10))


@pytest.mark.rule("M13")
def test_a_prompt_of_a_megabyte_is_read_in_a_tenth_of_a_second() -> None:
    text = "a red cat, (sitting:1.2) on grass,\n" * 30_000 + "Steps: 1, Seed: 2, Size: 8x8"

    def seconds() -> float:
        begin = time.perf_counter()
        assert read_infotext(text).pairs["Steps"] == "1"
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.1
