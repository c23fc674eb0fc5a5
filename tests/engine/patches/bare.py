"""A network as it was: its weights, its forwards and its hooks, to see that a patch left nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def state_of(network: nn.Module) -> tuple[dict[str, Tensor], list[object], list[int]]:
    """Weights (copied), the forward of every module, and how many hooks each has."""
    modules = list(network.modules())
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules]
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}, [module.forward for module in modules], hooks


def assert_bare(network: nn.Module, before: tuple[dict[str, Tensor], list[object], list[int]]) -> None:
    weights, forwards, hooks = state_of(network)
    assert all(torch.equal(before[0][name], tensor) for name, tensor in weights.items())
    assert forwards == before[1]
    assert hooks == before[2]


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
