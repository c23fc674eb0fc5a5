"""Where and in which number format a job computes; decided once per job, here and nowhere else. A kind of device is a row of `KINDS`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from sfumato.engine.host_memory import free_host_bytes

Precision = Literal["auto", "fp16", "bf16", "fp32"]

DTYPES: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}

# Of files smaller than this, a processor's pictures come soon enough in float32.
_LARGE_FILE_BYTES = 512 << 20
# How much faster bfloat16 must be measured to be worth its rounding.
_WORTH = 1.3


@dataclass(frozen=True)
class DeviceKind:
    """What the engine asks of one kind of device.

    Attributes:
        name: of the device at hand, for people.
        is_present: whether this machine has one.
        free_bytes: what can still be had, with what torch holds back for itself.
        release: gives memory that torch holds back to the system.
        memory: what its memory is called in sentences.
        reserve_bytes: left free for the display and for other programs.
        is_host: its memory is the machine's own, so nothing is gained by taking networks off it.
        has_bfloat16: whether it computes in bfloat16 at least as well as in float32.
        copies_beside: copies to it can run beside its work.
        peak_bytes: most that was in use since `begin_peak`; None = it does not tell.
    """

    name: Callable[[], str]
    is_present: Callable[[], bool]
    free_bytes: Callable[[], int]
    release: Callable[[], None]
    memory: str = "GPU memory"
    reserve_bytes: int = int(0.8 * 2**30)
    is_host: bool = False
    has_bfloat16: Callable[[], bool] = lambda: False
    copies_beside: bool = False
    used_bytes: Callable[[], int] | None = None
    begin_peak: Callable[[], None] | None = None
    peak_bytes: Callable[[], int] | None = None


def _cuda_free() -> int:
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def _mps_free() -> int:
    return min(free_host_bytes(), torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())


# In the order in which one is taken. ROCm calls itself CUDA.
KINDS: dict[str, DeviceKind] = {
    "cuda": DeviceKind(
        name=lambda: torch.cuda.get_device_name(0),
        is_present=torch.cuda.is_available,
        free_bytes=_cuda_free,
        release=torch.cuda.empty_cache,
        has_bfloat16=lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        copies_beside=True,
        used_bytes=torch.cuda.memory_allocated,
        begin_peak=torch.cuda.reset_peak_memory_stats,
        peak_bytes=torch.cuda.max_memory_allocated,
    ),
    "mps": DeviceKind(
        name=lambda: "Apple GPU",
        is_present=torch.backends.mps.is_available,
        free_bytes=_mps_free,
        release=lambda: torch.mps.empty_cache(),
        memory="memory",
        reserve_bytes=0,
        is_host=True,
    ),
    "cpu": DeviceKind(
        name=lambda: "CPU",
        is_present=lambda: True,
        free_bytes=free_host_bytes,
        release=lambda: None,
        memory="memory",
        reserve_bytes=0,
        is_host=True,
        has_bfloat16=lambda: True,
    ),
}


@dataclass(frozen=True)
class Device:
    """`dtype` is the networks', `vae_dtype` the VAE's where it has one of its own; latents, schedules and guidance are float32 everywhere."""

    torch: torch.device
    dtype: torch.dtype
    name: str
    vae_dtype: torch.dtype | None = None

    def dtype_of(self, part: str) -> torch.dtype:
        """The number format of a part of a model."""
        return self.vae_dtype or self.dtype if part == "vae" else self.dtype

    @property
    def kind(self) -> DeviceKind:
        return KINDS[self.torch.type]

    @property
    def dtype_name(self) -> str:
        return DTYPE_NAMES[self.dtype]

    @property
    def attention(self) -> str:
        """Scaled-dot-product attention of torch, the default everywhere; other kernels become values of this."""
        return "sdpa"

    @property
    def wide_dtype(self) -> torch.dtype:
        """The format for networks whose numbers leave the range of float16: bfloat16 where the device has it, else float32."""
        return torch.bfloat16 if self.kind.has_bfloat16() else torch.float32


def kind() -> str:
    """The device kind this machine computes on."""
    return next(name for name, row in KINDS.items() if row.is_present())


def name_of(device_kind: str) -> str:
    return KINDS[device_kind].name()


def choose(precision: Precision = "auto", device_kind: str = "", vae_precision: Precision = "auto", size_bytes: int = 0) -> Device:
    """The device for a job.

    `auto`: half precision on GPUs; on the CPU float32, for large files bfloat16 where the processor multiplies it by itself and was measured to be faster.
    For the VAE: as the other networks, unless its family needs more (E108).

    Args:
        size_bytes: of the checkpoint.
    """
    device_kind = device_kind or kind()
    dtype = DTYPES.get(precision) or _automatic(device_kind, size_bytes)
    vae_dtype = DTYPES.get(vae_precision)
    return Device(torch.device(device_kind), dtype, name_of(device_kind), None if vae_dtype == dtype else vae_dtype)


def _automatic(device_kind: str, size_bytes: int) -> torch.dtype:
    if device_kind != "cpu":
        return torch.float16
    return torch.bfloat16 if size_bytes >= _LARGE_FILE_BYTES and bfloat16_is_faster() else torch.float32


def _has_native_bfloat16() -> bool:
    """Whether the processor has instructions that multiply bfloat16."""
    told = torch.cpu.get_capabilities()
    return any(bool(value) and any(word in name for word in ("amx_tile", "amx_bf16", "avx512_bf16", "arm_bf16", "sve_bf16")) for name, value in told.items())


@cache
def bfloat16_is_faster() -> bool:
    """Whether the processor multiplies bfloat16 natively, and a convolution of SD's size takes clearly less time in it; measured once, some 50 ms."""
    return _has_native_bfloat16() and _seconds(torch.float32) > _WORTH * _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    picture = torch.zeros((1, 320, 32, 32), dtype=dtype)
    weight = torch.zeros((320, 320, 3, 3), dtype=dtype)
    times = []
    with torch.inference_mode():
        for _ in range(4):
            began = time.perf_counter()
            torch.nn.functional.conv2d(picture, weight, padding=1)
            times.append(time.perf_counter() - began)
    return min(times)


def free_caches(device: torch.device) -> None:
    """Give cached, unused memory back to the system."""
    KINDS[device.type].release()
