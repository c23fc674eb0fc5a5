"""Pixels to tensors and back, as all networks here want them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from torch import Tensor

Bytes = NDArray[np.uint8]


def as_tensor(pixels: Bytes, device: torch.device) -> Tensor:
    """(H, W, 3) bytes -> (1, 3, H, W) float32 in 0..255."""
    return torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1)[None].float()


def as_bytes(values: Tensor) -> Bytes:
    """(..., H, W) in 0..1 with nothing but ones before -> (H, W) bytes; what is beyond is cut off, what is no number is black."""
    flat = values.reshape(values.shape[-2:]).nan_to_num(0.0)
    return flat.mul(255).clamp(0, 255).to(torch.uint8).cpu().numpy()


def padded(values: Tensor, multiple: int) -> Tensor:
    """Columns and rows added at the right and below, the last ones repeated, up to a multiple of so many pixels."""
    height, width = values.shape[-2:]
    return nnf.pad(values, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def scaled(values: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """(1, C, h, w) at another size (h, w)."""
    return nnf.interpolate(values, size, mode=mode, align_corners=False)
