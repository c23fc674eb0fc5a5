"""What must be as it was when networks have gone: every bit of every weight, every hook, every forward."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def bits(module: nn.Module) -> dict[str, str]:
    """Name -> checksum of each weight and buffer."""
    return {name: hashlib.sha256(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest() for name, tensor in module.state_dict().items()}


def addresses(module: nn.Module) -> dict[str, int]:
    """Name -> where the numbers of each weight lie."""
    return {name: parameter.data_ptr() for name, parameter in module.named_parameters()}


def traces(modules: Iterable[nn.Module]) -> list[tuple[int, int, bool]]:
    """Of every layer: its hooks before and behind, and whether its forward is its own."""
    return [(len(layer._forward_pre_hooks), len(layer._forward_hooks), "forward" in layer.__dict__) for module in modules for layer in module.modules()]
