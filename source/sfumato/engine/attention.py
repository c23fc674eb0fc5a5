"""How attention is computed: a few kernels of the same meaning, one of which serves a whole job. A new one is a row of `KERNELS` (E106).

Torch's own kernel is the default and changes nothing. Others are set for the time of a job as the attention modules' processors, and taken off after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sfumato.protocol.errors import Invalid, MissingPackage, Problem

# query (B, heads, n, d), key and value (B, heads, m, d), additive mask or None -> (B, heads, n, d)
Scores = Callable[[Tensor, Tensor, Tensor, "Tensor | None"], Tensor]

# Scores of at most so many bytes stand in memory at once where they are computed piece by piece.
SPLIT_BYTES = 256 << 20


@dataclass(frozen=True)
class Kernel:
    """One way to compute attention.

    Attributes:
        name: in requests.
        title: for people.
        package: what must be installed for it, "" = nothing but torch.
        devices: kinds of device it runs on; empty = all.
        scores: computes it; None = torch's own, under `backend` if that is given.
    """

    name: str
    title: str
    package: str = ""
    devices: tuple[str, ...] = ()
    scores: Scores | None = None
    backend: SDPBackend | None = None

    @property
    def is_installed(self) -> bool:
        return not self.package or find_spec(self.package) is not None


def split(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """As many queries at a time as `SPLIT_BYTES` of scores allow; what each query answers does not depend on the others."""
    batch, heads, count = query.shape[:3]
    row_bytes = batch * heads * key.shape[2] * query.element_size()
    step = max(1, SPLIT_BYTES // max(row_bytes, 1))
    if step >= count:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    parts = []
    for start in range(0, count, step):
        own = mask if mask is None or mask.shape[-2] == 1 else mask[..., start : start + step, :]
        parts.append(functional.scaled_dot_product_attention(query[:, :, start : start + step], key, value, attn_mask=own))
    return torch.cat(parts, dim=2)


def upcast(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Scores and softmax in float32, for networks whose scores leave half precision's range."""
    mask = None if mask is None else mask.float()
    return functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask).to(query.dtype)


def _xformers(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    operations = import_module("xformers.ops")
    batch, heads = query.shape[:2]
    bias = None if mask is None else mask.expand(batch, heads, query.shape[2], key.shape[2]).contiguous()
    # It takes heads behind tokens.
    inputs = [each.transpose(1, 2).contiguous() for each in (query, key, value)]
    answered: Tensor = operations.memory_efficient_attention(*inputs, attn_bias=bias)
    return answered.transpose(1, 2)


def _sage(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None or query.shape[-1] > _SAGE_WIDEST:  # what it cannot do
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    answered: Tensor = import_module("sageattention").sageattn(query, key, value, tensor_layout="HND", is_causal=False)
    return answered


_SAGE_WIDEST = 128
# Where torch's own kernel holds all scores at once.
_WITHOUT_FUSED = ("mps",)

KERNELS: Mapping[str, Kernel] = {
    row.name: row
    for row in (
        Kernel("auto", "Automatic"),
        Kernel("sdpa", "Torch's choice"),
        Kernel("flash", "Flash attention of torch", devices=("cuda",), backend=SDPBackend.FLASH_ATTENTION),
        Kernel("math", "Plain matrix products", backend=SDPBackend.MATH),
        Kernel("split", "Piece by piece", scores=split),
        Kernel("upcast", "Scores in float32", scores=upcast),
        Kernel("xformers", "xFormers", "xformers", ("cuda",), _xformers),
        Kernel("sage", "SageAttention", "sageattention", ("cuda",), _sage),
    )
}


def kernel_for(name: str, device: torch.device) -> Kernel:
    """The kernel of that name. Raises `MissingPackage` or `Invalid` where it cannot be had; nothing is ever replaced silently."""
    kernel = KERNELS[name]
    if kernel.devices and device.type not in kernel.devices:
        raise Invalid([Problem("attention", f"{kernel.title} needs an Nvidia or AMD card; choose auto.")])
    if not kernel.is_installed:
        error = MissingPackage(kernel.title, kernel.package)
        error.path = "attention"
        raise error
    return KERNELS["split"] if name == "auto" and device.type in _WITHOUT_FUSED else kernel


@contextmanager
def attending(modules: Sequence[nn.Module], kernel: Kernel) -> Iterator[None]:
    """Let the attention inside these modules be computed so, while inside; every processor is the one it was afterwards."""
    if kernel.scores is None:
        with _under(kernel.backend):
            yield
        return
    processor = _Processor(kernel.scores)
    # Those of a kernel that was chosen for the whole job too: inside it another may be needed for a while.
    replaced = AttnProcessor2_0, _Processor
    places = [place for module in modules for place in module.modules() if isinstance(place, Attention) and type(place.processor) in replaced]
    before = [place.processor for place in places]
    try:
        for place in places:
            place.processor = processor  # not `set_processor`: that would log
        yield
    finally:
        for place, own in zip(places, before, strict=True):
            place.processor = own


def scores_of(attention: Attention) -> Scores:
    """By which kernel an attention is computed now."""
    processor = attention.processor
    return processor.scores if isinstance(processor, _Processor) else _of_torch


def _of_torch(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def _under(backend: SDPBackend | None) -> AbstractContextManager[Any]:
    # Flash attention cannot do everything that is asked of it; torch takes the next of the list there.
    return nullcontext() if backend is None else sdpa_kernel([backend, SDPBackend.MATH] if backend is SDPBackend.FLASH_ATTENTION else [backend])


class _Processor:
    """The attention of SD's networks, with scores computed by another kernel: projections, heads, output as the modules define them."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """hidden_states (B, tokens, width), or (B, C, h, w) in a VAE -> the same shape."""
        residual, shape = hidden_states, hidden_states.shape
        if hidden_states.ndim == 4:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)
        if attn.group_norm is not None:
            hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        assert attn.to_k is not None and attn.to_v is not None and attn.to_out is not None
        query, key, value = (self._heads(projected, attn.heads) for projected in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        mask = None
        if attention_mask is not None:
            mask = attn.prepare_attention_mask(attention_mask, context.shape[1], len(context)).view(len(context), attn.heads, -1, context.shape[1])
        answered = self.scores(query, key, value, mask).transpose(1, 2).flatten(2).to(query.dtype)
        answered = attn.to_out[1](attn.to_out[0](answered))
        if len(shape) == 4:
            answered = answered.transpose(1, 2).reshape(shape)
        if attn.residual_connection:
            answered = answered + residual
        return answered / attn.rescale_output_factor

    @staticmethod
    def _heads(tokens: Tensor, heads: int) -> Tensor:
        """(B, n, heads * d) -> (B, heads, n, d)."""
        return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)
