"""Styles: put around a prompt, and found again in one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import EmptyLibrary, Style, apply_styles, read_prompt, recognise

OIL = Style("Oil", "oil painting of {prompt}, thick", "photo")
BEST = Style("Best", "masterpiece, best quality", "worst quality")
PLAIN = Style("Plain", "best quality", "")
NEGATIVE = Style("Negative", "", "blurry")


@pytest.mark.rule("P57")
@pytest.mark.parametrize(
    ("prompt", "negative", "styles", "expected"),
    [
        ("cat", "", [BEST], ("cat, masterpiece, best quality", "worst quality")),
        ("", "", [BEST], ("masterpiece, best quality", "worst quality")),
        (" cat ", "mud", [BEST, NEGATIVE], ("cat, masterpiece, best quality", "mud, worst quality, blurry")),
        ("cat", "", [OIL, BEST], ("oil painting of cat, thick, masterpiece, best quality", "photo, worst quality")),
        ("cat", "", [BEST, OIL], ("oil painting of cat, masterpiece, best quality, thick", "worst quality, photo")),
        ("cat", "dog", [Style("Twice", "{prompt} {prompt}", "no {prompt}")], ("cat cat", "no dog")),
        ("cat", "", [], ("cat", "")),
    ],
)
def test_styles_go_around_in_the_order_chosen(prompt: str, negative: str, styles: list[Style], expected: tuple[str, str]) -> None:
    assert apply_styles(prompt, negative, styles) == expected


@pytest.mark.rule("P57")
def test_a_comment_at_the_end_does_not_swallow_a_style() -> None:
    library = EmptyLibrary(styles={"Best": BEST})
    assert read_prompt("cat # note", library=library, styles=("Best",)).text == "cat, masterpiece, best quality"


@pytest.mark.rule("P57")
def test_styles_that_multiply_the_prompt_stop_somewhere() -> None:
    doubling = Style("Double", "{prompt}{prompt}", "")
    assert len(apply_styles("x" * 1000, "", [doubling] * 40)[0]) <= 1_000_000


@pytest.mark.rule("P58")
def test_a_style_is_recognised_where_both_its_texts_are() -> None:
    styles = [PLAIN, BEST, OIL, NEGATIVE, Style("Empty")]
    for chosen in ([BEST], [OIL, BEST], [BEST, OIL], [NEGATIVE], [PLAIN], []):
        applied = apply_styles("a cat, walking", "mud", chosen)
        assert recognise(*applied, styles) == ("a cat, walking", "mud", tuple(style.name for style in chosen)), chosen
    assert recognise("cat, masterpiece, best quality", "", [BEST]) == ("cat, masterpiece, best quality", "", ())
    assert recognise("a cat of best quality", "", [PLAIN]) == ("a cat of best quality", "", ())
    assert recognise("best quality", "", [PLAIN]) == ("", "", ("Plain",))


@pytest.mark.rule("P58")
@given(st.lists(st.sampled_from([OIL, BEST, NEGATIVE]), unique=True), st.text("abc ,", max_size=12).map(str.strip))
@settings(max_examples=60, deadline=None)
def test_what_was_applied_is_found(styles: list[Style], prompt: str) -> None:
    first, second, names = recognise(*apply_styles(prompt, "n", styles), [OIL, BEST, NEGATIVE])
    assert apply_styles(first, second, [{"Oil": OIL, "Best": BEST, "Negative": NEGATIVE}[name] for name in names]) == apply_styles(prompt, "n", styles)
    assert set(names) == {style.name for style in styles}
