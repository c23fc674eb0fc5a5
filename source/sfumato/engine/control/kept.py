"""Control models kept in memory between jobs, limited by bytes, least recently used out; and what was read of their headers. Rules: E112, E118."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

from torch import nn

from sfumato.engine.checkpoint import identity_of
from sfumato.engine.control.files import ControlFile, open_control
from sfumato.engine.control.kinds import KINDS
from sfumato.engine.control.loading import Loaded
from sfumato.engine.family import Model
from sfumato.engine.kept_parts import half_of_memory
from sfumato.engine.reading import Reader

_HEADERS_KEPT = 64


class ControlModels:
    """One per process, by `context.shared(ControlModels)`.

    Args:
        limit_bytes: of the networks kept; the ones in use may be more.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = half_of_memory() // 2 if limit_bytes is None else limit_bytes
        self._files: OrderedDict[Hashable, ControlFile] = OrderedDict()
        self._held: OrderedDict[Hashable, Loaded] = OrderedDict()

    def file(self, path: Path) -> ControlFile:
        """What a control model's header tells; read once while the file is unchanged. Errors as `open_control`, and `OSError`."""
        key = tuple(identity_of([path])) if path.is_file() else path
        if key not in self._files:
            self._files[key] = open_control(path, KINDS)
            while len(self._files) > _HEADERS_KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]

    def load(self, file: ControlFile, model: Model, check: Callable[[], None], beside: ControlFile | None = None) -> Loaded:
        """A control model ready for a model's network, read if it is not held.

        Args:
            check: called before each tensor; may raise to stop, then nothing is held.
            beside: the file that it needs; it is held by itself, so that several can share it.

        Raises `CorruptFile`.
        """
        device = model.device
        base = model.checkpoint.identity if file.kind.needs_base else ()
        needed = None if beside is None else self.load(beside, model, check)
        key = (file.identity, base, None if beside is None else beside.identity, file.kind.likeness(model), device.dtype, device.torch)
        if key not in self._held:
            with Reader(file.name, check) as reader:
                made = file.kind.load(file, model, reader, needed)
            self._held[key] = made
        self._held.move_to_end(key)
        found = self._held[key]
        for older in list(self._held):
            if self.nbytes <= self._limit_bytes or older == key:
                break
            del self._held[older]
        return found

    @property
    def nbytes(self) -> int:
        """What all control models kept take."""
        modules = {id(module): module for loaded in self._held.values() for module in loaded.modules}
        return sum(map(_size, modules.values())) + sum(loaded.kept_bytes for loaded in self._held.values())

    def clear(self) -> None:
        """Let everything go."""
        self._held.clear()
        self._files.clear()


def _size(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
