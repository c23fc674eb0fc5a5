"""What a network file says of itself by its header alone: kinds and family, for lists of models and for sentences. Reads no tensor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sfumato.engine.families import FAMILIES
from sfumato.engine.families.foreign import NETWORKS
from sfumato.engine.family import NetworkMarks
from sfumato.engine.networks import leaves
from sfumato.library.safetensors_header import Header, TensorInfo

# What stands before the name of an embedding that is bundled with a network.
BUNDLED = "bundle_emb."

# Header entries in which trainers say what a network was trained on, the most exact first.
_TOLD = ("modelspec.architecture", "ss_base_model_version", "sd_merge_base_model_version")
# Leaf -> kind, in the order the words are shown.
_WORDS: Mapping[str, str] = {
    "mid": "LoCon",
    "up": "LoRA",
    "down": "LoRA",
    "hada_w1_b": "LoHa",
    "lokr_w1": "LoKr",
    "lokr_w1_b": "LoKr",
    "oft_blocks": "OFT",
    "oft_diag": "OFT",
    "oft_r": "OFT",
    "on_input": "IA3",
    "ia3_l": "IA3",
    "a1": "GLoRA",
    "diff": "full difference",
    "w_norm": "norms",
    "magnitude": "DoRA",
}
_TEXT_READERS = ("attn2_to_k", "attn2_to_v")


class Description(NamedTuple):
    """What a file is.

    Attributes:
        kinds: "LoRA", "LoCon", "DoRA", "LoHa, DoRA", ...; "" if it is no network.
        family: title of the family it is for, also of ones that cannot be run; "" if nothing tells.
    """

    kinds: str
    family: str


def describe(header: Header, layers: Mapping[str, Mapping[str, str]] | None = None) -> Description:
    """Kinds and family of a network file. `layers`: its tensors as `leaves.grouped` sorts them, if that was done."""
    if layers is None:
        layers = leaves.grouped(key for key in header.tensors if not key.startswith(BUNDLED))
    kinds = _kinds(layers, header.tensors)
    return Description(kinds, _family(header, layers) if kinds else "")


def told_family(metadata: Mapping[str, str]) -> str:
    """Title of the family that a file's trainer wrote into its header, "" if none."""
    for entry in _TOLD:
        told = metadata.get(entry, "").lower()
        fitting = [(len(start), title) for title, marks in _rows() for start in marks.told if told.startswith(start)]
        if fitting:
            return max(fitting)[1]
    return ""


def _rows() -> list[tuple[str, NetworkMarks]]:
    return [(family.title, family.networks) for family in FAMILIES] + list(NETWORKS)


def _kinds(layers: Mapping[str, Mapping[str, str]], tensors: Mapping[str, TensorInfo]) -> str:
    found = {word for keys in layers.values() for word in _words(keys, tensors)}
    if "LoCon" in found:
        found.discard("LoRA")
    if "DoRA" in found and found & {"LoRA", "LoCon"}:
        found -= {"LoRA", "LoCon"}
    if len(found) > 1:
        found.discard("norms")
    order = ("LoRA", "LoCon", "LoHa", "LoKr", "OFT", "BOFT", "IA3", "GLoRA", "full difference", "norms", "DoRA")
    return ", ".join(word for word in order if word in found)


def _words(keys: Mapping[str, str], tensors: Mapping[str, TensorInfo]) -> Iterator[str]:
    """The kinds that one layer's tensors are of."""
    for leaf, key in keys.items():
        shape = tensors[key].shape
        if leaf == leaves.DOWN and math.prod(shape[2:]) > 1:
            yield "LoCon"
        elif leaf == "oft_blocks" and len(shape) == 4:
            yield "BOFT"
        elif leaf in _WORDS:
            yield _WORDS[leaf]


def _family(header: Header, layers: Mapping[str, Mapping[str, str]]) -> str:
    """By what the trainer wrote, else by the width of the text that attention reads, else by names of layers."""
    if told := told_family(header.metadata):
        return told
    rows = _rows()
    widths = set(_text_widths(layers, header.tensors))
    for title, marks in rows:
        if marks.context in widths:
            return title
    return next((title for title, marks in rows if marks.keys and any(layer.startswith(marks.keys) for layer in layers)), "")


def _text_widths(layers: Mapping[str, Mapping[str, str]], tensors: Mapping[str, TensorInfo]) -> Iterable[int]:
    """Widths of what the keys and values of cross-attention are made from, where a kind's shapes tell."""
    for layer, keys in layers.items():
        if layer.replace(".", "_").endswith(_TEXT_READERS):
            for leaf in (leaves.DOWN, "hada_w1_b", "diff"):
                if leaf in keys and len(tensors[keys[leaf]].shape) > 1:
                    yield tensors[keys[leaf]].shape[1]
