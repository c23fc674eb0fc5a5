"""Networks kept in memory between jobs, least recently used out, limited by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from sfumato.engine.host_memory import free_host_bytes
from sfumato.engine.offload import bring, place_of


@dataclass(frozen=True)
class LoadedPart:
    """One network with what belongs to it. `unused`: weights of its part of the file that it has no place for."""

    module: nn.Module
    projection: torch.Tensor | None = None
    unused: int = 0

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.module.parameters(), *self.module.buffers()))


def half_of_memory() -> int:
    """Half of the bytes that this machine, or the container around the process, has left."""
    return free_host_bytes() // 2


class KeptTensors:
    """Pairs of tensors under keys that are complete, least recently used out first, limited by bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, tuple[torch.Tensor, torch.Tensor]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        """What is held under `key`, else what `make` makes, held from now on. Nobody changes it."""
        if key not in self._held:
            self._held[key] = make()
            while self.nbytes > self._limit_bytes and len(self._held) > 1:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes + other.nbytes for one, other in self._held.values())

    def clear(self) -> None:
        self._held.clear()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)


class KeptParts:
    """What is held, by keys that are complete: the files' identity, the construction and the number format."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, LoadedPart] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], LoadedPart]) -> LoadedPart:
        """What is held under `key`, else what `make` makes, held from now on."""
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = make()
        self._held.move_to_end(key)
        return found

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._held))

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self._held.values())

    def make_room(self, needed_bytes: int, spared: Collection[Hashable]) -> set[Hashable]:
        """Let go of what was used longest ago until `needed_bytes` more fit, but of nothing in `spared`; returns what went."""
        gone: set[Hashable] = set()
        for key in list(self._held):
            if self.nbytes + needed_bytes <= self._limit_bytes:
                break
            if key not in spared:
                del self._held[key]
                gone.add(key)
        return gone

    def drop(self, keys: Collection[Hashable]) -> None:
        for key in keys:
            self._held.pop(key, None)

    def move(self, key: Hashable, device: torch.device) -> None:
        """Take a held network to a device; weights change their place, not their values."""
        bring(self._held[key].module, device)
        self._held.move_to_end(key)

    def on(self, device: torch.device) -> list[Hashable]:
        """The keys of networks on a kind of device, least recently used first."""
        return [key for key, part in self._held.items() if (place := place_of(part.module)) is not None and place.type == device.type]

    def clear(self) -> None:
        self._held.clear()
