"""What must be as it was when networks have gone: every bit of every weight, every hook, every forward."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def bits(module: nn.Module) -> dict[str, str]:
    """Name -> checksum of each weight and buffer."""
    return {name: hashlib.sha256(_flat(tensor).numpy().tobytes()).hexdigest() for name, tensor in module.state_dict().items()}


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format).flatten().view(torch.uint8)


def addresses(module: nn.Module) -> dict[str, tuple[object, ...]]:
    """Name -> where and how the numbers of each weight lie."""
    return {name: (parameter.data_ptr(), parameter.stride(), parameter.dtype) for name, parameter in module.named_parameters()}


def traces(modules: Iterable[nn.Module]) -> list[tuple[int, int, bool]]:
    """Of every layer: its hooks before and behind, and whether its forward is its own."""
    return [(len(layer._forward_pre_hooks), len(layer._forward_hooks), "forward" in layer.__dict__) for module in modules for layer in module.modules()]
