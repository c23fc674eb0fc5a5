"""Which layer of a loaded model the names in a network file mean.

The table is made from the model's own layers, spelt as diffusers and transformers name them and as the original layout does (`engine/layouts`), so that
pruned and widened models need no other. Kohya writes underscores where others write points: every name is compared with underscores alone. What stands
before the name says which network is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import nn

from sfumato.engine.family import Model
from sfumato.engine.layouts import clip, original, unet

UNET = original.UNET
_WEIGHT = ".weight"

# What stands before a layer's name -> the networks it can mean, of which the first that a model has is meant. The longest that fits a name counts.
_FIRST_TOWER = ("clip_l", "clip_h", "clip_g")
_KOHYA = {"unet_": (UNET,), "te_": _FIRST_TOWER, "te1_": ("clip_l", "clip_h"), "te2_": ("clip_g",)}
_PREFIXES: Mapping[str, tuple[str, ...]] = {
    **{f"{trainer}_{network}": parts for trainer in ("lora", "oft") for network, parts in _KOHYA.items()},
    "lycoris_": (UNET,),
    "unet.": (UNET,),
    "text_encoder.": _FIRST_TOWER,
    "text_encoder_2.": ("clip_g",),
    "model.diffusion_model.": (UNET,),
    "diffusion_model.": (UNET,),
    **{prefix: (part,) for towers in original.TOWERS.values() for part, prefix in towers.items()},
    **{f"{before}{part}.{wrapper}": (part,) for part in _FIRST_TOWER for before in ("text_encoders.", "") for wrapper in ("transformer.", "")},
}
_ORDERED = tuple(sorted(_PREFIXES, key=len, reverse=True))
_WRAPPER = "base_model.model."
_PROCESSOR = re.compile(r"_processor(?=_to_)")
# Old diffusers names the output projection without its place in a list, and the towers' projections as the UNet's.
_UNET_ALIASES = (("_to_out_0", "_to_out"),)
_TOWER_ALIASES = (*((f"_self_attn_{letter}_proj", f"_self_attn_to_{letter}") for letter in "qkv"), ("_self_attn_out_proj", "_self_attn_to_out"))
_BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.")
_SIDES = {"input": "IN", "output": "OUT"}


class Target(NamedTuple):
    """A weight of a model.

    Attributes:
        part: "unet", or the part of a text encoder ("clip_l", "clip_h", "clip_g").
        module: dotted name inside that torch module, for `get_submodule`.
        parameter: "weight" or "bias".
    """

    part: str
    module: str
    parameter: str = "weight"


class Place(NamedTuple):
    """What a name means: a layer, or one of the layers that OpenCLIP stacks in one matrix (`third` 0..2)."""

    part: str
    module: str
    third: int | None = None


def parts_of(model: Model) -> dict[str, nn.Module]:
    """Part -> the torch module that its targets are inside."""
    return {UNET: model.unet, **{encoder.part: encoder.tower for encoder in model.encoders}}


class Names:
    """The layers of one model under all their names."""

    def __init__(self, model: Model) -> None:
        self._layers = {part: _layers(module) for part, module in parts_of(model).items()}
        originals = _originals(self._layers[UNET])
        self._blocks = {layer: block_of(spelt) for layer, spelt in originals.items()}
        self._tables = {part: _unet_table(originals) if part == UNET else _tower_table(part, layers) for part, layers in self._layers.items()}

    def module(self, place: Place) -> nn.Module:
        """The layer itself."""
        return self._layers[place.part][place.module]

    def find(self, name: str) -> tuple[Place, ...]:
        """The layers that a name in a file means, none if this model has no such layer."""
        name = name.removeprefix(_WRAPPER)
        for prefix in _ORDERED:
            if name.startswith(prefix):
                part = next((part for part in _PREFIXES[prefix] if part in self._tables), "")
                return self._tables.get(part, {}).get(_plain(name[len(prefix) :]), ())
        return next((found for table in self._tables.values() if (found := table.get(_plain(name), ()))), ())

    def block(self, target: Target) -> str:
        """The block of a target in the original layout's numbers: "IN04", "M00", "OUT07"; "BASE" for text encoders; "" for the UNet's layers outside blocks."""
        return self._blocks.get(target.module, "") if target.part == UNET else "BASE"


def block_of(original_name: str) -> str:
    """The block of a UNet's layer by its original name: `input_blocks.4.1.proj_in` -> "IN04"; "" outside the blocks."""
    if match := _BLOCK.match(original_name):
        return f"{_SIDES[match[1]]}{int(match[2]):02}"
    return "M00" if original_name.startswith("middle_block.") else ""


def _layers(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that a network can change: those that have a weight, but for tables of embeddings."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if not isinstance(layer, nn.Embedding) and any(parameter == "weight" for parameter, _ in layer.named_parameters(recurse=False))
    }


def _originals(layers: Iterable[str]) -> dict[str, str]:
    """diffusers' name of a UNet's layer -> the original one."""
    spelt = unet.to_original([layer + _WEIGHT for layer in layers])
    return {name.removesuffix(_WEIGHT): key.removesuffix(_WEIGHT) for name, key in spelt.items()}


def _unet_table(originals: Mapping[str, str]) -> dict[str, tuple[Place, ...]]:
    table: dict[str, tuple[Place, ...]] = {}
    for layer, spelt in originals.items():
        for name in (_plain(layer), _plain(spelt)):
            table[name] = (Place(UNET, layer),)
            table.update({other: (Place(UNET, layer),) for other in _aliases(name, _UNET_ALIASES)})
    return table


def _tower_table(part: str, layers: Iterable[str]) -> dict[str, tuple[Place, ...]]:
    table: dict[str, tuple[Place, ...]] = {}
    by_canonical = {layer.removeprefix(clip.WRAPPER): layer for layer in layers}
    for canonical, layer in by_canonical.items():
        for name in (_plain(canonical), _plain(clip.WRAPPER + canonical)):
            table[name] = (Place(part, layer),)
            table.update({other: (Place(part, layer),) for other in _aliases(name, _TOWER_ALIASES)})
    stacked: dict[str, list[Place]] = {}
    for name, place in clip.to_open_clip([canonical + _WEIGHT for canonical in by_canonical]).items():
        spelt = _plain(place.key.removesuffix("_weight").removesuffix(_WEIGHT))
        stacked.setdefault(spelt, []).append(Place(part, by_canonical[name.removesuffix(_WEIGHT)], place.third))
    return table | {spelt: tuple(places) for spelt, places in stacked.items() if spelt not in table}


def _aliases(name: str, aliases: Iterable[tuple[str, str]]) -> list[str]:
    return [name.removesuffix(ours) + theirs for ours, theirs in aliases if name.endswith(ours)]


def _plain(name: str) -> str:
    """A name as it is compared."""
    return _PROCESSOR.sub("", name.replace(".", "_"))
