"""Which files the built-in networks run, told by names and shapes alone, and how they are built: no other package is needed for them.

Three spellings of the same ESRGAN exist: the first release (`model.1.sub.0.RDB1.conv1.0`), that of BSRGAN (`RRDB_trunk.0.RDB1.conv1`) and that of Real-ESRGAN
(`body.0.rdb1.conv1`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from sfumato.engine.upscalers.compact import Compact
from sfumato.engine.upscalers.rrdb import Rrdb

Shapes = Mapping[str, tuple[int, ...]]

_UNSHUFFLES = (1, 2, 4)
_BSRGAN = (
    (re.compile(r"^RRDB_trunk\.(\d+)\.RDB(\d)\."), r"body.\1.rdb\2."),
    (re.compile(r"^trunk_conv\."), "conv_body."),
    (re.compile(r"^upconv(\d)\."), r"conv_up\1."),
    (re.compile(r"^HRconv\."), "conv_hr."),
)
_OLD_BLOCK = re.compile(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)$")
_OLD_OTHER = re.compile(r"^model\.(\d+)\.(weight|bias)$")
_OLD_TRUNK = re.compile(r"^model\.1\.sub\.(\d+)\.(weight|bias)$")


@dataclass(frozen=True)
class Recognised:
    """What a file of a built-in architecture holds.

    Attributes:
        architecture: for people.
        scale, channels: see `ImageNetwork`.
        names: name in the file -> name in the network.
    """

    architecture: str
    scale: int
    channels: int
    names: Mapping[str, str]
    _build: tuple[type[nn.Module], tuple[int, ...]]

    def build(self) -> nn.Module:
        kind, sizes = self._build
        return kind(*sizes)

    def fill(self, module: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Give the network its weights. Raises RuntimeError if they are not exactly its own."""
        module.load_state_dict({name: weights[key] for key, name in self.names.items()}, strict=True)


def recognise(shapes: Shapes) -> Recognised | None:
    """The built-in network that these tensors belong to, None if to none."""
    return _compact(shapes) or _rrdb(shapes)


def _compact(shapes: Shapes) -> Recognised | None:
    first, slope = shapes.get("body.0.weight"), shapes.get("body.1.weight")
    if first is None or slope is None or len(first) != 4 or len(slope) != 1 or not all(re.fullmatch(r"body\.\d+\.(weight|bias)", key) for key in shapes):
        return None
    last = max(int(key.split(".")[1]) for key in shapes)
    found = _shuffled(shapes.get(f"body.{last}.weight", (0,))[0], first[1])
    if found is None or last < 2 or last % 2:
        return None
    scale, outputs = found
    return Recognised("Real-ESRGAN Compact", scale, first[1], {key: key for key in shapes}, (Compact, (first[1], outputs, first[0], last // 2 - 1, scale)))


def _shuffled(channels: int, inputs: int) -> tuple[int, int] | None:
    """Scale and colours that so many channels are shuffled into: as many colours as go in, if that can be."""
    for colours in (inputs, 3, 4, 1):
        if channels >= colours and channels % colours == 0 and math.isqrt(channels // colours) ** 2 == channels // colours:
            return math.isqrt(channels // colours), colours
    return None


def _rrdb(shapes: Shapes) -> Recognised | None:
    names = _renamed(shapes)
    sizes = {name: shapes[key] for key, name in names.items()}
    first, last, growth = (sizes.get(f"{name}.weight") for name in ("conv_first", "conv_last", "body.0.rdb1.conv1"))
    if first is None or last is None or growth is None or "conv_hr.weight" not in sizes or "conv_body.weight" not in sizes:
        return None
    outputs = last[0]
    unshuffle = next((side for side in _UNSHUFFLES if first[1] == outputs * side**2), 1)
    blocks = 1 + max(int(name.split(".")[1]) for name in sizes if name.startswith("body."))
    doublings = sum(name.startswith("conv_up") and name.endswith(".weight") for name in sizes)
    if 2**doublings % unshuffle:
        return None
    inputs = first[1] // unshuffle**2
    built = (Rrdb, (inputs, outputs, first[0], growth[0], blocks, doublings, unshuffle))
    found = Recognised("Real-ESRGAN" if unshuffle > 1 else "ESRGAN", 2**doublings // unshuffle, inputs, names, built)
    return found if set(names.values()) == _expected(blocks, doublings) else None


def _expected(blocks: int, doublings: int) -> set[str]:
    """The names that a network of this size has; one more or less and it is another network."""
    layers = ["conv_first", "conv_body", "conv_hr", "conv_last", *(f"conv_up{number + 1}" for number in range(doublings))]
    layers += [f"body.{block}.rdb{dense}.conv{number}" for block in range(blocks) for dense in (1, 2, 3) for number in (1, 2, 3, 4, 5)]
    return {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}


def _renamed(shapes: Shapes) -> dict[str, str]:
    """Name in the file -> Real-ESRGAN's name."""
    if "model.0.weight" in shapes:
        return _renamed_old(shapes)
    names = {}
    for key in shapes:
        name = key
        for pattern, replacement in _BSRGAN:
            name = pattern.sub(replacement, name)
        names[key] = name
    return names


def _renamed_old(shapes: Shapes) -> dict[str, str]:
    """The first release numbers its layers: 0, the blocks in 1, then one in three is an enlarging convolution, and the last two."""
    last = max((int(found[1]) for key in shapes if (found := _OLD_OTHER.match(key))), default=0)
    named = {0: "conv_first", last: "conv_last", last - 2: "conv_hr"} | {number: f"conv_up{number // 3}" for number in range(3, last - 2, 3)}
    names = {}
    for key in shapes:
        if block := _OLD_BLOCK.match(key):
            names[key] = f"body.{block[1]}.rdb{block[2]}.conv{block[3]}.{block[4]}"
        elif trunk := _OLD_TRUNK.match(key):
            names[key] = f"conv_body.{trunk[2]}"
        elif (other := _OLD_OTHER.match(key)) and int(other[1]) in named:
            names[key] = f"{named[int(other[1])]}.{other[2]}"
        else:
            names[key] = key
    return names
