"""Embeddings as words, their places in chunks, and the token count."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import (
    Embedding,
    EmbeddingTable,
    EmptyLibrary,
    Lines,
    PassSpan,
    PromptOptions,
    Reader,
    clip_tokenizer,
    framed,
    fullest_layout,
    lay_out,
    understand,
)
from sfumato.prompts.chunks import EMBEDDING_TOKEN, Layout

LIBRARY = EmptyLibrary(
    words=(
        Embedding("fog", 2),
        Embedding("fog-style", 3),
        Embedding("EasyNegative", 8),
        Embedding("huge", 90),
        Embedding("alien", 4, unfit="'alien' is for SDXL."),
    ),
    wildcards={"w": Lines(("a", "one two three four", "b"), (1.0, 2.0, 3.0))},
)
TABLE = EmbeddingTable(LIBRARY.words, clip_tokenizer())


def layout(text: str, backtrack: int = 20) -> Layout:
    reader = Reader(PromptOptions(comma_padding_backtrack=backtrack), LIBRARY)
    prompt = reader.read(text)
    return lay_out(prompt.parts[0].at(0, PassSpan(10)).pieces, clip_tokenizer(), backtrack=backtrack, embeddings=prompt.embeddings(clip_tokenizer()))


def placed(text: str, backtrack: int = 20) -> list[list[tuple[int, str]]]:
    return [[(start, embedding.name) for start, embedding in chunk.embeddings] for chunk in layout(text, backtrack).chunks]


@pytest.mark.rule("P45")
def test_names_are_found_as_tokens_longest_first_and_without_regard_to_case() -> None:
    assert placed("a fog, FOG-Style (easynegative:1.3)") == [[(1, "fog"), (4, "fog-style"), (7, "EasyNegative")]]
    assert placed("a foggy day") == [[]]
    assert placed("fog - style") == placed("fog-style") == [[(0, "fog-style")]]
    assert placed("[fog:fog-style:5]") == [[(0, "fog")]]
    assert placed("f(og)") == [[]]  # each segment is tokenised on its own
    (chunk,) = layout("a (fog-style:1.3) b").chunks
    assert (chunk.tokens[1:4], chunk.weights) == ((EMBEDDING_TOKEN,) * 3, (1, 1.3, 1.3, 1.3, 1))


@pytest.mark.rule("P46", "P3")
def test_an_unfit_embedding_stays_text_and_is_marked() -> None:
    assert placed("alien fog") == [[(1, "fog")]]
    prompt = Reader(library=LIBRARY).read("an Alien, fog")
    assert [(span.start, span.end, span.message) for span in prompt.spans if span.message] == [(3, 8, "'alien' is for SDXL. The name stays text.")]


@pytest.mark.rule("P34")
def test_an_embedding_never_straddles_chunks() -> None:
    assert placed("cat " * 72 + "fog-style") == [[(72, "fog-style")]]
    assert placed("cat " * 73 + "fog-style") == [[], [(0, "fog-style")]]
    assert [len(chunk.tokens) for chunk in layout("cat " * 73 + "fog-style").chunks] == [73, 3]
    assert placed("a huge thing") == [[], [(0, "huge")], []]
    assert framed(layout("cat fog").chunks[0])[0][2:4] == [EMBEDDING_TOKEN] * 2


@pytest.mark.rule("P33", "P34")
def test_an_embedding_behind_the_last_comma_moves_with_its_phrase() -> None:
    text = "cat " * 60 + ", a fog-style " + "dog " * 20
    assert placed(text) == [[], [(1, "fog-style")]]
    assert [len(chunk.tokens) for chunk in layout(text).chunks] == [61, 24]
    before = "fog " + "cat " * 58 + ", " + "dog " * 30
    assert placed(before) == [[(0, "fog")], []]


@pytest.mark.rule("P34")
@given(st.lists(st.sampled_from(["cat", ",", "fog", "fog-style", "EasyNegative", "BREAK", "(dog:1.2)"]), max_size=150), st.integers(0, 74))
@settings(max_examples=40, deadline=None)
def test_every_embedding_is_whole(words: list[str], backtrack: int) -> None:
    found = layout(" ".join(words), backtrack)
    whole = [embedding.name for chunk in found.chunks for _, embedding in chunk.embeddings]
    assert whole == [word for word in words if word in ("fog", "fog-style", "EasyNegative")]
    for chunk in found.chunks:
        assert len(chunk.tokens) == len(chunk.weights) <= 75
        for start, embedding in chunk.embeddings:
            assert chunk.tokens[start : start + embedding.vectors] == (EMBEDDING_TOKEN,) * embedding.vectors


@pytest.mark.rule("P61")
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", "0/75"),
        ("a cat", "2/75"),
        ("a cat AND a very big dog", "4/75"),
        ("[one|one two|three]", "2/75"),
        ("one [:two three:HR]", "3/75"),
        ("{a|one two three|b} end", "4/75"),
        ("{a|{b|one two} three}", "3/75"),
        ("{2$$ $$a|one two|b}", "3/75"),
        ("__w__ cat", "5/75"),
        ("cat # one two three", "1/75"),
        ("cat <lora:x:1>", "1/75"),
        ("cat BREAK dog", "76/150"),
        ("fog-style cat", "4/75"),
        ("{antidisestablishmentarianism|a b c d e f g h i j k}", "11/75"),
    ],
)
def test_the_count_is_that_of_the_fullest_text(text: str, count: str) -> None:
    found = fullest_layout(Reader(library=LIBRARY), text, clip_tokenizer(), [PassSpan(10, 10), PassSpan(10, 10, True)])
    assert f"{found.token_count}/{found.token_limit}" == count


@pytest.mark.rule("P3", "P5")
def test_the_plan_tells_parts_phases_and_networks() -> None:
    document = understand("[a:b:3] {x|x} AND c:0.5 <lora:nope>", steps=10).to_json()
    assert document["chosen"] == "[a:b:3] x AND c:0.5 <lora:nope>"
    assert document["weights"] == [1.0, 0.5]
    assert [(phase["first"], phase["last"], [part[0]["text"] for part in phase["parts"]]) for phase in document["phases"]] == [
        (0, 3, ["a x", "c"]),
        (4, 9, ["b x", "c"]),
    ]
    assert document["phases"][0]["networks"] == []
    assert [span["kind"] for span in document["spans"] if span["message"]] == ["network"]
