"""The seam between families of models and everything that works with any of them.

A `Family` is a row: how its files are recognised, configured and loaded, and what its networks mean. A `Model` is one loaded checkpoint. Nothing
outside `families/` compares a family's name; what differs is a field here. Rows are listed in `families/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.noise_table import ALIGNED, NoiseTable
from sfumato.engine.workplace import PLAIN, Workplace
from sfumato.protocol.errors import ModelUnsupported

if TYPE_CHECKING:  # the modules' import takes seconds; recognising a file must not
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from torch import Tensor
    from transformers import CLIPTextModel

    from sfumato.engine.device import Device
    from sfumato.engine.kept_parts import LoadedPart

Prediction = Literal["eps", "v"]
# What the first convolution takes beside the latent: nothing; mask and masked picture (9 channels); the picture to change (8).
Variant = Literal["base", "inpainting", "pix2pix"]
Check = Callable[[], None]
# (key, part, make) -> a network held under the key, else the one that `make` reads.
Keep = Callable[[Hashable, str, "Callable[[], LoadedPart]"], "LoadedPart"]


def read_anew(key: Hashable, part: str, make: Callable[[], LoadedPart]) -> LoadedPart:
    """A `Keep` that keeps nothing."""
    return make()


@dataclass(frozen=True)
class LatentFormat:
    """Latents are `channels` x height/factor x width/factor; the VAE's own times `scale`."""

    channels: int
    factor: int
    scale: float


@dataclass(frozen=True)
class TextRule:
    """How a family reads its text encoders.

    Attributes:
        layer: read unless the request says otherwise, counted from the end, 1 is the last.
        final_norm: whether the encoder's last norm is applied to the layer that is read.
        pooled: part of the encoder whose pooled vector the network wants beside the context, "" if it wants none.
        zero_empty_negative: whether an empty negative prompt is zeros instead of its encoding.
    """

    layer: int
    final_norm: bool
    pooled: str = ""
    zero_empty_negative: bool = False


# Numbers that a network may want to know of a picture, in pixels, but for the aesthetic score (0..10).
SizeName = Literal["original_height", "original_width", "crop_top", "crop_left", "target_height", "target_width", "aesthetic"]


@dataclass(frozen=True)
class VectorRule:
    """The numbers a network takes as `time_ids`, in its order, beside the pooled text vector as `text_embeds`."""

    names: tuple[SizeName, ...]


@dataclass(frozen=True)
class TextEncoder:
    """One CLIP text tower of a loaded model.

    Attributes:
        part: "clip_l" (OpenAI's, SD1 and the first of SDXL), "clip_h" (OpenCLIP, SD2), "clip_g" (OpenCLIP, the second of SDXL).
        projection: (P, width), pooled vector = projection @ hidden; None if the file has none.
        padding: the token that fills a chunk.
        absent: layers at the end that the file leaves out because its family does not read them; layers are counted as if they were there.
    """

    part: str
    tower: CLIPTextModel
    projection: Tensor | None
    padding: int
    absent: int = 0

    @property
    def width(self) -> int:
        return self.tower.config.hidden_size

    @property
    def layers(self) -> int:
        """How many layers the tower was made with."""
        return self.tower.config.num_hidden_layers + self.absent

    def blocks(self, layer: int) -> int:
        """How many of its blocks are run for the `layer`-th layer from the end; a layer that is not there counts as the last that is."""
        return self.layers - max(layer, 1 + self.absent) + 1


@dataclass(frozen=True)
class PreviewFactors:
    """RGB in -1..1 = weights (3, channels) . latent + bias (3)."""

    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, float, float]


@dataclass(frozen=True)
class NetworkMarks:
    """By what files of networks (LoRA and its relatives) that were trained on a family are known.

    Attributes:
        told: beginnings, in small letters, of what trainers write into the header; of all families' the longest that fits counts.
        context: width of the text that published models of the family read; 0: tells nothing.
        keys: beginnings of names that only its networks have.
    """

    told: tuple[str, ...]
    context: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint: the networks and what they mean. Shared between jobs, so nobody changes it.

    Attributes:
        unused: how many weights of the file belong to nothing that was built.
        is_probed: what it predicts was found by evaluating it, because the file does not say.
        workplace: where its networks are, and how much of them is computed at once.
    """

    family: Family
    checkpoint: Checkpoint
    device: Device
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    encoders: tuple[TextEncoder, ...]
    text: TextRule
    vector: VectorRule | None
    prediction: Prediction
    table: NoiseTable
    latent: LatentFormat
    native_px: int
    variant: Variant = "base"
    unused: int = 0
    is_probed: bool = False
    workplace: Workplace = PLAIN

    @property
    def clip_layers(self) -> int:
        """How many layers every text encoder has."""
        return min(encoder.layers for encoder in self.encoders)

    def adapted(self, *, prediction: str = "auto", zero_terminal: str = "auto", downcast_alphas: bool = False, quantize_t: bool = False) -> Model:
        """This model as a request wants it understood: "auto" keeps what was read from the file."""
        table = NoiseTable(self.table.zero_terminal if zero_terminal == "auto" else zero_terminal == "on", downcast_alphas, quantize_t, self.family.aligned)
        return replace(self, prediction=self.prediction if prediction == "auto" else prediction, table=table)


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        match: whether a checkpoint's header is of this family; of all families at most one says so.
        load: read the networks that are not kept; calls the check before each tensor.
        native_px: the side length a checkpoint was made for.
        text: how its text encoders are read.
        vector: what its network wants to know beside the text.
        roles: request field -> part that it replaces or completes.
        aligned: levels optimised for this family (the schedule `align_your_steps`).
        preview: standard latent colours; measured from the VAE instead where it is not a standard one.
        tiny: with what the file name of a tiny autoencoder for its latents begins.
        vae_overflows: its published autoencoders leave the range of half precision.
        block_lists: whose blocks a list of block weights in a prompt has to name.
    """

    name: str
    title: str
    match: Callable[[Checkpoint], bool]
    load: Callable[[Checkpoint, Device, Check, Keep], Model]
    native_px: Callable[[Checkpoint], int]
    latent: LatentFormat
    text: TextRule
    preview: PreviewFactors
    roles: Mapping[str, str]
    vector: VectorRule | None = None
    aligned: tuple[float, ...] = ALIGNED
    tiny: str = "taesd"
    vae_overflows: bool = False
    networks: NetworkMarks = NetworkMarks(())
    block_lists: Literal["sd", "sdxl"] = "sd"


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is known but cannot be run as a checkpoint; `title` completes "looks like ..."."""

    title: str
    match: Callable[[Checkpoint], bool]


def family_of(checkpoint: Checkpoint, families: tuple[Family, ...], foreign: tuple[Foreign, ...]) -> Family:
    """The one family whose row matches; raises `ModelUnsupported` saying what the file looks like instead."""
    for family in families:
        if family.match(checkpoint):
            return family
    raise ModelUnsupported(checkpoint.name, foreign_title(checkpoint, foreign))


def foreign_title(checkpoint: Checkpoint, foreign: tuple[Foreign, ...]) -> str:
    """What a file of no family is, as far as one sees."""
    return next((row.title for row in foreign if row.match(checkpoint)), "no kind of model it knows")


def variant_of(channels: int | None, latent_channels: int) -> Variant | None:
    """What a network is for, by the input channels of its first convolution; None if it is for something else."""
    extra = {0: "base", latent_channels + 1: "inpainting", latent_channels: "pix2pix"}
    return extra.get((channels or 0) - latent_channels)  # type: ignore[return-value]  the literals above


def resolution(metadata: Mapping[str, str], default: int) -> int:
    """The side length in the header's `modelspec.resolution` ("512x512"), a multiple of 8 within sane limits, else the default."""
    parts = metadata.get("modelspec.resolution", "").lower().split("x")
    if len(parts) == 2 and all(part.strip().isascii() and part.strip().isdigit() and len(part) <= 8 for part in parts):
        side = max(int(part) for part in parts)
        if 64 <= side <= 4096 and side % 8 == 0:
            return side
    return default
