"""Network files read in earlier jobs, kept for the next. Rules: E89, E112, R132."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from torch import nn

from sfumato.engine.family import Model
from sfumato.engine.kept_files import KeptFiles
from sfumato.engine.networks.file import NetworkFile, open_network
from sfumato.protocol.errors import CorruptFile, ModelNotFound

KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class _Readings:
    """What one file holds for models of each structure."""

    of: dict[Hashable, NetworkFile] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(reading.nbytes for reading in self.of.values())


class KeptNetworks(KeptFiles[_Readings]):
    """One for a process, by `context.shared(KeptNetworks)`."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        super().__init__(limit_bytes)
        self._structures: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()

    def open(self, path: Path, model: Model, check: Callable[[], None], field: str = "prompt") -> NetworkFile:
        """What a file holds for a model.

        Args:
            check: called before each tensor that is read; may raise to stop.
            field: the request field that names the file, for errors.

        Raises `ModelNotFound` for a file that is gone, and the errors of `open_network`.
        """
        structure = self._structure(model)

        def read(path: Path) -> _Readings:
            return _Readings({structure: open_network(path, model, check, field)})

        try:
            readings = self.get(path, read)
            if structure not in readings.of:
                readings.of[structure] = open_network(path, model, check, field)
                self.trim()
        except FileNotFoundError as error:
            raise ModelNotFound("LoRA", path.stem, path=field) from error
        except OSError as error:
            raise CorruptFile(path.name, f"it cannot be read ({error.strerror or type(error).__name__})", path=field) from error
        return readings.of[structure]

    def _structure(self, model: Model) -> Hashable:
        """Equal for models whose layers have the same names and shapes, so that a file's changes belong to the same of them."""
        modules = (model.unet, *(encoder.tower for encoder in model.encoders))
        for module in modules:
            if module not in self._structures:
                self._structures[module] = hash(tuple((name, tuple(tensor.shape)) for name, tensor in module.named_parameters()))
        return (model.family.name, *(self._structures[module] for module in modules))
