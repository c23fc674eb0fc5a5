"""Vocabulary files and the history of prompts."""

from pathlib import Path

import pytest

from sfumato.library.prompt_history import PAIRS_KEPT, PastPrompt, load_history, remembered, save_history, search
from sfumato.library.vocabulary import Word, parse_vocabulary, read_vocabulary


@pytest.mark.rule("D91")
def test_words_have_counts_in_every_shape_that_is_shared(tmp_path: Path) -> None:
    lines = ["# heading", "", "red_hair,500", '1girl,0,4114588,"girl,sole_female"', "plain word", "a, b", '"q, r",7', "red_hair,20", "odd,x1"]
    assert parse_vocabulary(lines) == [
        Word("red_hair", 500),
        Word("1girl", 4114588),
        Word("plain word", 0),
        Word("a, b", 0),
        Word("q, r", 7),
        Word("odd,x1", 0),
    ]
    assert read_vocabulary(tmp_path / "none.csv") == []


@pytest.mark.rule("D100")
def test_the_last_five_hundred_different_pairs_are_kept(tmp_path: Path) -> None:
    history: tuple[PastPrompt, ...] = ()
    for number in range(PAIRS_KEPT + 20):
        history = remembered(history, PastPrompt(f"prompt {number}", "é\n", number))
    history = remembered(history, PastPrompt("prompt 100", "é\n", 9999))
    assert len(history) == PAIRS_KEPT
    assert history[0].prompt == "prompt 100" and history[1].prompt == "prompt 519"
    assert remembered(history, PastPrompt(" ", "")) == history
    save_history(tmp_path / "data", history)
    assert load_history(tmp_path / "data") == history
    assert [past.prompt for past in search(history, "PROMPT 519 é")] == ["prompt 519"]


def test_a_damaged_history_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "prompt_history.json").write_text('[{"prompt": 3}, {"prompt": "a", "negative": "b"}, 7]')
    assert load_history(tmp_path) == (PastPrompt("a", "b"),)
    (tmp_path / "prompt_history.json").write_text("[[[")
    assert load_history(tmp_path) == ()
