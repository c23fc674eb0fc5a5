"""What the prompt boxes are made of, without a window: colours, parts, suggestions, tags as a list, places in UTF-16."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.prompts.colouring import EmbeddingWords, coloured
from sfumato.prompts.editing import reweigh
from sfumato.prompts.names import Embedding
from sfumato.prompts.parts import move_part
from sfumato.prompts.places import Units
from sfumato.prompts.suggesting import Suggestion, Suggestions, typed_at
from sfumato.prompts.tag_editing import listed_tags, with_blocks, with_clip, with_tag, with_weight, without_tag


@given(st.text(alphabet="aé😀𝒳\n", max_size=30))
def test_places_in_units_are_those_of_utf_16(text: str) -> None:
    units = Units(text)
    for place in range(len(text) + 1):
        expected = len(text[:place].encode("utf-16-le")) // 2
        assert units.to_units(place) == expected
        assert units.to_place(expected) == place


@pytest.mark.rule("D92")
def test_a_paragraph_is_coloured_by_its_looks() -> None:
    text = r"a (b [c] :1.2) AND {x|y} __w__ <lora:z:1> \( # note (not) BREAK"
    found, depth = coloured(text)
    said = [(text[item.start : item.end], item.kind, item.depth) for item in found]
    assert depth == 0
    assert said[:5] == [("(", "bracket", 0), ("[", "bracket", 1), ("]", "bracket", 1), (":1.2", "weight", 0), (")", "bracket", 0)]
    assert [word for word, kind, _ in said if kind == "keyword"] == ["AND"]
    assert ("__w__", "wildcard", 0) in said and ("<lora:z:1>", "network", 0) in said and (r"\(", "escape", 0) in said
    assert said[-1] == ("# note (not) BREAK", "comment", 0)
    assert coloured("open ((", 1)[1] == 3
    assert coloured("b))", 3) == ([(1, 2, "bracket", 2), (2, 3, "bracket", 1)], 1)


@given(st.text(alphabet="ab(),[]<>:1.\\#_@{|}\n lora", max_size=60))
def test_colours_never_overlap_and_stay_inside(text: str) -> None:
    last = 0
    for item in coloured(text)[0]:
        assert last <= item.start < item.end <= len(text)
        last = item.end


def test_embeddings_are_found_by_their_names() -> None:
    words = EmbeddingWords([Embedding("Bad-Hands", 1), Embedding("by mood", 2), Embedding("unfit", 0, unfit="other")])
    text = "bad-hands, bad-hands2, BY MOOD unfit"
    assert [text[slice(*place)] for place in words.places(text)] == ["bad-hands", "BY MOOD"]


@pytest.mark.parametrize(
    ("before", "distance", "expected"),
    [
        ("a, |b, c", 1, "a, c, |b"),
        ("a, |b, c", -1, "|b, a, c"),
        ("a, b|b\nc", 1, "a, c\nb|b"),
        ("|a, b", -1, None),
        ("a, b|", 1, None),
        ("x, (one, |two:1.2), y", -1, "x, (|two:1.2, one), y"),
        ("(a, b)|, c", 1, "c, (a, b)|"),
        (r"\(a|, b", 1, r"b, \(a|"),
        ("", 1, None),
        ("(open, |end", -1, "(|end, open"),
    ],
)
def test_a_part_changes_places_with_its_neighbour(before: str, distance: int, expected: str | None) -> None:
    place = before.index("|") if "|" in before else 0
    text = before.replace("|", "")
    edit = move_part(text, place, place, distance)
    if expected is None:
        assert edit is None
        return
    assert edit is not None
    changed = edit.applied(text)
    assert changed[: edit.selected[0]] + "|" + changed[edit.selected[0] :] == expected


@given(st.text(alphabet="ab, ()\n[]\\<>", max_size=40), st.integers(0, 40), st.sampled_from([-1, 1]))
def test_moving_a_part_keeps_every_character(text: str, place: int, distance: int) -> None:
    edit = move_part(text, place, place, distance)
    if edit is not None:
        changed = edit.applied(text)
        assert sorted(changed) == sorted(text)
        assert 0 <= edit.selected[0] <= len(text)


@pytest.mark.rule("D94")
def test_weights_stay_within_ten() -> None:
    edit = reweigh("(a:9.95)", 1, 1, 3)
    assert edit is not None and edit.applied("(a:9.95)") == "(a:10)"
    edit = reweigh("<lora:x:-9.9>", 3, 3, -10)
    assert edit is not None and edit.applied("<lora:x:-9.9>") == "<lora:x:-10>"
    edit = reweigh("(a:1)", 1, 1, 2, step=0.25)
    assert edit is not None and edit.applied("(a:1)") == "(a:1.5)"


def many() -> list[Suggestion]:
    chance = random.Random(1)

    def word() -> str:
        return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(3, 9)))

    networks = [
        Suggestion("lora", f"{word()}_{word()}-v{number % 5}", family=chance.choice(["Stable Diffusion 1", "Stable Diffusion XL"])) for number in range(5000)
    ]
    return [*networks, *(Suggestion("word", f"{word()} {word()}", count=chance.randint(0, 100000)) for _ in range(20000))]


@pytest.mark.rule("D90")
def test_suggestions_come_by_prefix_then_word_start_then_likeness_then_count() -> None:
    index = Suggestions(
        [
            Suggestion("word", "red_hair", 10),
            Suggestion("word", "red eyes", 500),
            Suggestion("word", "dark red", 90000),
            Suggestion("lora", "r-e-d", family="Stable Diffusion 1"),
            Suggestion("lora", "redshift", family="Stable Diffusion XL"),
            Suggestion("word", "blue", 10**6),
            Suggestion("embedding", "Réd"),
        ]
    )
    names = [found.name for found in index.search("red", "Stable Diffusion 1")]
    assert names == ["red eyes", "red_hair", "Réd", "dark red", "r-e-d", "redshift"]
    assert [found.name for found in index.search("red", "Stable Diffusion 1", {"lora"})] == ["r-e-d", "redshift"]
    assert index.search("")[0].name == "blue"
    assert index.search("zzz") == []


@pytest.mark.rule("D90")
def test_five_thousand_networks_and_twenty_thousand_words_are_searched_in_milliseconds() -> None:
    index = Suggestions(many())
    spent = []
    for query in ("", "a", "ab", "abc", "q", "zzzz", "xyzw", "a b", "v1", "e"):
        started = time.thread_time()
        assert len(index.search(query, "Stable Diffusion 1")) <= 10
        spent.append(time.thread_time() - started)
    assert sorted(spent)[len(spent) // 2] < 0.1


@pytest.mark.parametrize(
    ("text", "queries", "kinds"),
    [
        ("a red c", ["a red c", "red c", "c"], None),
        ("one, two", ["two"], None),
        ("one, ", [""], None),
        ("x <lora:na", ["na"], {"lora"}),
        ("x <lo", ["lo"], {"lora", "hypernet"}),
        ("<lora:name:0.", ["0."], None),
        ("a __ani", ["ani"], {"wildcard"}),
        (r"miku \(vo", [r"miku (vo", "(vo"], None),
    ],
)
def test_what_is_being_typed(text: str, queries: list[str], kinds: set[str] | None) -> None:
    found = typed_at(text, len(text))
    assert [typed.query for typed in found] == queries
    assert found[0].kinds == kinds
    if queries[0]:
        assert text[found[-1].start :].endswith(queries[-1].replace("(", r"\(")) or kinds


def test_what_is_accepted_is_escaped_where_the_language_needs_it() -> None:
    assert Suggestion("word", "miku (vocaloid)").text == r"miku \(vocaloid\)"
    assert Suggestion("lora", "x").text == "<lora:x:1>"
    assert Suggestion("wildcard", "a/b").text == "__a/b__"


@pytest.mark.parametrize(
    ("text", "weight", "clip"),
    [
        ("<lora:x>", "<lora:x:0.5>", "<lora:x:0.5:1>"),
        ("<lora:x:0.8>", "<lora:x:0.5>", "<lora:x:0.5:0.8>"),
        ("<lora:x:0.8:0.6>", "<lora:x:0.8:0.5>", "<lora:x:0.5:0.6>"),
        ("<lora:x:0.8:0.6:32>", "<lora:x:0.8:0.5:32>", "<lora:x:0.5:0.6:32>"),
        ("<lora:x:te=0.8:start=3>", "<lora:x:start=3:te=0.5:unet=0.5>", "<lora:x:start=3:te=0.5:unet=0.8>"),
        ("<lora:x:lbw=ALL>", "<lora:x:0.5:lbw=ALL>", "<lora:x:0.5:1:lbw=ALL>"),
        ("<lora:x:foo=1:0.8>", "<lora:x:foo=1:0.5>", "<lora:x:foo=1:0.5:0.8>"),
        ("<lora:x:[0:1:3]>", None, None),
        ("<hypernet:h:0.7>", "<hypernet:h:0.5>", "<hypernet:h:0.5:0.7>"),
    ],
)
def test_a_listed_tag_is_written_anew_with_all_its_other_parts(text: str, weight: str | None, clip: str | None) -> None:
    prompt = f"a {text} b"
    (tag,) = listed_tags(prompt)
    for edit, expected in ((with_weight(prompt, tag, 0.5), weight), (with_clip(prompt, tag, 0.5), clip)):
        assert (edit.applied(prompt) if edit else None) == (f"a {expected} b" if expected else None)
        if edit is not None:
            (again,) = listed_tags(edit.applied(prompt))
            assert 0.5 in (again.weight, again.clip)


def test_block_weights_are_added_changed_and_removed() -> None:
    text = "<lora:x:0.8>"
    edit = with_blocks(text, listed_tags(text)[0], "1, 0,1")
    assert edit is not None
    text = edit.applied(text)
    assert text == "<lora:x:0.8:lbw=1,0,1>"
    (tag,) = listed_tags(text)
    assert tag.blocks == "1,0,1"
    edit = with_blocks(text, tag, "OUTD")
    assert edit is not None and edit.applied(text) == "<lora:x:0.8:lbw=OUTD>"
    edit = with_blocks(text, tag, "")
    assert edit is not None and edit.applied(text) == "<lora:x:0.8>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a <lora:x>, b", "a, b"), ("a, <lora:x>", "a"), ("<lora:x> b", "b"), ("<lora:x>, b", "b"), ("a <lora:x> b", "a b"), ("a<lora:x>b", "ab")],
)
def test_a_tag_is_taken_out_without_leaving_two_commas(text: str, expected: str) -> None:
    assert without_tag(text, listed_tags(text)[0]).applied(text) == expected
    assert with_tag("a", "<lora:x:1>").applied("a") == "a <lora:x:1>"
