"""Reads weights from safetensors files straight into the memory they stay in.

A network's weights share one block of memory, which is filled by a few threads (a single one does not reach what memory allows); a weight that is stored
in another number format passes through a small buffer of its own, convolutions change their order in place. Files are read, not mapped: a mapped file would
count twice while a cast copy is made, and a file overwritten in place would change or kill a loaded model.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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
_BUFFER_BYTES = 2 * _PORTION_BYTES
_CALL_BYTES = 1 << 30
_ROWS_BYTES = 1 << 20
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
# Dimensions of a convolution's weight, which lies as its kernels want it: all channels of a place beside each other. The values are the same; what it brings
# is in the rows `our loop / diffusers' pipeline` of benchmarks/engine_loop.py.
_CONVOLUTION = 4
_CHANNELS_LAST = ("cpu", "cuda")


@dataclass(frozen=True)
class _Reading:
    """One weight on its way: `buffer` receives the file's bytes; `target` is where it stays, the same bytes as the buffer if `is_in_place`."""

    name: str
    stored: Stored
    buffer: Tensor
    target: Tensor | None
    is_in_place: bool


@dataclass(frozen=True)
class _Portion:
    """Weights that are read together; `block` holds the buffers of those that are converted."""

    readings: list[_Reading]
    block: Tensor


class _Buffers:
    """Blocks of bytes that are used again: memory that is new each time costs more than what is read into it."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, size: int) -> Tensor:
        """At least `size` bytes."""
        if not size:
            return torch.empty(0, dtype=torch.uint8)
        fitting = next((index for index, block in enumerate(self._free) if len(block) >= size), None)
        return self._free.pop(fitting) if fitting is not None else _block(max(size, _BUFFER_BYTES))

    def give(self, block: Tensor) -> None:
        if len(block):
            self._free.append(block)


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
        self._buffers = _Buffers()
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
        pending: deque[Future[_Portion]] = deque()
        arena = _Arena(wanted, kinds, dtype) if device.type == "cpu" else None
        try:
            for names in _portions(wanted):
                pending.append(self._pool.submit(self._fill, self._prepared(names, wanted, kinds, arena)))
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

    def _prepared(self, names: list[str], wanted: Mapping[str, Stored], kinds: Mapping[str, torch.dtype], arena: _Arena | None) -> _Portion:
        """Where each weight's bytes go: to their place, or to a buffer where they have to be converted first."""
        straight: dict[str, Tensor] = {}
        for name in names:
            self._check()
            target = arena.place(name) if arena else None
            stored = wanted[name]
            if target is not None and target.dtype == kinds[name] and not stored.is_transposed and stored.scale is None:
                straight[name] = target
        detours = [name for name in names if name not in straight]
        block = self._buffers.take(sum(_aligned(wanted[name].end - wanted[name].begin) for name in detours))
        readings, place = [], 0
        for name in names:
            stored, buffer = wanted[name], straight.get(name)
            if buffer is None:
                size = stored.end - stored.begin
                shape = stored.shape[::-1] if stored.is_transposed else stored.shape
                buffer = block[place : place + size].view(kinds[name]).view(shape)
                place += _aligned(size)
            readings.append(_Reading(name, stored, buffer, arena.final(name) if arena else None, name in straight))
        return _Portion(readings, block)

    def _fill(self, portion: _Portion) -> _Portion:
        for reading in portion.readings:
            if reading.buffer.numel():
                self._read_bytes(reading.stored, memoryview(reading.buffer.reshape(-1).view(torch.uint8).numpy()))
        return portion

    def _land(self, portion: _Portion, loaded: dict[str, Tensor], dtype: torch.dtype, device: torch.device) -> None:
        """Convert what was read, on the caller's thread: each thread that calls torch would get workers of its own."""
        for reading in portion.readings:
            weight = reading.buffer
            if reading.is_in_place:
                assert reading.target is not None
                loaded[reading.name] = _reordered(weight, reading.target)
                continue
            final = dtype if weight.is_floating_point() else weight.dtype
            weight = weight.to(device)
            if reading.stored.is_transposed:
                weight = weight.T
            if reading.stored.scale is not None:
                weight = weight.to(torch.float32) * self._scale(reading.stored.scale, weight.dim()).to(device)
            if reading.target is None:
                loaded[reading.name] = weight.to(final).contiguous(memory_format=_layout(weight))
            else:
                loaded[reading.name] = reading.target.copy_(weight)
        self._buffers.give(portion.block)

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


def _reordered(weight: Tensor, target: Tensor) -> Tensor:
    """The target, filled from the weight in whose bytes it lies; some rows at a time, since a row stays at its place."""
    if not target.is_contiguous():
        step = max(1, _ROWS_BYTES // weight[0].nbytes)
        # As whole numbers: half precision is moved number by number otherwise, at half the speed.
        source, place = weight.view(_INTEGERS[weight.element_size()]), target.view(_INTEGERS[weight.element_size()])
        for start in range(0, len(weight), step):
            place[start : start + step].copy_(source[start : start + step].clone())
    return target


def _layout(weight: Tensor) -> torch.memory_format:
    return torch.channels_last if weight.dim() == _CONVOLUTION and weight.device.type in _CHANNELS_LAST else torch.contiguous_format


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def _block(size: int) -> Tensor:
    """New bytes, whose first torch aligns. Not numpy's: it asks the system for large pages, for which memory in long use has to be rearranged first."""
    return torch.empty(size, dtype=torch.uint8)


class _Arena:
    """One block of memory for the weights of a network, in the order given, in their final number format."""

    def __init__(self, wanted: Mapping[str, Stored], kinds: Mapping[str, torch.dtype], dtype: torch.dtype) -> None:
        self._places: dict[str, tuple[int, int, torch.dtype, tuple[int, ...]]] = {}
        size = 0
        for name, stored in wanted.items():
            final = dtype if kinds[name].is_floating_point else kinds[name]
            length = math.prod(stored.shape) * final.itemsize
            self._places[name] = (size, length, final, stored.shape)
            size += _aligned(length)
        self._block = _block(size)

    def place(self, name: str) -> Tensor:
        """A weight in the order of files."""
        begin, length, dtype, shape = self._places[name]
        return self._block[begin : begin + length].view(dtype).view(shape)

    def final(self, name: str) -> Tensor:
        """The same bytes in the order of kernels."""
        begin, length, dtype, shape = self._places[name]
        weight = self._block[begin : begin + length].view(dtype)
        if len(shape) != _CONVOLUTION:
            return weight.view(shape)
        outwards, inwards, height, width = shape
        return weight.view(outwards, height, width, inwards).permute(0, 3, 1, 2)


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
