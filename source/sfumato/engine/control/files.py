"""A control model on disk: which kind it is, and what network it is for, known by its header alone. Rules: E82, E83 and R10.

A kind is a row of `kinds.KINDS`. What a file is for is told by numbers: the features it adds to, the text and the vector it reads; they are compared with the
checkpoint's before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sfumato.engine.checkpoint import Checkpoint, Stored, config_beside, identity_of, open_checkpoint, weights_of
from sfumato.engine.configuration import UNetConfiguration, unet_configuration
from sfumato.engine.families import looks_like, recognise
from sfumato.engine.layouts.place import Place
from sfumato.library.safetensors_header import Header, read_header
from sfumato.protocol.errors import ModelIncompatible, ModelNotFound, ModelUnsupported
from sfumato.protocol.requests.control import ControlUnit

if TYPE_CHECKING:
    from sfumato.engine.family import Model
    from sfumato.engine.reading import Reader

USE = "steer by it"
_FOLDER_STEMS = ("diffusion_pytorch_model", "diffusion_pytorch_model.fp16", "diffusion_pytorch_model.bf16", "model")


class Shape(Protocol):
    """What a control model's header tells of its construction."""

    def fits(self, base: UNetConfiguration) -> bool:
        """Whether it can act on a network of this construction."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether it reads what the network reads, so that it is for one family alone."""
        ...

    @property
    def construction(self) -> str:
        """In words what it acts on, for a sentence in which the family's name is not enough."""
        ...


class Kind(Protocol):
    """One kind of control model, as far as headers go; its rows are in `kinds`."""

    @property
    def title(self) -> str: ...

    @property
    def needs_base(self) -> bool:
        """Whether it is completed with the checkpoint's own weights."""
        ...

    @property
    def combines(self) -> bool:
        """Whether several units of one file can act as one."""
        ...

    def matches(self, keys: Collection[str]) -> bool:
        """Whether a file with these keys is of this kind."""
        ...

    def places(self, keys: Collection[str]) -> Mapping[str, Place]:
        """Our names of its weights -> where they are."""
        ...

    def shape(self, file: ControlFile) -> Shape:
        """Raises `ModelIncomplete`, `CorruptFile` or `ModelUnsupported`."""
        ...

    def family(self, file: ControlFile) -> str:
        """Title of the family it is for, "" if its header does not tell."""
        ...

    def check(self, file: ControlFile, unit: ControlUnit, path: str) -> None:
        """Raises `Invalid` for what a unit leaves open or asks too much, which the header tells."""
        ...

    def likeness(self, model: Model) -> Hashable:
        """What of a model's network the loaded one depends on."""
        ...

    def beside(self, file: ControlFile, unit: ControlUnit, folders: Sequence[Path], path: str) -> ControlFile | None:
        """The file it cannot do without, None for most. Raises `ModelNotFound` where there is none, and what opening raises."""
        ...

    def load(self, file: ControlFile, model: Model, reader: Reader, beside: Any = None) -> Any:
        """Read it for a model: `kinds.Loaded`. `beside`: the loaded file beside it. Raises `CorruptFile`."""
        ...


@dataclass(frozen=True, eq=False)
class ControlFile:
    """What a header tells.

    Attributes:
        name: the file's, for people.
        weights: by our names.
        config: of the config.json beside it; empty for most.
    """

    path: Path
    name: str
    kind: Kind
    weights: Mapping[str, Stored]
    config: Mapping[str, Any]
    identity: tuple[tuple[str, int, int], ...]

    @property
    def title(self) -> str:
        """As other programs name it: without ending; a diffusers folder by the folder."""
        return self.path.stem if self.name == self.path.name else self.name

    @property
    def shape(self) -> Shape:
        return self.kind.shape(self)

    @property
    def family(self) -> str:
        """Title of the family it is for, "" if the header does not tell."""
        return self.kind.family(self)


def open_control(path: Path, kinds: Collection[Kind]) -> ControlFile:
    """Read a control model's header. Raises `ModelNotFound`, `CorruptFile`, `PickleRefused`; `ModelUnsupported` for a file of another kind."""
    if not path.is_file():
        raise ModelNotFound("control model", path.name, path="control")
    header = read_header(path, display_name(path))
    kind = next((kind for kind in kinds if kind.matches(header.tensors.keys())), None)
    if kind is None:
        raise ModelUnsupported(display_name(path), looks_like(open_checkpoint(path)), use=USE, path="control")
    return ControlFile(
        path=path,
        name=display_name(path),
        kind=kind,
        weights=_weights(path, header, kind),
        config=config_beside(path),
        identity=identity_of([path]),
    )


def display_name(path: Path) -> str:
    """Its file name, or for the weights of a diffusers folder the folder's."""
    return path.parent.name if path.stem in _FOLDER_STEMS else path.name


def folder_names(name: str) -> tuple[str, ...]:
    """How the weights may be called that a folder's name means."""
    return tuple(f"{name}/{stem}" for stem in _FOLDER_STEMS)


@dataclass(frozen=True)
class Base:
    """A checkpoint that is to be steered, by its header: its name, its family's title, and the construction of its network."""

    name: str
    family: str
    network: UNetConfiguration

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Base:
        """Raises the errors of `recognise` and `unet_configuration`."""
        return cls(checkpoint.name, recognise(checkpoint).title, unet_configuration(checkpoint, None))


def check_fit(file: ControlFile, base: Base, of_highres: bool = False) -> None:
    """Raises `ModelIncompatible` naming both where a control model cannot act on a checkpoint's network; and what its `shape` raises."""
    shape = file.shape
    # Narrow networks of two families can be alike in all numbers; adapters act on every family whose levels they have.
    if shape.fits(base.network) and (not shape.reads_text or file.family in ("", base.family)):
        return
    is_for, wanted = file.family or f"a network with {shape.construction}", base.family
    if is_for == wanted:
        is_for, wanted = f"{is_for} with {shape.construction}", f"{wanted} with {construction_of(base.network.widths)}"
    if of_highres:
        wanted += f" ('{base.name}' of the highres pass)"
    raise ModelIncompatible(file.name, is_for, wanted, path="control")


def construction_of(widths: Collection[int]) -> str:
    return f"levels of {', '.join(map(str, widths))} channels"


def _weights(path: Path, header: Header, kind: Kind) -> Mapping[str, Stored]:
    return weights_of(path, header, kind.places(header.tensors.keys()))
