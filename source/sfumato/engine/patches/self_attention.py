"""Rows of a batch whose self-attention answers differently: what perturbed-attention guidance and its kin compare the prediction with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

# (attention, hidden (R, tokens, width)) -> its output, of the same shape
Answer = Callable[[Attention, Tensor], Tensor]

_MIDDLE = "mid_block"


def self_attentions(unet: nn.Module, blocks: Sequence[str] = (_MIDDLE,)) -> list[Attention]:
    """The self-attention modules inside the named blocks; those nearest the middle where these have none, as in distilled networks."""
    found = _inside(unet, tuple(f"{block}." for block in blocks))
    if found:
        return found
    every = {name: module for name, module in unet.named_modules() if name.startswith("down_blocks.") and name.endswith(".attn1")}
    levels = sorted({int(name.split(".")[1]) for name in every})
    return _inside(unet, (f"down_blocks.{levels[-1]}.",)) if levels else []


def _inside(unet: nn.Module, starts: tuple[str, ...]) -> list[Attention]:
    return [module for name, module in unet.named_modules() if name.startswith(starts) and name.endswith(".attn1")]  # type: ignore[misc]


class SelfAttentionPatch:
    """While inside, the rows `rows` (indices (n,) into the batch) of the self-attention in `blocks` are what `answer` makes of them; None touches nothing."""

    def __init__(self, unet: nn.Module, answer: Answer, blocks: Sequence[str] = (_MIDDLE,)) -> None:
        self.rows: Tensor | None = None
        self._modules = self_attentions(unet, blocks)
        self._answer = answer
        self._handles: list[Any] = []

    def __enter__(self) -> SelfAttentionPatch:
        self._handles = [module.register_forward_hook(self._replace, with_kwargs=True) for module in self._modules]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.rows = None

    def _replace(self, module: Attention, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:
        if self.rows is None:
            return output
        hidden = args[0] if args else kwargs["hidden_states"]
        return output.index_copy(0, self.rows, self._answer(module, hidden.index_select(0, self.rows)))


def projected_out(attention: Attention, values: Tensor) -> Tensor:
    """The module's own way from attended values (R, tokens, inner width) to its output."""
    assert attention.to_out is not None
    for layer in attention.to_out:
        values = layer(values)
    return values
