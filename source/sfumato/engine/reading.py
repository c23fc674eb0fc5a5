"""Reads weights from safetensors files straight into the memory they stay in.

A network's weights share one block of memory, which is filled by a few threads (a single one does not reach what memory allows); a weight that is stored
in another number format passes through a small buffer of its own. Files are read, not mapped: a mapped file would count twice while a cast copy is made,
and a file overwritten in place would change or kill a loaded model.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from sfumato.engine.checkpoint import Stored
from sfumato.protocol.errors import CorruptFile

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_THREADS = 4
_ALIGNMENT_BYTES = 64
# Weights are handed to a thread in portions of at least this size, so that thousands of small ones cost no waiting.
_PORTION_BYTES = 8 << 20
_PORTIONS_AHEAD = 6
_CALL_BYTES = 1 << 30


@dataclass(frozen=True)
class _Reading:
    """One weight on its way: `buffer` receives the file's bytes; `target` is where it stays, the same memory where nothing has to be converted."""

    name: str
    stored: Stored
    buffer: Tensor
    target: Tensor | None


class Reader:
    """Reads weights; keeps its files open until it is left.

    Args:
        name: the checkpoint's, for sentences.
        check: called before each weight on the caller's thread; may raise to stop.
    """

    def __init__(self, name: str, check: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._check = check
        self._stack = ExitStack()
        self._files: dict[Path, BinaryIO] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "reading")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()
        self._files.clear()

    def read(self, wanted: Mapping[str, Stored], dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
        """Name -> weight on `device`; floating ones in `dtype`, others as stored. Raises `CorruptFile`."""
        kinds = {name: self._kind(stored) for name, stored in wanted.items()}
        loaded: dict[str, Tensor] = {}
        pending: deque[Future[list[_Reading]]] = deque()
        arena = _Arena(wanted, kinds, dtype) if device.type == "cpu" else None
        try:
            for portion in _portions(wanted):
                readings = [self._prepared(name, wanted[name], kinds[name], arena) for name in portion]
                pending.append(self._pool.submit(self._fill, readings))
                while len(pending) >= _PORTIONS_AHEAD:
                    self._land(pending.popleft().result(), loaded, dtype, device)
            while pending:
                self._land(pending.popleft().result(), loaded, dtype, device)
        finally:
            for future in pending:  # a stop or a damaged file: what is under way still writes into the block
                future.cancel()
            for future in pending:
                if not future.cancelled():
                    future.exception()
        return loaded

    def _kind(self, stored: Stored) -> torch.dtype:
        kind = DTYPES.get(stored.dtype)
        if kind is None:
            raise CorruptFile(self._name, f"tensor '{stored.key}' has the number format {stored.dtype}, which Sfumato does not read")
        return kind

    def _prepared(self, name: str, stored: Stored, kind: torch.dtype, arena: _Arena | None) -> _Reading:
        self._check()
        target = arena.place(name) if arena else None
        if target is not None and target.dtype == kind and not stored.is_transposed and stored.scale is None:
            return _Reading(name, stored, target, target)
        shape = stored.shape[::-1] if stored.is_transposed else stored.shape
        return _Reading(name, stored, torch.empty(shape, dtype=kind), target)

    def _fill(self, readings: list[_Reading]) -> list[_Reading]:
        for reading in readings:
            if reading.buffer.numel():
                self._read_bytes(reading.stored, memoryview(reading.buffer.reshape(-1).view(torch.uint8).numpy()))
        return readings

    def _land(self, readings: list[_Reading], loaded: dict[str, Tensor], dtype: torch.dtype, device: torch.device) -> None:
        """Convert what was read, on the caller's thread: each thread that calls torch would get workers of its own."""
        for reading in readings:
            weight = reading.buffer
            if weight is reading.target:
                loaded[reading.name] = weight
                continue
            final = dtype if weight.is_floating_point() else weight.dtype
            weight = weight.to(device)
            if reading.stored.is_transposed:
                weight = weight.T
            if reading.stored.scale is not None:
                weight = weight.to(torch.float32) * self._scale(reading.stored.scale, weight.dim()).to(device)
            if reading.target is None:
                loaded[reading.name] = weight.to(final).contiguous()
            else:
                loaded[reading.name] = reading.target.copy_(weight)

    def _scale(self, stored: Stored, dimensions: int) -> Tensor:
        """What an 8-bit weight of so many dimensions is multiplied by: one number for all, or one for each row."""
        scale = torch.empty(stored.shape, dtype=self._kind(stored))
        self._read_bytes(stored, memoryview(scale.reshape(-1).view(torch.uint8).numpy()))
        return scale.float().reshape(-1, *(1,) * (dimensions - 1))

    def _file(self, path: Path) -> BinaryIO:
        with self._lock:
            if path not in self._files:
                # Unbuffered: bytes go straight to their place.
                self._files[path] = self._stack.enter_context(path.open("rb", buffering=0))
            return self._files[path]

    def _read_bytes(self, stored: Stored, target: memoryview) -> None:
        file = self._file(stored.file)
        done = 0
        while done < len(target):
            count = _read_at(file, target[done : done + _CALL_BYTES], stored.begin + done, self._lock)
            if not count:
                raise CorruptFile(self._name, f"it ends in the middle of tensor '{stored.key}'")
            done += count


def _read_at(file: BinaryIO, target: memoryview, offset: int, lock: threading.Lock) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [target], offset)
    with lock:  # Windows and macOS before 11: a file has one place for all threads
        file.seek(offset)
        return file.readinto(target) or 0  # type: ignore[attr-defined]  a raw file has it


class _Arena:
    """One block of memory for the weights of a network, in the order given, in their final number format."""

    def __init__(self, wanted: Mapping[str, Stored], kinds: Mapping[str, torch.dtype], dtype: torch.dtype) -> None:
        self._places: dict[str, tuple[int, int, torch.dtype, tuple[int, ...]]] = {}
        size = 0
        for name, stored in wanted.items():
            final = dtype if kinds[name].is_floating_point else kinds[name]
            length = int(np.prod(stored.shape, dtype=np.int64)) * final.itemsize
            self._places[name] = (size, length, final, stored.shape)
            size += -(-length // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        # numpy asks the system for large pages where a block is large, which halves the time of its first use; torch does not.
        block = torch.from_numpy(np.empty(size + _ALIGNMENT_BYTES, np.uint8))
        self._block = block[-block.data_ptr() % _ALIGNMENT_BYTES :]

    def place(self, name: str) -> Tensor:
        begin, length, dtype, shape = self._places[name]
        return self._block[begin : begin + length].view(dtype).view(shape)


def _portions(wanted: Mapping[str, Stored]) -> Iterator[list[str]]:
    """Names in the order of their bytes, some megabytes at a time."""
    portion: list[str] = []
    size = 0
    for name in sorted(wanted, key=lambda name: (str(wanted[name].file), wanted[name].begin)):
        portion.append(name)
        size += wanted[name].end - wanted[name].begin
        if size >= _PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
