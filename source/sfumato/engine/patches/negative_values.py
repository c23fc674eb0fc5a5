"""Negative weights as qDiffusion means them: the words keep their place in the attention, but what they contribute is turned around."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from torch import Tensor, nn


class NegativeValues:
    """While inside, the context of cross-attention is multiplied by `signs` (R, tokens, width) before it becomes values; None touches nothing.

    Values are a projection without bias, so turned contexts give turned values, for each text encoder's share of the context by itself.
    """

    def __init__(self, unet: nn.Module) -> None:
        self.signs: Tensor | None = None
        self._modules = [module for name, module in unet.named_modules() if name.endswith(".attn2.to_v")]
        self._handles: list[Any] = []

    def __enter__(self) -> NegativeValues:
        self._handles = [module.register_forward_pre_hook(self._turn) for module in self._modules]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.signs = None

    def _turn(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return None if self.signs is None else (args[0] * self.signs,)
