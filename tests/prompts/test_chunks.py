"""Chunks of 75 tokens, and the door of the room."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import CLIP_L_PADDING, END, OPEN_CLIP_PADDING, START, Chunk, clip_tokenizer, framed, understand

COMMA = 267
CAT = 2368


def lengths(text: str, backtrack: int = 20) -> list[int]:
    return [len(chunk.tokens) for chunk in understand(text, backtrack=backtrack).chunks]


@pytest.mark.rule("P32")
def test_an_empty_prompt_is_one_empty_chunk() -> None:
    for text in ("", "   ", "()", "((("):
        assert understand(text).chunks == (Chunk((), ()),), text


@pytest.mark.rule("P31")
def test_tokens_carry_the_weight_of_their_segment() -> None:
    (chunk,) = understand("a (red cat:1.3) [dog]").chunks
    words = [clip_tokenizer().decode([token]).strip() for token in chunk.tokens]
    assert list(zip(words, chunk.weights, strict=True)) == [("a", 1), ("red", 1.3), ("cat", 1.3), ("dog", pytest.approx(1 / 1.1))]


@pytest.mark.rule("P31")
def test_each_segment_is_tokenized_on_its_own() -> None:
    apart = [token for chunk in understand("un(believ)able").chunks for token in chunk.tokens]
    encode = clip_tokenizer().encode
    assert apart == encode("un") + encode("believ") + encode("able") != encode("unbelievable")


@pytest.mark.rule("P32")
def test_the_frame_holds_77_places_and_weighs_one() -> None:
    tokens, weights = framed(Chunk((CAT, COMMA), (1.5, 0.5)), CLIP_L_PADDING)
    assert tokens == [START, CAT, COMMA, END] + [END] * 73
    assert weights == [1.0, 1.5, 0.5] + [1.0] * 74
    tokens, _ = framed(Chunk((CAT,), (1.0,)), OPEN_CLIP_PADDING)
    assert tokens == [START, CAT, END] + [0] * 74
    tokens, _ = framed(Chunk((CAT,) * 75, (1.0,) * 75))
    assert tokens == [START, *[CAT] * 75, END]


@pytest.mark.rule("P12", "P32")
@pytest.mark.parametrize(
    ("text", "expected", "count"),
    [
        ("cat BREAK dog", [1, 1], "76/150"),
        ("cat BREAK BREAK dog", [1, 0, 1], "151/225"),
        ("BREAK cat", [0, 1], "76/150"),
        ("cat BREAK", [1], "75/75"),
        ("BREAK", [0], "75/75"),
        ("(cat BREAK dog:1.2)", [1, 1], "76/150"),
        ("cat, END", [3], "3/75"),
    ],
)
def test_break_ends_the_chunk(text: str, expected: list[int], count: str) -> None:
    assert lengths(text) == expected
    assert understand(text).to_json()["tokens"] == count


@pytest.mark.rule("P12")
def test_start_and_end_are_the_tokens_of_the_encoder() -> None:
    (chunk,) = understand("START, cat, (END:1.2)").chunks
    assert chunk.tokens == (START, COMMA, CAT, COMMA, END)
    assert chunk.weights[-1] == 1.2


@pytest.mark.rule("P33")
@pytest.mark.parametrize(
    ("before", "after", "backtrack", "expected"),
    [
        (54, 30, 20, [75, 10]),  # the comma is the 21st from the end: too far
        (55, 30, 20, [56, 30]),  # the 20th: the phrase moves
        (74, 5, 20, [75, 5]),  # the comma is the last: nothing to move
        (55, 30, 0, [75, 11]),
        (40, 60, 74, [41, 60]),
        (55, 19, 20, [75]),  # just full, and nothing follows
    ],
)
def test_a_phrase_cut_by_the_end_of_a_chunk_moves_behind_its_comma(before: int, after: int, backtrack: int, expected: list[int]) -> None:
    assert lengths("cat " * before + ", " + "dog " * after, backtrack) == expected


@pytest.mark.rule("P33")
def test_a_comma_that_comes_next_leaves_the_full_chunk_as_it_is_and_weights_move_along() -> None:
    assert lengths("cat " * 60 + ", " + "dog " * 14 + ", bird") == [75, 2]
    plan = understand("cat " * 60 + ", (" + "dog " * 20 + ":1.3)")
    assert [len(chunk.tokens) for chunk in plan.chunks] == [61, 20]
    assert set(plan.chunks[1].weights) == {1.3}


@pytest.mark.rule("P33")
def test_backtracking_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 74"):
        understand("cat", backtrack=75)


@pytest.mark.rule("P32", "P33", "P61")
@given(st.lists(st.sampled_from(["cat", ",", "BREAK", "(dog:1.2)", "unbelievable", "\n"]), max_size=260), st.integers(0, 74))
@settings(max_examples=60, deadline=None)
def test_no_token_is_lost_and_no_chunk_is_too_long(words: list[str], backtrack: int) -> None:
    plan = understand(" ".join(words), backtrack=backtrack)
    tokens = [token for chunk in plan.chunks for token in chunk.tokens]
    assert tokens == [token for piece in " ".join(words).replace("(", " ").replace(":1.2)", " ").split("BREAK") for token in clip_tokenizer().encode(piece)]
    assert all(len(chunk.tokens) == len(chunk.weights) <= 75 for chunk in plan.chunks)
    assert plan.token_limit % 75 == 0
    assert plan.token_limit - 75 < max(plan.token_count, 1) <= plan.token_limit


@pytest.mark.rule("P61")
def test_count_and_limit() -> None:
    assert understand("").to_json()["tokens"] == "0/75"
    assert understand("cat " * 75).to_json()["tokens"] == "75/75"
    assert understand("cat " * 76).to_json()["tokens"] == "76/150"


@pytest.mark.rule("P65")
def test_without_emphasis_brackets_and_break_are_text() -> None:
    plan = understand("(a:1.2) BREAK b", emphasis="none")
    assert [(piece["text"], piece["weight"]) for piece in plan.to_json()["segments"]] == [("(a:1.2) BREAK b", 1.0)]
    assert plan.chunks[0].tokens == tuple(clip_tokenizer().encode("(a:1.2) BREAK b"))


@pytest.mark.rule("P3", "P5")
def test_the_document_is_json_and_tells_what_was_understood() -> None:
    document = understand("a (red:1.3) cat BREAK dog ) x", steps=12).to_json()
    assert json.loads(json.dumps(document)) == document
    assert document == understand("a (red:1.3) cat BREAK dog ) x", steps=12).to_json()
    assert document["steps"] == 12
    assert [piece["kind"] for piece in document["segments"]] == ["text", "text", "text", "break", "text"]
    assert document["chunks"][0]["words"] == ["a ", "red ", "cat "]
    assert [span["start"] for span in document["spans"] if span["message"]] == [26]


@pytest.mark.rule("P2")
def test_a_prompt_of_a_hundred_thousand_characters_is_understood() -> None:
    plan = understand("one (cat:1.1), " * 7000)
    assert plan.token_count > 20_000
    assert len(plan.chunks) > 270
