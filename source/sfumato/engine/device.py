"""Where and in which number format a job computes; decided once per job, here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Precision = Literal["auto", "fp16", "bf16", "fp32"]

DTYPES: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


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
    def dtype_name(self) -> str:
        return DTYPE_NAMES[self.dtype]

    @property
    def attention(self) -> str:
        """Scaled-dot-product attention of torch, the default everywhere; other kernels become values of this."""
        return "sdpa"


def kind() -> str:
    """The device kind this machine computes on: CUDA (ROCm calls itself so too) before MPS before the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def name_of(device_kind: str) -> str:
    return torch.cuda.get_device_name(0) if device_kind == "cuda" else {"mps": "Apple GPU", "cpu": "CPU"}[device_kind]


def choose(precision: Precision = "auto", device_kind: str = "", vae_precision: Precision = "auto") -> Device:
    """The device for a job. `auto`: half precision on GPUs, float32 on the CPU, where halves are emulated and slower; for the VAE: as the other networks."""
    device_kind = device_kind or kind()
    dtype = DTYPES.get(precision) or (torch.float32 if device_kind == "cpu" else torch.float16)
    vae_dtype = DTYPES.get(vae_precision)
    return Device(torch.device(device_kind), dtype, name_of(device_kind), None if vae_dtype == dtype else vae_dtype)


def free_caches(device: torch.device) -> None:
    """Give cached, unused memory back to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
