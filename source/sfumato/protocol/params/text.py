"""What a prompt says and how it is read (prompt-language.md; the switches are its rule P65)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

PROMPT_LIMIT = 1_000_000

Prompt = Annotated[
    str,
    Field(
        max_length=PROMPT_LIMIT,
        title="Prompt",
        description="What the picture shows. (word:1.2) weighs a part, [a:b:0.5] changes it midway, AND joins two, BREAK starts a new chunk.",
    ),
    Ui("prompt", widget="prompt"),
]
Negative = Annotated[
    str,
    Field(max_length=PROMPT_LIMIT, title="Negative prompt", description="What the picture should not show."),
    Ui("prompt", widget="prompt", label="Negative prompt"),
]
SecondPrompt = Annotated[
    str,
    Field(max_length=PROMPT_LIMIT, title="Second prompt", description="Another text for the second text encoder of SDXL; empty is the prompt itself."),
    Ui("text", advanced=True, label="Second prompt"),
]
SecondNegative = Annotated[
    str,
    Field(
        max_length=PROMPT_LIMIT,
        title="Second negative",
        description="Another negative text for the second text encoder of SDXL; empty is the negative prompt itself.",
    ),
    Ui("text", advanced=True, label="Second negative prompt"),
]
Styles = Annotated[
    tuple[Annotated[str, Field(max_length=256)], ...],
    Field(max_length=64, title="Styles", description="Styles added to both prompts, in this order; they are rows of the files in styles/."),
    Ui("text", choices_from="styles", label="Styles"),
]
Emphasis = Annotated[
    Literal["original", "no_norm", "ignore", "none", "interpolate"],
    Field(
        title="Emphasis",
        description="How weights act on the text: original restores the mean, no_norm does not, interpolate moves away from the empty text, "
        "ignore drops weights, none reads brackets as text.",
    ),
    Ui("text", advanced=True, label="Emphasis"),
]
NegativeAttention = Annotated[
    Literal["embedding", "value"],
    Field(
        title="Negative weights",
        description="How a weight below zero acts: embedding multiplies it in like any other, value turns the words' effect in the attention around.",
    ),
    Ui("text", advanced=True),
]
Timelines = Annotated[
    Literal["new", "old"],
    Field(
        title="Timelines",
        description="How [a:b:when] counts: new reads a number with a dot as a share of the steps and goes on in the highres pass, old is as before 2023.",
    ),
    Ui("text", advanced=True, label="Old prompt editing timelines"),
]
AndDefault = Annotated[
    float,
    Field(ge=-10, le=10, title="Weight of AND", description="Weight of the parts behind the first AND that name none."),
    Ui("text", step=0.1, slider=(0, 2), advanced=True),
]
LoneWeight = Annotated[
    bool,
    Field(title="Lone weights", description="Read ':2' at the end of a prompt without AND as its weight, not as text."),
    Ui("text", advanced=True),
]
NegativeAnd = Annotated[
    bool,
    Field(title="AND in negative", description="Split the negative prompt at AND and average its parts, instead of reading AND as a word."),
    Ui("text", advanced=True),
]
Comments = Annotated[bool, Field(title="Comments", description="Leave out what stands behind # on a line."), Ui("text", advanced=True)]
Dynamic = Annotated[
    bool,
    Field(title="Choices", description="Choose among {a|b}, and fill in lines of __wildcard__ files and variables."),
    Ui("text", advanced=True),
]
SpecialWords = Annotated[
    bool, Field(title="Special words", description="Give BREAK, START and END their meaning; off reads them as words."), Ui("text", advanced=True)
]
CommaBacktrack = Annotated[
    int,
    Field(ge=0, le=74, title="Comma backtracking", description="A chunk of tokens ends at a comma if one is among its last so many tokens; 0 is off."),
    Ui("text", step=1, unit="tokens", advanced=True),
]
PadConditioning = Annotated[
    Literal["off", "on", "v0"],
    Field(
        title="Pad prompts",
        description="Make prompt and negative equally long: on adds empty chunks, v0 repeats the last vector as AUTOMATIC1111 did for DDIM before 1.6.",
    ),
    Ui("text", advanced=True, label="Pad conds"),
]
WildcardSeed = Annotated[
    int,
    Field(ge=-1, le=2**63 - 1, title="Wildcard seed", description="Seed of the choices in {a|b} and __wildcards__; -1 is the picture's own seed."),
    Ui("text", step=1, advanced=True, label="Wildcard seed"),
]
AllCombinations = Annotated[
    bool,
    Field(title="All combinations", description="Go through the choices of {a|b} and __wildcards__ in order, one for each picture, instead of drawing them."),
    Ui("text", advanced=True),
]
