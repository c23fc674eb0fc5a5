"""What is loaded: one checkpoint at a time, with the encodings made by it, kept between jobs of a process.

A checkpoint is known by path, size and modification time of its files, its number format and its device; if one of them changed, it is loaded anew.
The old one is let go before the new one is read, so that two never share the memory.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from pathlib import Path

from sfumato.engine.checkpoint import identity_of, open_checkpoint
from sfumato.engine.conditioning import EncodingCache
from sfumato.engine.device import Device, free_caches
from sfumato.engine.families import recognise
from sfumato.engine.family import Model, PreviewFactors
from sfumato.engine.layouts.original import OTHER
from sfumato.engine.preview import factors_of

Report = Callable[[int, int], None]


class Loaded:
    """The engine's memory between jobs; one per process, by `context.shared(Loaded)`."""

    def __init__(self) -> None:
        self.encodings = EncodingCache()
        self._model: Model | None = None
        self._factors: PreviewFactors | None = None

    def held(self, path: Path, device: Device) -> Model | None:
        """The model of this path if it is in memory and its files are unchanged. Reads no file."""
        model = self._model
        if model is None or model.checkpoint.path != path or model.device != device:
            return None
        try:
            unchanged = identity_of([Path(file) for file, _, _ in model.checkpoint.identity]) == model.checkpoint.identity
        except OSError:
            return None
        return model if unchanged else None

    def load(self, path: Path, device: Device, report: Report) -> Model:
        """The model of this path, read if it is not held.

        `report(done, total)` is called before each tensor and may raise to stop; then nothing is held.
        """
        held = self.held(path, device)
        if held is not None:
            return held
        checkpoint = open_checkpoint(path)
        family = recognise(checkpoint)
        self.clear()
        total = sum(len(table) for part, table in checkpoint.parts.items() if part != OTHER)
        done = itertools.count()
        self._model = family.load(checkpoint, device, lambda: report(next(done), total))
        return self._model

    def preview_factors(self, model: Model) -> PreviewFactors:
        """Linear preview colours of the model, found once."""
        if self._factors is None or model is not self._model:
            factors = factors_of(model)
            if model is self._model:
                self._factors = factors
            return factors
        return self._factors

    def clear(self) -> None:
        """Let everything go and give the memory back."""
        device = self._model.device.torch if self._model else None
        self._model = None
        self._factors = None
        self.encodings.clear()
        gc.collect()
        if device is not None:
            free_caches(device)
