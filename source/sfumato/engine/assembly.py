"""Reads a model made of a UNet, a VAE and CLIP text towers; what differs between the families of that construction is an `Assembly`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.configuration import (
    TIME_WIDTH,
    TITLES,
    ClipConfiguration,
    UNetConfiguration,
    VaeConfiguration,
    clip_configuration,
    configured,
    input_channels,
    unet_configuration,
    vae_configuration,
)
from sfumato.engine.family import Check, Family, Keep, LatentFormat, Model, TextEncoder, resolution, variant_of
from sfumato.engine.layouts.original import OTHER
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.prediction import is_zero_terminal, prediction_of
from sfumato.engine.reading import Reader
from sfumato.prompts.chunks import Chunk, framed
from sfumato.prompts.tokenizer import END
from sfumato.protocol.errors import ModelIncompatible, ModelIncomplete, ModelUnsupported

if TYPE_CHECKING:
    from sfumato.engine.device import Device
    from sfumato.engine.family import Prediction
    from sfumato.engine.kept_parts import LoadedPart

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tower:
    """One text encoder of a family.

    Attributes:
        part: its part of the checkpoint.
        field: the request field that replaces it, for sentences.
        padding: the token that fills a chunk.
        may_lack_last: files may leave the last layer out, because the family never reads it; towers have an even number of layers, so an odd one tells.
    """

    part: str
    field: str
    padding: int
    may_lack_last: bool = False


@dataclass(frozen=True)
class Assembly:
    """What a family's networks are made of.

    Attributes:
        towers: in the order in which they are joined on the channel axis.
        heads: attention heads at every level; None: channels / 64.
        size_px: side length of the pictures it was trained on, unless the file says otherwise.
        unsure: tells the prediction of a network where neither file nor metadata do; None: it is noise.
    """

    towers: tuple[Tower, ...]
    heads: int | None
    size_px: int
    unsure: Callable[[Model], Prediction] | None = None


def native_px(checkpoint: Checkpoint, latent: LatentFormat, size_px: int) -> int:
    """The side length in pixels a checkpoint was made for: by its metadata, a folder's configuration, or the family's."""
    return resolution(checkpoint.metadata, configured(checkpoint, "unet", "sample_size", size_px // latent.factor) * latent.factor)


def assemble(family: Family, assembly: Assembly, checkpoint: Checkpoint, device: Device, check: Check, keep: Keep) -> Model:
    """Read all networks, but those that `keep` has. Raises `ModelIncomplete`, `ModelIncompatible`, `ModelUnsupported`, `CorruptFile`."""
    from sfumato.engine.modules import load_clip, load_unet, load_vae  # late: imports diffusers, which recognising files does not need

    unet_shape = unet_configuration(checkpoint, assembly.heads)
    vae_shape = vae_configuration(checkpoint, family.latent.scale)
    clip_shapes = {tower: clip_configuration(checkpoint, tower.part) for tower in assembly.towers}
    _check_vae(checkpoint, vae_shape, family.latent)
    _check_text(checkpoint, unet_shape, clip_shapes)
    if family.text.pooled:
        _check_vector(checkpoint, unet_shape, family, {tower.part: shape for tower, shape in clip_shapes.items()})

    def key(part: str, shape: object) -> Hashable:
        files = {str(stored.file) for stored in checkpoint.parts[part].values()}
        return (part, shape, tuple(entry for entry in checkpoint.identity if entry[0] in files))

    def read(part: str, shape: object, load: Callable[[], LoadedPart]) -> LoadedPart:
        return keep(key(part, shape), part, load)

    with Reader(checkpoint.name, check) as reader:
        unet = read("unet", unet_shape, lambda: load_unet(unet_shape, checkpoint, reader, device.dtype_of("unet"), device.torch))
        vae = read("vae", vae_shape, lambda: load_vae(vae_shape, checkpoint, reader, device.dtype_of("vae"), device.torch))
        towers = {
            tower: read(tower.part, shape, lambda t=tower, s=shape: load_clip(s, checkpoint, t.part, reader, device.dtype_of(t.part), device.torch))
            for tower, shape in clip_shapes.items()
        }
    encoders = tuple(
        TextEncoder(tower.part, part.module, part.projection, tower.padding, clip_shapes[tower].layers % 2 if tower.may_lack_last else 0)
        for tower, part in towers.items()
    )
    unused = sum(part.unused for part in (unet, vae, *towers.values()))
    unused += len(checkpoint.parts.get(OTHER, {}))
    if unused:
        log.info("%s: %d weights are not used", checkpoint.name, unused)
    prediction = prediction_of(checkpoint)
    variant = variant_of(input_channels(checkpoint), family.latent.channels)
    assert variant is not None  # the family would not have matched
    model = Model(
        family=family,
        checkpoint=checkpoint,
        device=device,
        unet=unet.module,
        vae=vae.module,
        encoders=encoders,
        text=family.text,
        vector=family.vector,
        prediction=prediction or "eps",
        table=NoiseTable(is_zero_terminal(checkpoint), aligned=family.aligned),
        latent=LatentFormat(vae_shape.latent_channels, 2 ** (len(vae_shape.widths) - 1), vae_shape.scale),
        native_px=family.native_px(checkpoint),
        variant=variant,
        unused=unused,
    )
    if prediction is None and assembly.unsure is not None:
        return replace(model, prediction=assembly.unsure(model), is_probed=True)
    return model


def _check_vae(checkpoint: Checkpoint, shape: VaeConfiguration, latent: LatentFormat) -> None:
    if shape.latent_channels != latent.channels:
        is_for, wanted = f"models with {shape.latent_channels} latent channels", f"one with {latent.channels}"
        raise ModelIncompatible(checkpoint.named("vae"), is_for, wanted, path="vae" if "vae" in checkpoint.origins else "model")


def _check_text(checkpoint: Checkpoint, unet: UNetConfiguration, shapes: dict[Tower, ClipConfiguration]) -> None:
    """The vocabulary is CLIP's, and the towers side by side are as wide as what the network reads."""
    for tower, shape in shapes.items():
        if shape.vocabulary <= END or shape.positions < len(framed(Chunk((), ()))[0]):
            raise ModelUnsupported(checkpoint.named(tower.part), "a model whose text encoder has another vocabulary", path=_field(checkpoint, tower))
    width = sum(shape.width for shape in shapes.values())
    if width == unet.context_width:
        return
    # The tower that was chosen by hand is the one to name; where none was, the last.
    tower = next((tower for tower in shapes if tower.part in checkpoint.origins), list(shapes)[-1])
    others = width - shapes[tower].width
    is_for = f"a text encoder of width {unet.context_width - others}"
    if checkpoint.origins.get(tower.part):
        raise ModelIncompatible(checkpoint.named(tower.part), f"models that read text of width {shapes[tower].width}", f"one with {is_for}", path=tower.field)
    raise ModelIncompatible(checkpoint.name, is_for, f"one with a text encoder of width {shapes[tower].width}")


def _check_vector(checkpoint: Checkpoint, unet: UNetConfiguration, family: Family, shapes: dict[str, ClipConfiguration]) -> None:
    """The pooled text beside the sizes is as wide as the vector the network takes."""
    part = family.text.pooled
    pooled = shapes[part].projection_width
    if not pooled:
        raise ModelIncomplete(checkpoint.named(part), TITLES[part], ["text_projection.weight"])
    wanted = unet.vector_width - TIME_WIDTH * len(family.vector.names if family.vector else ())
    if pooled != wanted:
        path = next((field for field, role in family.roles.items() if role == part and part in checkpoint.origins), "model")
        raise ModelIncompatible(checkpoint.named(part), f"models that read a text vector of width {pooled}", f"one with width {wanted}", path=path)


def _field(checkpoint: Checkpoint, tower: Tower) -> str:
    return tower.field if tower.part in checkpoint.origins else "model"
