"""What each picture of a job is told."""

import pytest

from sfumato.engine.noise import ImageSeed
from sfumato.engine.texts import JobTexts
from sfumato.prompts import EmptyLibrary
from sfumato.protocol.requests.generate import Generate


def told(request: Generate) -> list[tuple[str, str]]:
    texts = JobTexts(request, EmptyLibrary())
    pictures = [texts.first(ImageSeed(7 + index), index) for index in range(request.batch_size * request.batch_count)]
    return [(picture.positive.text, picture.negative.text) for picture in pictures]


@pytest.mark.rule("P56")
def test_all_combinations_are_made_one_after_the_other() -> None:
    request = Generate(prompt="{a|b} {x|y}", negative="{n|m}", all_combinations=True, batch_size=2, batch_count=5)
    assert told(request) == [(positive, negative) for positive in ("a x", "a y", "b x", "b y") for negative in ("n", "m")] + [("a x", "n"), ("a x", "m")]
    assert told(Generate(prompt="{a|b|c}", all_combinations=True, batch_size=2)) == [("a", ""), ("b", "")]


@pytest.mark.rule("P54", "P55")
def test_each_picture_chooses_by_its_own_seed_or_all_by_one() -> None:
    request = Generate(prompt="{a|b|c|d|e|f|g|h}", batch_size=8)
    alone = [told(Generate(prompt=request.prompt))[0]]
    assert told(request)[0] == alone[0]
    assert len(set(told(request))) > 1
    assert len(set(told(request.model_copy(update={"wildcard_seed": 3})))) == 1


@pytest.mark.rule("P38")
def test_what_is_named_and_not_there_is_told_once() -> None:
    texts = JobTexts(Generate(prompt="<lora:nobody:1> {a|b}", negative="__none__", batch_size=4), EmptyLibrary())
    for index in range(4):
        texts.first(ImageSeed(index), index)
    assert [(warning.path, warning.message) for warning in texts.warnings] == [
        ("prompt", "There is no lora file called 'nobody': it is left out."),
        ("negative", "There is no wildcard file 'none': its name stays in the text."),
    ]
