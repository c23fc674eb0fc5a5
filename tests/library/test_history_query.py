"""The language of the search field: what it says, and that nothing typed into it is an error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.library.history.query import Query, Term, fold, parse

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


def terms(text: str) -> list[Term]:
    query = parse(text, NOW)
    assert query.problem == ""
    return [term for group in query.groups for alternative in group for term in alternative]


@pytest.mark.rule("D125")
def test_words_phrases_and_what_is_excluded() -> None:
    assert terms('red "green  Fox" -blue -"old House"') == [
        Term(text="red"),
        Term(text="green fox"),
        Term(text="blue", excluded=True),
        Term(text="old house", excluded=True),
    ]
    assert fold("Café  ÉTÉ\nStraße") == "cafe ete strasse"


@pytest.mark.rule("D125")
def test_semicolon_and_blank_are_and_and_or_is_between_them() -> None:
    query = parse("red fox OR blue; steps:20")
    assert query.groups == (
        ((Term(text="red"), Term(text="fox")), (Term(text="blue"),)),
        ((Term("steps", low=20, high=20),),),
    )
    assert parse("  ;; ; ").groups == parse("steps: model:>").groups == ()


@pytest.mark.rule("D125")
@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("steps:20", 20, 20),
        ("steps=20", 20, 20),
        ("steps>=20", 20, None),
        ("steps:>=20", 20, None),
        ("steps<=20", None, 20),
        ("steps:20..30", 20, 30),
        ("steps:20..", 20, None),
        ("scale:..7.5", None, 7.5),
    ],
)
def test_numbers_are_compared(text: str, low: float | None, high: float | None) -> None:
    [term] = terms(text)
    assert (term.low, term.high, term.excluded) == (low, high, False)


@pytest.mark.rule("D125")
def test_more_less_and_other_than() -> None:
    [more] = terms("steps>20")
    assert more.low is not None and 20 < more.low < 20.1 and more.high is None
    [less] = terms("steps<20")
    assert less.high is not None and 19.9 < less.high < 20
    [other] = terms("steps!=20")
    assert other.excluded and other.low == other.high == 20
    [twice] = terms("-steps!=20")
    assert not twice.excluded
    assert terms("size:512x768") == [Term("size", size=(512, 768))]
    assert terms('model="My Model"') == [Term("model", "my model", exact=True)]
    assert terms('Lora:"a b" tag!=x') == [Term("lora", "a b"), Term("tag", "x", exact=True, excluded=True)]


@pytest.mark.rule("D125")
def test_dates_are_days_months_years_and_ranges() -> None:
    def span(text: str) -> tuple[datetime, datetime]:
        [term] = terms(text)
        assert term.low is not None and term.high is not None
        return tuple(datetime.fromtimestamp(bound).astimezone().replace(tzinfo=None) for bound in (term.low, term.high))  # type: ignore[return-value]

    assert span("date:2026-05-17")[0] == datetime(2026, 5, 17)  # noqa: DTZ001
    assert span("date:2026-02")[1].day == 28
    assert [moment.month for moment in span("date:2026-03..2026-05")] == [3, 5]
    assert [moment.year for moment in span("date:2025")] == [2025, 2025]
    assert span("date:today")[0].day == 17
    assert span("date:yesterday")[0].day == 16


@pytest.mark.rule("D125")
@pytest.mark.parametrize(
    "text",
    [
        '"red',
        "steps:many",
        "OR red",
        "red OR",
        "red OR ; blue",
        "date:2026-13",
        "date:soon",
        "date:9999",
        "is:nice",
        "has:dragons",
        "model>3",
        "size>=512x512",
        "steps:..",
        "steps:nan",
        "steps:1..2..3",
    ],
)
def test_what_is_malformed_is_plain_text_and_says_so(text: str) -> None:
    query = parse(text, NOW)
    assert query.problem.endswith("The text is searched as it stands.")
    assert query.groups == ((tuple(Term(text=fold(word)) for word in text.split()),),)


@pytest.mark.rule("R63")
@pytest.mark.parametrize(
    "text", ["it's", "100%", "a_b", "a\\b", "*", "(x)", "<lora:x:1>", "unknown:3", "a;b", "-", "--a", "a-b", 'say"cheese"', "NEAR", "prompt^2"]
)
def test_signs_are_data(text: str) -> None:
    assert parse(text).problem == ""


@pytest.mark.rule("R63")
@given(st.text(max_size=60))
def test_nothing_that_can_be_typed_is_an_error(text: str) -> None:
    assert isinstance(parse(text, NOW), Query)


@given(
    st.lists(
        st.sampled_from(["steps", "date", "has", "is", "model", ":", ">", "<", "=", "!", "..", "2026", "-", '"', " ", "OR", ";", "x", "1e999"]), max_size=12
    )
)
def test_pieces_of_the_language_in_any_order_are_no_error(pieces: list[str]) -> None:
    assert isinstance(parse("".join(pieces), NOW), Query)


def test_a_seed_is_compared_with_all_its_digits() -> None:
    term = parse("seed:900719925474099301").groups[0][0][0]
    assert (term.low, term.high) == (900719925474099301, 900719925474099301)
    assert isinstance(term.low, int)
