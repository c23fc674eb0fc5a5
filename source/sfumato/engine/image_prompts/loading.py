"""Image prompt adapters in memory: read for a model, and what they make of a picture and of a pass. Rule: E83."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPVisionModelWithProjection

from sfumato.engine.annotators import Workshop
from sfumato.engine.attachments import Attachment
from sfumato.engine.control.files import ControlFile
from sfumato.engine.control.loading import Task, resting_place
from sfumato.engine.control.maps import UnitPictures, map_of
from sfumato.engine.control.steering import Steering
from sfumato.engine.family import Model
from sfumato.engine.image_prompts import projections, vision
from sfumato.engine.image_prompts.attention import ImagePrompt, cross_attentions
from sfumato.engine.image_prompts.shapes import AdapterShape, EncoderShape, adapter_shape, encoder_shape, pair_numbers, shape_of
from sfumato.engine.image_prompts.weighting import attention_weights
from sfumato.engine.inputs.opening import open_pixels
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.kept_parts import KeptTensors
from sfumato.engine.modules import fill
from sfumato.engine.originals import Start
from sfumato.engine.reading import Reader
from sfumato.protocol.errors import CorruptFile

# Of encoded pictures, for each encoder.
_ENCODED_BYTES = 64 << 20
# Longer side of what a preprocessor makes of a picture.
_PREPARED_PX = 1024
_PART = "image prompt"


@dataclass(frozen=True, eq=False)
class LoadedEncoder:
    """An image encoder with the pictures it has read."""

    net: CLIPVisionModelWithProjection
    shape: EncoderShape
    encoded: KeptTensors = field(default_factory=lambda: KeptTensors(_ENCODED_BYTES))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return (self.net,)

    @property
    def kept_bytes(self) -> int:
        return self.encoded.nbytes


@dataclass(frozen=True, eq=False)
class LoadedImagePrompt:
    """An adapter and its encoder.

    Attributes:
        names: of the attentions it acts in, in its order.
    """

    net: projections.Adapter
    encoder: LoadedEncoder
    shape: AdapterShape
    names: tuple[str, ...]
    lowest: float = 0.0
    picture_px: int = 0
    kept_bytes: int = 0

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.net, self.encoder.net

    @property
    def reader(self) -> nn.Module:
        return self.encoder.net

    def size(self, latents: Size) -> Size:
        """Of the picture it reads, whatever is painted."""
        return self.encoder.shape.side, self.encoder.shape.side

    def depends_on(self, pictures: UnitPictures, start: Start | None) -> bool:
        """A picture of the unit's own is read as a whole, whichever part is painted."""
        return not pictures.source

    def shown(self, pictures: UnitPictures, size: Size, start: Start | None, workshop: Workshop) -> Tensor:
        if not pictures.source:
            assert start is not None  # a unit without a picture was refused where there is none to start from
            picture = start.working
        else:
            picture = open_pixels(pictures.source, f"{pictures.path}.image")
        if pictures.unit.preprocessor != "none":
            scale = min(1.0, _PREPARED_PX / max(picture.size))
            prepared = map_of(pictures, tuple(max(8, round(side * scale)) for side in picture.size), None if pictures.source else start, workshop)  # type: ignore[arg-type]
            picture = _picture(prepared)
        return vision.pixels(vision.squared(picture.convert("RGB"), size[0], pictures.unit.resize_mode))

    def recalled(self, shown: Tensor) -> tuple[Tensor, ...] | None:
        key = self._key(shown)
        return self.encoder.encoded.get(key, lambda: (shown, shown)) if key in self.encoder.encoded else None

    def features(self, picture: Tensor) -> tuple[Tensor, ...]:
        """What is read of the picture, and of no picture."""
        # Kept between jobs, so its bits must not tell by which kernels the job that asked first computed.
        with sdpa_kernel(SDPBackend.MATH):
            made = vision.encoded(self.encoder.net, picture, self.shape.reads)
        return self.encoder.encoded.get(self._key(picture), lambda: made)

    def combined(self, each: Sequence[tuple[Tensor, ...]], how: str) -> tuple[Tensor, ...]:
        """Of several pictures: their mean, or all of them, one behind the other."""
        if how == "average":
            return tuple(torch.stack(torch.broadcast_tensors(*same)).mean(0) for same in zip(*each, strict=True))
        return tuple(feature for features in each for feature in features)

    def steering(self, features: tuple[Tensor, ...], steering: Steering, task: Task) -> Attachment:
        weights = attention_weights(self.names, task.unit, steering, task.path)
        with torch.inference_mode(), task.workplace.using(self.net):
            count = max(len(feature) for feature in features)
            made = [self.net.image_proj(feature).expand(count, -1, -1) for feature in features]
            tokens = torch.cat([torch.cat(made[0::2], dim=1), torch.cat(made[1::2], dim=1)])
            pairs = self.net.pairs(tokens)
        return ImagePrompt(pairs, weights, steering)

    def _key(self, picture: Tensor) -> Hashable:
        shown = (picture.to(self.encoder.net.dtype).float() * 255).round().to(torch.uint8).cpu()
        return self.shape.reads, hashlib.sha256(shown.numpy().tobytes()).digest()


def load_encoder(file: ControlFile, model: Model, reader: Reader) -> LoadedEncoder:
    """Read an image encoder. Raises `CorruptFile`."""
    shape = encoder_shape(file)
    if shape.width % shape.heads:
        raise CorruptFile(file.name, f"its {shape.heads} attention heads do not divide its width {shape.width}", path="control")
    net, place = vision.build_encoder(shape), resting_place(model)
    _fill(net, file, reader, model.device.dtype, place)
    vision.give_positions(net, place)
    return LoadedEncoder(net, shape)


def load_adapter(file: ControlFile, model: Model, reader: Reader, encoder: LoadedEncoder) -> LoadedImagePrompt:
    """Read an adapter. Raises `CorruptFile`."""
    shape = adapter_shape(file)
    wider = (shape_of(file, "image_proj.layers.0.1.1.weight") or (0,))[0]
    net = projections.build_adapter(shape, pair_numbers(file), wider)
    _fill(net, file, reader, model.device.dtype, resting_place(model))
    return LoadedImagePrompt(net, encoder, shape, tuple(cross_attentions(model.unet)))


def _fill(module: nn.Module, file: ControlFile, reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    missing = [name for name in module.state_dict() if name not in file.weights]
    if missing:
        raise CorruptFile(file.name, f"{len(missing)} of its weights are missing, the first is '{missing[0]}'", path="control")
    fill(module, file.weights, file.name, _PART, reader, dtype, device)


def _picture(prepared: Tensor) -> Image.Image:
    values = (prepared[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(values.contiguous().numpy())
