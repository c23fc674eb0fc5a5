"""The manual's examples are what it says they are."""

import re
from pathlib import Path

import pytest

from sfumato.prompts import EmptyLibrary, Lines, NetworkIndex, NetworkRecord, PassSpan, PromptOptions, read_prompt

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.+`) \| .+ \|$", MANUAL, re.MULTILINE)
EXAMPLES = [example.replace("\\|", "|") for row in ROWS for example in re.findall(r"`([^`]+)`", row)]
LIBRARY = EmptyLibrary(
    wildcards={"animals": Lines(("cat", "dog"), (1.0, 2.0)), "wild/*": Lines(("wolf",), (1.0,))},
    loras=NetworkIndex([NetworkRecord("moss")]),
    hypernets=NetworkIndex([NetworkRecord("moss")]),
)
BOTH = (PassSpan(20, 20), PassSpan(20, 20, True))


@pytest.mark.rule("R145")
@pytest.mark.parametrize("example", EXAMPLES)
def test_no_example_is_suspicious_and_each_is_a_construct(example: str) -> None:
    prompt = read_prompt(f"a, {example}", library=LIBRARY)
    assert [span.message for span in prompt.spans_in(*BOTH) if span.message] == []
    assert prompt.spans, "an example without any construct"


def test_the_manual_names_every_switch_that_changes_the_reading() -> None:
    for switch in ("timelines", "lora_order", "and_default", "negative_and", "attention_negative"):
        assert f"`{switch}`" in MANUAL
        assert hasattr(PromptOptions(), switch)
    assert len(EXAMPLES) > 30
