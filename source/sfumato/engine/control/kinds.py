"""The kinds of control models: how a file of each is recognised by its header, and loaded. A new kind is a row of `KINDS`. No torch before loading."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.engine.control import names, shapes
from sfumato.engine.control.files import ControlFile, Kind, Shape
from sfumato.engine.control.unions import union_type
from sfumato.engine.image_prompts.kinds import ImagePromptKind
from sfumato.engine.layouts.place import Place
from sfumato.protocol.requests.control import ControlUnit

if TYPE_CHECKING:
    from sfumato.engine.control.loading import Loaded
    from sfumato.engine.family import Model
    from sfumato.engine.reading import Reader

_LOW_RANK = "lora_controlnet"
_DIFFERENCE = "difference"


def _starts(keys: Collection[str], *starts: str) -> bool:
    return any(key.startswith(starts) for key in keys)


class _ByMap:
    """What reads a map at the size of a pass, each unit for itself, and needs no other file."""

    @property
    def combines(self) -> bool:
        return False

    def beside(self, file: ControlFile, unit: ControlUnit, folders: Sequence[Path], path: str) -> None:
        return None


@dataclass(frozen=True)
class ControlNetKind(_ByMap):
    """ControlNets in all ways they are stored.

    Attributes:
        is_of: whether a file has these keys.
        storage: how its weights are stored: "whole", or as what completes the checkpoint's own: "difference", "low rank".
    """

    title: str
    is_of: Callable[[Collection[str]], bool]
    storage: str = "whole"

    @property
    def needs_base(self) -> bool:
        return self.storage != "whole"

    def matches(self, keys: Collection[str]) -> bool:
        return self.is_of(keys)

    def places(self, keys: Collection[str]) -> Mapping[str, Place]:
        return names.control_net(keys)

    def shape(self, file: ControlFile) -> Shape:
        return shapes.control_net_shape(file)

    def family(self, file: ControlFile) -> str:
        return shapes.family_of_encoder(file)

    def check(self, file: ControlFile, unit: ControlUnit, path: str) -> None:
        union = shapes.control_net_shape(file).union
        if union is not None:
            union_type(unit, union.types, file.name, path)

    def likeness(self, model: Model) -> Hashable:
        from sfumato.engine.control.nets import Likeness  # late: imports diffusers, which recognising files does not need

        return Likeness.of(model.unet)

    def load(self, file: ControlFile, model: Model, reader: Reader, beside: Any = None) -> Loaded:
        from sfumato.engine.control.loading import load_control_net

        return load_control_net(file, self.storage, model, reader)


@dataclass(frozen=True)
class AdapterKind(_ByMap):
    """T2I-Adapters."""

    title: str
    needs_base: bool = False

    def matches(self, keys: Collection[str]) -> bool:
        bare = {key.removeprefix(names.ADAPTER_PREFIX) for key in keys if not key.startswith(("encoder.", "decoder."))}
        return not bare.isdisjoint(("body.0.block1.weight", "body.0.resnets.0.block1.weight", "body.0.body.0.block1.weight"))

    def places(self, keys: Collection[str]) -> Mapping[str, Place]:
        return names.adapter(keys)

    def shape(self, file: ControlFile) -> Shape:
        return shapes.adapter_shape(file)

    def family(self, file: ControlFile) -> str:
        return shapes.family_of_adapter(file)

    def check(self, file: ControlFile, unit: ControlUnit, path: str) -> None:
        """Adapters take any map."""

    def likeness(self, model: Model) -> Hashable:
        return None

    def load(self, file: ControlFile, model: Model, reader: Reader, beside: Any = None) -> Loaded:
        from sfumato.engine.control.loading import load_adapter

        return load_adapter(file, model, reader)


_CONTROL_NET_KEYS = (names.CONTROL_PREFIX, f"{names.PICTURE}.", "input_hint_block.")

# The first that matches counts.
KINDS: tuple[Kind, ...] = (
    ImagePromptKind(),
    ControlNetKind("Control LoRA", lambda keys: _LOW_RANK in keys, "low rank"),
    ControlNetKind("ControlNet of differences", lambda keys: _DIFFERENCE in keys and _starts(keys, *_CONTROL_NET_KEYS), "difference"),
    ControlNetKind("union ControlNet", lambda keys: any(key.endswith("task_embedding") for key in keys)),
    ControlNetKind("ControlNet", lambda keys: _starts(keys, *_CONTROL_NET_KEYS)),
    AdapterKind("T2I-Adapter"),
)
