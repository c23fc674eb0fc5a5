"""How much an image prompt counts in each block of a network: by a list of the unit, and by its mode. Rule: E83."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfumato.engine.image_prompts.shapes import blocks_of
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.control import ControlUnit

if TYPE_CHECKING:
    from sfumato.engine.control.steering import Steering

_LOWEST, _HIGHEST = -5.0, 5.0


def block_weights(unit: ControlUnit, count: int | None, path: str) -> tuple[float, ...] | None:
    """The unit's list for a network with so many blocks with attention, None if it has none. `count` None: not known yet. Raises `Invalid`."""
    if not unit.block_weights.strip():
        return None
    try:
        found = tuple(float(each) for each in unit.block_weights.replace(",", " ").replace(";", " ").split())
    except ValueError:
        raise Invalid([Problem(f"{path}.block_weights", "The weights of blocks are numbers with spaces between them; write them so.")]) from None
    if not all(_LOWEST <= each <= _HIGHEST for each in found):
        raise Invalid([Problem(f"{path}.block_weights", f"The weights of blocks lie between {_LOWEST:g} and {_HIGHEST:g}; change those that do not.")])
    if count is not None and len(found) != count:
        sentence = f"The model has {count} blocks that image prompts act in, and {len(found)} weights are given; give {count}."
        raise Invalid([Problem(f"{path}.block_weights", sentence)])
    return found


def attention_weights(names: Sequence[str], unit: ControlUnit, steering: Steering, path: str) -> tuple[float, ...]:
    """One for each attention to the text; in the modes "prompt" and "control" outer levels count less, as features of ControlNets do.

    Args:
        names: of the attentions in the order of files.

    Raises `Invalid`.
    """
    blocks = blocks_of(iter(names))
    listed = block_weights(unit, len(blocks), path)
    depths = {name: _depth(name, names) for name in blocks}
    factors = steering.control_net_factors(max(depths.values()) + 1)
    weights = [0.0] * len(names)
    for number, (name, places) in enumerate(blocks.items()):
        for place in places:
            weights[place] = factors[depths[name]] * (listed[number] if listed else 1.0)
    return tuple(weights)


def _depth(block: str, names: Sequence[str]) -> int:
    """Level of a block, 0 is the outermost; the middle is on the last."""
    levels = [int(name.split(".")[1]) for name in names if name.startswith(("down_blocks", "up_blocks"))]
    last = max(levels, default=0)
    part, _, rest = block.partition(".")
    if part == "mid_block":
        return last
    level = int(rest.partition(".")[0])
    return level if part == "down_blocks" else last - level
