"""Which words are the launcher's and which are the program's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.arguments import SWITCHES, VALUES, Arguments, UsageError, parse


def test_flags_before_the_first_word_are_the_launchers() -> None:
    found = parse(["--mode", "cpu", "--data=/tmp/a b", "--offline", "generate", "a red circle", "-o", "out.png"])
    assert found == Arguments(mode="cpu", data="/tmp/a b", offline=True, words=("generate", "a red circle", "-o", "out.png"))


@given(
    st.sampled_from(["generate", "test", "--version", "-x", "", "sfumato:?endpoint=ws://a"]), st.lists(st.sampled_from([*SWITCHES, *VALUES, "a", "--mode=cpu"]))
)
def test_everything_from_the_first_other_word_is_the_programs(first: str, rest: list[str]) -> None:
    found = parse(["--console", first, *rest])
    assert found == Arguments(console=True, words=(first, *rest))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mode", "gpu"], "There is no mode 'gpu'; choose one of nvidia, amd, cpu, remote."),
        (["--mode"], "--mode needs a value after it."),
        (["--data="], "--data needs a value that is not empty."),
    ],
)
def test_a_flag_that_makes_no_sense_is_told_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value) == sentence


def test_window_tests_and_command_line_are_told_apart() -> None:
    cases = {(): (True, False), ("sfumato:?endpoint=ws://a",): (True, False), ("test", "-x"): (False, True), ("generate", "test"): (False, False)}
    for words, expected in cases.items():
        found = parse(list(words))
        assert (found.wants_window, found.wants_tests) == expected, words
