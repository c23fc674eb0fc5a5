"""The construction of image prompt adapters and image encoders, read off the names and shapes of their weights; no torch here.

An adapter's file has the projection from an encoded picture to tokens (`image_proj.`), and two matrices for each attention to the text (`ip_adapter.`),
numbered 1, 3, 5 ... in the order of the network's way down, way up and middle. Rule: E83.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.engine.configuration import UNetConfiguration
from sfumato.protocol.errors import CorruptFile, ModelUnsupported

if TYPE_CHECKING:
    from sfumato.engine.control.files import ControlFile

PROJECTION, PAIRS = "image_proj.", "ip_adapter."
USE = "prompt by pictures with it"
# Of the resampler: what every published one has.
HEAD_WIDTH = 64
# Tokens that the plain projection makes of a picture.
PLAIN_TOKENS = 4

_PAIR = re.compile(r"ip_adapter\.(\d+)\.to_([kv])_ip\.weight")
_FACES = ("perceiver_resampler.", "proj.0.")
# Numbers of an embedding of a face, which no image encoder makes.
_FACE_WIDTH = 512

# What an adapter reads: the picture's embedding, or the tokens before the encoder's last layer.
Reads = Literal["embedding", "tokens"]


@dataclass(frozen=True)
class AdapterShape:
    """An image prompt adapter.

    Attributes:
        projection: "plain" (one layer), "full" (two layers for each token) or "plus" (a resampler).
        reads: what of the encoded picture.
        picture_width: of that.
        context_width: of the tokens it makes, that of the text.
        widths: of the attentions it has keys and values for, in the file's order.
        tokens: it makes of a picture; 0 = as many as it reads.
    """

    projection: Literal["plain", "full", "plus"]
    reads: Reads
    picture_width: int
    context_width: int
    widths: tuple[int, ...]
    tokens: int
    layers: int = 0
    inner_width: int = 0
    heads: int = 0

    @property
    def reads_text(self) -> bool:
        """It fits a network or it does not: the row of its attentions is known one by one."""
        return False

    @property
    def construction(self) -> str:
        return f"{len(self.widths)} attentions to a text of width {self.context_width}"

    def fits(self, base: UNetConfiguration) -> bool:
        return self.context_width == base.context_width and self.widths == attention_widths(base)


def attention_widths(base: UNetConfiguration) -> tuple[int, ...]:
    """Of each attention to the text: way down, way up, middle."""
    down = [width for width, level in zip(base.widths, base.depths, strict=True) for depth in level for _ in range(depth)]
    up = [width for width, level in zip(reversed(base.widths), base.up_depths, strict=True) for depth in level for _ in range(depth)]
    middle = [base.widths[-1]] * (base.middle_depth if base.middle == "attention" else 0)
    return (*down, *up, *middle)


def shape_of(file: ControlFile, name: str) -> tuple[int, ...] | None:
    """None if there is no such weight."""
    stored = file.weights.get(name)
    return stored.shape if stored else None


def adapter_shape(file: ControlFile) -> AdapterShape:
    """Raises `CorruptFile`; `ModelUnsupported` for adapters that read no picture, but a face that a recogniser has found in one."""
    keys = file.weights.keys()
    widths, context = _pairs(file)

    def size(name: str, place: int) -> int:
        shape = shape_of(file, f"{PROJECTION}{name}")
        if shape is None or len(shape) <= place:
            raise CorruptFile(file.name, f"tensor '{PROJECTION}{name}' is missing or has another shape than in an image prompt adapter", path="control")
        return shape[place]

    if f"{PROJECTION}latents" in keys:
        if size("proj_in.weight", 1) == _FACE_WIDTH:
            raise face_recogniser_needed(file)
        depth = len({key.split(".")[2] for key in keys if key.startswith(f"{PROJECTION}layers.")})
        heads = max(1, size("layers.0.0.to_q.weight", 0) // HEAD_WIDTH)
        width = size("proj_in.weight", 1)
        return AdapterShape("plus", "tokens", width, context, widths, size("latents", 1), depth, size("latents", 2), heads)
    if f"{PROJECTION}proj.3.weight" in keys:
        return AdapterShape("full", "tokens", size("proj.0.weight", 1), context, widths, 0)
    if any(key.removeprefix(PROJECTION).startswith(_FACES) for key in keys):
        raise face_recogniser_needed(file)
    tokens = size("proj.weight", 0) // context
    return AdapterShape("plain", "embedding", size("proj.weight", 1), context, widths, tokens)


def face_recogniser_needed(file: ControlFile) -> ModelUnsupported:
    return ModelUnsupported(file.name, "a FaceID adapter, which reads what a face recogniser finds instead of pictures", use=USE, path="control")


def _pairs(file: ControlFile) -> tuple[tuple[int, ...], int]:
    """Widths of the attentions in the file's order, and of what keys and values are made of."""
    found = {(int(match[1]), match[2]): file.weights[key].shape for key in file.weights if (match := _PAIR.fullmatch(key))}
    numbers = sorted({number for number, _ in found})
    widths, contexts = [], set()
    for number in numbers:
        key, value = found.get((number, "k"), ()), found.get((number, "v"), ())
        if len(key) != 2 or key != value:
            raise CorruptFile(file.name, f"keys and values of its attention {number} do not belong together", path="control")
        widths.append(key[0])
        contexts.add(key[1])
    if len(contexts) != 1:
        raise CorruptFile(file.name, "it has no keys and values for the attention to the text", path="control")
    return tuple(widths), contexts.pop()


def pair_numbers(file: ControlFile) -> list[int]:
    """As the file counts its attentions, in order."""
    return sorted({int(match[1]) for key in file.weights if (match := _PAIR.fullmatch(key))})


@dataclass(frozen=True)
class EncoderShape:
    """A CLIP vision transformer.

    Attributes:
        width, layers, heads, inner_width: of the transformer.
        projection_width: of the picture's embedding.
        side, patch: of the picture it reads, and of a patch of it, in pixels.
        activation: in transformers' words.
    """

    width: int
    layers: int
    heads: int
    inner_width: int
    projection_width: int
    side: int
    patch: int
    activation: str

    def serves(self, adapter: AdapterShape) -> bool:
        return adapter.picture_width == (self.projection_width if adapter.reads == "embedding" else self.width)


# Width of a published transformer -> its heads. Others have heads of 64 numbers.
_HEADS = {768: 12, 1024: 16, 1280: 16, 1408: 16, 1664: 16}
# (width, embedding) of the encoders that OpenAI published, whose activation is another than that of those trained since.
_QUICK = {(768, 512), (1024, 768)}


def encoder_shape(file: ControlFile) -> EncoderShape:
    """Raises `CorruptFile`."""

    def shape(name: str, dimensions: int) -> tuple[int, ...]:
        found = shape_of(file, name)
        if found is None or len(found) != dimensions:
            raise CorruptFile(file.name, f"tensor '{name}' is missing or has another shape than in an image encoder", path="control")
        return found

    width, _, patch, _ = shape("vision_model.embeddings.patch_embedding.weight", 4)
    positions = shape("vision_model.embeddings.position_embedding.weight", 2)[0]
    inner = shape("vision_model.encoder.layers.0.mlp.fc1.weight", 2)[0]
    projection = shape("visual_projection.weight", 2)[0]
    told = file.config.get("vision_config", file.config)
    layers = len({key.split(".")[3] for key in file.weights if key.startswith("vision_model.encoder.layers.")})
    heads = told.get("num_attention_heads") or _HEADS.get(width) or max(1, width // HEAD_WIDTH)
    activation = told.get("hidden_act") or ("quick_gelu" if (width, projection) in _QUICK else "gelu")
    return EncoderShape(width, layers, heads, inner, projection, math.isqrt(max(positions - 1, 1)) * patch, patch, activation)


def blocks_of(names: Iterator[str]) -> dict[str, list[int]]:
    """Places of the attentions of each block that has some, in the order of the network: way down, middle, way up.

    Args:
        names: of the attentions (`down_blocks.0.attentions.1.transformer_blocks.0.attn2`), in the order of files.
    """
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name.partition(".transformer_blocks.")[0], []).append(place)
    return dict(sorted(found.items(), key=lambda block: _ORDER[block[0].partition("_")[0]]))


_ORDER = {"down": 0, "mid": 1, "up": 2}
