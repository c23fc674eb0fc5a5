"""What a tensor of a network file is, by the end of its key: one table for all the spellings trainers use.

A key is a layer's name (`names.py`) and an end; ends that mean the same have one name here, a leaf. Leaves of the low-rank kinds are named for what they do:
`down` reads the layer's input, `up` writes its output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

UP, DOWN, MID = "up", "down", "mid"
ALPHA, SCALE, RESCALE, MAGNITUDE, UP_BIAS = "alpha", "scale", "rescale", "magnitude", "up_bias"
# Leaves that change the bias of a layer, whatever its weight gets.
DIFF_BIAS, NORM_BIAS = "diff_b", "b_norm"
# Leaves that stand beside those of any kind.
BESIDE = frozenset({ALPHA, SCALE, RESCALE, MAGNITUDE, UP_BIAS, DIFF_BIAS, NORM_BIAS})

_ENDS: Mapping[str, str] = {
    ".lora_up.weight": UP,
    ".lora_up": UP,
    ".lora_B.weight": UP,
    ".lora_B": UP,
    ".lora.up.weight": UP,
    "_lora.up.weight": UP,
    ".lora_linear_layer.up.weight": UP,
    ".lora_down.weight": DOWN,
    ".lora_down": DOWN,
    ".lora_A.weight": DOWN,
    ".lora_A": DOWN,
    ".lora.down.weight": DOWN,
    "_lora.down.weight": DOWN,
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_mid.weight": MID,
    ".lora_up.bias": UP_BIAS,
    ".lora_B.bias": UP_BIAS,
    ".alpha": ALPHA,
    ".lora.alpha": ALPHA,
    "_lora.alpha": ALPHA,
    ".lora_linear_layer.alpha": ALPHA,
    ".scale": SCALE,
    ".rescale": RESCALE,
    ".dora_scale": MAGNITUDE,
    ".lora_magnitude_vector.weight": MAGNITUDE,
    ".lora_magnitude_vector": MAGNITUDE,
    ".oft_R.weight": "oft_r",
    ".oft_R": "oft_r",
    ".ia3_l": "ia3_l",
    ".on_input": "on_input",
    ".weight": "weight",
    ".diff": "diff",
    ".diff_b": DIFF_BIAS,
    ".w_norm": "w_norm",
    ".b_norm": NORM_BIAS,
    ".oft_blocks": "oft_blocks",
    ".oft_diag": "oft_diag",
    **{f".{name}.weight": name for name in ("a1", "a2", "b1", "b2")},
    **{f".{name}": name for name in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2")},
    **{f".{name}": name for name in ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")},
}
# Words of the longest end, and the half word with which some of diffusers' begin.
_WORDS = 4
_INSIDE = "_lora"
# PEFT puts the name of an adapter ("default") behind the name of the tensor.
_ADAPTER = re.compile(r"\.(lora_[AB]|lora_magnitude_vector|oft_R|ia3_l)\.(?!weight$|bias$)[^.]+(?=\.|$)")


class Named(NamedTuple):
    """The two halves of a key; `leaf` is "" if the end is none that is known, `layer` is then the whole key but its last word."""

    layer: str
    leaf: str


def split(key: str) -> Named:
    """A key of a network file as layer and leaf."""
    plain = _ADAPTER.sub(r".\1", key) if "lora_" in key or "oft_R" in key or "ia3_l" in key else key
    joint = len(plain)
    # The longest end counts: ".weight" ends most of them, "_lora.up.weight" begins within a word.
    found = Named("", "")
    for _ in range(_WORDS):
        joint = plain.rfind(".", 0, joint)
        if joint <= 0:
            break
        for start in (joint, joint - len(_INSIDE)):
            if start > 0 and (leaf := _ENDS.get(plain[start:])):
                found = Named(plain[:start], leaf)
    return found if found.leaf else Named(key.rpartition(".")[0], "")


def grouped(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Layer -> leaf -> key. A key whose end is not known stands in its layer under its own last word."""
    layers: dict[str, dict[str, str]] = {}
    for key in keys:
        layer, leaf = split(key)
        layers.setdefault(layer, {})[leaf or key.rpartition(".")[2]] = key
    return layers
