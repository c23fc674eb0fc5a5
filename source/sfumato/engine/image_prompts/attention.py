"""What acts in a pass: at every attention to the text, w * attention(query, keys of the picture, values of the picture) is added. Rules: E83, E105.

The query is that of the text's attention, with all that is done to it; what is added goes through the same last layer. So hooks stand behind `to_q` and
before `to_out`, and whichever kernel computes the attention computes this, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as nnf
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from sfumato.engine.attachments import NetworkCall, Residuals
from sfumato.engine.attention import scores_of
from sfumato.engine.control.steering import Steering
from sfumato.engine.denoiser import Row
from sfumato.engine.family import Model

# The largest number of halvings of a network's way down.
_LEVELS = 6


def cross_attentions(unet: nn.Module) -> dict[str, Attention]:
    """Attentions to the text by their names, in the order of files: way down, way up, middle."""
    found: dict[str, Attention] = {}
    for part in ("down_blocks", "up_blocks", "mid_block"):
        inside = getattr(unet, part, None)
        if inside is not None:
            found |= {f"{part}.{name}": module for name, module in inside.named_modules() if name.endswith("attn2") and isinstance(module, Attention)}
    return found


@dataclass(frozen=True, eq=False)
class Rows:
    """Of a group.

    Attributes:
        images: (R,) places of their keys and values.
        factors: (R, 1, 1) 0 for rows that are spared; None if there are none.
        areas: (R,) places of their masks, or None.
    """

    images: Tensor
    factors: Tensor | None
    areas: Tensor | None


@dataclass(eq=False)
class _Now:
    rows: Rows
    size: tuple[int, int]
    queries: dict[int, Tensor] = field(default_factory=dict)


class ImagePrompt:
    """A picture as a prompt over one pass.

    Args:
        pairs: keys and values (2 * n, tokens, width) for each attention: of the pictures of n images, or of one for all, then of no picture.
        weights: one for each attention; where it is 0 nothing is computed.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]], weights: Sequence[float], steering: Steering) -> None:
        self._pairs = tuple(pairs)
        self._weights = tuple(weights)
        self._steering = steering
        self._now: _Now | None = None
        self._masks: dict[tuple[int, int, int], Tensor] = {}

    @contextmanager
    def attached(self, model: Model) -> Iterator[None]:
        handles: list[Any] = []
        try:
            for place, attention in enumerate(cross_attentions(model.unet).values()):
                if self._weights[place]:
                    assert attention.to_out is not None
                    handles.append(attention.to_q.register_forward_hook(self._keeping(place)))
                    handles.append(attention.to_out[0].register_forward_pre_hook(self._adding(place, attention)))
            yield
        finally:
            self._now = None
            for handle in handles:
                handle.remove()

    def prepare(self, rows: Sequence[Row], batch: int) -> Rows | None:
        spared = [row.is_negative and self._steering.spares_negative for row in rows]
        if all(spared):
            return None
        device, count = self._pairs[0][0].device, len(self._pairs[0][0]) // 2
        images = [(count if row.is_negative else 0) + (row.image if count > 1 else 0) for row in rows]
        factors = torch.tensor([0.0 if each else 1.0 for each in spared], device=device)[:, None, None] if any(spared) else None
        mask = self._steering.mask
        areas = None if mask is None else torch.tensor([row.image if len(mask) > 1 else 0 for row in rows], device=device)
        return Rows(torch.tensor(images, device=device), factors, areas)

    def around(self, prepared: Rows | None, call: NetworkCall) -> AbstractContextManager[Residuals | None]:
        if prepared is None or not self._steering.acts(call.moment):
            return nullcontext(None)
        return self._acting(_Now(prepared, (call.latents.shape[2], call.latents.shape[3])))

    @contextmanager
    def _acting(self, now: _Now) -> Iterator[None]:
        self._now = now
        try:
            yield
        finally:
            self._now = None

    def _keeping(self, place: int) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
        def keep(module: nn.Module, args: tuple[Any, ...], query: Tensor) -> None:
            if self._now is not None:
                self._now.queries[place] = query

        return keep

    def _adding(self, place: int, attention: Attention) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
        def add(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            now = self._now
            if now is None or place not in now.queries:
                return None
            query, answered = now.queries.pop(place), args[0]
            key, value = (each.index_select(0, now.rows.images) for each in self._pairs[place])
            heads = [each.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for each in (query, key.to(query.dtype), value.to(query.dtype))]
            seen = scores_of(attention)(heads[0], heads[1], heads[2], None).transpose(1, 2).flatten(2).to(answered.dtype)
            seen = seen * self._weights[place]
            if now.rows.factors is not None:
                seen = seen * now.rows.factors.to(seen.dtype)
            if now.rows.areas is not None:
                seen = seen * self._mask(now.size, seen.shape[1]).index_select(0, now.rows.areas).to(seen.dtype)
            return (answered + seen, *args[1:])

        return add

    def _mask(self, size: tuple[int, int], tokens: int) -> Tensor:
        """The mask (B or 1, tokens, 1) for attention with so many places, when latents have this size."""
        key = (*size, tokens)
        if key not in self._masks:
            mask = self._steering.mask
            assert mask is not None
            fitting = next((each for each in _sizes(size) if each[0] * each[1] == tokens), None)
            # Where tokens were joined the rows of places are no picture any more: each stands for its share of them.
            made = nnf.adaptive_avg_pool1d(mask.flatten(2), tokens) if fitting is None else nnf.adaptive_avg_pool2d(mask, fitting).flatten(2)
            self._masks[key] = made.transpose(1, 2)
        return self._masks[key]


def _sizes(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Of the features on each level of a network over latents of this size (h, w)."""
    for _ in range(_LEVELS):
        yield size
        size = (size[0] + 1) // 2, (size[1] + 1) // 2
