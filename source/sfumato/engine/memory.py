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
from sfumato.engine.family import Family, Model, PreviewFactors
from sfumato.engine.findings import Findings
from sfumato.engine.job_memory import Learned
from sfumato.engine.kept_parts import KeptParts, KeptTensors, LoadedPart, half_of_memory
from sfumato.engine.layouts.original import OTHER
from sfumato.engine.offload import HOST
from sfumato.engine.preview import factors_of
from sfumato.engine.reading import DTYPES

Report = Callable[[int, int], None]

NO_COMPONENTS: Mapping[str, Path] = MappingProxyType({})
# Left free of a device for what is computed, as a multiple of what is left free on it anyway.
_ROOM = 2.5
# Of what the VAE made of pictures that jobs started from.
_INPUTS_BYTES = 256 << 20
# In the names of VAE files whose numbers were brought into the range of float16.
_FIXED = ("fp16-fix", "fp16_fix", "fp16fix")


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
        self.inputs = KeptTensors(_INPUTS_BYTES)
        self.learned = Learned()
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
        to_host: bool = False,
    ) -> Model:
        """The model of this path, read if it is not held.

        Args:
            report: called as `report(done, total)` before each tensor; may raise to stop, then the model is not held.
            components: request field ("vae", "clip", "clip_2") -> file that replaces or completes the checkpoint's own.
            beside: models that the caller goes on using, which stay where they are.
            findings: where it is looked up, and kept, what a network predicts whose file does not say.
            to_host: read it into ordinary memory, from where the job brings what it needs.

        Raises the errors of `open_checkpoint`, `recognise`, `complete` and the family's `load`.
        """
        held = self.held(path, device, components)
        if held is None:
            return self._read(path, device, report, components, beside, findings, to_host)
        key = _key(path, device, components)
        self._models.move_to_end(key)
        if not to_host:
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
        self.inputs.clear()
        gc.collect()
        for device in devices:
            free_caches(device)

    def let_go(self, spared: Sequence[Model]) -> None:
        """Keep nothing but these models: where a device has memory of its own the others leave it, else they go."""
        kept, device = self._parts_of(spared), spared[0].device if spared else None
        self.encodings.clear()
        self.inputs.clear()
        if device is not None and not device.kind.is_host:
            for part in self._parts.on(device.torch):
                if part not in kept:
                    self._parts.move(part, HOST)
        else:
            gone = [part for part in self._parts if part not in kept]
            self._parts.drop(gone)
            self._models = OrderedDict((key, held) for key, held in self._models.items() if not set(gone) & set(held.parts))
        gc.collect()
        if device is not None:
            free_caches(device.torch)

    def _read(
        self,
        path: Path,
        device: Device,
        report: Report,
        components: Mapping[str, Path],
        beside: Sequence[Model],
        findings: Findings | None,
        to_host: bool,
    ) -> Model:
        checkpoint = open_checkpoint(path)
        if findings is not None:
            checkpoint = replace(checkpoint, found=findings.prediction(path) or "")
        family = recognise(checkpoint)
        checkpoint = complete(checkpoint, family, components)
        asked, device = device, _in_range(device, family, checkpoint)
        is_apart = not device.kind.is_host
        # On a device with memory of its own: straight to it where all of it fits.
        place = HOST if is_apart and (to_host or not self._has_room(checkpoint, device, self._parts_of(beside))) else device.torch
        total = sum(len(table) for part, table in checkpoint.parts.items() if part != OTHER)
        done = itertools.count()
        used: list[Hashable] = []
        in_use = self._parts_of(beside)

        def keep(key: Hashable, part: str, make: Callable[[], LoadedPart]) -> LoadedPart:
            key = (key, device.dtype_of(part), device.torch.type)
            used.append(key)
            if key in self._parts:
                self._parts.move(key, place)
            else:
                self._make_room(_size(checkpoint, part, device), {*in_use, *used}, device, is_on_device=place == device.torch)
            return self._parts.get(key, make)

        model = family.load(checkpoint, replace(device, torch=place), lambda: report(next(done), total), keep)
        model = replace(model, device=device)
        if model.is_probed and findings is not None:
            findings.keep(path, model.prediction)
        self._models[_key(path, asked, components)] = _Held(model, tuple(used))
        return model

    def _parts_of(self, models: Sequence[Model]) -> set[Hashable]:
        return {part for held in self._models.values() if any(held.model.checkpoint is model.checkpoint for model in models) for part in held.parts}

    def _make_room(self, needed_bytes: int, spared: set[Hashable], device: Device, *, is_on_device: bool = True) -> None:
        """Before anything is read: in ordinary memory by letting go, on a graphics card by taking others off it."""
        gone = self._parts.make_room(needed_bytes, spared)
        self._models = OrderedDict((key, held) for key, held in self._models.items() if gone.isdisjoint(held.parts))
        if gone:
            gc.collect()
        if is_on_device and not device.kind.is_host:
            self._clear_device(needed_bytes, spared, device)

    def _clear_device(self, needed_bytes: int, spared: set[Hashable], device: Device) -> None:
        for part in self._parts.on(device.torch):
            if device.kind.free_bytes() >= needed_bytes + _ROOM * device.kind.reserve_bytes:
                break
            if part not in spared:
                self._parts.move(part, HOST)
                free_caches(device.torch)

    def _has_room(self, checkpoint: Checkpoint, device: Device, spared: set[Hashable]) -> bool:
        """Whether all of a checkpoint fits on a device with memory of its own, once others made room."""
        parts = [part for part in checkpoint.parts if part != OTHER]
        # A weight that is stored in another format is there twice for a moment.
        needed = sum(_size(checkpoint, part, device) for part in parts)
        needed += max((stored.end - stored.begin for part in parts for stored in checkpoint.parts[part].values()), default=0)
        self._clear_device(needed, spared, device)
        return device.kind.free_bytes() >= needed + _ROOM * device.kind.reserve_bytes

    def _bring(self, parts: Sequence[Hashable], device: Device, beside: Sequence[Model]) -> None:
        for part in parts:
            if not device.kind.is_host:
                self._make_room(0, {*parts, *self._parts_of(beside)}, device)
            self._parts.move(part, device.torch)


def _key(path: Path, device: Device, components: Mapping[str, Path]) -> Hashable:
    return (path, device, tuple(sorted((field, str(file)) for field, file in components.items())))


def _in_range(device: Device, family: Family, checkpoint: Checkpoint) -> Device:
    """The device with a number format for the VAE that holds its numbers, where that was left to us (E108)."""
    if not family.vae_overflows or device.vae_dtype is not None or device.dtype != torch.float16:
        return device
    # Published as fixed: by the file's name, or by a folder's configuration.
    names = {Path(stored.file).name.lower() for stored in checkpoint.parts["vae"].values()}
    is_fixed = any(word in name for name in names for word in _FIXED) or checkpoint.configs.get("vae", {}).get("force_upcast") is False
    return device if is_fixed else replace(device, vae_dtype=device.wide_dtype)


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
