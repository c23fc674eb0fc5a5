"""Control models in memory: read for a model's network, and what they make of a picture and of a pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as nnf
from diffusers import ControlNetModel, ControlNetUnionModel
from torch import Tensor, nn

from sfumato.engine.annotators import Workshop
from sfumato.engine.attachments import Attachment
from sfumato.engine.checkpoint import Stored
from sfumato.engine.control.attachments import AdapterSteering, ControlNetSteering
from sfumato.engine.control.files import ControlFile
from sfumato.engine.control.maps import UnitPictures, map_of
from sfumato.engine.control.nets import (
    Likeness,
    build_adapter,
    build_control_net,
    fill_difference,
    fill_low_rank,
    fill_plain,
    split_picture_encoder,
)
from sfumato.engine.control.shapes import AdapterShape, ControlNetShape, adapter_shape, control_net_shape
from sfumato.engine.control.steering import Steering
from sfumato.engine.control.unions import union_type
from sfumato.engine.family import Model
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.offload import HOST
from sfumato.engine.originals import Start
from sfumato.engine.reading import Reader
from sfumato.engine.workplace import Workplace
from sfumato.protocol.requests.control import ControlUnit

# Files of models trained on shuffled pictures do not tell that only the mean of their features is meant; AUTOMATIC1111 goes by their name, too.
_POOLED_NAME = "shuffle"
# Pixels that one place of the latents stands for, in every network that adapters are made for.
_LATENT_PX = 8


@dataclass(frozen=True)
class Task:
    """For whom it acts: the unit, where that stands in the request, and where the steered model's networks work."""

    unit: ControlUnit
    path: str
    workplace: Workplace


class Loaded(Protocol):
    """A control model in memory."""

    @property
    def modules(self) -> tuple[nn.Module, ...]: ...

    @property
    def picture_px(self) -> int:
        """Pixels of its picture for each place of the latents; 0 where it reads the whole picture at a size of its own, whatever part is painted."""
        ...

    @property
    def lowest(self) -> float:
        """Of the numbers it reads, the smallest; -1 where masked places are told so."""
        ...

    @property
    def kept_bytes(self) -> int:
        """Of what it remembers beside its modules."""
        ...

    def size(self, latents: Size) -> Size:
        """(W, H) of the picture it reads for latents of this size (w, h)."""
        ...

    def depends_on(self, pictures: UnitPictures, start: Start | None) -> bool:
        """Whether what it reads shows something of what a pass starts from."""
        ...

    def shown(self, pictures: UnitPictures, size: Size, start: Start | None, workshop: Workshop) -> Tensor:
        """The picture it reads, (1, 3, H, W) float32 in `lowest`..1. Raises the errors of `annotate`."""
        ...

    def recalled(self, shown: Tensor) -> tuple[Tensor, ...] | None:
        """The features of a picture it has read in an earlier job, if it remembers them."""
        ...

    def combined(self, each: Sequence[tuple[Tensor, ...]], how: str) -> tuple[Tensor, ...]:
        """The features of several units as those of one, where its kind `combines`; `how`: "average" or "join"."""
        ...

    def features(self, picture: Tensor) -> tuple[Tensor, ...]:
        """What it makes of a picture (B, 3, H, W), -1..1, before anything else is known."""
        ...

    @property
    def reader(self) -> nn.Module:
        """Which of its modules reads the picture."""
        ...

    def steering(self, features: tuple[Tensor, ...], steering: Steering, task: Task) -> Attachment:
        """Over one pass. Raises `Invalid`."""
        ...


class ReadsMap:
    """What reads a map as large as what is painted."""

    picture_px: int
    lowest: float
    kept_bytes = 0

    def size(self, latents: Size) -> Size:
        return latents[0] * self.picture_px, latents[1] * self.picture_px

    def depends_on(self, pictures: UnitPictures, start: Start | None) -> bool:
        return pictures.depends_on(start)

    def shown(self, pictures: UnitPictures, size: Size, start: Start | None, workshop: Workshop) -> Tensor:
        return map_of(pictures, size, start, workshop).clamp_min(self.lowest)

    def recalled(self, shown: Tensor) -> None:
        return None

    def combined(self, each: Sequence[tuple[Tensor, ...]], how: str) -> tuple[Tensor, ...]:
        raise TypeError("Units that read maps act each for itself.")


def _grey(picture: Tensor, channels: int) -> Tensor:
    """The picture with as many channels as are read: three, or its brightness."""
    if channels == 3:
        return picture
    weights = picture.new_tensor((0.299, 0.587, 0.114))[:, None, None]
    return (picture * weights).sum(1, keepdim=True).expand(-1, channels, -1, -1)


@dataclass(frozen=True, eq=False)
class LoadedControlNet(ReadsMap):
    """A ControlNet, its picture encoder apart."""

    net: ControlNetModel | ControlNetUnionModel
    encoder: nn.Module
    shape: ControlNetShape
    is_pooled: bool
    name: str

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.net, self.encoder

    @property
    def picture_px(self) -> int:
        return 2 ** (len(self.shape.picture_widths) - 1)

    @property
    def lowest(self) -> float:
        """Union models are told masked places as black, all others by -1."""
        return -1.0 if self.shape.union is None else 0.0

    def features(self, picture: Tensor) -> tuple[Tensor, ...]:
        return (self.encoder(_grey(picture, self.shape.picture_channels)),)

    @property
    def reader(self) -> nn.Module:
        return self.encoder

    def steering(self, features: tuple[Tensor, ...], steering: Steering, task: Task) -> Attachment:
        kind = None if self.shape.union is None else union_type(task.unit, self.shape.union.types, self.name, task.path)
        # Without places a map has nothing to keep a negative prompt from.
        steering = replace(steering, guess=True) if self.is_pooled else steering
        return ControlNetSteering(self.net, features[0], steering, task.workplace, kind, self.is_pooled)


@dataclass(frozen=True, eq=False)
class LoadedAdapter(ReadsMap):
    """A T2I-Adapter."""

    net: nn.Module
    shape: AdapterShape
    lowest: float = 0.0
    picture_px: int = _LATENT_PX

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return (self.net,)

    def features(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Sizes that are no multiple of what it divides by continue with their last row and column."""
        high, wide = (-side % self.shape.factor for side in picture.shape[2:])
        picture = nnf.pad(_grey(picture, self.shape.picture_channels), (0, wide, 0, high), mode="replicate")
        return tuple(self.net(picture))

    @property
    def reader(self) -> nn.Module:
        return self.net

    def steering(self, features: tuple[Tensor, ...], steering: Steering, task: Task) -> Attachment:
        return AdapterSteering(features, steering)


Fill = Callable[[nn.Module, ControlFile, Mapping[str, Stored], Reader, torch.dtype, torch.device], None]


def _plain(module: nn.Module, file: ControlFile, base: Mapping[str, Stored], reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    fill_plain(module, file, reader, dtype, device)


# How weights are stored -> how a network gets them.
FILLS: Mapping[str, Fill] = {"whole": _plain, "difference": fill_difference, "low rank": fill_low_rank}


def resting_place(model: Model) -> torch.device:
    """Where it is read to: where the model's networks stay, or wait."""
    return model.device.torch if model.workplace.is_settled else HOST


def load_control_net(file: ControlFile, storage: str, model: Model, reader: Reader) -> LoadedControlNet:
    """Read one for a model. `storage`: of `FILLS`. Raises `CorruptFile`."""
    shape = control_net_shape(file)
    net = build_control_net(shape, Likeness.of(model.unet))
    FILLS[storage](net, file, model.checkpoint.parts["unet"], reader, model.device.dtype, resting_place(model))
    pooled = file.config.get("global_pool_conditions", _POOLED_NAME in file.name.lower())
    return LoadedControlNet(net, split_picture_encoder(net), shape, bool(pooled), file.name)


def load_adapter(file: ControlFile, model: Model, reader: Reader) -> LoadedAdapter:
    """Read one for a model. Raises `CorruptFile`."""
    shape = adapter_shape(file)
    net = build_adapter(shape)
    fill_plain(net, file, reader, model.device.dtype, resting_place(model))
    return LoadedAdapter(net, shape)
