"""Files of the preprocessors' networks: found by name in models/annotators, checked by their headers, kept while there is room. Nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from sfumato.engine.checkpoint import Stored
from sfumato.engine.device import free_caches
from sfumato.engine.kept_files import KeptFiles
from sfumato.engine.reading import Reader
from sfumato.library.models import ANNOTATOR, locate
from sfumato.library.safetensors_header import Header, read_header
from sfumato.protocol.errors import ModelIncomplete, ModelNotFound, SfumatoError

FIELD = "preprocessor"
FOLDER = "models/annotators"
_LIMIT_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """Where a network's weights are.

    Attributes:
        name: of the file as it was published, without its ending.
        what: the network in a word or two, for a sentence.
        publisher: the project it is published in, for people.
        build: the module, without weights.
        renamed: the published name of a weight -> ours.
    """

    name: str
    what: str
    publisher: str
    build: Callable[[], nn.Module]
    renamed: Callable[[str], str] = lambda name: name

    @property
    def remedy(self) -> str:
        return f"Put it as '{self.name}.safetensors' into {FOLDER}; it is published in {self.publisher}, and 'sfumato convert' makes a .pth safe."


@dataclass(frozen=True, slots=True)
class _Loaded:
    module: nn.Module
    device: torch.device

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.module.state_dict().values())


class KeptNetworks:
    """Networks between jobs of a process, by `context.shared(KeptNetworks)`."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._devices: dict[torch.device, KeptFiles[_Loaded]] = {}

    def get(self, path: Path, device: torch.device, make: Callable[[Path], nn.Module]) -> nn.Module:
        """The module read from a file or folder, on the device."""
        kept = self._devices.setdefault(device, KeptFiles(self._limit_bytes))
        return kept.get(path, lambda path: _Loaded(make(path), device)).module

    @property
    def nbytes(self) -> int:
        return sum(kept.nbytes for kept in self._devices.values())

    def clear(self) -> None:
        """Let everything go and give the memory back."""
        devices = list(self._devices)
        self._devices.clear()
        for device in devices:
            free_caches(device)


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks as one job reaches them.

    Attributes:
        folders: the models folders.
        field: of the request, for errors.
        check: raises `Stopped` when the job was cancelled; called before each weight that is read.
    """

    kept: KeptNetworks
    folders: Sequence[Path]
    device: torch.device
    field: str = FIELD
    check: Callable[[], None] = lambda: None

    def open(self, file: NetworkFile) -> nn.Module:
        """The network with its weights, float32, in evaluation mode.

        Raises:
            ModelNotFound: naming the file, the folder and where it is published.
            PickleRefused: there is only a pickle; it says how to convert it.
            CorruptFile, ModelIncomplete: the file is damaged, or another network's.
        """
        path = self.find(file)
        try:
            return self.kept.get(path, self.device, lambda path: self._read(path, file))
        except SfumatoError as error:
            error.path = self.field
            raise

    def find(self, file: NetworkFile) -> Path:
        """Where a network's file is; it is not opened. Raises `ModelNotFound` and `PickleRefused` as `open`."""
        try:
            return locate(self.folders, file.name, ANNOTATOR, self.field)
        except ModelNotFound:
            raise ModelNotFound("file", f"{file.name}.safetensors", path=self.field, remedy=file.remedy) from None

    def _read(self, path: Path, file: NetworkFile) -> nn.Module:
        with torch.device("meta"):
            module = file.build()
        wanted = _wanted(path, read_header(path), file)
        shapes = {name: tuple(weight.shape) for name, weight in module.state_dict().items() if not name.endswith("num_batches_tracked")}
        missing = [name for name, shape in shapes.items() if name not in wanted or wanted[name].shape != shape]
        if missing:
            raise ModelIncomplete(path.name, file.what, missing)
        with Reader(path.name, self.check) as reader:
            weights = reader.read({name: wanted[name] for name in shapes}, torch.float32, self.device)
        counters = {name: torch.zeros((), dtype=torch.long) for name in module.state_dict() if name not in shapes}
        module.load_state_dict({**weights, **counters}, assign=True)
        return module.eval().requires_grad_(False)


def _wanted(path: Path, header: Header, file: NetworkFile) -> Mapping[str, Stored]:
    """Our name -> weight in the file."""
    return {
        file.renamed(key): Stored(path, key, info.dtype, info.shape, header.data_start + info.begin, header.data_start + info.end)
        for key, info in header.tensors.items()
    }
