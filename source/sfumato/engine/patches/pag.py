"""Perturbed-attention guidance (Ahn et al. 2024): attention that sees nothing but itself, its map being the identity."""

from __future__ import annotations

from diffusers.models.attention_processor import Attention
from torch import Tensor

from sfumato.engine.patches.self_attention import projected_out


def own_values(attention: Attention, hidden: Tensor) -> Tensor:
    """Every token answers with its own value."""
    assert attention.to_v is not None
    return projected_out(attention, attention.to_v(hidden))
