"""The switches of the prompt language, and the sets of them that make a foreign prompt mean what it meant where it was written.

A switch belongs to the request, never to the program's settings. Rules: P65, P66.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

Emphasis = Literal["original", "no_norm", "ignore", "none", "interpolate"]
NegativeWeights = Literal["embedding", "value"]
Timelines = Literal["new", "old"]
LoraOrder = Literal["te_unet", "unet_te"]
Origin = Literal["automatic1111", "qdiffusion"]
Switch = str | bool | float | int


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How a prompt is read. The defaults are Sfumato's own reading.

    Attributes:
        emphasis: how the encoder applies weights; "none" makes brackets and BREAK ordinary characters.
        attention_negative: "embedding" multiplies negative weights in; "value" leaves them to cross-attention and drops text of weight 0.
        timelines: "old" reads numbers below 1 as fractions, all others as calls, and uses the first pass's boundaries in the highres pass too.
        lora_order: which of a network's two positional numbers is the text encoder's.
        tag_schedules: whether a network tag inside a schedule acts only on its side of it.
        and_default: weight of AND parts that name none; the first part's is always 1.
        lone_weight: `:number` at the end is a weight even without AND.
        negative_and: AND splits the negative prompt too; its parts are averaged by their weights.
        comments, dynamic: whether `#`, and choices, wildcards and variables are read.
        special_words: whether BREAK, START and END are more than words.
        comma_padding_backtrack: how far back (tokens, 0..74) a comma may be that ends a full chunk.
    """

    emphasis: Emphasis = "original"
    attention_negative: NegativeWeights = "embedding"
    timelines: Timelines = "new"
    lora_order: LoraOrder = "te_unet"
    tag_schedules: bool = True
    and_default: float = 1.0
    lone_weight: bool = False
    negative_and: bool = False
    comments: bool = True
    dynamic: bool = True
    special_words: bool = True
    comma_padding_backtrack: int = 20

    def changed(self) -> dict[str, Switch]:
        """The switches that are not at their default, for metadata."""
        usual = asdict(PromptOptions())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


# What each origin does differently from the defaults above.
FOREIGN: Mapping[Origin, Mapping[str, Switch]] = MappingProxyType(
    {
        "automatic1111": MappingProxyType({"lone_weight": True, "tag_schedules": False, "dynamic": False}),
        "qdiffusion": MappingProxyType({"lora_order": "unet_te", "and_default": 0.8, "negative_and": True, "attention_negative": "value"}),
    }
)
# AUTOMATIC1111 counted differently before this version.
_NEW_TIMELINES = (1, 6)
_VERSION = re.compile(r"v?([0-9]{1,9})\.([0-9]{1,9})")


def foreign_switches(origin: Origin, *, version: str = "", prompt: str = "") -> dict[str, Switch]:
    """The switches under which a foreign prompt keeps its meaning: fields of `PromptOptions` and their values.

    Args:
        origin: the program that wrote it.
        version: of that program, as in "v1.5.2"; unknown versions count as new.
        prompt: positive and negative text; old timelines matter only where there is a schedule.
    """
    switches = dict(FOREIGN[origin])
    written = _VERSION.match(version)
    if origin == "automatic1111" and "[" in prompt and written and (int(written[1]), int(written[2])) < _NEW_TIMELINES:
        switches["timelines"] = "old"
    return switches
