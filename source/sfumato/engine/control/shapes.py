"""The construction of control models, read off the names and shapes of their weights; no torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sfumato.engine.checkpoint import Checkpoint, Stored
from sfumato.engine.configuration import (
    Middle,
    UNetConfiguration,
    context_width,
    has_linear_projection,
    need,
    numbered,
    transformer_depths,
    vector_width,
)
from sfumato.engine.control.files import USE, ControlFile, construction_of
from sfumato.engine.control.names import PICTURE
from sfumato.engine.families import FAMILIES, recognise
from sfumato.protocol.errors import ModelUnsupported

PART = "unet"
UP, DOWN = ".up", ".down"


@dataclass(frozen=True)
class UnionShape:
    """What a ControlNet for several kinds of maps has besides: `types` of maps; `width` and `layers` of the transformer that weighs them."""

    types: int
    width: int
    layers: int


@dataclass(frozen=True)
class ControlNetShape:
    """A ControlNet: the way down of a UNet, with an encoder for the picture before and a convolution behind each feature.

    Attributes:
        features: channels of what it adds to each skip connection.
        context_width: of the text it reads, None if it reads none.
        picture_channels, picture_widths: of the picture, and of its encoder's convolutions, each of which but the first halves the size.
    """

    in_channels: int
    widths: tuple[int, ...]
    layers: tuple[int, ...]
    depths: tuple[tuple[int, ...], ...]
    middle: Middle
    middle_depth: int
    context_width: int | None
    linear_projection: bool
    vector_width: int
    features: tuple[int, ...]
    picture_channels: int
    picture_widths: tuple[int, ...]
    union: UnionShape | None = None

    @property
    def reads_text(self) -> bool:
        return self.context_width is not None

    @property
    def construction(self) -> str:
        return construction_of(self.widths)

    def fits(self, base: UNetConfiguration) -> bool:
        if self.context_width not in (None, base.context_width) or self.vector_width not in (0, base.vector_width):
            return False
        return self.features == features_of(base) and self.in_channels == base.out_channels


@dataclass(frozen=True)
class AdapterShape:
    """A T2I-Adapter.

    Attributes:
        factor: by which it makes a picture smaller at once; 16 is made for networks that have no attention on their first level.
        widths: channels of the features, in their order.
        is_light: built of narrow blocks.
        kernel: of the second convolution of its blocks.
    """

    picture_channels: int
    factor: int
    widths: tuple[int, ...]
    blocks: int
    is_light: bool
    kernel: int

    @property
    def reads_text(self) -> bool:
        return False

    @property
    def construction(self) -> str:
        return construction_of(self.widths)

    def fits(self, base: UNetConfiguration) -> bool:
        if (self.factor == ADAPTER_FACTORS[0]) != any(base.depths[0]):
            return False
        levels = len(base.widths)
        return len(self.widths) >= levels and all(width == base.widths[min(level, levels - 1)] for level, width in enumerate(self.widths))


# Of adapters for networks with attention on the first level, and without.
ADAPTER_FACTORS = (8, 16)


def features_of(base: UNetConfiguration) -> tuple[int, ...]:
    """Channels of a UNet's skip connections."""
    features = [base.widths[0]]
    for level, (width, layers) in enumerate(zip(base.widths, base.layers, strict=True)):
        features += [width] * (layers + (level < len(base.widths) - 1))
    return tuple(features)


def encoder(file: ControlFile) -> Checkpoint:
    """The file as a checkpoint whose network is its encoder, so that rules for UNets can be asked; what is stored as two factors counts as their product."""
    names = {name: stored for name, stored in file.weights.items() if not name.endswith((UP, DOWN))}
    for name, up in file.weights.items():
        down = file.weights.get(name.removesuffix(UP) + DOWN)
        if name.endswith(UP) and down is not None and up.shape and down.shape:
            names[f"{name.removesuffix(UP)}.weight"] = up._replace(shape=(up.shape[0], *down.shape[1:]))
    return _checkpoint(file.path, file.name, names)


def _checkpoint(path: Path, name: str, weights: dict[str, Stored]) -> Checkpoint:
    return Checkpoint(path, name, {PART: weights})


def control_net_shape(file: ControlFile) -> ControlNetShape:
    """Raises `ModelIncomplete`, `CorruptFile` or `ModelUnsupported`."""
    told = encoder(file)
    names = told.parts[PART].keys()
    first = need(told, PART, "conv_in.weight", 4)
    levels = numbered(names, r"down_blocks\.(\d+)\.")
    widths = tuple(need(told, PART, f"down_blocks.{level}.resnets.0.conv1.weight", 4)[0] for level in range(levels))
    layers = tuple(numbered(names, rf"down_blocks\.{level}\.resnets\.(\d+)\.") for level in range(levels))
    if len(set(layers)) > 1:
        raise ModelUnsupported(file.name, "a ControlNet whose levels have unequal numbers of layers", use=USE, path="control")
    middle_depth = numbered(names, r"mid_block\.attentions\.0\.transformer_blocks\.(\d+)\.")
    outputs = numbered(names, r"controlnet_down_blocks\.(\d+)\.")
    picture = need(told, PART, f"{PICTURE}.conv_in.weight", 4)
    steps = [need(told, PART, f"{PICTURE}.blocks.{number}.weight", 4) for number in range(numbered(names, rf"{re.escape(PICTURE)}\.blocks\.(\d+)\."))]
    return ControlNetShape(
        in_channels=first[1],
        widths=widths,
        layers=layers,
        depths=tuple(transformer_depths(names, f"down_blocks.{level}", layers[level]) for level in range(levels)),
        middle="attention" if middle_depth else "residual" if "mid_block.resnets.0.conv1.weight" in names else "none",
        middle_depth=middle_depth,
        context_width=context_width(told),
        linear_projection=has_linear_projection(told),
        vector_width=vector_width(told),
        features=tuple(need(told, PART, f"controlnet_down_blocks.{number}.weight", 4)[0] for number in range(outputs)),
        picture_channels=picture[1],
        picture_widths=(picture[0], *(shape[0] for shape in steps[1::2])),
        union=_union(told, names),
    )


def _union(told: Checkpoint, names: Iterable[str]) -> UnionShape | None:
    shape = told.shape(PART, "task_embedding")
    if shape is None:
        return None
    types, width = need(told, PART, "task_embedding", 2)
    return UnionShape(types, width, numbered(names, r"transformer_layes\.(\d+)\."))


def adapter_shape(file: ControlFile) -> AdapterShape:
    """Raises `ModelIncomplete`, `CorruptFile` or `ModelUnsupported`."""
    told = _checkpoint(file.path, file.name, dict(file.weights))
    names = file.weights.keys()
    is_light = "conv_in.weight" not in names
    if any(".down_opt." in name or ".skep." in name for name in names):
        raise ModelUnsupported(file.name, "an adapter of the first construction", use=USE, path="control")
    first = need(told, PART, "body.0.in_conv.weight" if is_light else "conv_in.weight", 4)
    levels = numbered(names, r"body\.(\d+)\.")
    last = "out_conv" if is_light else "resnets.0.block2"
    factor = next((factor for factor in reversed(ADAPTER_FACTORS) if first[1] in (factor**2, 3 * factor**2)), 0)
    if not factor:
        raise ModelUnsupported(file.name, f"an adapter for pictures of an unknown kind ({first[1]} numbers a place)", use=USE, path="control")
    return AdapterShape(
        picture_channels=first[1] // factor**2,
        factor=factor,
        widths=tuple(need(told, PART, f"body.{level}.{last}.weight", 4)[0] for level in range(levels)),
        blocks=numbered(names, r"body\.0\.resnets\.(\d+)\."),
        is_light=is_light,
        kernel=need(told, PART, "body.0.resnets.0.block2.weight", 4)[2],
    )


def family_of_encoder(file: ControlFile) -> str:
    """Title of the family whose network a ControlNet copies: by the family's own rule; one that reads no text, by its vector."""
    told = encoder(file)
    if context_width(told) is None:
        return family_by_vector(vector_width(told) > 0)
    try:
        return recognise(told).title
    except ModelUnsupported:
        return ""


def family_of_adapter(file: ControlFile) -> str:
    """By the factor its pictures are made smaller: adapters read neither text nor vector."""
    return family_by_vector(adapter_shape(file).factor == ADAPTER_FACTORS[1])


def family_by_vector(has_vector: bool) -> str:
    return next((family.title for family in FAMILIES if (family.vector is not None) == has_vector), "")
