"""Block weights: lists of numbers that weigh a network differently in each block of the denoiser, and the presets that stand for lists.

Blocks go by the names of the original Stable Diffusion code: IN00.. on the way down, M00, OUT00.. on the way up. Lists, order and presets are those of the LoRA
Block Weight extension (its presets are lists of 17). Rule: P39.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Layout = Literal["sd", "sdxl"]

BASE = "BASE"


def _names(letter: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number:02}" for number in numbers)


_MIDDLE = ("M00",)
_SD = (*_names("IN", *range(12)), *_MIDDLE, *_names("OUT", *range(12)))
_SDXL = (*_names("IN", *range(9)), *_MIDDLE, *_names("OUT", *range(9)))
_SD_ATTENTION = (*_names("IN", 1, 2, 4, 5, 7, 8), *_MIDDLE, *_names("OUT", *range(3, 12)))
_SDXL_ATTENTION = (*_names("IN", 4, 5, 7, 8), *_MIDDLE, *_names("OUT", *range(6)))
_LEVELS = ("DOWN0", "DOWN1", "DOWN2", "DOWN3", "MID", "UP0", "UP1", "UP2", "UP3")

# Length of a list -> the model it is for, and what its numbers mean.
LISTS: Mapping[int, tuple[Layout, tuple[str, ...]]] = MappingProxyType(
    {
        9: ("sd", _LEVELS),
        12: ("sdxl", (BASE, *_SDXL_ATTENTION)),
        17: ("sd", (BASE, *_SD_ATTENTION)),
        19: ("sdxl", _SDXL),
        20: ("sdxl", (BASE, *_SDXL)),
        25: ("sd", _SD),
        26: ("sd", (BASE, *_SD)),
    }
)
_ALL: Mapping[Layout, tuple[str, ...]] = MappingProxyType({"sd": _SD, "sdxl": _SDXL})
# The level of a block where a list has one number per level: the way down changes it after each third block, the way up alike.
_LEVEL_OF: Mapping[str, str] = MappingProxyType(
    {"IN00": "DOWN0", "M00": "MID"}
    | {f"IN{number:02}": f"DOWN{(number - 1) // 3}" for number in range(1, 12)}
    | {f"OUT{number:02}": f"UP{number // 3}" for number in range(12)}
)
# Of 17: the text encoder, six blocks down, the middle, nine up.
PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "NONE": "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
        "ALL": "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        "INS": "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0",
        "IND": "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0",
        "INALL": "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0",
        "MIDD": "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0",
        "OUTD": "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0",
        "OUTS": "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1",
        "OUTALL": "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1",
        "ALL0.5": "0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5",
    }
)


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """Factors on a network's weights.

    Attributes:
        layout: the models whose blocks these are.
        base: factor on the text encoder's weight.
        blocks: name and factor of every block of the denoiser, from its beginning to its end. A block that a short list leaves out has 0.
    """

    layout: Layout
    base: float
    blocks: tuple[tuple[str, float], ...]


def read_block_weights(numbers: Sequence[float]) -> BlockWeights | None:
    """The factors a list means; None if no list is of this length."""
    if len(numbers) not in LISTS:
        return None
    layout, names = LISTS[len(numbers)]
    given = dict(zip(names, numbers))
    if names is _LEVELS:
        return BlockWeights(layout, 1.0, tuple((name, given[_LEVEL_OF[name]]) for name in _SD))
    return BlockWeights(layout, given.get(BASE, 1.0), tuple((name, given.get(name, 0.0)) for name in _ALL[layout]))
