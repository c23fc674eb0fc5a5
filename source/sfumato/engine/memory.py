"""What is loaded: several checkpoints, as many as half of the machine's memory holds, with the encodings made by them; kept between jobs of a process.

A checkpoint is known by path, size and modification time of its files, its number format and its device; if one of them changed, it is loaded anew. Parts
are kept one by one, so that two checkpoints with the same VAE file share it. On a graphics card those used longest ago wait in ordinary memory.
"""

from __future__ import annotations

import gc
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from weakref import WeakKeyDictionary

import torch
from torch import nn

from sfumato.engine.checkpoint import Checkpoint, identity_of, open_checkpoint
from sfumato.engine.components import complete
from sfumato.engine.conditioning import EncodingCache
from sfumato.engine.device import Device, free_caches
from sfumato.engine.families import recognise
from sfumato.engine.family import Model, PreviewFactors
from sfumato.engine.findings import Findings
from sfumato.engine.kept_parts import KeptParts, LoadedPart, half_of_memory
from sfumato.engine.layouts.original import OTHER
from sfumato.engine.preview import factors_of
from sfumato.engine.reading import DTYPES

Report = Callable[[int, int], None]

NO_COMPONENTS: Mapping[str, Path] = MappingProxyType({})
# Left free on a graphics card for what is computed.
_RESERVE_BYTES = 2 << 30


@dataclass(frozen=True)
class _Held:
    """A loaded model and the keys of the parts it is made of."""

    model: Model
    parts: tuple[Hashable, ...]


class Loaded:
    """The engine's memory between jobs; one per process, by `context.shared(Loaded)`.

    Args:
        limit_bytes: of the networks kept; the ones in use may be more.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.encodings = EncodingCache()
        self._parts = KeptParts(half_of_memory() if limit_bytes is None else limit_bytes)
        self._models: OrderedDict[Hashable, _Held] = OrderedDict()
        self._factors: WeakKeyDictionary[nn.Module, PreviewFactors] = WeakKeyDictionary()

    @property
    def latest(self) -> Model | None:
        """The model used last."""
        return next(reversed(self._models.values())).model if self._models else None

    @property
    def nbytes(self) -> int:
        """What all networks kept take."""
        return self._parts.nbytes

    def held(self, path: Path, device: Device, components: Mapping[str, Path] = NO_COMPONENTS) -> Model | None:
        """The model of this path and these components if it is in memory and its files are unchanged. Reads no file."""
        key = _key(path, device, components)
        held = self._models.get(key)
        if held is None:
            return None
        if not _is_current(held.model.checkpoint):
            # Its parts can never be asked for again.
            del self._models[key]
            self._parts.drop([part for part in held.parts if not any(part in other.parts for other in self._models.values())])
            return None
        return held.model

    def load(
        self,
        path: Path,
        device: Device,
        report: Report,
        components: Mapping[str, Path] = NO_COMPONENTS,
        beside: Sequence[Model] = (),
        findings: Findings | None = None,
    ) -> Model:
        """The model of this path, read if it is not held.

        Args:
            report: called as `report(done, total)` before each tensor; may raise to stop, then the model is not held.
            components: request field ("vae", "clip", "clip_2") -> file that replaces or completes the checkpoint's own.
            beside: models that the caller goes on using, which stay where they are.
            findings: where it is looked up, and kept, what a network predicts whose file does not say.

        Raises the errors of `open_checkpoint`, `recognise`, `complete` and the family's `load`.
        """
        held = self.held(path, device, components)
        if held is None:
            return self._read(path, device, report, components, beside, findings)
        key = _key(path, device, components)
        self._models.move_to_end(key)
        self._bring(self._models[key].parts, device, beside)
        return held

    def preview_factors(self, model: Model) -> PreviewFactors:
        """Linear preview colours of the model, found once for its VAE."""
        found = self._factors.get(model.vae)
        if found is None:
            found = self._factors[model.vae] = factors_of(model)
        return found

    def clear(self) -> None:
        """Let everything go and give the memory back."""
        devices = {held.model.device.torch for held in self._models.values()}
        self._models.clear()
        self._parts.clear()
        self.encodings.clear()
        gc.collect()
        for device in devices:
            free_caches(device)

    def _read(self, path: Path, device: Device, report: Report, components: Mapping[str, Path], beside: Sequence[Model], findings: Findings | None) -> Model:
        checkpoint = open_checkpoint(path)
        if findings is not None:
            checkpoint = replace(checkpoint, found=findings.prediction(path) or "")
        family = recognise(checkpoint)
        checkpoint = complete(checkpoint, family, components)
        total = sum(len(table) for part, table in checkpoint.parts.items() if part != OTHER)
        done = itertools.count()
        used: list[Hashable] = []
        in_use = self._parts_of(beside)

        def keep(key: Hashable, part: str, make: Callable[[], LoadedPart]) -> LoadedPart:
            key = (key, device.dtype_of(part), device.torch.type)
            used.append(key)
            if key in self._parts:
                self._parts.move(key, device.torch)
            else:
                self._make_room(_size(checkpoint, part, device), {*in_use, *used}, device)
            return self._parts.get(key, make)

        model = family.load(checkpoint, device, lambda: report(next(done), total), keep)
        if model.is_probed and findings is not None:
            findings.keep(path, model.prediction)
        self._models[_key(path, device, components)] = _Held(model, tuple(used))
        return model

    def _parts_of(self, models: Sequence[Model]) -> set[Hashable]:
        return {part for held in self._models.values() if any(held.model.checkpoint is model.checkpoint for model in models) for part in held.parts}

    def _make_room(self, needed_bytes: int, spared: set[Hashable], device: Device) -> None:
        """Before anything is read: in ordinary memory by letting go, on a graphics card by taking others off it."""
        gone = self._parts.make_room(needed_bytes, spared)
        self._models = OrderedDict((key, held) for key, held in self._models.items() if gone.isdisjoint(held.parts))
        if gone:
            gc.collect()
        if device.torch.type == "cuda":
            for part in self._parts.on(torch.device(device.torch.type, torch.cuda.current_device())):
                if torch.cuda.mem_get_info()[0] >= needed_bytes + _RESERVE_BYTES:
                    break
                if part not in spared:
                    self._parts.move(part, torch.device("cpu"))
                    free_caches(device.torch)

    def _bring(self, parts: Sequence[Hashable], device: Device, beside: Sequence[Model]) -> None:
        for part in parts:
            if device.torch.type != "cpu":
                self._make_room(0, {*parts, *self._parts_of(beside)}, device)
            self._parts.move(part, device.torch)


def _key(path: Path, device: Device, components: Mapping[str, Path]) -> Hashable:
    return (path, device, tuple(sorted((field, str(file)) for field, file in components.items())))


def _is_current(checkpoint: Checkpoint) -> bool:
    try:
        return identity_of([Path(file) for file, _, _ in checkpoint.identity]) == checkpoint.identity
    except OSError:
        return False


def _size(checkpoint: Checkpoint, part: str, device: Device) -> int:
    """Bytes that a part's weights will take."""
    total = 0
    for stored in checkpoint.parts[part].values():
        kind = DTYPES.get(stored.dtype, torch.uint8)
        count = 1
        for side in stored.shape:
            count *= side
        total += count * (device.dtype_of(part) if kind.is_floating_point else kind).itemsize
    return total
